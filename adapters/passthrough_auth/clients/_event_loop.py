"""Clients that belong to one event loop."""


def require_running_loop(maker: str) -> None:
    """Raise `RuntimeError` if no event loop runs that the new client could belong to.

    `maker` is the call that makes the client, for the text.
    """
    from asyncio import get_running_loop  # synchronous clients need none of it

    try:
        get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            f"{maker} is made where an event loop runs: in the app's lifespan, with `async with`"
        ) from None
