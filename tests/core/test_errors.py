"""What this library raises, and what its texts say."""

import pickle
from typing import get_args

import pytest

from passthrough_auth.core import (
    CallerDenied,
    CallerRefused,
    CallerUnauthenticated,
    ConfigurationError,
    MalformedCredential,
    NoCaller,
    PassthroughAuthError,
)
from passthrough_auth.core.errors import Absence


@pytest.mark.parametrize(
    ("raised", "also"),
    [(ConfigurationError, ValueError), (NoCaller, LookupError), (MalformedCredential, ValueError)],
)
def test_an_error_is_also_the_builtin_that_its_users_would_catch(raised, also):
    assert issubclass(raised, PassthroughAuthError)
    assert issubclass(raised, also)


@pytest.mark.parametrize("reason", get_args(Absence))
def test_no_caller_says_why_and_what_to_do(reason):
    error = NoCaller(reason)

    assert error.reason == reason
    assert str(error).endswith(".")


def test_every_reason_has_a_text_of_its_own():
    texts = {str(NoCaller(reason)) for reason in get_args(Absence)}

    assert len(texts) == len(get_args(Absence))


def test_no_caller_survives_the_way_between_processes():
    """A worker pool pickles the exceptions of its workers."""
    again = pickle.loads(pickle.dumps(NoCaller("ended")))  # noqa: S301 - made right here

    assert (type(again), again.reason, str(again)) == (NoCaller, "ended", str(NoCaller("ended")))


@pytest.mark.parametrize(
    ("error", "status"), [(CallerUnauthenticated, 401), (CallerDenied, 403), (CallerRefused, 403)]
)
def test_an_upstream_refusal_knows_the_status_to_answer_with(error, status):
    """The base class too: an app may raise it as it is."""
    assert issubclass(error, CallerRefused)
    assert error("upstream said no").status == status
    assert error("upstream said no").detail


@pytest.mark.parametrize("status", [200, 303, 600, "403", None])
def test_a_refusal_of_one_s_own_can_t_be_anything_else(status):
    with pytest.raises(ConfigurationError, match="write one from 400 to 599"):
        type("Odd", (CallerRefused,), {"status": status})
