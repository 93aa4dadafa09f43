"""The errors of this library, and their texts."""

import pickle
from typing import get_args

import pytest

from passthrough_auth.core import (
    CallerDenied,
    CallerError,
    CallerRefused,
    CallerUnauthenticated,
    ConfigurationError,
    CredentialMissing,
    CredentialUnusable,
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


def test_no_caller_can_be_pickled():
    """A worker pool pickles the exceptions of its workers."""
    again = pickle.loads(pickle.dumps(NoCaller("ended")))  # noqa: S301 - made right here

    assert (type(again), again.reason, str(again)) == (NoCaller, "ended", str(NoCaller("ended")))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (CallerUnauthenticated, 401),
        (CallerDenied, 403),
        (CallerRefused, 403),
        (CallerError, 403),
        (CredentialMissing, 401),
        (CredentialUnusable, 401),
    ],
)
def test_an_upstream_refusal_knows_the_status_to_answer_with(error, status):
    """The base class too: an app may raise it as it is."""
    assert issubclass(error, CallerError)
    assert error("upstream said no").status == status
    assert error("upstream said no").detail


@pytest.mark.parametrize("status", [200, 303, 600, "403", None])
def test_a_refusal_s_status_must_be_from_400_to_599(status):
    with pytest.raises(ConfigurationError, match="write one from 400 to 599"):
        type("Odd", (CallerError,), {"status": status})


@pytest.mark.parametrize("error", [CredentialMissing, CredentialUnusable])
def test_a_missing_credential_is_not_a_refusal_by_upstream(error):
    """No request was sent, so a handler for upstream's refusals must not catch it."""
    assert not issubclass(error, CallerRefused)


@pytest.mark.parametrize("reason", get_args(Absence))
def test_a_reason_is_intended_or_over_or_a_mistake(reason):
    error = NoCaller(reason)

    assert error.is_intended is (reason in {"public", "preflight"})
    assert error.is_over is (reason in {"ended", "forked", "closed", "expired", "crossed"})
