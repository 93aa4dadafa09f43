"""The three frameworks under real servers, with the real SDK. The endpoint records its calls."""

import http.client
import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from passthrough_auth.testing.flyte import Caller, FlyteEndpoint
from passthrough_auth.testing.servers import Running, server, serving

APPS = Path(__file__).parent / "apps"
CALLERS = ("alice", "bob", "carol")
COLUMNS = {
    "fastapi": ("uvicorn-h11-asyncio", "fastapi_app:app"),
    "flask": ("waitress", "flask_app:app"),
    "django-wsgi": ("gunicorn-gthread", "django_app:wsgi"),
    "django-asgi": ("uvicorn-h11-asyncio", "django_app:asgi"),
}
WSGI = {"flask", "django-wsgi"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Site:
    """One served app, and the endpoint that it calls."""

    column: str
    endpoint: FlyteEndpoint
    running: Running

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.running.host, self.running.port, timeout=240)

    def ask(self, method: str, path: str, caller: str | None) -> Answer:
        with closing(self.connect()) as connection:
            return ask(connection, method, path, caller)

    def seen(self) -> set[tuple[str | None, str]]:
        return {(call.caller, call.outcome) for call in self.endpoint.calls}


def ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    caller: str | None,
    body: bytes = b"",
) -> Answer:
    headers = {"authorization": f"Bearer {caller}-token"} if caller else {}
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    return Answer(response.status, response.headers, response.read())


@pytest.fixture(scope="module")
def sites() -> Iterator[Callable[[str], Site]]:
    """Each app is served once, when the first test needs it."""
    with ExitStack() as stack:
        started: dict[str, Site] = {}

        def site(column: str) -> Site:
            if column not in started:
                endpoint = stack.enter_context(FlyteEndpoint([*CALLERS, denied()]))
                server_name, app = COLUMNS[column]
                running = stack.enter_context(
                    serving(server(server_name), app, env=endpoint.environment(), cwd=APPS)
                )
                started[column] = Site(column, endpoint, running)
            started[column].endpoint.reset()
            return started[column]

        yield site


def denied() -> Caller:
    return Caller(subject="dan", may_run=False)


@pytest.fixture(params=COLUMNS)
def site(request: pytest.FixtureRequest, sites: Callable[[str], Site]) -> Site:
    return sites(request.param)


