"""The binding: entered around each request, it lets the SDK act as its caller."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import final

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyte.errors import InitializationError

from passthrough_auth.core import (
    CallerDenied,
    CallerRefused,
    CallerUnauthenticated,
    Credentials,
    Hold,
    current_hold,
)

from .sdk import holding
from .sessions import client_for_callers

logger = logging.getLogger("passthrough_auth")


@final
class _FlyteBinding:
    """Makes the Flyte SDK act as the caller.

    `bindings=None`, the default of every adapter, finds it once the application has imported
    flyte; `bindings=[bind_flyte]` asks for it by name. The SDK holds a caller's credentials as
    metadata in a context of its own: it is given those of the caller, and none at all where there
    is no caller, whatever an earlier request has left behind in that context.

    Entering it raises `ForkedAfterImport` where the SDK would hang.
    """

    def __init__(self) -> None:
        self._said_not_initialised = False

    def __call__(self, credentials: Credentials, /) -> AbstractContextManager[object]:
        if not credentials:
            return holding()
        if client_for_callers() is None:
            self._say_not_initialised()
        hold = _hold_of(credentials)
        return holding(*(_HeldPair(name, hold) for name in credentials.headers()))

    def caller_refused(self, error: BaseException, /) -> CallerRefused | None:
        """What upstream's refusal means for the caller; None for any other error."""
        if isinstance(error, InitializationError):
            self._say_not_initialised()
        return refusal_in(error)

    def _say_not_initialised(self) -> None:
        if not self._said_not_initialised:
            self._said_not_initialised = True
            logger.error(
                "A request is served before flyte.init_passthrough(endpoint, project=..., "
                "domain=...) was called, so its calls to Flyte will fail. Call it once, at "
                "start-up, in the process that serves; or, if this app makes no calls to Flyte, "
                "say so with bindings=[]"
            )


bind_flyte = _FlyteBinding()


def refusal_in(error: BaseException) -> CallerRefused | None:
    """The refusal that this very error is, if it is one; its causes are not looked at."""
    if isinstance(error, ConnectError):
        if error.code is Code.UNAUTHENTICATED:
            return CallerUnauthenticated("Flyte did not accept the caller's credentials")
        if error.code is Code.PERMISSION_DENIED:
            return CallerDenied("Flyte does not permit this to the caller")
    return None


@final
class _HeldPair:
    """A (name, value) pair of metadata that has its value only while its request lasts.

    The SDK copies its context into work that may outlive the request, and prints it in places. It
    reads the pair for each call (`dict(pairs)`): after the request, that raises `NoCaller`.
    """

    __slots__ = ("_hold", "_name")

    def __init__(self, name: str, hold: Hold) -> None:
        self._name = name
        self._hold = hold

    def __iter__(self) -> Iterator[str]:
        return iter((self._name, self._hold.credentials().headers()[self._name]))

    def __repr__(self) -> str:
        return f"<{self._name} of the caller>"


def _hold_of(credentials: Credentials) -> Hold:
    """The hold in force if it is the one of these credentials, else one that doesn't end."""
    hold = current_hold()
    if hold is not None and hold.bound_credentials() is credentials:
        return hold
    return Hold(credentials)
