"""What an ASGI middleware does in the lifespan: see that it stands where it has to, or fail."""

from inspect import currentframe
from typing import TYPE_CHECKING, NoReturn

from passthrough_auth.core.errors import ConfigurationError

if TYPE_CHECKING:
    from .asgi import Receive, Send

# The module of an app that answers requests of its own before it calls the app inside.
_ANSWER_FIRST = {
    "engineio.async_drivers.asgi": "socketio.ASGIApp",
    "panel.io.fastapi": "Panel",
}


def misplaced() -> ConfigurationError | None:
    """The error for a caller of this code, a middleware's lifespan, that it must stand outside of.

    Its requests would never reach the middleware, and its handlers would run for anybody.
    """
    frame = currentframe()
    while frame is not None:
        outer: object = frame.f_locals.get("self")
        for known in type(outer).__mro__:
            if known.__module__ in _ANSWER_FIRST:
                name = _ANSWER_FIRST[known.__module__]
                return ConfigurationError(
                    f"{name} stands outside the middleware: its requests would never reach it, and "
                    "its handlers would run for anybody. Let the middleware be the last line, in "
                    "any order of the others: app = PassthroughAuthMiddleware(app)"
                )
        frame = frame.f_back
    return None


async def fail_startup(error: ConfigurationError, receive: "Receive", send: "Send") -> NoReturn:
    """Answer the lifespan with this error.

    If an app raises there, servers assume that it has no lifespan, and start. If it reports that
    its startup failed, they stop.
    """
    await receive()
    await send({"type": "lifespan.startup.failed", "message": str(error)})
    raise error.with_traceback(None)