def test_400_mixed_requests_in_flight_are_each_their_own_callers(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """Answers have the right caller for each request and job, and the endpoint's record agrees."""
    jobs = [
        (f"/{kind}/{what}", caller)
        for kind in ("sync", "async")
        for what in ("me", "trigger-job")
        for caller in CALLERS
    ]
    wanted = [jobs[index % len(jobs)] for index in range(400)]
    start = threading.Barrier(len(wanted))

    def one(path: str, caller: str) -> Answer:
        start.wait(60)
        return site.ask("POST" if "trigger" in path else "GET", path, caller)

    with ThreadPoolExecutor(len(wanted)) as pool:
        answers = list(pool.map(one, *zip(*wanted, strict=True)))

    assert Counter(answer.status for answer in answers) == {200: 400}
    ran_by = {run.name: run.caller for run in site.endpoint.runs}
    wrong = 0
    for (path, caller), answer in zip(wanted, answers, strict=True):
        found = answer.json()
        wrong += caller != (ran_by[found["run"]] if "trigger" in path else found["subject"])
    crossed = sum(
        call.headers["authorization"] != (f"Bearer {call.caller}-token",)
        for call in site.endpoint.calls
    )
    asked = Counter((caller, "trigger" in path) for path, caller in wanted)
    done = Counter((run.caller, True) for run in site.endpoint.runs)
    done.update((call.caller, False) for call in site.endpoint.calls if call.method == "UserInfo")
    with capsys.disabled():
        sys.stdout.write(
            f"\n{site.column}: {len(answers)} requests, {len(site.endpoint.calls)} calls recorded, "
            f"{len(site.endpoint.runs)} runs; wrong {wrong}, crossed {crossed}\n"
        )
    assert (wrong, crossed) == (0, 0)
    assert done == asked


STREAMS = [
    (column, f"/{kind}/stream")
    for column in COLUMNS
    for kind in ("sync", "async")
    # Flask has no async streams, and under WSGI Django reads them to their end first.
    if not (column in WSGI and kind == "async")
]


@pytest.mark.parametrize(("column", "path"), STREAMS)
def test_each_chunk_of_a_stream_sees_its_own_caller(
    sites: Callable[[str], Site], column: str, path: str
) -> None:
    site = sites(column)
    wanted = [CALLERS[index % 3] for index in range(12)]
    with ThreadPoolExecutor(len(wanted)) as pool:
        answers = list(pool.map(lambda caller: site.ask("GET", path, caller), wanted))
    assert [answer.body.decode().split() for answer in answers] == [[c] * 5 for c in wanted]
    assert Counter(call.caller for call in site.endpoint.calls) == dict.fromkeys(CALLERS, 20)


def test_a_large_body_leaves_nobody_behind_on_the_connection(site: Site) -> None:
    """After a large body, uvicorn on asyncio starts the next request in that request's context."""
    with closing(site.connect()) as connection:
        for _ in range(5):
            large = ask(connection, "POST", "/body", "alice", b"x" * 70_000)
            assert large.json() == {"bytes": 70_000}
            assert ask(connection, "GET", "/health", None).status == 200
            nobody = ask(connection, "GET", "/public/sdk", None)
            assert nobody.json() == {"subject": None, "code": "unauthenticated"}
            assert ask(connection, "GET", "/sync/me", None).status == 401
            assert ask(connection, "GET", "/async/me", "bob").json()["subject"] == "bob"
            assert ask(connection, "GET", "/sync/me", "bob").json()["subject"] == "bob"
    assert site.seen() == {(None, "unauthenticated"), ("bob", "ok")}
    carrying = [call.caller for call in site.endpoint.calls if "authorization" in call.headers]
    assert carrying == ["bob"] * 10


def test_on_a_public_path_the_sdk_has_no_caller_even_if_credentials_were_sent(site: Site) -> None:
    assert site.ask("GET", "/public/sdk", "alice").json()["subject"] is None
    assert site.seen() == {(None, "unauthenticated")}
    assert all("authorization" not in call.headers for call in site.endpoint.calls)


def test_a_request_without_credentials_is_refused_before_a_call_to_flyte(site: Site) -> None:
    for path in ("/sync/me", "/async/me"):
        answer = site.ask("GET", path, None)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.json() == {"detail": "Authentication credentials required"}
    assert not site.endpoint.calls


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_credentials_that_flyte_does_not_accept_are_a_401(site: Site, kind: str) -> None:
    answer = site.ask("GET", f"/{kind}/me", "mallory")
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert answer.json() == {"detail": "Authentication credentials not accepted"}
    assert site.seen() == {(None, "unauthenticated")}


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_job_that_the_caller_may_not_run_is_a_403(site: Site, kind: str) -> None:
    """The refusal is the cause of the SDK's RunCreationError."""
    answer = site.ask("POST", f"/{kind}/trigger-job", "dan")
    assert (answer.status, answer.json()) == (403, {"detail": "Permission denied"})
    assert not site.endpoint.runs
    assert ("dan", "permission_denied") in site.seen()


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_token_that_ends_during_a_run_is_a_401(site: Site, kind: str) -> None:
    site.endpoint.fail("CreateRun", "unauthenticated", caller="alice")
    assert site.ask("POST", f"/{kind}/trigger-job", "alice").status == 401
    assert site.ask("POST", f"/{kind}/trigger-job", "bob").status == 200


def test_another_error_of_flyte_is_not_a_refusal(site: Site) -> None:
    site.endpoint.fail("CreateRun", "unavailable", caller="alice")
    assert site.ask("POST", "/sync/trigger-job", "alice").status == 500
