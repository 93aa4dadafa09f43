"""Taking the caller along."""

import asyncio
import contextvars
import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.core.test_context import ALICE, Recorder, caller

from passthrough_auth.core import ConfigurationError, Credentials, Hold, NoCaller, snapshot


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
        assert caller() == "ended"

    with pytest.raises(NoCaller, match="has ended") as caught:
        taken.run(caller)
    assert caught.value.reason == "ended"


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


@pytest.mark.parametrize("expires_in", [0, -1, float("nan"), float("inf"), "60", [60]])
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


def test_it_can_t_be_pickled(request_hold):
    with pytest.raises(TypeError, match="can't be pickled"):
        pickle.dumps(snapshot())


def test_its_repr_names_no_secret(request_hold):
    taken = snapshot()
    assert repr(taken) == f"<Snapshot {ALICE!r}>"

    taken.close()
    assert repr(taken) == "<Snapshot ended>"
