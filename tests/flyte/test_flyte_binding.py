"""The caller as whom the SDK acts: it asks at each of its calls."""

import asyncio
import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from contextvars import Context, copy_context
from typing import Any, NoReturn

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
from passthrough_auth.core import (
    CallerDenied,
    CallerThreadPoolExecutor,
    CallerUnauthenticated,
    MalformedCredential,
    NoCaller,
    acting_as,
    snapshot,
    without_caller,
)
from passthrough_auth.core.caller import CallerScope, checked_bindings
from passthrough_auth.frameworks.asgi import PassthroughAuthMiddleware
from passthrough_auth.frameworks.flask import PassthroughAuth
from passthrough_auth.testing.flyte import FlyteEndpoint

pytest_plugins = ["passthrough_auth.testing.pytest_plugin"]

ALICE = ("authorization", "Bearer alice-token")
BOB = ("authorization", "Bearer bob-token")


def whoami() -> str | None:
    """The user as whom Flyte sees this code's calls."""
    try:
        return remote.User.get().subject()
    except ConnectError as error:
        return None if error.code is Code.UNAUTHENTICATED else error.code.value


# The current caller


def test_the_sdk_acts_as_the_caller_and_afterwards_as_no_caller(endpoint: FlyteEndpoint) -> None:
    assert whoami() is None
    with acting_as(ALICE):
        assert whoami() == "alice"
        with acting_as(BOB):
            assert whoami() == "bob"
        assert whoami() == "alice"
    assert whoami() is None


def test_it_carries_every_credential_of_the_caller(endpoint: FlyteEndpoint) -> None:
    with acting_as(ALICE, ("cookie", "flyte-session=alice-token")):
        remote.User.get()
    (call,) = endpoint.calls
    assert call.headers["authorization"] == ("Bearer alice-token",)
    assert call.headers["cookie"] == ("flyte-session=alice-token",)


def test_nobody_replaces_what_an_earlier_request_left_behind(endpoint: FlyteEndpoint) -> None:
    """On some servers the context of a finished request leaks into the next."""
    with remote.auth_metadata(ALICE):
        assert whoami() == "alice"
        with CallerScope(None, "public", bindings=checked_bindings([bind_flyte])).active():
            assert whoami() is None
    assert [call.headers.get("authorization") for call in endpoint.calls[1:]] == [None, None]


def test_garbage_collection_undoes_nothing(endpoint: FlyteEndpoint) -> None:
    with acting_as(ALICE):
        gc.collect()
        assert whoami() == "alice"


def test_no_secret_shows_in_what_the_sdk_prints_of_its_context(endpoint: FlyteEndpoint) -> None:
    with acting_as(ALICE):
        shown = repr(internal_ctx())
    assert "alice-token" not in shown


def test_a_malformed_value_never_reaches_the_sdk(endpoint: FlyteEndpoint) -> None:
    """The SDK would show it in the text of its error."""
    with pytest.raises(MalformedCredential) as caught:
        acting_as(("authorization", "Bearer planted\nvalue"))
    assert "planted" not in str(caught.value)


# The app's own metadata


def test_the_apps_own_metadata_has_precedence_in_its_block_and_in_copies_of_its_context(
    endpoint: FlyteEndpoint,
) -> None:
    async def in_task() -> str | None:
        return await asyncio.create_task(asyncio.to_thread(whoami))

    with acting_as(ALICE):
        with remote.auth_metadata(BOB):
            assert whoami() == "bob"
            assert copy_context().run(whoami) == "bob"
            assert asyncio.run(in_task()) == "bob"
        assert whoami() == "alice"


def test_a_block_within_the_apps_own_metadata_replaces_it(endpoint: FlyteEndpoint) -> None:
    with acting_as(ALICE), remote.auth_metadata(BOB):
        assert snapshot().run(whoami) == "alice"
        with acting_as(ALICE):
            assert whoami() == "alice"
        with without_caller():
            assert whoami() is None
        assert whoami() == "bob"


def test_the_apps_own_metadata_does_not_reach_another_request(endpoint: FlyteEndpoint) -> None:
    """A server may start the next request in a copy of the context of that block."""
    contexts: list[Context] = []
    found: list[str | None] = []

    async def first(scope: Any, receive: Any, send: Any) -> None:
        with remote.auth_metadata(ALICE):
            assert await asyncio.to_thread(whoami) == "alice"
            contexts.append(copy_context())

    async def later(scope: Any, receive: Any, send: Any) -> None:
        found.append(await asyncio.to_thread(whoami))

    async def ask(app: Any, path: str, *headers: tuple[str, str]) -> None:
        lines = [(name.encode(), value.encode()) for name, value in headers]
        scope = {"type": "http", "path": path, "method": "GET", "headers": lines}
        app = PassthroughAuthMiddleware(app, excluded_paths={"/public"})
        await app(scope, unused, unused)

    asyncio.run(ask(first, "/", BOB))
    for path, headers in (("/", [BOB]), ("/public", [])):
        contexts[0].copy().run(asyncio.run, ask(later, path, *headers))
    assert found == ["bob", None]


