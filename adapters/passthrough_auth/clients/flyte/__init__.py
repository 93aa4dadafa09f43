"""The Flyte SDK, acting as the caller of the current request.

An application that imports `flyte` is bound by itself: at every call the SDK asks who the caller is
then.

    await init_passthrough.aio(project="demo", domain="development")    # once, at start-up

    user = await current_user.aio()                                     # in a request
    run = await flyte.run.aio(remote.Task.get(name="train", auto_version="latest"))

Needs the `flyte` extra.
"""

from passthrough_auth.optional_import import optional_import

with optional_import("flyte"):
    from .sdk import ForkedAfterImport, UnsupportedFlyte

from .binding import bind_flyte
from .init import init_passthrough
from .user import User, current_user

__all__ = [
    "ForkedAfterImport",
    "UnsupportedFlyte",
    "User",
    "bind_flyte",
    "current_user",
    "init_passthrough",
]
