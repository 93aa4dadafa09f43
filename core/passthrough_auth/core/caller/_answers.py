"""Upstream's answer to a call that carried the caller, marked for when the app raises it.

Only our clients know whether a call carried the caller. The error that the app raises is made
elsewhere: by the client library, or by an SDK, which may show no cause (openai, anthropic). What
both have in common is the response, or the call.
"""

from collections.abc import Callable

from passthrough_auth.core.errors import CallerDenied, CallerRefused, CallerUnauthenticated

_MARK = "_passthrough_auth_status"

Status = int | Callable[[object], int | None]
"""An HTTP status, or a function that finds out later, from the marked object itself."""


def mark_answer(answer: object, status: Status) -> None:
    """Say of a response, a call or an error that it carried the caller, and how it ended.

    An error with this mark, or with such a response as its `response`, is upstream's refusal of the
    caller if the status is 401 or 403.
    """
    setattr(answer, _MARK, status)


def hand_on_mark(response: object, error: BaseException) -> None:
    """Mark an error of a library whose errors don't have their response."""
    status = _status_of(response)
    if status is not None:
        mark_answer(error, status)


def marked_refusal(error: BaseException) -> CallerRefused | None:
    """The refusal that this very error is, if it is one; its causes are not looked at."""
    status = _status_of(error) or _status_of(error.__dict__.get("response"))
    if status == 401:
        return CallerUnauthenticated("Upstream did not accept the caller's credentials")
    if status == 403:
        return CallerDenied("Upstream does not permit this to the caller")
    return None


def _status_of(answer: object) -> int | None:
    # Not getattr: an object of the app's may compute attributes, or raise.
    status: Status | None = getattr(answer, "__dict__", {}).get(_MARK)
    return status(answer) if callable(status) else status
