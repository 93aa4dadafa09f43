"""The thread pool whose work has the caller who submitted it."""

import asyncio
import contextlib
import contextvars
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.core.test_context import ALICE, BOB, Recorder, caller

from passthrough_auth.core import (
    CallerThreadPoolExecutor,
    ConfigurationError,
    Credentials,
    Destination,
    Destinations,
    Hold,
    NoCaller,
    current_hold,
    snapshot,
)
from passthrough_auth.core.bindings import Bindings
from passthrough_auth.core.executor import _work_as


@pytest.fixture
def pool():
    with CallerThreadPoolExecutor(1) as pool:
        yield pool


def submitted_as(credentials, submit, *arguments):
    """What `submit` returns when it is called in a request that has ended by then."""
    hold = Hold(credentials)
    try:
        with hold.active():
            return submit(*arguments)
    finally:
        hold.close()


def test_each_work_has_the_caller_who_submitted_it(pool):
    started, go_on = threading.Event(), threading.Event()
    pool.submit(lambda: (started.set(), go_on.wait(10)))  # all others wait in the queue
    assert started.wait(10)
    futures = [submitted_as(each, pool.submit, caller) for each in (ALICE, BOB, ALICE)]
    nobody = pool.submit(caller)
    go_on.set()

    assert [future.result(10) for future in futures] == [ALICE, BOB, ALICE]
    assert nobody.result(10) == "outside"


def test_map_does_too(pool):
    results = submitted_as(ALICE, pool.map, lambda number: (number, caller()), range(3))

    assert list(results) == [(0, ALICE), (1, ALICE), (2, ALICE)]


def test_so_does_an_event_loop_that_runs_in_it(pool):
    async def serve(loop):
        return await loop.run_in_executor(pool, caller), await loop.run_in_executor(None, caller)

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_default_executor(CallerThreadPoolExecutor(1))
        with Hold(ALICE).active():
            as_alice = await serve(loop)
        return as_alice, await serve(loop)

    assert asyncio.run(main()) == ((ALICE, ALICE), ("outside", "outside"))


def test_as_the_default_executor_it_leaves_to_thread_as_it_is():
    """That runs in a copy of the request's context, and ends with the request."""
    go_on = threading.Event()

    def wait():
        at_first = caller()
        go_on.wait(10)
        return at_first, caller()

    async def main():
        asyncio.get_running_loop().set_default_executor(CallerThreadPoolExecutor(1))
        hold = Hold(ALICE)
        with hold.active():
            waiting = asyncio.create_task(asyncio.to_thread(wait))
            await asyncio.sleep(0.05)
        hold.close()
        go_on.set()
        return await waiting

    assert asyncio.run(main()) == (ALICE, "ended")


def test_it_hands_arguments_results_and_errors_through(pool):
    assert pool.submit(dict, self=1, fn=2, hold=3, work=4).result() == {
        "self": 1,
        "fn": 2,
        "hold": 3,
        "work": 4,
    }
    with pytest.raises(ZeroDivisionError):
        submitted_as(ALICE, pool.submit, divmod, 1, 0).result()


def test_its_other_arguments_are_those_of_any_thread_pool():
    ready = []
    with CallerThreadPoolExecutor(2, "as-caller", ready.append, ("yes",)) as pool:
        assert pool.submit(lambda: threading.current_thread().name).result() == "as-caller_0"
    assert ready == ["yes"]
    with CallerThreadPoolExecutor() as pool, ThreadPoolExecutor() as plain:
        assert pool._max_workers == plain._max_workers
    with pytest.raises(RuntimeError, match="after shutdown"):
        submitted_as(ALICE, pool.submit, caller)


@pytest.mark.parametrize(
    "hold", [Hold(None, "public"), Hold(None, "refused"), Hold(), None], ids=repr
)
def test_work_submitted_without_a_caller_runs_and_is_told_why(pool, hold):
    with (hold or Hold(None, "outside")).active():
        expected = caller()
        future = pool.submit(caller)
    assert future.result() == expected
    assert isinstance(expected, str)


def test_clients_that_keep_credentials_of_their_own_are_bound(pool):
    binding = Recorder()
    for hold, bound in (
        (Hold(ALICE, bindings=(binding,)), ALICE),
        (Hold(None, "public", (binding,)), Credentials()),
    ):
        with hold.active():
            binding.seen.clear()
            future = pool.submit(lambda: list(binding.seen))
            hold.close()
            assert future.result() == [bound]
        assert binding.seen[:2] == [bound, "left"]


def test_the_caller_goes_when_the_work_is_done(pool):
    kept = []
    submitted_as(ALICE, pool.submit, lambda: kept.append(contextvars.copy_context())).result()

    assert kept[0].run(caller) == "closed"


