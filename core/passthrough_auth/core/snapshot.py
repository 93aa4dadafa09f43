"""Taking the caller along into work that contextvars don't reach, or that outlives the request."""

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NoReturn, ParamSpec, TypeVar, final

from .bindings import Binding
from .context import Hold, current_hold
from .credentials import NOBODY, Credentials
from .errors import ConfigurationError, NoCaller

P = ParamSpec("P")
R = TypeVar("R")


def snapshot(*, expires_in: float | None = None) -> "Snapshot":
    """The caller of the current request, to be taken into other threads and later work.

    `asyncio.to_thread`, `anyio.to_thread`, `sync_to_async` and `create_task` carry the caller by
    themselves, for as long as the request lasts. `ThreadPoolExecutor`, `loop.run_in_executor`,
    `threading.Thread` and gevent's `spawn` don't, and nothing does once the request has ended.

        caller = snapshot(expires_in=300)
        executor.submit(caller.run, work, argument)

    `expires_in` is in seconds; without it the snapshot lasts until `close()`. Raises `NoCaller`
    where there is no caller, `ConfigurationError` for an expiry that is not a positive number.
    """
    hold = current_hold()
    if hold is None:
        raise NoCaller("outside")
    if expires_in is not None and not _is_duration(expires_in):
        raise ConfigurationError(f"expires_in is a positive number of seconds, not {expires_in!r}")
    deadline = math.inf if expires_in is None else time.monotonic() + expires_in
    return Snapshot(_Lease(hold.credentials(), hold.bindings, deadline))


def _is_duration(seconds: object) -> bool:
    return isinstance(seconds, int | float) and 0 < seconds < math.inf


class _Lease(Hold):
    """A hold with a deadline in place of a request's end."""

    __slots__ = ("_deadline",)

    def __init__(
        self, credentials: Credentials, bindings: tuple[Binding, ...], deadline: float
    ) -> None:
        super().__init__(credentials, bindings=bindings)
        self._deadline = deadline

    def credentials(self) -> Credentials:
        if time.monotonic() >= self._deadline:
            raise NoCaller("expired")
        return super().credentials()

    def bound_credentials(self) -> Credentials:
        return NOBODY if time.monotonic() >= self._deadline else super().bound_credentials()


@final
class Snapshot:
    """A caller taken along. Made by `snapshot()`; safe to use from many threads and tasks at once.

    It can't be pickled, and its repr holds no secret.
    """

    __slots__ = ("_lease",)

    def __init__(self, lease: Hold) -> None:
        self._lease = lease

    def active(self) -> AbstractContextManager[Hold]:
        """A context manager: within it, this is the caller. Each `with` takes a new one.

        Raises `NoCaller` if the snapshot was closed or has expired.
        """
        self._lease.credentials()
        return self._lease.active()

    def run(self, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call `work` as the caller and return what it returns. Raises what it raises."""
        with self.active():
            return work(*args, **kwargs)

    def close(self) -> None:
        """End it, everywhere it was handed to."""
        self._lease.close()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Snapshot holds a secret and can't be pickled")

    def __repr__(self) -> str:
        try:
            return f"<Snapshot {self._lease.credentials()!r}>"
        except NoCaller as absent:
            return f"<Snapshot {absent.reason}>"
