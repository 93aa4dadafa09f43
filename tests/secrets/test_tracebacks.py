"""Tracebacks with locals show no secret in the frames of this library.

What its callers' frames hold is theirs: `docs/secrets.md` says of which frameworks that is known.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
import time

import pytest
from tests.secrets.planted import CUSTOM, PAIRS, TOKEN, leaked
from tests.secrets.reports import report
from tests.secrets.serving_apps import APPS, ask, serving_app

from passthrough_auth.clients.aiohttp import caller_session as aiohttp_session
from passthrough_auth.clients.grpc import aio_insecure_channel, insecure_channel
from passthrough_auth.clients.httpx import async_caller_client, caller_client
from passthrough_auth.clients.requests import CallerSession
from passthrough_auth.core import (
    AsgiRequest,
    CallerThreadPoolExecutor,
    ConfigurationError,
    CredentialMissing,
    CredentialUnusable,
    Destination,
    DestinationNotAllowed,
    Destinations,
    Gate,
    MalformedCredential,
    auth_metadata,
    current_credentials,
    extract_cookies,
    snapshot,
)

NOBODY_LISTENS = "http://127.0.0.1:9"
CLEAN = {"traceback": [], "rich": [], "debugger": []}


def raised(function, *arguments):
    """What it raises, and that it does."""
    try:
        function(*arguments)
    except BaseException as error:  # noqa: BLE001 - it is what is looked at
        return error
    raise AssertionError("it raised nothing")


def assert_clean(error, *, frames=1):
    """Neither the error nor a frame of ours shows a secret; that many frames of ours were seen."""
    found = report(error)
    assert found["text"] == []
    assert found["ours"] == CLEAN, found["leaking"]
    assert found["our_frames"] >= frames, "no frame of this library was looked at"


def test_it_would_find_one():
    """In a frame that is not of this library, as all of those are."""

    def fail(headers):
        raise RuntimeError(str(len(headers)))

    found = report(raised(fail, dict(PAIRS)))
    assert [names for _, function, names in found["leaking"] if function.endswith("fail")] == [
        ["headers"]
    ]
    assert report(raised(int, TOKEN))["text"] == ["tok-"]


# --- In core -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pairs",
    [
        [("authorization", f"Bearer {TOKEN}\n")],
        [("authorization", f"Bearer {TOKEN} {TOKEN}")],
        [(f"Bearer {TOKEN}", "authorization")],
        [("authorization", f"Bearer {TOKEN}"), ("Authorization", f"Bearer {TOKEN}")],
        [*PAIRS, ("host", CUSTOM)],
    ],
)
def test_malformed_pairs(pairs):
    error = raised(lambda: auth_metadata(*pairs, bindings=[]))

    assert isinstance(error, MalformedCredential)
    assert_clean(error)


def test_wrong_bindings():
    error = raised(lambda: auth_metadata(*PAIRS, bindings=["flyte"]))

    assert isinstance(error, ConfigurationError)
    assert_clean(error)


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        (Destination(NOBODY_LISTENS, send=["x-token"]), CredentialMissing),
        (
            Destination(NOBODY_LISTENS, send={"cookie": "authorization: Bearer {value}"}),
            CredentialUnusable,
        ),
        (Destination("http://127.0.0.1:10"), DestinationNotAllowed),
    ],
)
def test_destinations(destination, expected):
    destinations = Destinations(destination)
    pairs = [*PAIRS[:1], ("cookie", f"session={CUSTOM}; b=1"), PAIRS[2]]
    with auth_metadata(*pairs, bindings=[]):
        for ask_for in (destinations.headers_for, destinations.hop):
            error = raised(ask_for, NOBODY_LISTENS)
            assert isinstance(error, expected)
            assert_clean(error, frames=2)


class Stop(BaseException):
    """As a timeout of gevent's, or an interrupt."""


def stopping(request):
    raise Stop


def test_a_gate_that_is_interrupted():
    lines = [(name.encode(), value.encode()) for name, value in PAIRS]
    request = AsgiRequest({"type": "http", "path": "/", "method": "GET", "headers": lines})
    gate = Gate(header_extractors=[extract_cookies("session"), stopping], bindings=[])

    assert_clean(raised(gate.decide, request), frames=2)


def test_a_binding_that_fails():
    def failing(credentials):
        raise RuntimeError(f"for {credentials}")

    @contextlib.contextmanager
    def failing_late(credentials):
        yield
        raise RuntimeError(f"for {credentials}")

    for binding in (failing, failing_late):

        def enter(binding=binding):
            with auth_metadata(*PAIRS, bindings=[binding]):
                pass

        assert_clean(raised(enter), frames=2)


# --- In work that outlives the request -----------------------------------------------------------


def fail():
    credentials = current_credentials()
    raise RuntimeError(f"as {credentials}")


async def afail():
    fail()


def test_work_that_fails():
    with auth_metadata(*PAIRS, bindings=[]), CallerThreadPoolExecutor(1) as pool:
        taken = snapshot()
        submitted = pool.submit(fail).exception()
    assert_clean(submitted)
    assert_clean(raised(taken.run, fail))
    assert_clean(raised(lambda: asyncio.run(taken.arun(afail))))
    assert_clean(raised(taken.run, afail))
    taken.close()
    assert_clean(raised(taken.run, fail), frames=2)


# --- In the clients ------------------------------------------------------------------------------


async def _async_httpx(destinations):
    async with async_caller_client(destinations) as client:
        await client.get(NOBODY_LISTENS)


async def _aiohttp(destinations):
    async with aiohttp_session(destinations) as session, session.get(NOBODY_LISTENS):
        pass


