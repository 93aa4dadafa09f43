"""The caller of the running code, for exactly as long as they are the caller.

One context variable holds one `CallerScope` for each request. An adapter sets it when a request
begins, also a public one: on some servers the context of a finished request leaks into
the next one on the same connection, and only a variable that every request sets anew is never
stale. The scope is closed when its request ends. Code that still runs in a copy of the context then
finds no caller, instead of a caller whose request is over.
"""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, ClassVar, NoReturn, final

from passthrough_auth.core.errors import Absence, NoCaller

from ._credentials import NOBODY, Credentials

if TYPE_CHECKING:
    from passthrough_auth.core.origin import Origin

caller_var: ContextVar["CallerScope | None"] = ContextVar("passthrough_auth_caller", default=None)
"""The scope of the running code's caller. Adapters set it when a request begins, and reset it."""


def current_credentials() -> Credentials:
    """The credentials of the caller of the current request.

    Raises `NoCaller`, whose `reason` explains why there is no caller.
    """
    scope = current_scope()
    if scope is None:
        raise NoCaller("outside")
    return scope.credentials()


def current_scope() -> "CallerScope | None":
    """The scope of the running code, open or closed, or None if there is none. For adapters."""
    scope = caller_var.get()
    return scope if _caller_of_screen is None else _caller_of_screen(scope)


_caller_of_screen: "Callable[[CallerScope | None], CallerScope | None] | None" = None


def look_up_screens(find: "Callable[[CallerScope | None], CallerScope | None]") -> None:
    """Have `find` turn the current scope into that of the screen which the running code serves.

    For the first UI framework that the app has imported. Without one, nothing is looked up.
    """
    global _caller_of_screen  # noqa: PLW0603 - there is one in a process
    _caller_of_screen = find


def reset_caller(token: Token["CallerScope | None"]) -> None:
    """Undo `caller_var.set`. Raises `RuntimeError` in another context than that of the `set`."""
    try:
        caller_var.reset(token)
    except ValueError:
        raise RuntimeError(
            "a block with a caller was entered in one context and left in another, so it was not "
            "in force all the time. Frameworks run each step of a plain generator in another "
            "thread: let no such block last across its `yield`, or write `async def`"
        ) from None


def forget_in_fork() -> None:
    """Forget every caller in a process that was forked.

    The child process is a copy, in which no request ends and no snapshot is ever closed. Without
    this, a process pool started by one caller's request would do all work as that caller.
    """
    CallerScope.this_process = object()
    caller_var.set(None)


with suppress(AttributeError):  # Windows has no fork
    os.register_at_fork(after_in_child=forget_in_fork)


class CallerScope:
    """The caller of one request, or of one piece of work.

    It has the caller's credentials, or in `absence` the reason why there are none. It is current
    while `caller_var` is set to it, and in an `active()` block. `close` ends it permanently and
    everywhere, including in copies of the context.

    `bindings` are the clients that act as this caller by themselves; None stands for all installed
    ones.
    """

    __slots__ = ("_credentials", "_process", "absence", "bindings")

    this_process: ClassVar[object] = object()
    """Identifies this process. A fork gets another one, see `forget_in_fork`."""

    of_request: ClassVar[bool] = False
    """Whether it is a request's, and not that of an explicit block."""
    session: "CallerScope | None"
    """Of a request's: the session that began with it, if UI frameworks are asked for sessions."""

    _over: ClassVar[Absence] = "ended"

    def __init__(
        self,
        credentials: Credentials | None = None,
        absence: Absence = "undecided",
        bindings: tuple[object, ...] | None = None,
    ) -> None:
        self._credentials = credentials
        self._process = self.this_process
        self.absence: Absence = absence
        self.bindings = bindings

    def credentials(self) -> Credentials:
        """The caller's credentials. Raises `NoCaller` with the reason if there are none."""
        credentials = self._credentials
        if credentials is None:
            raise NoCaller(self.absence)
        if self._process is not self.this_process:
            raise NoCaller("forked")
        return credentials

    def credentials_for(self, origin: "Origin") -> Credentials:  # noqa: ARG002 - a narrowed one asks
        """The caller's credentials for a call to this origin. For `Destination`."""
        return self.credentials()

    def credential_names(self) -> Iterable[str]:
        """The lower-case names of the caller's credentials; empty without a caller."""
        return (self._credentials or NOBODY).headers()

    def has(self, name: str, value: object) -> bool:
        """Whether the caller's own credential of this lower-case name has this value."""
        own = (self._credentials or NOBODY).headers().get(name)
        return own is not None and value in (own, own.encode("latin-1", "replace"))

    def active(self) -> "_Active":
        """A context manager that makes this scope the current one. For one `with` block each."""
        return _Active(self)

    def close(self) -> None:
        """End it: from now on, asking for the caller raises `NoCaller("ended")`."""
        # In this order, so that no other thread can read the wrong reason.
        self.absence = self._over
        self._credentials = None

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        kind = type(self).__name__
        raise TypeError(f"a {kind} can't be pickled or copied: the copy would never end")


@final
class _Active:
    """One period in which a scope is current. Each is for one `with` block."""

    __slots__ = ("_scope", "_token")

    _token: Token["CallerScope | None"]

    def __init__(self, scope: CallerScope) -> None:
        self._scope = scope

    def __enter__(self) -> CallerScope:
        self._token = caller_var.set(self._scope)
        return self._scope

    def __exit__(self, *raised: object) -> None:
        reset_caller(self._token)


@final
class without_caller:
    """A context manager within which there is no caller.

    For calls into code that also serves others, such as a server's `send` and `receive` or a
    client's channel. Such code may start tasks or threads in a copy of this context, and use them
    for other callers' requests. For one `with` block each.
    """

    __slots__ = ("_token",)

    _token: Token["CallerScope | None"]

    def __enter__(self) -> None:
        # A scope of its own, and not None: nothing that was entered outside counts in it either.
        self._token = caller_var.set(CallerScope(None, "outside"))

    def __exit__(self, *raised: object) -> None:
        reset_caller(self._token)
