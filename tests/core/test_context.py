"""The caller of the request being served, for exactly that long."""

import asyncio
import contextvars
import copy
import os
import pickle
import threading
from contextlib import contextmanager

import pytest

from passthrough_auth.core import (
    Credentials,
    Hold,
    MalformedCredential,
    NoCaller,
    auth_metadata,
    current_credentials,
    current_hold,
    without_caller,
)
from passthrough_auth.core.context import forget_in_fork

ALICE = Credentials(("authorization", "Bearer alice"))
BOB = Credentials(("authorization", "Bearer bob"))


def caller():
    """The caller's credentials here, or the reason why there are none."""
    try:
        return current_credentials()
    except NoCaller as absent:
        return absent.reason


class Recorder:
    """A binding that notes what it was given and when it was left."""

    def __init__(self, *, fails_to_enter=False, fails_to_leave=False):
        self.seen = []
        self._fails_to_enter = fails_to_enter
        self._fails_to_leave = fails_to_leave

    @contextmanager
    def __call__(self, credentials):
        if self._fails_to_enter:
            raise RuntimeError("enter")
        self.seen.append(credentials)
        try:
            yield
        finally:
            self.seen.append("left")
        if self._fails_to_leave:
            raise RuntimeError("leave")


# --- Holds --------------------------------------------------------------------------------------


def test_outside_of_any_request_there_is_no_caller():
    assert current_hold() is None
    assert caller() == "outside"


@pytest.mark.parametrize("absence", ["undecided", "public", "preflight", "refused"])
def test_a_hold_without_credentials_says_why(absence):
    with Hold(None, absence).active():
        assert caller() == absence


def test_a_hold_is_undecided_until_the_gate_was_asked():
    with Hold().active():
        assert caller() == "undecided"


def test_a_hold_is_current_within_its_block_as_often_as_needed():
    hold = Hold(ALICE)

    for _ in range(2):
        with hold.active() as entered:
            assert entered is current_hold() is hold
            assert caller() is ALICE
        assert caller() == "outside"


def test_a_hold_within_another_replaces_it_for_as_long():
    """A public request served while a context leaked from the one before finds nobody."""
    with Hold(ALICE).active():
        with Hold(None, "public").active():
            assert caller() == "public"
        assert caller() is ALICE


def test_a_closed_hold_has_ended_in_every_copy_of_its_context():
    hold = Hold(ALICE)
    with hold.active():
        copied = contextvars.copy_context()
    assert copied.run(caller) is ALICE

    hold.close()

    assert copied.run(caller) == "ended"
    assert caller() == "outside"


def test_a_public_hold_that_is_closed_has_ended_too():
    hold = Hold(None, "public")
    hold.close()

    with hold.active():
        assert caller() == "ended"


def test_tasks_and_to_thread_carry_the_caller_and_plain_threads_do_not():
    async def in_task():
        return caller()

    async def serve():
        with Hold(ALICE).active():
            in_thread = []
            thread = threading.Thread(target=lambda: in_thread.append(caller()))
            thread.start()
            thread.join()
            in_executor = await asyncio.get_running_loop().run_in_executor(None, caller)
            return [
                await asyncio.create_task(in_task()),
                await asyncio.to_thread(caller),
                in_executor,
                *in_thread,
            ]

    assert asyncio.run(serve()) == [ALICE, ALICE, "outside", "outside"]


# --- Bindings -----------------------------------------------------------------------------------


def test_bindings_are_entered_in_order_and_left_in_reverse():
    first, second = Recorder(), Recorder()

    with Hold(ALICE, bindings=(first, second)).active():
        assert first.seen == second.seen == [ALICE]
    assert first.seen == second.seen == [ALICE, "left"]


@pytest.mark.parametrize("absence", ["public", "refused", "preflight"])
def test_a_binding_is_given_empty_credentials_where_there_is_no_caller(absence):
    """So that nothing of an earlier request is left standing in the client."""
    binding = Recorder()

    with Hold(None, absence, (binding,)).active():
        assert binding.seen == [Credentials()]


def test_an_ended_hold_binds_nobody():
    binding = Recorder()
    hold = Hold(ALICE, bindings=(binding,))
    hold.close()

    with hold.active():
        assert binding.seen == [Credentials()]


def test_a_binding_that_fails_to_enter_leaves_nothing_behind():
    entered = Recorder()
    hold = Hold(ALICE, bindings=(entered, Recorder(fails_to_enter=True)))

    with pytest.raises(RuntimeError, match="enter"), hold.active():
        pytest.fail("the block must not run")
    assert entered.seen == [ALICE, "left"]
    assert caller() == "outside"


def test_a_binding_that_fails_to_leave_leaves_nothing_behind():
    other = Recorder()
    hold = Hold(ALICE, bindings=(other, Recorder(fails_to_leave=True)))

    with pytest.raises(RuntimeError, match="leave"), hold.active():
        pass
    assert other.seen == [ALICE, "left"]
    assert caller() == "outside"


def test_a_block_without_a_caller_has_none_and_binds_nobody():
    """Nor has what was started within it, once the block is over."""
    binding = Recorder()
    with Hold(ALICE, bindings=(binding,)).active():
        with without_caller():
            assert caller() == "outside"
            copied = contextvars.copy_context()
        assert caller() is ALICE
        assert copied.run(caller) == "outside"

    assert binding.seen == [ALICE, Credentials(), "left", "left"]


def test_a_block_without_a_caller_may_be_outside_of_any_request():
    with without_caller():
        assert caller() == "outside"

    assert current_hold() is None


