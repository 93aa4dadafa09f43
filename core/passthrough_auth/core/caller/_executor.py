"""A thread pool that runs work as the caller who submitted it."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from ._context import CallerScope, without_caller
from ._snapshot import NamedOrigins, check_finished, check_limits, scope_for_work

P = ParamSpec("P")
R = TypeVar("R")

FIVE_MINUTES = 300.0


class CallerThreadPoolExecutor(ThreadPoolExecutor):
    """A `ThreadPoolExecutor` that runs work as the caller of the request that submitted it.

        pool = CallerThreadPoolExecutor(8)
        pool.submit(work, argument)
        await loop.run_in_executor(pool, work, argument)
        loop.set_default_executor(pool)

    Each piece of work gets its own snapshot when you submit it with `submit` or `map`. The snapshot
    ends when the work is done or cancelled, or `expires_in` seconds after it was submitted; None
    sets no such limit. `destinations` narrows it, as in `snapshot`.

    Work is done when it returns, so a coroutine or a generator as a result raises `TypeError`.

    Work that is submitted without a caller still runs. If it asks for the caller, it gets
    `NoCaller` with the reason that applied when it was submitted.

    The other arguments are those of `ThreadPoolExecutor`. Raises `ConfigurationError` for invalid
    limits.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        thread_name_prefix: str = "",
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        *,
        expires_in: float | None = FIVE_MINUTES,
        destinations: NamedOrigins | None = None,
    ) -> None:
        check_limits(expires_in, destinations)
        self._expires_in = expires_in
        self._destinations = destinations
        if initializer is not None:
            # Where threads inherit their context, it would run as whoever made the pool grow.
            initializer, initargs = _for_all, (initializer, *initargs)
        super().__init__(max_workers, thread_name_prefix, initializer, initargs)

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Run `fn` in a thread of the pool as the current caller. Raises as the base class does."""
        scope = scope_for_work(self._expires_in, self._destinations)
        future = super().submit(_work_as, scope, fn, *args, **kwargs)
        # Cancelled work never runs, and must not keep its caller.
        future.add_done_callback(lambda _: scope.close())
        return future


def _for_all(initializer: Callable[..., object], *arguments: object) -> None:
    with without_caller():
        initializer(*arguments)


def _work_as(scope: CallerScope, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    # Also set for work without a caller: the thread may have started in a copy of another caller's
    # context, and earlier work may have left a caller in it.
    try:
        with scope.active():
            return check_finished(work(*args, **kwargs))
    finally:
        scope.close()  # before other code can see the result