async def unused(*_: Any) -> NoReturn:
    raise AssertionError


def test_the_apps_own_around_a_request_is_not_the_next_ones(endpoint: FlyteEndpoint) -> None:
    """As of an outer middleware. A server begins the next request from within receive and send."""
    contexts: list[Context] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    async def receive() -> dict[str, str]:
        contexts.append(copy_context())
        return {"type": "http.request"}

    async def serve(own: tuple[str, str], path: str) -> str | None:
        found = await asyncio.to_thread(whoami)  # before the block
        with remote.auth_metadata(own):
            assert await asyncio.to_thread(whoami) == own[1].removeprefix("Bearer ")[:-6]
            headers = [(name.encode(), value.encode()) for name, value in [ALICE]]
            scope = {"type": "http", "path": path, "method": "GET", "headers": headers}
            await PassthroughAuthMiddleware(app, excluded_paths={"/public"})(scope, receive, unused)
        return found

    first = Context()
    assert first.run(asyncio.run, serve(ALICE, "/")) is None
    assert contexts[-1].run(asyncio.run, serve(BOB, "/public")) is None
    assert contexts[-1].run(asyncio.run, serve(ALICE, "/")) is None


def test_the_apps_own_from_before_the_sdk_was_made_to_ask_stays() -> None:
    script = """
        from flyte import remote
        from flyte.remote import _auth_metadata
        from passthrough_auth.core import acting_as

        with remote.auth_metadata(("authorization", "Bearer own")):
            with acting_as(("authorization", "Bearer alice")):
                print(_auth_metadata.get_auth_metadata())
            print(_auth_metadata.get_auth_metadata())
    """
    said = run_script(script)
    alice, own = "(('authorization', 'Bearer alice'),)", "(('authorization', 'Bearer own'),)"
    assert said.stdout.splitlines() == [alice, own], said.stderr


def test_outside_of_requests_the_sdk_is_as_it_was(endpoint: FlyteEndpoint) -> None:
    with remote.auth_metadata(BOB):
        assert whoami() == "bob"
    assert whoami() is None


# How long


async def outlive(started: asyncio.Event, ended: asyncio.Event) -> str:
    started.set()
    await ended.wait()
    return (await remote.User.get.aio()).subject()


def test_a_task_that_outlives_the_request_finds_no_caller(endpoint: FlyteEndpoint) -> None:
    async def request() -> str:
        started, ended = asyncio.Event(), asyncio.Event()
        with acting_as(ALICE):
            task = asyncio.create_task(outlive(started, ended))
            await started.wait()
        ended.set()
        return await task

    with pytest.raises(NoCaller) as caught:
        asyncio.run(request())
    assert caught.value.reason == "ended"
    assert not endpoint.calls


def test_work_that_outlives_a_public_request_makes_no_call(endpoint: FlyteEndpoint) -> None:
    """A call without a caller would hide that the work has lost its caller."""
    scope = CallerScope(None, "public", bindings=checked_bindings([bind_flyte]))
    with scope.active():
        assert whoami() is None
        kept = copy_context()
    scope.close()
    with pytest.raises(NoCaller) as caught:
        kept.run(remote.User.get)
    assert caught.value.reason == "ended"
    assert [call.caller for call in endpoint.calls] == [None, None]


def test_a_run_begun_by_a_request_that_has_ended_is_not_created(endpoint: FlyteEndpoint) -> None:
    task = remote.Task.get(name="train", version="v1")
    with acting_as(ALICE):
        kept = copy_context()
    with pytest.raises(NoCaller):
        kept.run(flyte.run, task)
    assert not endpoint.runs


def test_a_snapshot_takes_the_caller_along(endpoint: FlyteEndpoint) -> None:
    with acting_as(ALICE):
        caller = snapshot()
    found: list[str | None] = []
    thread = threading.Thread(target=lambda: found.append(caller.run(whoami)))
    thread.start()
    thread.join()
    assert found == ["alice"]
    caller.close()
    with pytest.raises(NoCaller):
        caller.run(whoami)


