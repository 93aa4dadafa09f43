"""Our middleware compared with `flyte.app.extras.FastAPIPassthroughAuthMiddleware`.

Each test of a difference names its row of the table in docs/migration.md.
"""

import asyncio
import json
import re
import warnings
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from fastapi import FastAPI, Request, WebSocket
from flyte import remote

from passthrough_auth.core import ConfigurationError, header_extractor
from passthrough_auth.frameworks.fastapi import FastAPIPassthroughAuthMiddleware as Ours
from passthrough_auth.frameworks.fastapi import FastAPIRequest
from passthrough_auth.testing.flyte import FlyteEndpoint

pytest_plugins = ["passthrough_auth.testing.pytest_plugin"]

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its models are for an older pydantic
    from flyte.app.extras import FastAPIPassthroughAuthMiddleware as Theirs

ALICE = ("authorization", "Bearer alice-token")
BOB = ("authorization", "Bearer bob-token")
COOKIE = ("cookie", "flyte-session=alice-token")
REQUIRED = {"detail": "Authentication credentials required"}
Headers = list[tuple[str, str]]

PAGE = Path(__file__).parents[2] / "docs" / "migration.md"
SHOWN: set[str] = set()
Test = TypeVar("Test", bound=Callable[..., None])


def row(case: str) -> Callable[[Test], Test]:
    """This test shows the row of the table with this first cell."""

    def add(test: Test) -> Test:
        SHOWN.add(case)
        return test

    return add


both = pytest.mark.parametrize("middleware", [Theirs, Ours], ids=["theirs", "ours"])


def app_with(middleware: Any, **options: Any) -> FastAPI:
    app = FastAPI()
    app.add_middleware(middleware, **options)

    @app.get("/me")
    @app.post("/me")
    async def me() -> dict[str, str]:
        return {"subject": (await remote.User.get.aio()).subject()}

    @app.get("/health")
    @app.get("/h")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.websocket("/ws")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close()

    return app


def ask(app: Any, path: str, *headers: tuple[str, str], method: str = "GET") -> httpx.Response:
    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://app.example") as client:
            return await client.request(method, path, headers=list(headers))

    return asyncio.run(call())


def handshake(app: Any, path: str) -> str:
    """The type of the first message that answers a WebSocket handshake without credentials."""
    sent: list[str] = []

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message["type"])

    scope = {"type": "websocket", "path": path, "headers": [], "query_string": b"", "root_path": ""}
    asyncio.run(app(scope, receive, send))
    return sent[0]


def start(app: Any) -> None:
    """Start it, as a server with lifespan does. Raises the error of a failed startup."""

    async def receive() -> dict[str, str]:
        return {"type": "lifespan.startup"}

    async def send(message: MutableMapping[str, Any]) -> None:
        assert message["type"] == "lifespan.startup.failed"

    asyncio.run(app({"type": "lifespan"}, receive, send))


# The same


@both
def test_each_caller_is_seen_and_nobody_is_refused(
    middleware: type, endpoint: FlyteEndpoint
) -> None:
    app = app_with(middleware, excluded_paths={"/health"})
    assert ask(app, "/me", ALICE).json() == {"subject": "alice"}
    assert ask(app, "/me", BOB).json() == {"subject": "bob"}
    assert ask(app, "/me", COOKIE).json() == {"subject": "alice"}
    assert ask(app, "/health").status_code == 200
    refused = ask(app, "/me")
    assert (refused.status_code, refused.json()) == (401, REQUIRED)
    assert refused.headers["www-authenticate"] == "Bearer"


def of_ones_own(request: Request) -> tuple[str, str] | None:
    token = request.headers.get("X-Flyte-Token")
    return ("x-flyte-token", token) if token else None


def wrapping(middleware: Any) -> Callable[[Request], tuple[str, str] | None]:
    inner = middleware.extract_custom_header("x-flyte-token")
    return lambda request: inner(request) if request.cookies.get("other") is None else None


EXTRACTORS: dict[str, Callable[[Any], Any]] = {
    "static method": lambda middleware: middleware.extract_custom_header("X-Flyte-Token"),
    "one's own": lambda middleware: of_ones_own,
    "one around a static method": wrapping,
}


@both
@pytest.mark.parametrize("kind", EXTRACTORS)
def test_custom_extractors_run_unchanged(
    middleware: Any, kind: str, endpoint: FlyteEndpoint
) -> None:
    extractors = [middleware.extract_authorization_header, EXTRACTORS[kind](middleware)]
    app = app_with(middleware, header_extractors=extractors)
    assert ask(app, "/me", ("x-flyte-token", "bob-token")).json() == {"subject": "bob"}
    assert ask(app, "/me", ALICE).json() == {"subject": "alice"}
    assert ask(app, "/me", COOKIE).status_code == 401


# Where ours is stricter


def test_every_row_of_the_table_is_shown_here() -> None:
    _, rows = PAGE.read_text(encoding="utf-8").split("|---|---|---|\n")
    assert set(re.findall(r"^\| (.+?) \| ", rows, re.MULTILINE)) == SHOWN