@pytest.mark.parametrize("work", [caller, lambda: 1 // 0])
def test_the_caller_is_gone_before_the_result_is_there(work):
    """Whoever waits for the result finds that it has ended, and not some time later."""
    hold = Hold(ALICE)
    with contextlib.suppress(ZeroDivisionError):
        assert _work_as(hold, work) == ALICE
    with hold.active():
        assert caller() == "ended"


def test_the_caller_goes_when_the_work_fails(pool):
    kept = []

    def fail():
        kept.append(contextvars.copy_context())
        raise RuntimeError

    with pytest.raises(RuntimeError):
        submitted_as(ALICE, pool.submit, fail).result()
    assert kept[0].run(caller) == "closed"


class Submitted(ThreadPoolExecutor):
    """Shows what the last piece of work was handed to the standard pool with."""

    def submit(self, fn, /, *args, **kwargs):
        self.last = args
        return super().submit(fn, *args, **kwargs)


def test_the_caller_goes_when_the_work_is_cancelled():
    class Pool(CallerThreadPoolExecutor, Submitted):
        pass

    go_on = threading.Event()
    with Pool(1) as pool:
        pool.submit(go_on.wait, 10)
        future = submitted_as(ALICE, pool.submit, caller)
        hold = pool.last[0]
        assert hold.credentials() == ALICE
        assert future.cancel()
        with pytest.raises(NoCaller, match="was closed"):
            hold.credentials()
        go_on.set()


def test_work_of_nobody_s_is_bound_to_nobody(monkeypatch):
    """The thread may still have what earlier work left behind in a client's own context."""
    recorder = Recorder()
    # Not by its dotted name, under which the package has the function.
    module = sys.modules["passthrough_auth.core.snapshot"]
    monkeypatch.setattr(module, "default_bindings", lambda: Bindings([recorder]))
    with CallerThreadPoolExecutor(1) as pool:
        assert pool.submit(caller).result() == "outside"

    assert recorder.seen == [Credentials(), "left"]


def test_it_expires():
    with CallerThreadPoolExecutor(1, expires_in=0.1) as pool:
        go_on = threading.Event()
        running = submitted_as(ALICE, pool.submit, lambda: (caller(), go_on.wait(10), caller()))
        queued = submitted_as(ALICE, pool.submit, caller)
        threading.Timer(0.15, go_on.set).start()

        assert running.result() == (ALICE, True, "expired")
        assert queued.result() == "expired"


def test_it_expires_after_five_minutes_unless_told_otherwise():
    def left(pool):
        with pool, Hold(ALICE).active():
            return pool.submit(lambda: current_hold().limits.deadline).result()

    with Hold(ALICE).active():
        now = snapshot(expires_in=300)._lease.limits.deadline
    assert left(CallerThreadPoolExecutor(1)) - now == pytest.approx(0, abs=5)
    assert left(CallerThreadPoolExecutor(1, expires_in=None)) == float("inf")


def test_its_work_is_sent_no_more_than_its_destinations_may_be():
    narrowed = Destinations(Destination("https://a.example", send=[]))
    client = Destinations(Destination("https://a.example", on_missing="anonymous"))

    with CallerThreadPoolExecutor(1, destinations=narrowed) as pool, Hold(ALICE).active():
        assert pool.submit(client.headers_for, "https://a.example/").result() == {}


def test_it_is_for_its_destinations_only():
    destinations = Destinations("https://a.example")

    def ask():
        return destinations.headers_for("https://a.example/"), caller()

    with CallerThreadPoolExecutor(1, destinations=destinations) as pool:
        assert submitted_as(ALICE, pool.submit, ask).result() == (ALICE.headers(), "narrowed")


def test_work_that_its_work_submits_has_the_caller_too_and_its_limits():
    destinations = Destinations("https://a.example")

    def ask():
        return caller(), current_hold().limits

    def again(times):
        if times:
            return pool.submit(again, times - 1).result()
        return pool.submit(ask).result()

    pool = CallerThreadPoolExecutor(9, expires_in=60, destinations=destinations)
    with pool, Hold(ALICE).active():
        first = pool.submit(lambda: current_hold().limits).result()
        absence, last = pool.submit(again, 5).result()
    assert absence == "narrowed"
    assert last[1:] == first[1:] == ((destinations,), ())
    assert last.deadline == pytest.approx(first.deadline, abs=10)


def test_work_submitted_by_work_that_is_done_before_it_runs_still_has_the_caller(pool):
    """As work submitted by a request that has ended has it."""
    inner = submitted_as(ALICE, pool.submit, lambda: pool.submit(caller)).result()

    assert inner.result() == ALICE


def test_closing_a_snapshot_ends_the_work_submitted_within_it(pool):
    go_on = threading.Event()
    with Hold(ALICE).active():
        taken = snapshot()
    running = taken.run(pool.submit, lambda: (go_on.wait(10), caller()))
    taken.close()
    go_on.set()

    assert running.result() == (True, "closed")


def test_a_thread_in_a_copy_of_somebody_s_context_is_nobody_for_work_of_nobody():
    """As threads are that a free-threaded Python starts, from whatever request comes first."""
    with CallerThreadPoolExecutor(1, initializer=lambda: Hold(ALICE).active().__enter__()) as pool:
        assert pool.submit(caller).result() == "outside"
        assert submitted_as(BOB, pool.submit, caller).result() == BOB


def test_its_limits_are_checked():
    with pytest.raises(ConfigurationError, match="positive number of seconds"):
        CallerThreadPoolExecutor(expires_in=0)
    with pytest.raises(ConfigurationError, match="destinations takes Destinations: write"):
        CallerThreadPoolExecutor(destinations="https://a.example")


def test_work_that_is_yet_to_be_done_is_no_result(pool):
    """Whoever submitted it would do it, with other limits than those of the pool."""

    def work():
        yield caller()

    with pytest.raises(TypeError, match="whose work is done later"):
        pool.submit(work).result()
