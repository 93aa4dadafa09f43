"""Whose metadata the SDK holds, where, and for how long."""

import asyncio
import gc
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from contextvars import Context, copy_context

import flyte
import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flask import Flask, Response
from flyte import remote
from flyte._context import internal_ctx
from tests.flyte.scripts import run_script

from passthrough_auth.clients.flyte import bind_flyte
from passthrough_auth.clients.flyte.binding import refusal_in
from passthrough_auth.clients.flyte.sdk import holding
from passthrough_auth.core import (
    CallerDenied,
    CallerThreadPoolExecutor,
    CallerUnauthenticated,
    Credentials,
    MalformedCredential,
    NoCaller,
    auth_metadata,
    snapshot,
)
from passthrough_auth.frameworks.flask import PassthroughAuth
from passthrough_auth.testing.flyte import FlyteEndpoint

pytest_plugins = ["passthrough_auth.testing.pytest_plugin"]

ALICE = ("authorization", "Bearer alice-token")
BOB = ("authorization", "Bearer bob-token")


def whoami() -> str | None:
    """Whom Flyte takes this code's calls for."""
    try:
        return remote.User.get().subject()
    except ConnectError as error:
        return None if error.code is Code.UNAUTHENTICATED else error.code.value


# What it holds


def test_the_sdk_acts_as_the_caller_and_afterwards_as_nobody(endpoint: FlyteEndpoint) -> None:
    assert whoami() is None
    with auth_metadata(ALICE):
        assert whoami() == "alice"
        with auth_metadata(BOB):
            assert whoami() == "bob"
        assert whoami() == "alice"
    assert whoami() is None


def test_it_carries_every_credential_of_the_caller(endpoint: FlyteEndpoint) -> None:
    with auth_metadata(ALICE, ("cookie", "flyte-session=alice-token")):
        remote.User.get()
    (call,) = endpoint.calls
    assert call.headers["authorization"] == ("Bearer alice-token",)
    assert call.headers["cookie"] == ("flyte-session=alice-token",)


def test_it_can_be_entered_by_hand(endpoint: FlyteEndpoint) -> None:
    with auth_metadata(BOB), bind_flyte(Credentials(ALICE)):
        assert whoami() == "alice"


def test_nobody_replaces_what_an_earlier_request_left_behind(endpoint: FlyteEndpoint) -> None:
    """As on a server where the context of a finished request leaks into the next."""
    with remote.auth_metadata(ALICE):
        assert whoami() == "alice"
        with bind_flyte(Credentials()):
            assert whoami() is None
    assert [call.headers.get("authorization") for call in endpoint.calls[1:]] == [None, None]


def test_garbage_collection_undoes_nothing(endpoint: FlyteEndpoint) -> None:
    with auth_metadata(ALICE):
        gc.collect()
        assert whoami() == "alice"


def test_no_secret_shows_in_what_the_sdk_prints_of_its_context(endpoint: FlyteEndpoint) -> None:
    with auth_metadata(ALICE):
        shown = repr(internal_ctx())
    assert "<authorization of the caller>" in shown
    assert "alice-token" not in shown


def test_a_malformed_value_never_reaches_the_sdk(endpoint: FlyteEndpoint) -> None:
    """The SDK would put it into the text of its error."""
    with pytest.raises(MalformedCredential) as caught:
        auth_metadata(("authorization", "Bearer planted\nvalue"))
    assert "planted" not in str(caught.value)


# How long


async def outlive(started: asyncio.Event, ended: asyncio.Event) -> str:
    started.set()
    await ended.wait()
    return (await remote.User.get.aio()).subject()


def test_a_task_that_outlives_the_request_finds_no_caller(endpoint: FlyteEndpoint) -> None:
    async def request() -> str:
        started, ended = asyncio.Event(), asyncio.Event()
        with auth_metadata(ALICE):
            task = asyncio.create_task(outlive(started, ended))
            await started.wait()
        ended.set()
        return await task

    with pytest.raises(NoCaller) as caught:
        asyncio.run(request())
    assert caught.value.reason == "ended"
    assert not endpoint.calls


