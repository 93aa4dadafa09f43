"""Taking the caller along into work that contextvars don't reach, or that outlives the request."""

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NoReturn, ParamSpec, TypeVar, final

from .bindings import Binding
from .context import Hold, current_hold
from .credentials import NOBODY, Credentials
from .destinations import Destinations
from .errors import ConfigurationError, DestinationNotAllowed, NoCaller
from .origin import Origin

P = ParamSpec("P")
R = TypeVar("R")


def snapshot(
    *, expires_in: float | None = None, destinations: Destinations | None = None
) -> "Snapshot":
    """The caller of the current request, to be taken into other threads and later work.

    `asyncio.to_thread`, `anyio.to_thread`, `sync_to_async` and `create_task` carry the caller by
    themselves, for as long as the request lasts. `ThreadPoolExecutor`, `loop.run_in_executor`,
    `threading.Thread` and gevent's `spawn` don't, and nothing does once the request has ended.

        caller = snapshot(expires_in=300)
        executor.submit(caller.run, work, argument)

    `expires_in` is in seconds; without it the snapshot lasts until `close()`. `destinations`
    narrows it to calls to these: the work gets no credentials in any other way, and no client that
    keeps credentials in a context of its own (Flyte) is bound to them.

    Raises `NoCaller` where there is no caller, `ConfigurationError` for an expiry that is not a
    positive number, or destinations that are none.
    """
    hold = current_hold()
    if hold is None:
        raise NoCaller("outside")
    if expires_in is not None and not _is_duration(expires_in):
        raise ConfigurationError(f"expires_in is a positive number of seconds, not {expires_in!r}")
    if destinations is not None and not isinstance(destinations, Destinations):
        raise ConfigurationError(
            f"destinations is a Destinations('https://...'), not {type(destinations).__name__}"
        )
    deadline = math.inf if expires_in is None else time.monotonic() + expires_in
    return Snapshot(_Lease(hold.credentials(), hold.bindings, deadline, destinations))


def _is_duration(seconds: object) -> bool:
    return isinstance(seconds, int | float) and 0 < seconds < math.inf


class _Lease(Hold):
    """A hold with a deadline in place of a request's end, for some destinations or for all."""

    __slots__ = ("_deadline", "_destinations")

    def __init__(
        self,
        credentials: Credentials,
        bindings: tuple[Binding, ...],
        deadline: float,
        destinations: Destinations | None,
    ) -> None:
        super().__init__(credentials, bindings=bindings)
        self._deadline = deadline
        self._destinations = destinations

    def held(self) -> Credentials:
        """The credentials, whatever they are for, or `NoCaller` if that time is over."""
        if time.monotonic() >= self._deadline:
            raise NoCaller("expired")
        return super().credentials()

    def credentials(self) -> Credentials:
        held = self.held()
        if self._destinations is not None:
            raise NoCaller("narrowed")
        return held

    def credentials_for(self, origin: Origin) -> Credentials:
        held = self.held()
        if self._destinations is not None and not self._destinations.names(origin):
            raise DestinationNotAllowed(
                f"{origin} is not among the destinations that this work's caller was narrowed to. "
                f"If it may be called, name '{origin}' in snapshot(destinations=...)"
            )
        return held

    def bound_credentials(self) -> Credentials:
        expired = time.monotonic() >= self._deadline
        return NOBODY if expired or self._destinations is not None else super().bound_credentials()


@final
class Snapshot:
    """A caller taken along. Made by `snapshot()`; safe to use from many threads and tasks at once.

    It can't be pickled, and its repr holds no secret.
    """

    __slots__ = ("_lease",)

    def __init__(self, lease: _Lease) -> None:
        self._lease = lease

    def active(self) -> AbstractContextManager[Hold]:
        """A context manager: within it, this is the caller. Each `with` takes a new one.

        Raises `NoCaller` if the snapshot was closed or has expired.
        """
        self._lease.held()
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
            return f"<Snapshot {self._lease.held()!r}>"
        except NoCaller as absent:
            return f"<Snapshot {absent.reason}>"
