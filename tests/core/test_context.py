"""The scope of a request's caller, which ends with the request."""

import asyncio
import contextvars
import copy
import os
import pickle
import threading

import pytest
from tests.core.builders import BoundClient

from passthrough_auth.core import (
    Credentials,
    MalformedCredential,
    NoCaller,
    acting_as,
    current_credentials,
    without_caller,
)
from passthrough_auth.core.caller import CallerScope, current_scope
from passthrough_auth.core.caller._context import forget_in_fork

ALICE = Credentials(("authorization", "Bearer alice"))
BOB = Credentials(("authorization", "Bearer bob"))


def caller():
    """The caller's credentials here, or the reason why there are none."""
    try:
        return current_credentials()
    except NoCaller as absent:
        return absent.reason


# --- Scopes --------------------------------------------------------------------------------------


def test_outside_of_any_request_there_is_no_caller():
    assert current_scope() is None
    assert caller() == "outside"


@pytest.mark.parametrize("absence", ["undecided", "public", "preflight", "refused"])
def test_a_scope_without_credentials_says_why(absence):
    with CallerScope(None, absence).active():
        assert caller() == absence


def test_a_scope_is_undecided_before_the_gate_decides():
    with CallerScope().active():
        assert caller() == "undecided"


def test_a_scope_can_be_current_in_several_blocks():
    scope = CallerScope(ALICE)

    for _ in range(2):
        with scope.active() as entered:
            assert entered is current_scope() is scope
            assert caller() is ALICE
        assert caller() == "outside"


def test_an_inner_scope_replaces_the_outer_one():
    """A public request in a context that leaked from an earlier request has no caller."""
    with CallerScope(ALICE).active():
        with CallerScope(None, "public").active():
            assert caller() == "public"
        assert caller() is ALICE


def test_a_closed_scope_has_ended_in_every_copy_of_its_context():
    scope = CallerScope(ALICE)
    with scope.active():
        copied = contextvars.copy_context()
    assert copied.run(caller) is ALICE

    scope.close()

    assert copied.run(caller) == "ended"
    assert caller() == "outside"


def test_a_public_scope_that_is_closed_has_ended_too():
    scope = CallerScope(None, "public")
    scope.close()

    with scope.active():
        assert caller() == "ended"


def test_tasks_and_to_thread_carry_the_caller_and_plain_threads_do_not():
    async def in_task():
        return caller()

    async def serve():
        with CallerScope(ALICE).active():
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


# --- Without a caller ---------------------------------------------------------------------------


def test_a_block_without_a_caller_has_none():
    """Work that was started in the block has none after the block either."""
    with CallerScope(ALICE).active():
        with without_caller():
            assert caller() == "outside"
            copied = contextvars.copy_context()
        assert caller() is ALICE
        assert copied.run(caller) == "outside"


def test_a_block_without_a_caller_may_be_outside_of_any_request():
    with without_caller():
        assert caller() == "outside"

    assert current_scope() is None


def test_an_exception_passes_through_and_the_caller_is_gone():
    with pytest.raises(KeyError), CallerScope(ALICE).active():
        raise KeyError
    assert caller() == "outside"


# --- acting_as ------------------------------------------------------------------------------


def test_code_outside_requests_can_act_as_a_caller():
    with acting_as(("Authorization", " Bearer alice "), ("X-Token", "t")) as credentials:
        assert credentials is current_credentials()
        assert credentials.headers() == {"authorization": "Bearer alice", "x-token": "t"}
    assert caller() == "outside"


def test_the_inner_of_two_replaces_the_outer():
    with acting_as(("authorization", "Bearer alice"), ("x-token", "t")):
        with acting_as(("authorization", "Bearer bob")):
            assert caller() == BOB
        assert caller().headers()["x-token"] == "t"


def test_acting_as_is_for_one_block():
    once = acting_as(*BOB.pairs(), bindings=[])
    with acting_as(*ALICE.pairs(), bindings=[]):
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
    with acting_as(("authorization", "Bearer alice")):
        copied = contextvars.copy_context()

    assert copied.run(caller) == "ended"


def test_acting_as_has_the_given_bindings():
    named, other = BoundClient(), BoundClient()

    with acting_as(("authorization", "Bearer alice"), bindings=[named]):
        assert named.credentials() == ALICE
        assert other.credentials() == Credentials()


def test_acting_as_without_pairs_is_an_error():
    """As with the SDK's own `auth_metadata`: a call without pairs is a mistake."""
    with pytest.raises(ValueError, match="at least one"):
        acting_as()


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
def test_a_pair_that_can_t_be_forwarded_is_malformed_and_not_shown(pairs, said):
    """Also if name and value are swapped."""
    with pytest.raises(MalformedCredential, match=said) as caught:
        acting_as(*pairs)
    assert "s3cret" not in str(caught.value)


def test_an_authorization_without_a_scheme_says_what_to_write():
    with pytest.raises(MalformedCredential, match=r"write 'Bearer ...'"):
        acting_as(("authorization", "alice"))


# --- Elsewhere ----------------------------------------------------------------------------------


def in_a_fork(ask):
    """The result of this function in a process that is forked here."""
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
    """It would keep that caller forever, because the request never ends there."""
    scope = CallerScope(ALICE)
    with scope.active():
        context = contextvars.copy_context()

        assert in_a_fork(caller) == "outside"
        assert in_a_fork(lambda: context.run(caller)) == "forked"
        assert caller() == ALICE


def test_a_fork_may_have_callers_and_forks_of_its_own():
    def act():
        with acting_as(("authorization", "Bearer bob"), bindings=[]):
            context = contextvars.copy_context()
            return caller() == BOB and in_a_fork(lambda: context.run(caller))

    assert in_a_fork(act) == "forked"


@pytest.fixture
def forgotten_again(monkeypatch):
    monkeypatch.setattr(CallerScope, "this_process", CallerScope.this_process)


def test_a_fork_forgets_the_callers_and_keeps_other_scopes(forgotten_again):
    client = BoundClient()
    earlier, public = CallerScope(ALICE), CallerScope(None, "public")
    context = contextvars.copy_context()
    entered = earlier.active()
    context.run(entered.__enter__)

    context.run(forget_in_fork)

    assert context.run(caller) == "outside"
    with earlier.active():
        assert caller() == "forked"
        with pytest.raises(NoCaller, match="forked"):
            client.credentials()
    with public.active():
        assert caller() == "public"
    with CallerScope(ALICE).active():
        assert caller() == ALICE


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_scope_can_t_be_copied(duplicate):
    with pytest.raises(TypeError, match="would never end"):
        duplicate(CallerScope(ALICE))


def test_a_block_left_in_another_context_says_so():
    """Frameworks run the steps of a plain generator in threads, each with its own context."""
    block = acting_as(("authorization", "Bearer alice"))
    contextvars.copy_context().run(block.__enter__)

    with pytest.raises(RuntimeError, match="was not in force all the time"):
        block.__exit__(None, None, None)
    assert caller() == "outside"
