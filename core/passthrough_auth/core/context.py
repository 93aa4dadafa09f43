"""The caller of the current request, held for exactly as long as the request lives.

One context variable holds one `Hold` object for each request. It is also set for public and refused
requests: on some servers the context of a finished request leaks into the next one on the same
connection, and only a variable that every request sets anew is never stale. The hold is closed when
its request ends. Code that still runs in a copy of the context then finds no caller, instead of a
caller whose request is over.
"""

import os
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from contextvars import ContextVar, Token
from functools import cache
from types import TracebackType
from typing import ClassVar, NoReturn, final

from .bindings import Binding, Bindings
from .credentials import NOBODY, Credentials
from .errors import Absence, MalformedCredential, NoCaller
from .grammar import name_problem, valid_value
from .origin import Origin

_current: ContextVar["Hold | None"] = ContextVar("passthrough_auth_hold", default=None)


def current_credentials() -> Credentials:
    """The credentials of the caller of the current request.

    Raises `NoCaller`, whose `reason` explains why there is no caller.
    """
    hold = current_hold()
    if hold is None:
        raise NoCaller("outside")
    return hold.credentials()


def current_hold() -> "Hold | None":
    """The current hold, open or closed, or None if there is none. For adapters and bindings."""
    return _current.get()


def forget_in_fork() -> None:
    """Leave every caller behind in the process that was forked.

    The child process is a copy, in which no request ends and no snapshot is ever closed. Without
    this, a process pool started by one caller's request would do everybody's work as that caller.
    """
    Hold.this_process = object()
    _current.set(None)


with suppress(AttributeError):  # Windows has no fork
    os.register_at_fork(after_in_child=forget_in_fork)


class Hold:
    """The caller of one request, or of one piece of work. Adapters make one for each request.

    It has the caller's credentials, or the reason why there are none. `active` makes it visible to
    the code in a `with` block, as often as the request needs. `close` ends it permanently and
    everywhere, including in copies of the context.
    """

    __slots__ = ("_absence", "_credentials", "_process", "bindings")

    this_process: ClassVar[object] = object()
    """Stands for the process that runs; a fork has one of its own, see `forget_in_fork`."""

    def __init__(
        self,
        credentials: Credentials | None = None,
        absence: Absence = "undecided",
        bindings: tuple[Binding, ...] = (),
    ) -> None:
        self._credentials = credentials
        self._absence: Absence = absence
        self._process = self.this_process
        self.bindings = bindings

    def credentials(self) -> Credentials:
        """The caller's credentials. Raises `NoCaller` with the reason if there are none."""
        credentials = self._credentials
        if credentials is None:
            raise NoCaller(self._absence)
        if self._process is not self.this_process:
            raise NoCaller("forked")
        return credentials

    def credentials_for(self, origin: Origin) -> Credentials:  # noqa: ARG002 - a narrowed one asks
        """The caller's credentials for a call to this origin. `Destination` calls this."""
        return self.credentials()

    def credential_names(self) -> Iterable[str]:
        """The lower-case names of the caller's credentials; empty without a caller."""
        return (self._credentials or NOBODY).headers()

    def active(self) -> "_Active":
        """A context manager that makes this hold the current one, and enters its bindings."""
        return _Active(self)

    def close(self) -> None:
        """End it: from now on, asking for the caller raises `NoCaller("ended")`."""
        self._end("ended")

    def _end(self, reason: Absence) -> None:
        # In this order, so that no other thread can read the wrong reason.
        self._absence = reason
        self._credentials = None

    def bound_credentials(self) -> Credentials:
        """The credentials for bindings: the caller's, or empty ones."""
        try:
            return self.credentials()
        except NoCaller:
            return NOBODY

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Hold can't be pickled or copied: the copy would never end")


@final
class _Active:
    """One period in which a hold is current. Each is for one `with` block."""

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
            try:
                _current.reset(self._token)
            except ValueError:
                raise RuntimeError(_LEFT_ELSEWHERE) from None


@final
class without_caller:
    """A context manager within which nobody is the caller, and no client is bound to anyone.

    For calls into code that also serves others, such as a server's `send` and `receive` or a
    client's channel. Such code may start tasks or threads there and then, in a copy of this
    context, and let them go on with the requests or calls of others. For one `with` block each.
    """

    __slots__ = ("_active", "_token")

    _token: Token["Hold | None"]

    def __enter__(self) -> None:
        hold = _current.get()
        if hold is None or not hold.bindings:
            self._active = None
            self._token = _current.set(None)
        else:
            self._active = _Active(Hold(None, "outside", hold.bindings))
            self._active.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._active is None:
            _current.reset(self._token)
        else:
            self._active.__exit__(kind, error, trace)


_LEFT_ELSEWHERE = (
    "a block with a caller was entered in one context and left in another, so it was not in force "
    "all the time. Frameworks run each step of a plain generator in another thread: let no such "
    "block last across its `yield`, or write `async def`"
)


def _enter(hold: Hold) -> ExitStack:
    credentials = hold.bound_credentials()
    with ExitStack() as stack:
        for binding in hold.bindings:
            stack.enter_context(binding(credentials))
        return stack.pop_all()


@final
class auth_metadata:
    """Act as a caller outside requests, and in tests. Make a new one for each `with` block.

        with auth_metadata(("authorization", "Bearer ...")):
            ...

    When blocks are nested, the inner one replaces the outer. The pairs are checked like the
    credentials of a request, and each name may appear only once. Work that outlives the block finds
    no caller, as after a request. `bindings` means the same as for `Gate`: None binds the clients
    that the application has imported.

    Raises `ValueError` without pairs, `MalformedCredential` for a pair that may not travel, and
    `RuntimeError` if it is entered a second time.
    """

    __slots__ = ("_active", "_entered", "_hold")

    def __init__(self, *pairs: tuple[str, str], bindings: Iterable[Binding] | None = None) -> None:
        if not pairs:
            raise ValueError("auth_metadata needs at least one (name, value) pair")
        credentials = _checked_pairs(pairs)
        del pairs  # a traceback with locals would show them
        if isinstance(credentials, str):
            raise MalformedCredential(credentials)
        bound = default_bindings() if bindings is None else Bindings(bindings)
        self._hold = Hold(credentials, bindings=bound.current())
        self._active = self._hold.active()
        self._entered = False

    def __enter__(self) -> Credentials:
        # Checked before it becomes current: nothing would undo that.
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
    """The bindings for code outside any gate."""
    return Bindings()


def _checked_pairs(pairs: Iterable[object]) -> Credentials | str:
    """The credentials made from these pairs, or a text about what is wrong, without the values.

    This raises nothing itself, because a traceback with locals would show the values.
    """
    checked: dict[str, str] = {}
    for pair in pairs:
        match pair:
            case (str(given), str(value)):
                name = given.lower()
            case _:
                return "auth_metadata takes pairs of text: write ('authorization', 'Bearer ...')"
        if name_problem(name) is not None:
            # The name isn't shown: if the pair is the wrong way round, the name is the secret.
            return (
                "a name given to auth_metadata can't be forwarded as a credential. Write "
                "(name, value), as in ('authorization', 'Bearer ...')"
            )
        valid = valid_value(name, value)
        if valid is None:
            hint = ": write 'Bearer ...'" if name == "authorization" else ""
            return f"the value given for {name!r} is malformed{hint}"
        if name in checked:
            return "auth_metadata was given two values under one name"
        checked[name] = valid
    return Credentials(*checked.items())