def _httpx(destinations):
    with caller_client(destinations) as client:
        client.get(NOBODY_LISTENS)


def _requests(destinations):
    with CallerSession(destinations) as session:
        session.get(NOBODY_LISTENS, timeout=10)


def _grpc(destinations):
    with insecure_channel("127.0.0.1:9", destinations=destinations) as channel:
        channel.unary_unary("/service/method")(b"", timeout=10)


async def _aio_grpc(destinations):
    async with aio_insecure_channel("127.0.0.1:9", destinations=destinations) as channel:
        await channel.unary_unary("/service/method")(b"", timeout=10)


CALLS = {
    "httpx": _httpx,
    "httpx, async": lambda destinations: asyncio.run(_async_httpx(destinations)),
    "requests": _requests,
    "aiohttp": lambda destinations: asyncio.run(_aiohttp(destinations)),
    "grpc": _grpc,
    "grpc.aio": lambda destinations: asyncio.run(_aio_grpc(destinations)),
}


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_that_fails(call, named, request):
    destinations = Destinations(NOBODY_LISTENS if named else "https://api.example.com")
    with auth_metadata(*PAIRS, bindings=[]):
        error = raised(call, destinations)

    assert isinstance(error, DestinationNotAllowed) != named
    # What gRPC raises comes from where it waits for the answer, which is none of ours.
    assert_clean(error, frames=0 if named and "grpc" in request.node.name else 1)


def test_urllib3_keeps_the_headers_in_its_locals():
    """What the clients can't prevent, and docs/secrets.md says."""
    with auth_metadata(*PAIRS, bindings=[]):
        found = report(raised(_requests, Destinations(NOBODY_LISTENS)))

    libraries = {path.partition("/")[0] for path, _, _ in found["leaking"]}
    assert {"urllib3"} <= libraries <= {"urllib3", "util", "http"}


# --- In apps, on real servers --------------------------------------------------------------------


def written_to(path):
    """The reports there, once there are any: some servers log an error after its answer."""
    deadline = time.monotonic() + 10
    while not path.read_text().endswith("\n"):
        assert time.monotonic() < deadline, "nothing was reported"
        time.sleep(0.01)
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module", params=APPS)
def reported(request, tmp_path_factory):
    """Asks a path of an app that is served, and gives what was reported of its failing."""
    path = tmp_path_factory.mktemp("reports") / "report"
    with serving_app(request.param, report=str(path), upstream=NOBODY_LISTENS) as running:

        def ask_for(target):
            path.write_text("")
            status, body = ask(running, target)
            assert (status, leaked(body), leaked(running.log())) == (500, set(), set())
            return request.param, written_to(path)

        yield ask_for


@pytest.mark.parametrize("target", ["/crash", "/async-crash", "/call"])
def test_a_request_that_fails(reported, target):
    app, reports = reported(target)

    for found in reports:
        assert found["text"] == []
        assert found["ours"] == CLEAN
        # What else shows it is the framework's, and known: docs/secrets.md says what to do.
        shown = {name for _, _, names in found["leaking"] for name in names}
        assert shown <= KNOWN[app], found["leaking"]


def test_a_request_whose_error_flask_leaves_to_the_server(tmp_path):
    """It comes through the frames that stand around the app's own, which a 500 of Flask doesn't."""
    path = tmp_path / "report"
    path.write_text("")
    with serving_app("on_flask", report=str(path), propagate="1") as running:
        assert ask(running, "/crash")[0] == 500
        reports = [found for found in written_to(path) if found["our_frames"] > 1]
    assert reports
    assert [found["ours"] for found in reports] == [CLEAN] * len(reports)


KNOWN = {
    "on_fastapi": {"scope", "value"},
    "on_flask": {"environ"},
    "on_django": set(),
    "on_django_asgi": set(),
}
"""The locals of each framework's and server's own frames that show what the request carried."""


def test_what_an_app_itself_keeps_in_a_local_is_shown(reported):
    """This is why handlers shouldn't: no library can tell it from any other dict."""
    _, reports = reported("/crash-with-headers")

    frames = [frame for found in reports for frame in found["leaking"]]
    assert ["secrets/apps.py", "crash_with_headers", ["headers"]] in frames


def test_pytest_with_showlocals(tmp_path):
    """The frames of this library only: a test's own locals are what it plants."""
    (tmp_path / "test_it.py").write_text(
        "from passthrough_auth.core import Destinations, auth_metadata, snapshot\n"
        "from tests.secrets.planted import PAIRS\n"
        "def test_it():\n"
        "    destinations = Destinations('https://api.example.com')\n"
        "    with auth_metadata(*PAIRS, bindings=[]) as credentials:\n"
        "        taken = snapshot()\n"
        "        taken.run(destinations.headers_for, 'https://evil.example')\n"
    )
    command = ["-m", "pytest", "--showlocals", "--tb=long", "-p", "no:cacheprovider", tmp_path]
    finished = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=60, check=False
    )
    assert "1 failed" in finished.stdout
    assert "taken      = <Snapshot" in finished.stdout
    assert leaked(finished.stdout + finished.stderr) == set()


def test_a_thread_s_uncaught_exception(capsys):
    with auth_metadata(*PAIRS, bindings=[]):
        taken = snapshot()
    seen = []
    hook, threading.excepthook = threading.excepthook, lambda args: seen.append(args.exc_value)
    try:
        thread = threading.Thread(target=taken.run, args=(fail,))
        thread.start()
        thread.join()
    finally:
        threading.excepthook = hook
    assert_clean(seen[0])
