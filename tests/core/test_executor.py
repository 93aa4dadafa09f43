"""The thread pool that runs work as the caller who submitted it."""

import asyncio
import contextlib
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.core.builders import BoundClient
from tests.core.test_context import ALICE, BOB, caller

from passthrough_auth.core import (
    CallerThreadPoolExecutor,
    ConfigurationError,
    Credentials,
    Destination,
    Destinations,
    NoCaller,
    acting_as,
    current_credentials,
    snapshot,
)
from passthrough_auth.core.caller import CallerScope, current_scope
from passthrough_auth.core.caller._executor import _work_as


@pytest.fixture
def pool():
    with CallerThreadPoolExecutor(1) as pool:
        yield pool


def submitted_as(credentials, submit, *arguments):
    """The result of `submit` in a request that has then ended."""
    scope = CallerScope(credentials)
    try:
        with scope.active():
            return submit(*arguments)
    finally:
        scope.close()


def test_each_piece_of_work_has_the_caller_who_submitted_it(pool):
    started, go_on = threading.Event(), threading.Event()
    pool.submit(lambda: (started.set(), go_on.wait(60)))  # all others wait in the queue
    assert started.wait(60)
    futures = [submitted_as(each, pool.submit, caller) for each in (ALICE, BOB, ALICE)]
    nobody = pool.submit(caller)
    go_on.set()

    assert [future.result(60) for future in futures] == [ALICE, BOB, ALICE]
    assert nobody.result(60) == "outside"


def test_map_runs_work_as_the_caller_too(pool):
    results = submitted_as(ALICE, pool.map, lambda number: (number, caller()), range(3))

    assert list(results) == [(0, ALICE), (1, ALICE), (2, ALICE)]


def test_run_in_executor_runs_work_as_the_caller_too(pool):
    async def serve(loop):
        return await loop.run_in_executor(pool, caller), await loop.run_in_executor(None, caller)

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_default_executor(CallerThreadPoolExecutor(1))
        with CallerScope(ALICE).active():
            as_alice = await serve(loop)
        return as_alice, await serve(loop)

    assert asyncio.run(main()) == ((ALICE, ALICE), ("outside", "outside"))


def test_as_the_default_executor_it_leaves_to_thread_as_it_is():
    """`to_thread` runs in a copy of the request's context, so its caller ends with the request."""
    go_on = threading.Event()

    def wait(loop, began):
        at_first = caller()
        loop.call_soon_threadsafe(began.set)
        go_on.wait(60)
        return at_first, caller()

    async def main():
        loop, began = asyncio.get_running_loop(), asyncio.Event()
        loop.set_default_executor(CallerThreadPoolExecutor(1))
        scope = CallerScope(ALICE)
        with scope.active():
            waiting = asyncio.create_task(asyncio.to_thread(wait, loop, began))
            await began.wait()
        scope.close()
        go_on.set()
        return await waiting

    assert asyncio.run(main()) == (ALICE, "ended")


def test_the_pool_passes_arguments_results_and_errors(pool):
    assert pool.submit(dict, self=1, fn=2, scope=3, work=4).result() == {
        "self": 1,
        "fn": 2,
        "scope": 3,
        "work": 4,
    }
    with pytest.raises(ZeroDivisionError):
        submitted_as(ALICE, pool.submit, divmod, 1, 0).result()


def test_the_pool_takes_the_arguments_of_any_thread_pool():
    ready = []
    with CallerThreadPoolExecutor(2, "as-caller", ready.append, ("yes",)) as pool:
        assert pool.submit(lambda: threading.current_thread().name).result() == "as-caller_0"
    assert ready == ["yes"]
    with CallerThreadPoolExecutor() as pool, ThreadPoolExecutor() as plain:
        assert pool._max_workers == plain._max_workers
    with pytest.raises(RuntimeError, match="after shutdown"):
        submitted_as(ALICE, pool.submit, caller)