def statuses(path: str, *headers: tuple[str, str], method: str = "GET") -> tuple[int, int]:
    """The status of their answer and of ours."""
    theirs, ours = (
        ask(app_with(middleware, excluded_paths={"/health"}), path, *headers, method=method)
        for middleware in (Theirs, Ours)
    )
    return theirs.status_code, ours.status_code


@row("two Authorization lines, `Bearer` without a token, or a list of tokens")
@pytest.mark.parametrize(
    "headers",
    [
        [ALICE, BOB],
        [("authorization", "Bearer"), COOKIE],
        [("authorization", "")],
        [("authorization", "Bearer alice-token, Bearer bob-token")],
    ],
    ids=["two callers", "no token", "empty", "a list"],
)
def test_malformed_credentials(headers: Headers, endpoint: FlyteEndpoint) -> None:
    theirs, ours = statuses("/me", *headers)
    assert theirs in (200, 401, 500)  # depends on how upstream reads the header
    assert ours == 401


def test_two_authorization_headers_act_as_the_first(endpoint: FlyteEndpoint) -> None:
    assert statuses("/me", ALICE, BOB) == (200, 401)
    assert {call.caller for call in endpoint.calls} == {"alice"}


@row('an extractor yields a bare token, `("authorization", "abc")`')
def test_a_bare_token(endpoint: FlyteEndpoint) -> None:
    """Theirs forwards it, and Flyte doesn't recognise its caller."""

    def extract(request: Request) -> tuple[str, str]:
        return "authorization", "alice-token"

    theirs, ours = (
        ask(app_with(middleware, header_extractors=[extract]), "/me")
        for middleware in (Theirs, Ours)
    )
    assert {call.headers["authorization"] for call in endpoint.calls} == {("alice-token",)}
    assert theirs.status_code == 500
    assert (ours.status_code, ours.json()) == (
        401,
        {"detail": "Authentication credentials malformed"},
    )


def test_a_malformed_authorization_beside_a_cookie(endpoint: FlyteEndpoint) -> None:
    refused = ask(app_with(Ours), "/me", ("authorization", "Bearer"), COOKIE)
    assert refused.json() == {"detail": "Authentication credentials malformed"}
    assert not endpoint.calls


@row("a WebSocket without credentials")
def test_a_websocket_without_credentials() -> None:
    assert handshake(app_with(Theirs), "/ws") == "websocket.accept"
    assert handshake(app_with(Ours), "/ws") == "websocket.close"


@row('`excluded_paths="/health"`, a string')
def test_excluded_paths_given_as_a_string() -> None:
    """For theirs, every path that is part of the string is public."""
    assert ask(app_with(Theirs, excluded_paths="/health"), "/h").status_code == 200
    with pytest.raises(ConfigurationError, match="excluded_paths"):
        start(app_with(Ours, excluded_paths="/health"))


@row("a cross-site POST with only a cookie")
def test_a_cross_site_request_with_only_a_cookie(endpoint: FlyteEndpoint) -> None:
    headers = [COOKIE, ("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")]
    assert statuses("/me", *headers, method="POST") == (200, 403)


@row("a cross-site POST with only what an undecorated custom extractor yields")
def test_a_cross_site_request_with_a_custom_header(endpoint: FlyteEndpoint) -> None:
    """Ours needs the decorator that says that no browser attaches it."""

    @header_extractor(ambient=False)
    def decorated(request: Any) -> tuple[str, str] | None:
        return of_ones_own(request)

    headers = [("x-flyte-token", "alice-token"), ("sec-fetch-site", "cross-site")]
    answers = [
        ask(app_with(middleware, header_extractors=[extractor]), "/me", *headers, method="POST")
        for middleware, extractor in ((Theirs, of_ones_own), (Ours, of_ones_own), (Ours, decorated))
    ]
    assert [answer.status_code for answer in answers] == [200, 403, 200]


@row("Flyte does not accept or permit the caller")
def test_credentials_that_flyte_does_not_accept(endpoint: FlyteEndpoint) -> None:
    assert statuses("/me", ("authorization", "Bearer mallory-token")) == (500, 401)
    endpoint.fail("UserInfo", "denied")
    assert statuses("/me", ALICE) == (500, 403)


@row("no extractors at all, or an `async def` one")
def test_no_extractors_or_an_async_one() -> None:
    async def extract(request: Request) -> tuple[str, str]:
        raise AssertionError

    for extractors in ([], [extract]):
        Theirs(app_with(Theirs), header_extractors=extractors)
        with pytest.raises(ConfigurationError):
            start(app_with(Ours, header_extractors=extractors))


