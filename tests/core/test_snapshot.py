"""Taking the caller along."""

import asyncio
import contextlib
import contextvars
import copy
import json
import multiprocessing
import os
import pickle
import time
from collections.abc import Coroutine
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest
from tests.core.test_context import ALICE, BOB, Recorder, caller, in_a_fork

from passthrough_auth.core import (
    ConfigurationError,
    CredentialMissing,
    Credentials,
    Destination,
    DestinationNotAllowed,
    Destinations,
    Hold,
    NoCaller,
    auth_metadata,
    snapshot,
)


async def acaller():
    """The same as `caller`, after a turn of the event loop."""
    await asyncio.sleep(0)
    return caller()


@pytest.fixture
def request_hold():
    """The hold of a request that is being served."""
    hold = Hold(ALICE)
    with hold.active():
        yield hold


def test_a_thread_pool_has_the_caller_that_it_was_given(request_hold):
    taken = snapshot()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(caller).result() == "outside"
        assert pool.submit(taken.run, caller).result() == ALICE
        assert pool.submit(caller).result() == "outside"


def test_run_in_executor_has_it_too(request_hold):
    taken = snapshot()

    async def work():
        return await asyncio.get_running_loop().run_in_executor(None, taken.run, caller)

    assert contextvars.Context().run(asyncio.run, work()) == ALICE


def test_run_hands_arguments_and_results_and_errors_through(request_hold):
    taken = snapshot()

    assert taken.run(divmod, 7, 2) == (3, 1)
    assert taken.run(dict, self=1, work=2) == {"self": 1, "work": 2}
    with pytest.raises(ZeroDivisionError):
        taken.run(divmod, 1, 0)


def test_it_outlives_its_request():
    hold = Hold(ALICE)
    with hold.active():
        taken = snapshot()
    hold.close()

    assert taken.run(caller) == ALICE


def test_many_can_use_it_at_once(request_hold):
    taken = snapshot()

    with taken.active(), taken.active():
        assert caller() == ALICE
    assert caller() == ALICE


def test_the_client_s_bindings_go_along():
    binding = Recorder()
    with Hold(ALICE, bindings=(binding,)).active():
        taken = snapshot()
    binding.seen.clear()

    taken.run(caller)

    assert binding.seen == [ALICE, "left"]


def test_closing_it_ends_it_everywhere(request_hold):
    taken = snapshot()
    with taken.active():
        taken.close()
        assert caller() == "closed"

    with pytest.raises(NoCaller, match="was closed") as caught:
        taken.run(caller)
    assert caught.value.reason == "closed"


def test_an_expired_one_has_no_caller(request_hold):
    binding = Recorder()
    request_hold.bindings = (binding,)
    taken = snapshot(expires_in=0.05)
    within = taken.active()
    with within:
        assert binding.seen == [ALICE]
        assert caller() == ALICE
        time.sleep(0.06)
        assert caller() == "expired"

    with pytest.raises(NoCaller, match="has expired"):
        taken.active()
    with pytest.raises(NoCaller, match="has expired"):
        taken.run(caller)


def test_an_expired_one_binds_nobody(request_hold):
    """Where it expires between being asked for and being entered."""
    binding = Recorder()
    request_hold.bindings = (binding,)
    late = snapshot(expires_in=0.05).active()
    time.sleep(0.06)

    with late:
        assert binding.seen == [Credentials()]


@pytest.mark.parametrize(
    "expires_in", [0, -1, True, float("nan"), float("inf"), 10**400, "60", [60]]
)
def test_an_expiry_is_a_positive_number_of_seconds(request_hold, expires_in):
    with pytest.raises(ConfigurationError, match="positive number of seconds"):
        snapshot(expires_in=expires_in)


def test_without_a_caller_there_is_nothing_to_take():
    with pytest.raises(NoCaller) as caught:
        snapshot()
    assert caught.value.reason == "outside"

    with Hold(None, "public").active(), pytest.raises(NoCaller) as caught:
        snapshot()
    assert caught.value.reason == "public"


@pytest.mark.parametrize("spread", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps])
def test_it_can_t_be_pickled_or_copied(request_hold, spread):
    with pytest.raises(TypeError, match=r"can't be pickled or copied|not JSON serializable"):
        spread(snapshot())


def test_it_can_t_be_sent_to_another_process(request_hold):
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        sent = pool.submit(snapshot().run, os.getpid)
        with pytest.raises(TypeError, match="nor sent to another process"):
            sent.result()


def test_it_gives_no_caller_to_a_fork(request_hold):
    """Closing it there or here would not reach the other process."""
    taken = snapshot()

    assert in_a_fork(lambda: repr(taken)) == "<Snapshot forked>"


def test_closed_it_keeps_no_secret(request_hold):
    taken = snapshot()
    taken.close()

    assert taken._lease._credentials is None


def test_its_repr_names_no_secret(request_hold):
    taken = snapshot()
    assert repr(taken) == str(taken) == f"{taken}" == "%s" % taken == f"<Snapshot {ALICE!r}>"  # noqa: UP031 - one of the ways
    assert f"{taken:>200}" == repr(taken).rjust(200)

    taken.close()
    assert repr(taken) == "<Snapshot closed>"