@pytest.mark.parametrize(
    "scope",
    [CallerScope(None, "public"), CallerScope(None, "refused"), CallerScope(), None],
    ids=repr,
)
def test_work_submitted_without_a_caller_runs_and_gets_the_reason(pool, scope):
    with (scope or CallerScope(None, "outside")).active():
        expected = caller()
        future = pool.submit(caller)
    assert future.result() == expected
    assert isinstance(expected, str)


def test_bound_clients_act_in_the_pool_as_where_it_was_submitted(pool):
    named, other = BoundClient(), BoundClient()
    for scope, found in (
        (CallerScope(ALICE, bindings=(named,)), ALICE),
        (CallerScope(None, "public", (named,)), Credentials()),
    ):
        with scope.active():
            future = pool.submit(lambda: (named.credentials(), other.credentials()))
            scope.close()
            assert future.result() == (found, Credentials())


def test_the_caller_ends_when_the_work_is_done(pool):
    kept = []
    submitted_as(ALICE, pool.submit, lambda: kept.append(contextvars.copy_context())).result()

    assert kept[0].run(caller) == "closed"


@pytest.mark.parametrize("work", [caller, lambda: 1 // 0])
def test_the_caller_is_gone_before_the_result_is_there(work):
    """Code that waits for the result can rely on the caller's end."""
    scope = CallerScope(ALICE)
    with contextlib.suppress(ZeroDivisionError):
        assert _work_as(scope, work) == ALICE
    with scope.active():
        assert caller() == "ended"


def test_the_caller_ends_when_the_work_fails(pool):
    kept = []

    def fail():
        kept.append(contextvars.copy_context())
        raise RuntimeError

    with pytest.raises(RuntimeError):
        submitted_as(ALICE, pool.submit, fail).result()
    assert kept[0].run(caller) == "closed"


class Submitted(ThreadPoolExecutor):
    """Keeps the last call of the standard pool's `submit`."""

    def submit(self, fn, /, *args, **kwargs):
        self.last = args
        return super().submit(fn, *args, **kwargs)


def test_the_caller_ends_when_the_work_is_cancelled():
    class Pool(CallerThreadPoolExecutor, Submitted):
        pass

    go_on = threading.Event()
    with Pool(1) as pool:
        pool.submit(go_on.wait, 10)
        future = submitted_as(ALICE, pool.submit, caller)
        scope = pool.last[0]
        assert scope.credentials() == ALICE
        assert future.cancel()
        with pytest.raises(NoCaller, match="was closed"):
            scope.credentials()
        go_on.set()


def test_work_submitted_outside_of_requests_has_no_caller(pool):
    """Also if the thread was started in a copy of a caller's context."""
    client = BoundClient()
    with CallerScope(ALICE).active():
        pool.submit(int).result()

    assert pool.submit(client.credentials).result() == Credentials()


def test_it_expires(clock):
    with CallerThreadPoolExecutor(1, expires_in=10) as pool:
        began, go_on = threading.Event(), threading.Event()

        def work():
            at_first = caller()
            began.set()
            go_on.wait(60)
            return at_first, caller()

        running = submitted_as(ALICE, pool.submit, work)
        queued = submitted_as(ALICE, pool.submit, caller)
        assert began.wait(60)
        clock.now += 11
        go_on.set()

        assert running.result() == (ALICE, "expired")
        assert queued.result() == "expired"


def test_it_expires_after_five_minutes_unless_told_otherwise(clock):
    def left(pool):
        with pool, CallerScope(ALICE).active():
            return pool.submit(lambda: current_scope().limits.deadline).result()

    assert left(CallerThreadPoolExecutor(1)) == clock.now + 300
    assert left(CallerThreadPoolExecutor(1, expires_in=None)) == float("inf")


def test_work_sends_no_more_than_the_pool_s_destinations_allow():
    narrowed = Destinations(Destination("https://a.example", send=[]))
    client = Destinations(Destination("https://a.example", on_missing="anonymous"))

    with CallerThreadPoolExecutor(1, destinations=narrowed) as pool, CallerScope(ALICE).active():
        assert pool.submit(client.headers_for, "https://a.example/").result() == {}


def test_work_can_call_the_pool_s_destinations_only():
    destinations = Destinations("https://a.example")

    def ask():
        return destinations.headers_for("https://a.example/"), caller()

    with CallerThreadPoolExecutor(1, destinations=destinations) as pool:
        assert submitted_as(ALICE, pool.submit, ask).result() == (ALICE.headers(), "narrowed")


def test_work_that_work_submits_has_the_same_caller_and_limits(clock):
    destinations = Destinations("https://a.example")

    def ask():
        return caller(), current_scope().limits

    def again(times):
        if times:
            return pool.submit(again, times - 1).result()
        return pool.submit(ask).result()

    pool = CallerThreadPoolExecutor(9, expires_in=60, destinations=destinations)
    with pool, CallerScope(ALICE).active():
        first = pool.submit(lambda: current_scope().limits).result()
        absence, last = pool.submit(again, 5).result()
    assert absence == "narrowed"
    assert last == first == (clock.now + 60, (destinations,), ())


def test_work_submitted_by_work_that_is_done_before_it_runs_still_has_the_caller(pool):
    """Like work that was submitted by a request that has ended."""
    inner = submitted_as(ALICE, pool.submit, lambda: pool.submit(caller)).result()

    assert inner.result() == ALICE


def test_closing_a_snapshot_ends_the_work_submitted_within_it(pool):
    go_on = threading.Event()
    with CallerScope(ALICE).active():
        taken = snapshot()
    running = taken.run(pool.submit, lambda: (go_on.wait(60), caller()))
    taken.close()
    go_on.set()

    assert running.result() == (True, "closed")


def test_work_without_a_caller_has_none_in_a_thread_with_a_caller_s_context():
    """Free-threaded Python starts threads in a copy of the context of the first request."""
    with CallerThreadPoolExecutor(
        1, initializer=lambda: CallerScope(ALICE).active().__enter__()
    ) as pool:
        assert pool.submit(caller).result() == "outside"
        assert submitted_as(BOB, pool.submit, caller).result() == BOB


def test_the_pool_s_limits_are_checked():
    with pytest.raises(ConfigurationError, match="positive number of seconds"):
        CallerThreadPoolExecutor(expires_in=0)
    with pytest.raises(ConfigurationError, match="destinations takes Destinations: write"):
        CallerThreadPoolExecutor(destinations="https://a.example")


def test_a_coroutine_or_generator_is_not_a_result(pool):
    """The code that submitted it would run it, without the pool's limits."""

    def work():
        yield caller()

    with pytest.raises(TypeError, match="whose work is done later"):
        pool.submit(work).result()


@pytest.fixture
def inheriting_threads(monkeypatch):
    """Threads that start in a copy of the context, as where thread_inherit_context is set."""
    start = threading.Thread.start

    def inheriting(thread):
        context, run = contextvars.copy_context(), thread.run
        thread.run = lambda: context.run(run)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", inheriting)


def test_the_initializer_is_nobody_s_also_where_threads_inherit(inheriting_threads):
    """It runs as the pool grows, for everybody who uses the thread later."""
    seen = []

    def initialise(argument):
        seen.append((argument, reason()))

    alice = acting_as(("authorization", "Bearer alice"), bindings=())
    with CallerThreadPoolExecutor(1, initializer=initialise, initargs=(7,)) as pool, alice:
        found = pool.submit(reason).result()

    assert seen == [(7, "outside")]
    assert found == {"authorization": "Bearer alice"}


def reason():
    try:
        return current_credentials().headers()
    except NoCaller as absent:
        return absent.reason
