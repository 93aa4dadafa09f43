"""Snapshots, which carry the caller to other threads and tasks."""

import asyncio
import contextlib
import contextvars
import copy
import json
import multiprocessing
import os
import pickle
from collections.abc import Coroutine
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest
from tests.core.builders import BoundClient
from tests.core.test_context import ALICE, BOB, caller, in_a_fork

from passthrough_auth.core import (
    ConfigurationError,
    CredentialMissing,
    Credentials,
    Destination,
    DestinationNotAllowed,
    Destinations,
    NoCaller,
    acting_as,
    snapshot,
)
from passthrough_auth.core.caller import CallerScope


async def acaller():
    """The same as `caller`, after a turn of the event loop."""
    await asyncio.sleep(0)
    return caller()


@pytest.fixture
def request_scope():
    """The scope of a request that is being served."""
    scope = CallerScope(ALICE)
    with scope.active():
        yield scope


def test_a_thread_pool_has_the_snapshot_s_caller(request_scope):
    taken = snapshot()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(caller).result() == "outside"
        assert pool.submit(taken.run, caller).result() == ALICE
        assert pool.submit(caller).result() == "outside"


def test_run_in_executor_has_the_snapshot_s_caller(request_scope):
    taken = snapshot()

    async def work():
        return await asyncio.get_running_loop().run_in_executor(None, taken.run, caller)

    assert contextvars.Context().run(asyncio.run, work()) == ALICE


def test_run_passes_arguments_results_and_errors(request_scope):
    taken = snapshot()

    assert taken.run(divmod, 7, 2) == (3, 1)
    assert taken.run(dict, self=1, work=2) == {"self": 1, "work": 2}
    with pytest.raises(ZeroDivisionError):
        taken.run(divmod, 1, 0)


def test_a_snapshot_outlives_its_request():
    scope = CallerScope(ALICE)
    with scope.active():
        taken = snapshot()
    scope.close()

    assert taken.run(caller) == ALICE


def test_several_threads_can_use_a_snapshot_at_once(request_scope):
    taken = snapshot()

    with taken.active(), taken.active():
        assert caller() == ALICE
    assert caller() == ALICE


def test_a_snapshot_has_the_request_s_bindings():
    named, other = BoundClient(), BoundClient()
    with CallerScope(ALICE, bindings=(named,)).active():
        taken = snapshot()

    assert taken.run(named.credentials) == ALICE
    assert taken.run(other.credentials) == Credentials()


def test_closing_a_snapshot_ends_it_everywhere(request_scope):
    taken = snapshot()
    with taken.active():
        taken.close()
        assert caller() == "closed"

    with pytest.raises(NoCaller, match="was closed") as caught:
        taken.run(caller)
    assert caught.value.reason == "closed"


def test_an_expired_snapshot_has_no_caller(request_scope, clock):
    client = BoundClient()
    taken = snapshot(expires_in=60)
    with taken.active():
        clock.now += 59
        assert caller() == client.credentials() == ALICE
        clock.now += 1
        assert caller() == "expired"
        with pytest.raises(NoCaller, match="has expired"):
            client.credentials()

    with pytest.raises(NoCaller, match="has expired"):
        taken.active()
    with pytest.raises(NoCaller, match="has expired"):
        taken.run(caller)


@pytest.mark.parametrize(
    "expires_in", [0, -1, True, float("nan"), float("inf"), 10**400, "60", [60]]
)
def test_an_expiry_is_a_positive_number_of_seconds(request_scope, expires_in):
    with pytest.raises(ConfigurationError, match="positive number of seconds"):
        snapshot(expires_in=expires_in)


def test_without_a_caller_there_is_no_snapshot():
    with pytest.raises(NoCaller) as caught:
        snapshot()
    assert caught.value.reason == "outside"

    with CallerScope(None, "public").active(), pytest.raises(NoCaller) as caught:
        snapshot()
    assert caught.value.reason == "public"


@pytest.mark.parametrize("spread", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps])
def test_a_snapshot_can_t_be_pickled_or_copied(request_scope, spread):
    with pytest.raises(TypeError, match=r"can't be pickled or copied|not JSON serializable"):
        spread(snapshot())