@row("an extractor raises")
def test_an_extractor_that_raises_keeps_its_text_out_of_the_log(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    def extract(request: Request) -> tuple[str, str]:
        raise ValueError("planted-token")

    for middleware in (Theirs, Ours):
        assert ask(app_with(middleware, header_extractors=[extract]), "/me").status_code == 401
        logged = caplog.text + "".join(capfd.readouterr())
        assert ("planted-token" in logged) == (middleware is Theirs)
        caplog.clear()


@row("an extractor yields `host`, `content-length` or another framing header")
def test_an_extractor_that_yields_a_framing_header() -> None:
    def extract(request: Request) -> tuple[str, str]:
        return "host", "evil.example"

    for middleware, status in ((Theirs, 200), (Ours, 401)):
        app = app_with(middleware, header_extractors=[extract])
        assert ask(app, "/h").status_code == status


NATIVE: dict[str, Callable[[Any], str]] = {
    "query_params": lambda request: str(request.query_params["token"]),
    "url": lambda request: str(request.url).rpartition("=")[2],
    "client": lambda request: str(request.client and "alice-token"),
}


@row("an extractor needs more of Starlette's request")
@pytest.mark.parametrize("attribute", NATIVE)
def test_an_extractor_that_needs_starlettes_request_takes_native(
    attribute: str, endpoint: FlyteEndpoint
) -> None:
    """Ours passes one small type on every framework, with Starlette's own request as `native`."""

    def extract(request: Any) -> tuple[str, str]:
        own = getattr(request, "native", request)
        return ("authorization", f"Bearer {NATIVE[attribute](own)}")

    def unchanged(request: Any) -> tuple[str, str]:
        return ("authorization", f"Bearer {NATIVE[attribute](request)}")

    for middleware in (Theirs, Ours):
        app = app_with(middleware, header_extractors=[extract])
        assert ask(app, "/me?token=alice-token").json() == {"subject": "alice"}
    assert ask(app_with(Ours, header_extractors=[unchanged]), "/me?token=a").status_code == 401


@row("every line of a header")
def test_every_line_of_a_header(endpoint: FlyteEndpoint) -> None:
    def getlist(request: Any) -> tuple[str, str]:
        return ("authorization", request.headers.getlist("x-token")[-1])

    def lines(request: Any) -> tuple[str, str]:
        return ("authorization", request.lines("x-token")[-1])

    headers = [("x-token", BOB[1]), ("x-token", ALICE[1])]
    for middleware, extract in ((Theirs, getlist), (Ours, lines)):
        app = app_with(middleware, header_extractors=[extract])
        assert ask(app, "/me", *headers).json() == {"subject": "alice"}


@row("a static method called by hand")
def test_a_static_method_called_by_hand() -> None:
    headers = [(b"authorization", b"Bearer alice-token")]
    scope = {"type": "http", "method": "GET", "path": "/me", "headers": headers}
    assert Theirs.extract_authorization_header(Request(scope)) == ALICE
    assert Ours.extract_authorization_header(FastAPIRequest(scope)) == ALICE
    with pytest.raises(AttributeError):
        Ours.extract_authorization_header(Request(scope))


@row("a path with a control character, such as `/hea%0Alth`")
def test_a_path_with_a_control_character() -> None:
    """Theirs lets it pass as `/health`, and then the router decides."""
    assert statuses("/hea%0Alth") == (404, 401)


@row("a subclass that overrides `dispatch`")
def test_a_subclass_that_overrides_dispatch() -> None:
    called: list[str] = []

    def subclass(middleware: Any) -> Any:
        async def dispatch(self: Any, request: Any, call_next: Any) -> Any:
            called.append(middleware.__module__)
            return await middleware.dispatch(self, request, call_next)

        return type("Subclass", (middleware,), {"dispatch": dispatch})

    for middleware in (Theirs, Ours):
        assert ask(app_with(subclass(middleware)), "/h").status_code == 401
    assert called == [Theirs.__module__]


@row("an excluded path in a mounted app")
def test_a_public_path_below_a_mount() -> None:
    """Theirs compares with the whole path, ours with the path within the mounted app."""
    for middleware, excluded in ((Theirs, "/api/health"), (Ours, "/health")):
        outer = FastAPI()
        outer.mount("/api", app_with(middleware, excluded_paths={excluded}))
        assert ask(outer, "/api/health").status_code == 200


@row("the 401")
def test_a_refusal_is_not_cached() -> None:
    theirs, ours = (ask(app_with(middleware), "/me") for middleware in (Theirs, Ours))
    assert "cache-control" not in theirs.headers
    assert ours.headers["cache-control"] == "no-store"
    assert json.loads(theirs.content) == json.loads(ours.content)


@row("a task that outlives the request")
@both
def test_a_task_that_outlives_its_request(middleware: type, endpoint: FlyteEndpoint) -> None:
    """With theirs it acts as the caller to its end. With ours the caller ends with the request."""
    found: list[str] = []

    async def late(ended: asyncio.Event) -> None:
        await ended.wait()
        try:
            found.append((await remote.User.get.aio()).subject())
        except LookupError as error:
            found.append(type(error).__name__)

    async def serve() -> None:
        ended = asyncio.Event()
        tasks: list[asyncio.Task[None]] = []
        app = FastAPI()
        app.add_middleware(middleware)

        @app.get("/")
        async def view() -> None:
            tasks.append(asyncio.create_task(late(ended)))

        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app.example") as client:
            await client.get("/", headers=[ALICE])
        ended.set()
        await asyncio.gather(*tasks)

    asyncio.run(serve())
    assert found == (["alice"] if middleware is Theirs else ["NoCaller"])
