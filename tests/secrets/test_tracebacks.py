"""Tracebacks with locals show no secret in the frames of this library.

The frames of other code may show secrets: `docs/secrets.md` lists the known frameworks.
"""

import asyncio
import json
import subprocess
import sys
import threading
import time
from types import MappingProxyType

import pytest
from tests.secrets.planted import CUSTOM, PAIRS, TOKEN, leaked
from tests.secrets.reports import report
from tests.secrets.serving_apps import APPS, ask, serving_app

from passthrough_auth.clients.aiohttp import caller_session as aiohttp_session
from passthrough_auth.clients.grpc import aio_insecure_channel, insecure_channel
from passthrough_auth.clients.httpx import async_caller_client, caller_client
from passthrough_auth.clients.requests import CallerSession
from passthrough_auth.core import (
    CallerThreadPoolExecutor,
    ConfigurationError,
    CredentialMissing,
    CredentialUnusable,
    Destination,
    DestinationNotAllowed,
    Destinations,
    MalformedCredential,
    acting_as,
    current_credentials,
    extract_cookies,
    snapshot,
)
from passthrough_auth.core.caller import Binding
from passthrough_auth.core.inbound import AsgiRequest, Gate

NOBODY_LISTENS = "http://127.0.0.1:9"
CLEAN = {"traceback": [], "rich": [], "debugger": []}


def raised(function, *arguments):
    """The error that the function raises. It must raise one."""
    try:
        function(*arguments)
    except BaseException as error:  # noqa: BLE001 - the test inspects it
        return error
    raise AssertionError("it raised nothing")


def assert_clean(error, *, frames=1):
    """Neither the error nor our frames show a secret. There must be at least so many of ours."""
    found = report(error)
    assert found["text"] == []
    assert found["ours"] == CLEAN, found["leaking"]
    assert found["our_frames"] >= frames, "the traceback has no frame of this library"


def test_it_finds_a_secret_in_a_frame():
    """The frame is one of this test, because this library has no such frame."""

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
    error = raised(lambda: acting_as(*pairs, bindings=[]))

    assert isinstance(error, MalformedCredential)
    assert_clean(error)


def test_wrong_bindings():
    error = raised(lambda: acting_as(*PAIRS, bindings=["flyte"]))

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
    with acting_as(*pairs, bindings=[]):
        for ask_for in (destinations.headers_for, carrying(destinations)):
            error = raised(ask_for, NOBODY_LISTENS)
            assert isinstance(error, expected)
            assert_clean(error, frames=2)


def carrying(destinations, **options):
    """The call of a client for each hop, with its own headers."""
    return lambda url: destinations.carry(url, {}, **options)


def test_a_plain_proxy():
    carry = carrying(Destinations(NOBODY_LISTENS), proxied=True)
    with acting_as(*PAIRS, bindings=[]):
        error = raised(carry, NOBODY_LISTENS)
    assert isinstance(error, DestinationNotAllowed)
    assert_clean(error)


@pytest.mark.parametrize("headers", [MappingProxyType({}), None, []], ids=repr)
def test_headers_that_can_t_be_changed(headers):
    destinations = Destinations(NOBODY_LISTENS)
    with acting_as(*PAIRS, bindings=[]):
        error = raised(destinations.carry, NOBODY_LISTENS, headers)
    assert isinstance(error, TypeError)
    assert_clean(error)


class Stop(BaseException):
    """Like a timeout of gevent, or an interrupt."""


def stopping(request):
    raise Stop


def test_a_gate_that_is_interrupted():
    lines = [(name.encode(), value.encode()) for name, value in PAIRS]
    request = AsgiRequest({"type": "http", "path": "/", "method": "GET", "headers": lines})
    gate = Gate(header_extractors=[extract_cookies("session"), stopping], bindings=[])

    assert_clean(raised(gate.admit, request), frames=2)


class Failing(Binding):
    """A binding that fails to install."""

    def install(self):
        credentials = self.credentials()
        raise RuntimeError(f"for {credentials}")


