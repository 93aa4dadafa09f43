"""Passing the caller to work that contextvars don't reach, or that outlives the request."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from time import monotonic
from types import AsyncGeneratorType, GeneratorType
from typing import Any, ClassVar, NamedTuple, NoReturn, ParamSpec, TypeVar, cast, final

from passthrough_auth.core._checking import not_destinations
from passthrough_auth.core.errors import (
    Absence,
    ConfigurationError,
    DestinationNotAllowed,
    NoCaller,
)
from passthrough_auth.core.origin import Origin

from ._context import CallerScope, current_scope
from ._credentials import Credentials

P = ParamSpec("P")
R = TypeVar("R")


class NamedOrigins(ABC):
    """The origins to which a narrowed caller's credentials may go. Apps write `Destinations`."""

    __slots__ = ()

    @abstractmethod
    def names(self, origin: Origin) -> bool:
        """Whether credentials may travel to this origin."""

    @abstractmethod
    def select(self, origin: Origin, credentials: Credentials) -> Credentials:
        """The credentials among these that may travel to this origin, which it names."""


def snapshot(
    *, expires_in: float | None = None, destinations: NamedOrigins | None = None
) -> "Snapshot":
    """The caller of the current request, for use in other threads and in later work.

    `asyncio.to_thread`, `anyio.to_thread`, `sync_to_async` and `create_task` pass on the caller
    automatically, for as long as the request lasts. `ThreadPoolExecutor`, `loop.run_in_executor`,
    `threading.Thread` and gevent's `spawn` don't, and nothing does once the request has ended.

        caller = snapshot(expires_in=300)
        executor.submit(caller.run, work, argument)

    `expires_in` is in seconds; without it the snapshot lasts until `close()`. `destinations`
    narrows the snapshot to calls to these origins, with only the credentials that each may get.
    The work gets no credentials in any other way, even if its own clients may send more. A bound
    client (Flyte) has no caller in it.

    A snapshot that is taken within another one's work also has the other's limits: it expires and
    closes with the other, and is for the other's destinations only.

    Raises `NoCaller` if there is no caller, and `ConfigurationError` for an `expires_in` that is
    not a positive number or for `destinations` that are not `Destinations`.
    """
    check_limits(expires_in, destinations)
    scope = current_scope()
    if scope is None:
        raise NoCaller("outside")
    end = _End()
    return Snapshot(_Lease.of(scope, expires_in, destinations, end), end)


def scope_for_work(expires_in: float | None, destinations: NamedOrigins | None) -> CallerScope:
    """A scope for one piece of work: with the current caller, or the reason why there is none.

    The limits are those of `snapshot`. Check them with `check_limits` first.
    """
    scope = current_scope()
    if scope is None:
        return CallerScope(None, "outside")
    try:
        return _Lease.of(scope, expires_in, destinations)
    except NoCaller as absent:
        return CallerScope(None, absent.reason, scope.bindings)


def check_limits(expires_in: object, destinations: object) -> None:
    """Raise `ConfigurationError` for invalid limits."""
    if expires_in is not None and not _is_duration(expires_in):
        raise ConfigurationError(f"expires_in is a positive number of seconds, not {expires_in!r}")
    if destinations is not None and not isinstance(destinations, NamedOrigins):
        raise not_destinations()


def _is_duration(seconds: object) -> bool:
    if isinstance(seconds, bool):  # also an int, but a mistake
        return False
    return isinstance(seconds, int | float) and 0 < seconds <= sys.float_info.max


def check_finished(result: R) -> R:
    """The result of some work. Raises `TypeError` if the result is unfinished work.

    The code that awaits, enters or iterates over it would do that work, with its own caller and
    limits. A future is accepted: it stands for work that has begun, in a context of its own.
    """
    if not _is_still_to_do(result):
        return result
    kind = type(result).__name__
    if isinstance(result, Coroutine | GeneratorType):
        result.close()
    raise TypeError(
        f"work with a caller is done when it returns, and this returned a {kind}, "
        "whose work is done later. For async work write `await caller.arun(work, ...)`; for a "
        "generator or a context manager, a function that uses it up; for a stretch of code, "
        "`with caller.active(): ...`"
    )


def _is_still_to_do(result: Any) -> bool:
    if isinstance(result, Awaitable):
        from asyncio import isfuture  # a future exists, so asyncio is imported already

        return not isfuture(cast("object", result))
    return isinstance(result, _LATER)


