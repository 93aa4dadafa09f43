"""The caller of the request being served, held for exactly that long.

One context variable holds one `Hold` object for each request. It is set for public and refused
requests too: on some servers the context of a finished request leaks into the next one on the same
connection, and only a variable that is always set anew is never stale. The hold is closed when its
request ends, so that whatever still runs in a copy of the context finds no caller, rather than one
who is gone.
"""

import os
from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack, suppress
from contextvars import ContextVar, Token
from functools import cache
from types import TracebackType
from typing import NoReturn, final

from .bindings import Binding, Bindings
from .credentials import NOBODY, Credentials
from .errors import Absence, MalformedCredential, NoCaller
from .extraction import check_name, check_value
from .origin import Origin

_current: ContextVar["Hold | None"] = ContextVar("passthrough_auth_hold", default=None)


def current_credentials() -> Credentials:
    """The credentials of the caller of the current request.

    Raises `NoCaller`, whose `reason` says why there is none.
    """
    hold = current_hold()
    if hold is None:
        raise NoCaller("outside")
    return hold.credentials()


def current_hold() -> "Hold | None":
    """The hold in force here, open or closed; None outside of any. For adapters and bindings."""
    return _current.get()


def forget_in_fork() -> None:
    """Leave the caller out of a process that is forked while a request is served.

    It is a copy of this one, with the request in it, which never ends there: a process pool that
    one caller's request has started would do everybody's work as that caller.
    """
    hold = _current.get()
    if hold is not None:
        hold.close()
    _current.set(None)


with suppress(AttributeError):  # Windows has no fork
    os.register_at_fork(after_in_child=forget_in_fork)


class Hold:
    """What one request, or one piece of work, holds of its caller. Adapters make one per request.

    It has the caller's credentials, or the reason why there are none. `active` makes it visible to
    the code in a `with` block, as often as the request needs; `close` ends it for good everywhere,
    in copies of the context as well.
    """

    __slots__ = ("_absence", "_credentials", "bindings")

    def __init__(
        self,
        credentials: Credentials | None = None,
        absence: Absence = "undecided",
        bindings: tuple[Binding, ...] = (),
    ) -> None:
        self._credentials = credentials
        self._absence: Absence = absence
        self.bindings = bindings

    def credentials(self) -> Credentials:
        """The caller's credentials, or `NoCaller` with the reason."""
        credentials = self._credentials
        if credentials is None:
            raise NoCaller(self._absence)
        return credentials

    def credentials_for(self, origin: Origin) -> Credentials:  # noqa: ARG002 - a narrowed one asks
        """The caller's credentials for a call to this origin. For destinations."""
        return self.credentials()

    def credential_names(self) -> Iterable[str]:
        """The lower-case names of what the caller has, if there is a caller."""
        return (self._credentials or NOBODY).headers()

    def active(self) -> "_Active":
        """A context manager that makes this hold the current one, and enters its bindings."""
        return _Active(self)

    def close(self) -> None:
        """End it: from now on, asking for the caller raises `NoCaller("ended")`."""
        # In this order, so that another thread never reads the wrong reason.
        self._absence = "ended"
        self._credentials = None

    def bound_credentials(self) -> Credentials:
        """What bindings are given: the caller's credentials, or empty ones."""
        return self._credentials or NOBODY

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Hold can't be pickled or copied: the copy would never end")


def without_caller() -> AbstractContextManager[Hold]:
    """A context manager: within it nobody is the caller, and no client is bound to one.

    For clients whose library starts threads. Such a thread copies the context it is started in,
    and goes on to run what belongs to the calls of others.
    """
    hold = current_hold()
    return Hold(None, "outside", () if hold is None else hold.bindings).active()


@final
class _Active:
    """One stretch in which a hold is current. Made for one `with` each."""

    __slots__ = ("_entered", "_hold", "_token")

    _token: Token["Hold | None"]

    def __init__(self, hold: Hold) -> None:
        self._hold = hold
        self._entered: ExitStack | None = None

    def __enter__(self) -> Hold:
        hold = self._hold
        self._token = _current.set(hold)
        if hold.bindings:
            try:
                self._entered = _enter(hold)
            except BaseException:
                _current.reset(self._token)
                raise
        return hold

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._entered is not None:
                self._entered.__exit__(kind, error, trace)
        finally:
            self._reset()

    def _reset(self) -> None:
        try:
            _current.reset(self._token)
        except ValueError:
            raise RuntimeError(
                "a block with a caller was entered in one context and left in another, so it was "
                "not in force all the time. Frameworks run each step of a plain generator in "
                "another thread: let no such block last across its `yield`, or write `async def`"
            ) from None


def _enter(hold: Hold) -> ExitStack:
    credentials = hold.bound_credentials()
    with ExitStack() as stack:
        for binding in hold.bindings:
            stack.enter_context(binding(credentials))
        return stack.pop_all()


@final
class auth_metadata:
    """Act as a caller in code outside requests, and in tests. For one `with` block each.

        with auth_metadata(("authorization", "Bearer ...")):
            ...

    Nested, the inner one replaces the outer. The pairs are checked like those of a request, none
    may be given under one name twice, and work that outlives the block finds no caller, as after a
    request. `bindings` is what it is for a gate: None binds the clients that the application has
    imported.

    Raises `ValueError` without pairs, `MalformedCredential` for a pair that may not travel, and
    `RuntimeError` where one is entered again.
    """

    __slots__ = ("_active", "_entered", "_hold")

    def __init__(self, *pairs: tuple[str, str], bindings: Iterable[Binding] | None = None) -> None:
        if not pairs:
            raise ValueError("auth_metadata needs at least one (name, value) pair")
        credentials = _checked(pairs)
        del pairs  # a traceback with locals would show them
        if isinstance(credentials, str):
            raise MalformedCredential(credentials)
        bound = default_bindings() if bindings is None else Bindings(bindings)
        self._hold = Hold(credentials, bindings=bound.current())
        self._active = self._hold.active()
        self._entered = False

    def __enter__(self) -> Credentials:
        # Before it becomes current, where nothing would take it away again.
        if self._entered:
            raise RuntimeError("this auth_metadata was entered before: write one for each `with`")
        self._entered = True
        self._active.__enter__()
        return self._hold.credentials()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._active.__exit__(kind, error, trace)
        finally:
            self._hold.close()


@cache
def default_bindings() -> Bindings:
    """The bindings of code outside any gate."""
    return Bindings()


def _checked(pairs: Iterable[object]) -> Credentials | str:
    """The credentials that these pairs are, or what is wrong with them, in words without values.

    Nothing is raised from here, where tracebacks with locals would show them.
    """
    checked: dict[str, str] = {}
    for pair in pairs:
        match pair:
            case (str(given), str(value)):
                name = given.lower()
            case _:
                return "auth_metadata takes pairs of text: write ('authorization', 'Bearer ...')"
        if check_name(name) is not None:
            # The name isn't shown: of a pair given the wrong way round, it is the secret.
            return (
                "a name given to auth_metadata can't be forwarded as a credential. Write "
                "(name, value), as in ('authorization', 'Bearer ...')"
            )
        valid = check_value(name, value)
        if valid is None:
            hint = ": write 'Bearer ...'" if name == "authorization" else ""
            return f"the value given for {name!r} is malformed{hint}"
        if name in checked:
            return "auth_metadata was given two values under one name"
        checked[name] = valid
    return Credentials(*checked.items())
