"""The binding: it has the SDK ask, at each of its calls, whom to act as."""

import logging
from typing import final

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyte.errors import InitializationError

from passthrough_auth.core.caller import Binding
from passthrough_auth.core.errors import CallerDenied, CallerRefused, CallerUnauthenticated

from .sdk import ask_for_metadata, current_client, hand_over_screens, watch_clients
from .sessions import confine

logger = logging.getLogger("passthrough_auth")


@final
class _FlyteBinding(Binding):
    """Makes the Flyte SDK act as the caller.

    `bindings=None`, the default of every adapter, finds it once the application has imported
    flyte; `bindings=[bind_flyte]` asks for it by name. At each of its calls the SDK is given the
    credentials of the caller there is then, and none at all where there is no caller, whatever an
    earlier request has left behind in the SDK's own context. In a block of
    `flyte.remote.auth_metadata` of the app's own, within a request, the app's come first.
    """

    def __init__(self) -> None:
        self._said_not_initialised = False

    def __reduce__(self) -> str:
        # There is one in each process, also for what was pickled in another.
        return "bind_flyte"

    def install(self) -> None:
        watch_clients(confine)
        client = current_client()
        if client is not None:
            confine(client)
        hand_over_screens()
        ask_for_metadata(lambda: self.credentials().pairs())

    def caller_refused(self, error: BaseException, /) -> CallerRefused | None:
        """What upstream's refusal means for the caller; None for any other error."""
        if isinstance(error, InitializationError):
            self._say_not_initialised()
        return refusal_in(error)

    def _say_not_initialised(self) -> None:
        if not self._said_not_initialised:
            self._said_not_initialised = True
            logger.error(
                "A call to Flyte failed because flyte.init_passthrough(endpoint, project=..., "
                "domain=...) was not called before. Call it once, at start-up, in the process "
                "that serves"
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