def test_an_exception_passes_through_and_nothing_is_left_behind():
    binding = Recorder()

    with pytest.raises(KeyError), Hold(ALICE, bindings=(binding,)).active():
        raise KeyError
    assert binding.seen == [ALICE, "left"]
    assert caller() == "outside"


# --- auth_metadata ------------------------------------------------------------------------------


def test_code_outside_requests_can_act_as_a_caller():
    with auth_metadata(("Authorization", " Bearer alice "), ("X-Token", "t")) as credentials:
        assert credentials is current_credentials()
        assert credentials.headers() == {"authorization": "Bearer alice", "x-token": "t"}
    assert caller() == "outside"


def test_the_inner_of_two_replaces_the_outer():
    with auth_metadata(("authorization", "Bearer alice"), ("x-token", "t")):
        with auth_metadata(("authorization", "Bearer bob")):
            assert caller() == BOB
        assert caller().headers()["x-token"] == "t"


def test_it_is_for_one_block_and_a_second_changes_nothing():
    once = auth_metadata(*BOB.pairs(), bindings=[])
    with auth_metadata(*ALICE.pairs(), bindings=[]):
        with once:
            assert caller() == BOB
            with pytest.raises(RuntimeError, match="one for each `with`"):
                once.__enter__()
            assert caller() == BOB
        with pytest.raises(RuntimeError, match="one for each `with`"):
            once.__enter__()
        assert caller() == ALICE
    assert caller() == "outside"


def test_work_that_outlives_the_block_finds_that_it_has_ended():
    with auth_metadata(("authorization", "Bearer alice")):
        copied = contextvars.copy_context()

    assert copied.run(caller) == "ended"


def test_it_ends_also_if_leaving_a_binding_fails():
    with (
        pytest.raises(RuntimeError, match="leave"),
        auth_metadata(("x-token", "t"), bindings=[Recorder(fails_to_leave=True)]),
    ):
        copied = contextvars.copy_context()
    assert copied.run(caller) == "ended"


def test_its_bindings_are_those_given():
    binding = Recorder()

    with auth_metadata(("authorization", "Bearer alice"), bindings=[binding]):
        assert binding.seen == [ALICE]


def test_without_pairs_it_is_an_error():
    """Like the SDK's own: acting as nobody is never what was meant."""
    with pytest.raises(ValueError, match="at least one"):
        auth_metadata()


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([("authorization", "Bearer s3cret, s3cret")], "value given for 'authorization'"),
        ([("cookie", "s3cret")], "value given for 'cookie'"),
        ([("x-token", "s3cret\n")], "value given for 'x-token'"),
        ([("host", "s3cret")], "can't be forwarded"),
        ([("Bearer s3cret", "authorization")], "can't be forwarded"),
        ([("x-token", "s3cret"), ("X-Token", "s3cret2")], "two values under one name"),
        (["authorization", "Bearer s3cret"], "takes pairs of text"),
        ([("x-token", b"s3cret")], "takes pairs of text"),
        ([("x-token", "s3cret", "more")], "takes pairs of text"),
    ],
)
def test_a_pair_that_may_not_travel_is_malformed_and_not_shown(pairs, said):
    """Not even where name and value were given the wrong way round."""
    with pytest.raises(MalformedCredential, match=said) as caught:
        auth_metadata(*pairs)
    assert "s3cret" not in str(caught.value)


def test_what_a_test_would_write_first_is_told_better():
    with pytest.raises(MalformedCredential, match=r"write 'Bearer ...'"):
        auth_metadata(("authorization", "alice"))


# --- Elsewhere ----------------------------------------------------------------------------------


def in_a_fork(ask):
    """What that returns in a process forked here."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, str(ask()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        return answer.read().decode()


def test_a_process_forked_while_a_request_is_served_has_no_caller():
    """It would have one for good: the request never ends there."""
    hold = Hold(ALICE)
    with hold.active():
        context = contextvars.copy_context()

        assert in_a_fork(caller) == "outside"
        assert in_a_fork(lambda: context.run(caller)) == "forked"
        assert caller() == ALICE


def test_a_fork_may_have_callers_and_forks_of_its_own():
    def act():
        with auth_metadata(("authorization", "Bearer bob"), bindings=[]):
            context = contextvars.copy_context()
            return caller() == BOB and in_a_fork(lambda: context.run(caller))

    assert in_a_fork(act) == "forked"


@pytest.fixture
def forgotten_again(monkeypatch):
    monkeypatch.setattr(Hold, "this_process", Hold.this_process)


def test_what_a_fork_forgets(forgotten_again):
    recorder = Recorder()
    earlier, public = Hold(ALICE, bindings=(recorder,)), Hold(None, "public")
    context = contextvars.copy_context()
    entered = earlier.active()
    context.run(entered.__enter__)

    context.run(forget_in_fork)

    assert context.run(caller) == "outside"
    with earlier.active():
        assert caller() == "forked"
    assert recorder.seen == [ALICE, Credentials(), "left"]
    with public.active():
        assert caller() == "public"
    with Hold(ALICE).active():
        assert caller() == ALICE


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_hold_can_t_be_copied(duplicate):
    with pytest.raises(TypeError, match="would never end"):
        duplicate(Hold(ALICE))


def test_a_block_left_in_another_context_says_so():
    """Frameworks run a plain generator's steps in threads, each with a context of its own."""
    block = auth_metadata(("authorization", "Bearer alice"))
    contextvars.copy_context().run(block.__enter__)

    with pytest.raises(RuntimeError, match="was not in force all the time"):
        block.__exit__(None, None, None)
    assert caller() == "outside"