def test_a_snapshot_that_expires_ends_for_the_sdk_as_well(
    endpoint: FlyteEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    with acting_as(ALICE):
        caller = snapshot(expires_in=60)
    with caller.active():
        kept = copy_context()
    assert kept.run(whoami) == "alice"
    later = time.monotonic() + 61
    monkeypatch.setattr("passthrough_auth.core.caller._snapshot.monotonic", lambda: later)
    with pytest.raises(NoCaller) as caught:
        kept.run(remote.User.get)
    assert caught.value.reason == "expired"


def test_a_thread_pool_for_callers_takes_the_caller_along(endpoint: FlyteEndpoint) -> None:
    ended = threading.Event()
    with CallerThreadPoolExecutor(1) as pool:
        assert pool.submit(whoami).result() is None
        for caller, name in ((ALICE, "alice"), (BOB, "bob")):
            with acting_as(caller):
                submitted = pool.submit(lambda: (ended.wait(60), whoami())[1])
            ended.set()
            assert submitted.result() == name
            ended.clear()
        assert pool.submit(whoami).result() is None


def test_a_task_that_outlives_the_request_goes_on_with_a_snapshot(endpoint: FlyteEndpoint) -> None:
    async def subject() -> str | None:
        user = await remote.User.get.aio()
        return user.subject()

    async def serve() -> str | None:
        with acting_as(ALICE):
            task = asyncio.create_task(snapshot(expires_in=60).arun(subject))
        return await task

    assert asyncio.run(serve()) == "alice"


def test_threads_that_the_sdk_starts_have_the_caller(endpoint: FlyteEndpoint) -> None:
    async def ask() -> str | None:
        with acting_as(ALICE):
            return await asyncio.to_thread(whoami)

    assert asyncio.run(ask()) == "alice"


# Streamed bodies


def test_between_two_chunks_the_worker_has_no_caller(endpoint: FlyteEndpoint) -> None:
    """An SDK object from the view that is used in the stream is fetched as the caller."""
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


# Discovery


def test_an_app_without_flyte_does_not_import_it() -> None:
    script = """
        import sys
        from passthrough_auth.core import acting_as
        with acting_as(("authorization", "Bearer a")):
            print([name for name in sys.modules if "flyte" in name])
        import flyte
        with acting_as(("authorization", "Bearer a")):
            print("passthrough_auth.clients.flyte" in sys.modules)
    """
    done = run_script(script)
    assert done.stdout.splitlines() == ["[]", "True"], done.stderr


def test_an_app_may_import_and_initialise_the_sdk_in_its_first_request(
    flyte_endpoint: FlyteEndpoint,
) -> None:
    script = f"""
        from passthrough_auth.core import acting_as
        with acting_as({ALICE}):
            from flyte import remote
            from passthrough_auth.clients.flyte import init_passthrough
            init_passthrough(project="demo", domain="development")
            print(remote.User.get().subject())
    """
    done = run_script(script, **flyte_endpoint.environment())
    assert done.stdout.split() == ["alice"], done.stderr


def test_bindings_can_be_named_or_switched_off(endpoint: FlyteEndpoint) -> None:
    with acting_as(ALICE, bindings=[bind_flyte]):
        assert whoami() == "alice"
    with acting_as(ALICE, bindings=[]):
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
    flyte.init()  # as the fixture does afterwards: then the SDK has no client
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
    assert "flyte.init_passthrough(endpoint, project=..., domain=...) was not" in record.message


@pytest.mark.usefixtures("endpoint", "fresh_binding")
def test_after_init_there_is_nothing_to_explain(caplog: pytest.LogCaptureFixture) -> None:
    with acting_as(ALICE):
        whoami()
    assert not caplog.records


# Properties of the SDK on which we rely


def test_a_body_that_is_never_closed_is_freed_without_errors(
    endpoint: FlyteEndpoint, capfd: pytest.CaptureFixture[str]
) -> None:
    """A test that reads only the status of a response leaves its body open."""
    app = Flask(__name__)
    PassthroughAuth(app)
    app.add_url_rule("/", "me", lambda: remote.User.get().subject())
    assert app.test_client().get("/", headers=[ALICE]).status_code == 200
    gc.collect()  # an error here would be raised by pytest as an unraisable exception
    assert "Failed to reset context" not in "".join(capfd.readouterr())
    assert whoami() is None


def test_the_sdk_asks_anew_for_each_call(endpoint: FlyteEndpoint) -> None:
    with acting_as(ALICE):
        first = whoami()
        with acting_as(BOB):
            second = whoami()
    assert (first, second) == ("alice", "bob")


def call_in(context: Context, function: Callable[[], str | None]) -> str | None:
    return context.run(function)


def test_the_sdk_takes_the_context_of_each_call(endpoint: FlyteEndpoint) -> None:
    """Its event loop has one thread, but each call runs in a copy of the calling code's context."""
    with acting_as(ALICE):
        alice = copy_context()
        with acting_as(BOB):
            bob = copy_context()
            assert [call_in(alice, whoami), call_in(bob, whoami)] == ["alice", "bob"]