def test_a_binding_that_fails():
    def bind():
        with acting_as(*PAIRS, bindings=[]), acting_as(*PAIRS, bindings=[Failing()]):
            pass

    assert_clean(raised(bind), frames=2)


# --- In work that outlives the request -----------------------------------------------------------


def fail():
    credentials = current_credentials()
    raise RuntimeError(f"as {credentials}")


async def afail():
    fail()


def test_work_that_fails():
    with acting_as(*PAIRS, bindings=[]), CallerThreadPoolExecutor(1) as pool:
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
        session.get(NOBODY_LISTENS, timeout=60)


def _grpc(destinations):
    with insecure_channel("127.0.0.1:9", destinations=destinations) as channel:
        channel.unary_unary("/service/method")(b"", timeout=60)


async def _aio_grpc(destinations):
    async with aio_insecure_channel("127.0.0.1:9", destinations=destinations) as channel:
        await channel.unary_unary("/service/method")(b"", timeout=60)


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
    with acting_as(*PAIRS, bindings=[]):
        error = raised(call, destinations)

    assert isinstance(error, DestinationNotAllowed) != named
    # gRPC raises while it waits for the answer, outside our frames.
    assert_clean(error, frames=0 if named and "grpc" in request.node.name else 1)


def test_urllib3_keeps_the_headers_in_its_locals():
    """The clients can't prevent this. docs/secrets.md says so."""
    with acting_as(*PAIRS, bindings=[]):
        found = report(raised(_requests, Destinations(NOBODY_LISTENS)))

    libraries = {path.partition("/")[0] for path, _, _ in found["leaking"]}
    assert {"urllib3"} <= libraries <= {"urllib3", "util", "http"}


# --- In apps, on real servers --------------------------------------------------------------------


def written_to(path):
    """The reports there, once there are any: some servers log an error after its answer."""
    deadline = time.monotonic() + 60
    while not path.read_text().endswith("\n"):
        assert time.monotonic() < deadline, "nothing was reported"
        time.sleep(0.01)
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module", params=APPS)
def reported(request, tmp_path_factory):
    """Requests a path of a served app, and returns the report of its failure."""
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
        # Other frames that show it are the frameworks'. docs/secrets.md says what to do.
        shown = {name for _, _, names in found["leaking"] for name in names}
        assert shown <= KNOWN[app], found["leaking"]


def test_a_request_whose_error_flask_leaves_to_the_server(tmp_path):
    """It also passes the frames outside the app's own. A 500 of Flask doesn't."""
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
"""The locals in frames of frameworks and servers that show the request's credentials."""


def test_what_an_app_itself_keeps_in_a_local_is_shown(reported):
    """So handlers shouldn't keep it there: a library can't tell it from any other dict."""
    _, reports = reported("/crash-with-headers")

    frames = [frame for found in reports for frame in found["leaking"]]
    assert ["secrets/apps.py", "crash_with_headers", ["headers"]] in frames


def test_pytest_with_showlocals(tmp_path):
    """Only for the frames of this library: the test's own locals contain the secrets."""
    (tmp_path / "test_it.py").write_text(
        "from passthrough_auth.core import Destinations, acting_as, snapshot\n"
        "from tests.secrets.planted import PAIRS\n"
        "def test_it():\n"
        "    destinations = Destinations('https://api.example.com')\n"
        "    with acting_as(*PAIRS, bindings=[]) as credentials:\n"
        "        taken = snapshot()\n"
        "        taken.run(destinations.headers_for, 'https://evil.example')\n"
    )
    command = ["-m", "pytest", "--showlocals", "--tb=long", "-p", "no:cacheprovider", tmp_path]
    finished = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=120, check=False
    )
    assert "1 failed" in finished.stdout
    assert "taken      = <Snapshot" in finished.stdout
    assert leaked(finished.stdout + finished.stderr) == set()


def test_a_thread_s_uncaught_exception(capsys):
    with acting_as(*PAIRS, bindings=[]):
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