# --- In tasks -------------------------------------------------------------------------------------


def test_a_task_that_runs_on_after_its_request_has_the_caller_it_was_given():
    async def serve(hold):
        with hold.active():
            taken = snapshot()
            with_it = asyncio.create_task(taken.arun(acaller))
            without = asyncio.create_task(acaller())
        hold.close()
        return await with_it, await without

    assert asyncio.run(serve(Hold(ALICE))) == (ALICE, "ended")


def test_arun_hands_arguments_and_errors_through_and_leaves_nothing_behind(request_hold):
    async def divide(*numbers):
        return divmod(*numbers)

    taken = snapshot()

    async def work():
        assert await taken.arun(divide, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await taken.arun(divide, 1, 0)
        return caller()

    assert contextvars.Context().run(asyncio.run, work()) == "outside"


def test_a_task_cancelled_midway_leaves_nothing_behind(request_hold):
    taken = snapshot()
    seen = []

    async def wait():
        seen.append(caller())
        await asyncio.sleep(60)

    async def work():
        task = asyncio.create_task(taken.arun(wait))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        seen.append(caller())

    contextvars.Context().run(asyncio.run, work())
    assert seen == [ALICE, "outside"]


def test_a_closed_one_ends_for_a_task_that_is_running(request_hold):
    taken = snapshot()

    async def wait():
        taken.close()
        await asyncio.sleep(0)
        return caller()

    assert asyncio.run(taken.arun(wait)) == "closed"
    with pytest.raises(NoCaller, match="was closed"):
        asyncio.run(taken.arun(wait))


def test_run_says_that_an_async_function_is_for_arun(request_hold):
    with pytest.raises(TypeError, match=r"await caller\.arun\(work, ...\)"):
        snapshot().run(acaller)


async def agenerator():
    yield caller()


@contextlib.contextmanager
def block():
    yield caller()


@contextlib.asynccontextmanager
async def ablock():
    yield caller()


class Call(Coroutine):
    """What aiohttp's `session.get()` returns: to be awaited or entered, and no plain coroutine."""

    def __init__(self):
        self._work = acaller()

    def __await__(self):
        return self._work.__await__()

    def send(self, value):
        return self._work.send(value)

    def throw(self, *error):
        return self._work.throw(*error)

    def close(self):
        self._work.close()


@pytest.mark.parametrize(
    "work",
    [
        acaller,
        Call,
        lambda: (caller() for _ in range(1)),
        agenerator,
        block,
        ablock,
        lambda: map(caller, ()),
        lambda: filter(caller, ()),
    ],
)
def test_run_returns_no_work_that_is_still_to_be_done(request_hold, work):
    """Whoever awaits, enters or iterates over it would do it as somebody else, without limits."""
    with pytest.raises(TypeError, match="whose work is done later"):
        snapshot().run(work)


def test_run_returns_what_stands_for_work_that_has_begun(request_hold):
    async def start():
        task = snapshot().run(asyncio.ensure_future, acaller())
        with ThreadPoolExecutor(1) as pool:
            future = snapshot().run(pool.submit, caller)
        return await task, future.result()

    assert asyncio.run(start()) == (ALICE, "outside")


# --- One within the work of another ---------------------------------------------------------------


def reason(ask):
    """Why there is no caller for this."""
    with pytest.raises(NoCaller) as caught:
        ask()
    return caught.value.reason


@pytest.mark.parametrize("outer_first", [True, False])
def test_it_expires_with_the_earlier_of_both(request_hold, outer_first):
    outer = snapshot(expires_in=0.2 if outer_first else 60)
    inner = outer.run(snapshot, expires_in=60 if outer_first else 0.2)
    unlimited = outer.run(snapshot)
    assert inner.run(caller) == unlimited.run(caller) == ALICE
    time.sleep(0.25)

    assert reason(lambda: inner.run(caller)) == "expired"
    if outer_first:
        assert reason(lambda: unlimited.run(caller)) == "expired"
    else:
        assert unlimited.run(caller) == ALICE


def test_it_is_closed_with_the_one_around_it_and_not_the_other_way_round(request_hold):
    outer = snapshot()
    inner = outer.run(snapshot)
    innermost = inner.run(snapshot)
    beside = outer.run(snapshot)
    inner.close()

    assert reason(lambda: innermost.run(caller)) == "closed"
    assert outer.run(caller) == beside.run(caller) == ALICE
    outer.close()
    assert reason(lambda: beside.run(caller)) == "closed"


def test_closing_the_one_around_it_ends_work_that_is_running(request_hold):
    outer = snapshot()
    with outer.run(snapshot).active():
        assert caller() == ALICE
        outer.close()
        assert caller() == "closed"
        assert reason(snapshot) == "closed"


def test_it_is_for_no_destination_that_the_one_around_it_is_not_for(request_hold):
    client = Destinations("https://a.example", "https://b.example", "https://c.example")
    outer = snapshot(destinations=Destinations("https://a.example", "https://b.example"))
    inner = outer.run(snapshot, destinations=Destinations("https://b.example", "https://c.example"))
    unnarrowed = outer.run(snapshot)

    def reached(taken):
        found = ""
        for host in "abc":
            try:
                assert taken.run(client.headers_for, f"https://{host}.example/") == ALICE.headers()
            except DestinationNotAllowed:
                continue
            found += host
        return found

    assert (reached(outer), reached(inner), reached(unnarrowed)) == ("ab", "b", "ab")
    with unnarrowed.active():
        assert caller() == "narrowed"


def test_another_caller_within_its_work_is_not_its_own(request_hold):
    """What acts as someone else on purpose has no limits of this one."""
    outer = snapshot(expires_in=0.05)
    with outer.active(), auth_metadata(*BOB.pairs(), bindings=[]):
        time.sleep(0.06)
        assert snapshot().run(caller) == BOB


# --- Narrowed to what a destination is sent -------------------------------------------------------

BOTH_OF_THEM = Credentials(("authorization", "Bearer alice-token"), ("x-token", "alice-extra"))
WIDE = Destinations("https://a.example", "https://b.example")


def headers_within(narrowed, client=WIDE, url="https://a.example/"):
    """What a client sends in work whose caller is narrowed to that."""
    with Hold(BOTH_OF_THEM).active():
        taken = snapshot(destinations=narrowed)
    return taken.run(client.headers_for, url)


@pytest.mark.parametrize(
    ("send", "sent"),
    [
        (None, ["authorization", "x-token"]),
        (["Authorization"], ["authorization"]),
        (["x-token", "x-other"], ["x-token"]),
        ({"x-token": "Authorization: Bearer {value}"}, ["x-token"]),
        ([], []),
    ],
)
def test_work_is_sent_no_more_than_what_it_is_narrowed_to(send, sent):
    """Its own client may send more, for other work."""
    narrowed = Destinations(Destination("https://a.example", send=send))
    client = Destinations(Destination("https://a.example", on_missing="anonymous"))

    assert headers_within(narrowed, client) == {name: BOTH_OF_THEM.headers()[name] for name in sent}


def test_a_wildcard_narrows_as_what_is_named_closest():
    narrowed = Destinations(
        Destination("https://*.example.com", send=["authorization"]),
        Destination("https://a.example.com", send=["x-token"]),
    )
    client = Destinations("https://*.example.com")

    assert list(headers_within(narrowed, client, "https://a.example.com/")) == ["x-token"]
    assert list(headers_within(narrowed, client, "https://b.example.com/")) == ["authorization"]


def test_a_hop_of_a_redirect_is_narrowed_too():
    narrowed = Destinations("https://a.example", Destination("https://b.example", send=["x-token"]))
    with Hold(BOTH_OF_THEM).active():
        taken = snapshot(destinations=narrowed)

    first = taken.run(WIDE.hop, "https://a.example/")
    second = taken.run(WIDE.hop, "https://b.example/", first.trail)

    assert (set(first.add), set(second.add)) == ({"authorization", "x-token"}, {"x-token"})
    # What the caller has stays confined, sendable or not.
    assert second.remove >= {"authorization", "x-token"}


def test_what_is_left_is_what_both_send():
    client = Destinations(Destination("https://a.example", send=["x-token"]))
    narrowed = Destinations(Destination("https://a.example", send=["authorization"]))

    with pytest.raises(CredentialMissing, match="where work is narrowed to destinations"):
        headers_within(narrowed, client)
    anonymous = Destination("https://a.example", send=["x-token"], on_missing="anonymous")
    assert headers_within(narrowed, Destinations(anonymous)) == {}


def test_what_the_caller_lacks_is_missed_where_work_is_narrowed_to_it():
    narrowed = Destination("https://a.example", send=["x-other"])
    with pytest.raises(CredentialMissing, match="'x-other'"):
        headers_within(Destinations(narrowed))

    anonymous = Destination("https://a.example", send=["x-other"], on_missing="anonymous")
    client = Destinations(Destination("https://a.example", on_missing="anonymous"))
    assert headers_within(Destinations(anonymous), client) == {}
    with pytest.raises(CredentialMissing, match="no credential to send"):
        headers_within(Destinations(anonymous))


def test_one_within_another_is_sent_what_both_may_be():
    outer_only = Destinations(Destination("https://a.example", send=["authorization"]))
    with Hold(BOTH_OF_THEM).active():
        outer = snapshot(destinations=outer_only)
    inner = outer.run(snapshot, destinations=WIDE)
    unnarrowed = outer.run(snapshot)
    apart = outer.run(
        snapshot, destinations=Destinations(Destination("https://a.example", send=["x-token"]))
    )

    for taken in (inner, unnarrowed):
        assert list(taken.run(WIDE.headers_for, "https://a.example/")) == ["authorization"]
    with pytest.raises(CredentialMissing):
        apart.run(WIDE.headers_for, "https://a.example/")