def test_a_run_begun_by_a_request_that_has_ended_is_not_created(endpoint: FlyteEndpoint) -> None:
    task = remote.Task.get(name="train", version="v1")
    with auth_metadata(ALICE):
        kept = copy_context()
    with pytest.raises(NoCaller):
        kept.run(flyte.run, task)
    assert not endpoint.runs


def test_a_snapshot_takes_the_caller_along(endpoint: FlyteEndpoint) -> None:
    with auth_metadata(ALICE):
        caller = snapshot()
    found: list[str | None] = []
    thread = threading.Thread(target=lambda: found.append(caller.run(whoami)))
    thread.start()
    thread.join()
    assert found == ["alice"]
    caller.close()
    with pytest.raises(NoCaller):
        caller.run(whoami)


def test_a_snapshot_that_expires_ends_for_the_sdk_as_well(endpoint: FlyteEndpoint) -> None:
    with auth_metadata(ALICE):
        caller = snapshot(expires_in=0.2)
    with caller.active():
        kept = copy_context()
    threading.Event().wait(0.25)
    with pytest.raises(NoCaller) as caught:
        kept.run(remote.User.get)
    assert caught.value.reason == "expired"


def test_a_thread_pool_for_callers_takes_the_caller_along(endpoint: FlyteEndpoint) -> None:
    ended = threading.Event()
    with CallerThreadPoolExecutor(1) as pool:
        assert pool.submit(whoami).result() is None
        for caller, name in ((ALICE, "alice"), (BOB, "bob")):
            with auth_metadata(caller):
                submitted = pool.submit(lambda: (ended.wait(5), whoami())[1])
            ended.set()
            assert submitted.result() == name
            ended.clear()
        assert pool.submit(whoami).result() is None


def test_a_task_that_outlives_the_request_goes_on_with_a_snapshot(endpoint: FlyteEndpoint) -> None:
    async def subject() -> str | None:
        user = await remote.User.get.aio()
        return user.subject()

    async def serve() -> str | None:
        with auth_metadata(ALICE):
            task = asyncio.create_task(snapshot(expires_in=60).arun(subject))
        return await task

    assert asyncio.run(serve()) == "alice"


def test_threads_of_the_sdks_own_asking_carry_the_caller(endpoint: FlyteEndpoint) -> None:
    async def ask() -> str | None:
        with auth_metadata(ALICE):
            return await asyncio.to_thread(whoami)

    assert asyncio.run(ask()) == "alice"


# Streamed bodies


def test_between_two_chunks_the_worker_is_nobody(endpoint: FlyteEndpoint) -> None:
    """And what was made in the view and is consumed in the stream is fetched as the caller."""
    app = Flask(__name__)
    PassthroughAuth(app)

    @app.get("/")
    def view() -> Response:
        runs = remote.Run.listall()

        def chunks() -> Iterator[str]:
            yield str(whoami())
            yield str(len(list(runs)))

        return Response(chunks())

    def serve() -> None:
        environ = {"HTTP_AUTHORIZATION": ALICE[1]}
        with closing(app.test_client().get("/", environ_overrides=environ)) as response:
            body = response.iter_encoded()
            assert next(body) == b"alice"
            assert whoami() is None
            assert next(body) == b"0"
            assert next(body, None) is None

    Context().run(serve)
    assert [(call.method, call.caller) for call in endpoint.calls] == [
        ("UserInfo", "alice"),
        *[("UserInfo", None)] * 2,
        ("ListRuns", "alice"),
    ]


# Being found


def test_an_app_that_does_not_import_flyte_never_pays_for_it() -> None:
    script = """
        import sys
        from passthrough_auth.core import auth_metadata
        with auth_metadata(("authorization", "Bearer a")):
            print([name for name in sys.modules if "flyte" in name])
        import flyte
        with auth_metadata(("authorization", "Bearer a")):
            print("passthrough_auth.clients.flyte" in sys.modules)
    """
    done = run_script(script)
    assert done.stdout.splitlines() == ["[]", "True"], done.stderr


