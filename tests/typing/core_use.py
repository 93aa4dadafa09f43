"""User code over core, as it must check, and as it must not.

No line of this runs. What must not check carries an ignore for mypy and one for pyright, and each
of them reports an ignore that suppresses nothing.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, assert_type

from passthrough_auth.core import (
    CallerDenied,
    CallerRefused,
    CallerThreadPoolExecutor,
    Credential,
    Credentials,
    HeaderExtractor,
    NoCaller,
    PathRules,
    Refusal,
    Request,
    acting_as,
    current_credentials,
    extract_authorization_header,
    extract_bare_authorization,
    extract_bearer_from_cookie,
    extract_bearer_token,
    extract_cookies,
    extract_custom_header,
    extract_schemes,
    header_extractor,
    snapshot,
)
from passthrough_auth.core.caller import Binding
from passthrough_auth.core.inbound import Admission, Gate

# --- Extractors ---------------------------------------------------------------------------------


def from_token(request: Request) -> tuple[str, str] | None:
    token = request.headers.get("x-token")
    return None if token is None else ("authorization", f"Bearer {token}")


@header_extractor(ambient=False)
def from_session(request: Request) -> tuple[str, str]:
    return "x-session", request.cookies["session"]


async def asynchronous(request: Request) -> tuple[str, str] | None:
    return from_token(request)


def without_name(request: Request) -> str:
    return request.headers["x-token"]


extractors: list[HeaderExtractor] = [
    from_token,
    from_session,
    extract_authorization_header,
    extract_bare_authorization,
    extract_bearer_from_cookie("access_token"),
    extract_bearer_token,
    extract_cookies("session", "csrf"),
    extract_custom_header("x-token", ambient=True),
    extract_schemes("Bearer", "Token"),
    lambda request: ("x-token", request.headers["x-token"]),
]

# A decorated function keeps its type.
keeps: Callable[[Request], tuple[str, str]] = from_session

bad_1: HeaderExtractor = asynchronous  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
bad_2: HeaderExtractor = without_name  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
extract_cookies(["session"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
extract_custom_header("x-token", "ambient")  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue]
header_extractor(ambient="no")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

# --- The gate -----------------------------------------------------------------------------------


def on_refusal(request: Request, refusal: Refusal) -> Refusal:
    return Refusal(303, (("location", "/login"),), b"") if request.method == "GET" else refusal


class Bound(Binding):
    """A client that asks."""

    def install(self) -> None:
        assert_type(self.credentials(), Credentials)


class BoundWithErrors(Bound):
    """One whose errors are known, too."""

    def caller_refused(self, error: BaseException, /) -> CallerRefused | None:
        return CallerDenied("no") if isinstance(error, PermissionError) else None


class NeverInstalled(Binding):
    """It lacks what makes its client ask."""


NeverInstalled()  # type: ignore[abstract]  # pyright: ignore[reportAbstractUsage]


bindings: list[Binding] = [Bound(), BoundWithErrors()]
gate = Gate(
    header_extractors=extractors,
    excluded_paths={"/health", re.compile("/v[0-9]+/docs")},
    trusted_origins=["https://admin.example.com"],
    realm="app",
    on_refusal=on_refusal,
    bindings=bindings,
)

Gate(extractors)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
Gate(exclude_paths=["/health"])  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
Gate(header_extractors=from_token)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Gate(excluded_paths=[b"/health"])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
Gate(allow_preflight=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
Gate(bindings=[print])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
PathRules([7])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]


def told(admission: Admission) -> str:
    if admission.refusal is not None:
        return str(admission.refusal.status)
    assert_type(admission.credentials(), Credentials)
    return ", ".join(credential.name for credential in admission.credentials())


# --- The caller ---------------------------------------------------------------------------------


def upstream_headers() -> dict[str, str]:
    credentials = current_credentials()
    assert_type(credentials.get("authorization"), Credential | None)
    return credentials.headers()


def absence() -> str | None:
    try:
        current_credentials()
    except NoCaller as absent:
        if absent.reason == "public":
            return None
        return absent.reason
    return None


with acting_as(("authorization", "Bearer t"), ("x-token", "t")) as acting:
    assert_type(acting, Credentials)
    acting.headers()["x-more"] = "1"

acting_as("authorization", "Bearer t")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
acting_as(("x-token", b"t"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
acting.pairs()[0] = ("a", "b")  # type: ignore[index]  # pyright: ignore[reportIndexIssue]
len(current_credentials)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def work(number: int, *, name: str) -> float:
    return number / len(name)


taken = snapshot(expires_in=60)
with ThreadPoolExecutor() as pool:
    assert_type(taken.run(work, 7, name="x"), float)
    future: Future[float] = pool.submit(taken.run, work, 7, name="x")
with CallerThreadPoolExecutor(8, expires_in=60, destinations=None) as caller_pool:
    as_caller: ThreadPoolExecutor = caller_pool
    assert_type(caller_pool.submit(work, 7, name="x"), Future[float])


async def awork(number: int) -> float:
    assert_type(await taken.arun(awork, number), float)
    await taken.arun(work, 7, name="x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return number / 2


caller_pool.submit(work, "7", name="x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
caller_pool.submit(work, 7)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
taken.run(work, "7", name="x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
taken.run(work, 7)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
snapshot(60)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

# --- A framework of one's own -------------------------------------------------------------------


class OwnRequest(Request):
    """What adding a framework takes: four members."""

    @property
    def method(self) -> str:
        return "GET"

    @property
    def path(self) -> str | None:
        return "/"

    @property
    def native(self) -> Any:
        return self

    def lines(self, name: str) -> Sequence[str]:
        return []

    def names(self) -> Iterable[str]:
        return []


class HalfRequest(Request):
    """It lacks the lines of a header."""

    @property
    def method(self) -> str:
        return "GET"


gate.admit(OwnRequest())
HalfRequest()  # type: ignore[abstract]  # pyright: ignore[reportAbstractUsage]
gate.admit({"path": "/"})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