def _no_steps() -> Any:
    return ()


# Objects that run a function when they are iterated over or entered. The classes of those that
# `contextmanager` makes have no public names.
_LATER = (
    GeneratorType,
    AsyncGeneratorType,
    map,
    filter,
    type(contextmanager(_no_steps)()),
    type(asynccontextmanager(_no_steps)()),
)


class _End:
    """Whether a snapshot was closed. All snapshots taken within its work share this."""

    __slots__ = ("reached",)

    def __init__(self) -> None:
        self.reached = False


class _Limits(NamedTuple):
    """The end by the monotonic clock, the destinations, and the ends of its snapshots."""

    deadline: float
    destinations: tuple[NamedOrigins, ...]
    ends: tuple[_End, ...]

    def within(self, outer: "_Limits") -> "_Limits":
        """These limits combined with the outer ones."""
        # Work that submits itself again and again must not collect the same destinations each time.
        more = tuple(each for each in self.destinations if each not in outer.destinations)
        return _Limits(
            min(self.deadline, outer.deadline), outer.destinations + more, outer.ends + self.ends
        )


@final
class _Lease(CallerScope):
    """A scope that ends by its own limits instead of with a request."""

    __slots__ = ("limits",)

    _over: ClassVar[Absence] = "closed"

    def __init__(
        self, credentials: Credentials, bindings: tuple[object, ...] | None, limits: _Limits
    ) -> None:
        super().__init__(credentials, bindings=bindings)
        self.limits = limits

    @classmethod
    def of(
        cls,
        scope: CallerScope,
        expires_in: float | None,
        destinations: NamedOrigins | None,
        *ends: _End,
    ) -> "_Lease":
        """A lease on the same credentials, with these limits in addition to those of the scope."""
        deadline = float("inf") if expires_in is None else monotonic() + expires_in
        narrowed = () if destinations is None else (destinations,)
        limits = _Limits(deadline, narrowed, ends)
        if isinstance(scope, _Lease):
            return cls(scope.held(), scope.bindings, limits.within(scope.limits))
        return cls(scope.credentials(), scope.bindings, limits)

    def held(self) -> Credentials:
        """The credentials for any destination. Raises `NoCaller` once closed or expired."""
        if any(end.reached for end in self.limits.ends):
            raise NoCaller("closed")
        if monotonic() >= self.limits.deadline:
            raise NoCaller("expired")
        return super().credentials()

    def credentials(self) -> Credentials:
        held = self.held()
        if self.limits.destinations:
            raise NoCaller("narrowed")
        return held

    def credentials_for(self, origin: Origin) -> Credentials:
        held = self.held()
        for each in self.limits.destinations:
            if not each.names(origin):
                raise DestinationNotAllowed(
                    f"{origin} is not among the destinations that this work's caller was narrowed "
                    f"to. If it may be called, name '{origin}' in snapshot(destinations=...)"
                )
            held = each.select(origin, held)
        return held


@final
class Snapshot:
    """A caller for other work. Made by `snapshot()`; safe to use in many threads and tasks at once.

    It can't be pickled or copied, and its repr shows no secret.
    """

    __slots__ = ("_end", "_lease")

    def __init__(self, lease: _Lease, end: _End) -> None:
        self._lease = lease
        self._end = end

    def active(self) -> AbstractContextManager[CallerScope]:
        """A context manager that makes this the current caller. Each `with` needs a new one.

        Raises `NoCaller` if the snapshot was closed or has expired.
        """
        self._lease.held()
        return self._lease.active()

    def run(self, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call `work` as the caller and return its result. Its own errors pass through.

        Raises `TypeError` if the result is unfinished work, such as a coroutine (use `arun`), a
        generator or a context manager, because it would run later, outside this call.
        """
        with self.active():
            return check_finished(work(*args, **kwargs))

    async def arun(
        self, work: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Await `work` as the caller and return its result. Its own errors pass through.

        asyncio.create_task(caller.arun(work, argument))
        """
        with self.active():
            return await work(*args, **kwargs)

    def close(self) -> None:
        """End it everywhere, together with the snapshots that were taken within its work."""
        self._end.reached = True
        self._lease.close()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "a Snapshot holds a secret of this process: it can't be pickled or copied, nor sent to "
            "another process"
        )

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __repr__(self) -> str:
        try:
            return f"<Snapshot {self._lease.held()!r}>"
        except NoCaller as absent:
            return f"<Snapshot {absent.reason}>"