def test_a_snapshot_can_t_be_sent_to_another_process(request_scope):
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        sent = pool.submit(snapshot().run, os.getpid)
        with pytest.raises(TypeError, match="nor sent to another process"):
            sent.result()


def test_a_snapshot_has_no_caller_in_a_fork(request_scope):
    """Closing it in one process wouldn't end it in the other."""
    taken = snapshot()

    assert in_a_fork(lambda: repr(taken)) == "<Snapshot forked>"


def test_a_closed_snapshot_keeps_no_secret(request_scope):
    taken = snapshot()
    taken.close()

    assert taken._lease._credentials is None


def test_the_repr_of_a_snapshot_shows_no_secret(request_scope):
    taken = snapshot()
    assert repr(taken) == str(taken) == f"{taken}" == "%s" % taken == f"<Snapshot {ALICE!r}>"  # noqa: UP031 - one of the ways
    assert f"{taken:>200}" == repr(taken).rjust(200)

    taken.close()
    assert repr(taken) == "<Snapshot closed>"


# --- In tasks -------------------------------------------------------------------------------------


def test_a_task_that_outlives_its_request_has_the_snapshot_s_caller():
    async def serve(scope):
        with scope.active():
            taken = snapshot()
            with_it = asyncio.create_task(taken.arun(acaller))
            without = asyncio.create_task(acaller())
        scope.close()
        return await with_it, await without

    assert asyncio.run(serve(CallerScope(ALICE))) == (ALICE, "ended")


