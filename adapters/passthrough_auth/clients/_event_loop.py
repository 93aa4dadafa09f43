"""Clients that belong to one event loop."""


def require_running_loop(made: str) -> None:
    """Raise `RuntimeError` where no event loop runs, which what is being made would belong to."""
    from asyncio import get_running_loop  # synchronous clients need none of it

    try:
        get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            f"{made} is made where an event loop runs: in the app's lifespan, with `async with`"
        ) from None