def test_bindings_can_be_named_or_switched_off(endpoint: FlyteEndpoint) -> None:
    with auth_metadata(ALICE, bindings=[bind_flyte]):
        assert whoami() == "alice"
    with auth_metadata(ALICE, bindings=[]):
        assert whoami() is None


# Upstream's refusals


def refusal(code: Code) -> type[Exception] | None:
    found = refusal_in(ConnectError(code, "planted-token"))
    assert "planted" not in str(found)
    return found and type(found)


def test_what_upstreams_codes_mean() -> None:
    assert refusal(Code.UNAUTHENTICATED) is CallerUnauthenticated
    assert refusal(Code.PERMISSION_DENIED) is CallerDenied
    assert {refusal(code) for code in Code} == {CallerUnauthenticated, CallerDenied, None}
    assert refusal_in(ValueError()) is None


# Before the SDK is initialised


@pytest.fixture
def fresh_binding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bind_flyte, "_said_not_initialised", False)


@pytest.mark.usefixtures("flyte_endpoint", "fresh_binding")
def test_a_request_before_init_is_explained_once_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    flyte.init()  # what the fixture does afterwards: the SDK has no client
    app = Flask(__name__)
    PassthroughAuth(app, excluded_paths={"/health"})
    app.add_url_rule("/health", "health", lambda: "well")
    app.add_url_rule("/", "me", lambda: remote.User.get().subject())
    client = app.test_client()
    assert client.get("/health").status_code == 200
    assert client.get("/").status_code == 401
    assert not caplog.records
    for _ in range(3):
        assert client.get("/", headers=[ALICE]).status_code == 500
    (record,) = [record for record in caplog.records if record.name != app.logger.name]
    assert (record.name, record.levelno) == ("passthrough_auth", logging.ERROR)
    assert "before flyte.init_passthrough(endpoint, project=..., domain=...)" in record.message


@pytest.mark.usefixtures("endpoint", "fresh_binding")
def test_after_init_there_is_nothing_to_explain(caplog: pytest.LogCaptureFixture) -> None:
    with auth_metadata(ALICE):
        whoami()
    assert not caplog.records


# What is counted on in the SDK


def test_the_sdk_can_be_told_to_hold_these_pairs_or_none(endpoint: FlyteEndpoint) -> None:
    """`flyte._context.internal_ctx().new_metadata`, and what it has beyond `auth_metadata`."""
    with remote.auth_metadata(ALICE):
        with holding():
            assert whoami() is None
            with holding(BOB):
                assert whoami() == "bob"
            assert whoami() is None
        assert whoami() == "alice"


def test_what_was_held_for_a_body_that_nobody_closes_goes_quietly(
    endpoint: FlyteEndpoint, capfd: pytest.CaptureFixture[str]
) -> None:
    """As a test client does with a response of which only the status is looked at."""
    app = Flask(__name__)
    PassthroughAuth(app)
    app.add_url_rule("/", "me", lambda: remote.User.get().subject())
    assert app.test_client().get("/", headers=[ALICE]).status_code == 200
    gc.collect()  # an error here would be raised by pytest as an unraisable exception
    assert "Failed to reset context" not in "".join(capfd.readouterr())
    assert whoami() is None


def test_the_sdk_reads_its_metadata_anew_for_each_call(endpoint: FlyteEndpoint) -> None:
    """As pairs that are iterated over, so that a pair can refuse once its request has ended."""

    class Pair:
        def __init__(self) -> None:
            self.read = 0

        def __iter__(self) -> Iterator[str]:
            self.read += 1
            return iter(ALICE)

    pair = Pair()
    with holding(pair):
        remote.User.get()
        remote.User.get()
    assert pair.read == 2


def call_in(context: Context, function: Callable[[], str | None]) -> str | None:
    return context.run(function)


def test_the_sdk_takes_the_context_of_each_call(endpoint: FlyteEndpoint) -> None:
    """Its loop runs on one thread for all, which serves each call in a copy of its own context."""
    with auth_metadata(ALICE):
        alice = copy_context()
        with auth_metadata(BOB):
            bob = copy_context()
            assert [call_in(alice, whoami), call_in(bob, whoami)] == ["alice", "bob"]