def test_arun_passes_arguments_and_errors_and_leaves_no_caller_behind(request_scope):
    async def divide(*numbers):
        return divmod(*numbers)

    taken = snapshot()

    async def work():
        assert await taken.arun(divide, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await taken.arun(divide, 1, 0)
        return caller()

    assert contextvars.Context().run(asyncio.run, work()) == "outside"


def test_a_cancelled_task_leaves_no_caller_behind(request_scope):
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


def test_closing_a_snapshot_ends_it_for_a_running_task(request_scope):
    taken = snapshot()

    async def wait():
        taken.close()
        await asyncio.sleep(0)
        return caller()

    assert asyncio.run(taken.arun(wait)) == "closed"
    with pytest.raises(NoCaller, match="was closed"):
        asyncio.run(taken.arun(wait))


def test_run_says_that_an_async_function_is_for_arun(request_scope):
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
    """Like the result of aiohttp's `session.get()`: it can be awaited or entered."""

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
def test_run_refuses_to_return_unfinished_work(request_scope, work):
    """Code that awaits, enters or iterates over it would run it without the snapshot's limits."""
    with pytest.raises(TypeError, match="whose work is done later"):
        snapshot().run(work)


def test_run_can_return_a_task_or_future(request_scope):
    async def start():
        task = snapshot().run(asyncio.ensure_future, acaller())
        with ThreadPoolExecutor(1) as pool:
            future = snapshot().run(pool.submit, caller)
        return await task, future.result()

    assert asyncio.run(start()) == (ALICE, "outside")


# --- Nested snapshots -----------------------------------------------------------------------------


def reason(ask):
    """The reason why this has no caller."""
    with pytest.raises(NoCaller) as caught:
        ask()
    return caught.value.reason


@pytest.mark.parametrize("outer_first", [True, False])
def test_a_nested_snapshot_expires_with_the_earlier_of_both(request_scope, clock, outer_first):
    outer = snapshot(expires_in=20 if outer_first else 60)
    inner = outer.run(snapshot, expires_in=60 if outer_first else 20)
    unlimited = outer.run(snapshot)
    assert inner.run(caller) == unlimited.run(caller) == ALICE
    clock.now += 25

    assert reason(lambda: inner.run(caller)) == "expired"
    if outer_first:
        assert reason(lambda: unlimited.run(caller)) == "expired"
    else:
        assert unlimited.run(caller) == ALICE


def test_closing_the_outer_snapshot_closes_the_nested_one_only(request_scope):
    outer = snapshot()
    inner = outer.run(snapshot)
    innermost = inner.run(snapshot)
    beside = outer.run(snapshot)
    inner.close()

    assert reason(lambda: innermost.run(caller)) == "closed"
    assert outer.run(caller) == beside.run(caller) == ALICE
    outer.close()
    assert reason(lambda: beside.run(caller)) == "closed"


def test_closing_the_outer_snapshot_ends_running_work(request_scope):
    outer = snapshot()
    with outer.run(snapshot).active():
        assert caller() == ALICE
        outer.close()
        assert caller() == "closed"
        assert reason(snapshot) == "closed"


def test_a_nested_snapshot_has_only_the_outer_one_s_destinations(request_scope):
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


def test_another_caller_within_its_work_has_no_such_limits(request_scope, clock):
    """Work that uses acting_as in between is another caller's, so these limits don't apply."""
    outer = snapshot(expires_in=5)
    with outer.active(), acting_as(*BOB.pairs(), bindings=[]):
        clock.now += 6
        assert snapshot().run(caller) == BOB


# --- Narrowed to destinations ---------------------------------------------------------------------

BOTH_OF_THEM = Credentials(("authorization", "Bearer alice-token"), ("x-token", "alice-extra"))
WIDE = Destinations("https://a.example", "https://b.example")


def headers_within(narrowed, client=WIDE, url="https://a.example/"):
    """The headers that a client sends in work that is narrowed to these destinations."""
    with CallerScope(BOTH_OF_THEM).active():
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
def test_work_sends_no_more_than_its_destinations_allow(send, sent):
    """Its own client may send more, for other work."""
    narrowed = Destinations(Destination("https://a.example", send=send))
    client = Destinations(Destination("https://a.example", on_missing="anonymous"))

    assert headers_within(narrowed, client) == {name: BOTH_OF_THEM.headers()[name] for name in sent}


def test_the_closest_name_decides_when_work_is_narrowed():
    narrowed = Destinations(
        Destination("https://*.example.com", send=["authorization"]),
        Destination("https://a.example.com", send=["x-token"]),
    )
    client = Destinations("https://*.example.com")

    assert list(headers_within(narrowed, client, "https://a.example.com/")) == ["x-token"]
    assert list(headers_within(narrowed, client, "https://b.example.com/")) == ["authorization"]


def test_a_hop_of_a_redirect_is_narrowed_too():
    narrowed = Destinations("https://a.example", Destination("https://b.example", send=["x-token"]))
    with CallerScope(BOTH_OF_THEM).active():
        taken = snapshot(destinations=narrowed)

    headers = {"x-app": "1"}
    first = taken.run(WIDE.carry, "https://a.example/", headers)
    assert set(headers) == {"authorization", "x-token", "x-app"}
    # The client keeps the headers of the first hop. Only those that b may get are left.
    second = taken.run(WIDE.carry, "https://b.example/", headers, first)

    assert (set(first.added), set(second.added)) == ({"authorization", "x-token"}, {"x-token"})
    assert set(headers) == {"x-token", "x-app"}


def test_a_credential_is_sent_only_if_both_send_it():
    client = Destinations(Destination("https://a.example", send=["x-token"]))
    narrowed = Destinations(Destination("https://a.example", send=["authorization"]))

    with pytest.raises(CredentialMissing, match="where work is narrowed to destinations"):
        headers_within(narrowed, client)
    anonymous = Destination("https://a.example", send=["x-token"], on_missing="anonymous")
    assert headers_within(narrowed, Destinations(anonymous)) == {}


def test_a_credential_that_the_caller_lacks_is_missed_in_narrowed_work():
    narrowed = Destination("https://a.example", send=["x-other"])
    with pytest.raises(CredentialMissing, match="'x-other'"):
        headers_within(Destinations(narrowed))

    anonymous = Destination("https://a.example", send=["x-other"], on_missing="anonymous")
    client = Destinations(Destination("https://a.example", on_missing="anonymous"))
    assert headers_within(Destinations(anonymous), client) == {}
    with pytest.raises(CredentialMissing, match="no credential to send"):
        headers_within(Destinations(anonymous))


def test_a_nested_snapshot_sends_only_what_both_allow():
    outer_only = Destinations(Destination("https://a.example", send=["authorization"]))
    with CallerScope(BOTH_OF_THEM).active():
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
