"""Passing the caller to clients that keep credentials in their own context.

A binding is entered around each request with the caller's credentials. Without a caller it gets
empty credentials, so that nothing remains from an earlier request.
"""

import sys
import threading
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from .checking import checked_collection
from .credentials import Credentials
from .errors import CallerRefused, ConfigurationError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_GROUP = "passthrough_auth.bindings"


class Binding(Protocol):
    """Makes a client act as the caller while the context manager that it returns is entered.

    It may be called and entered several times for one request, because a streamed body is produced
    in pieces. A binding may also be a `RecognisesRefusals`.
    """

    def __call__(self, credentials: Credentials, /) -> AbstractContextManager[object]:
        """Return a context manager for these credentials; empty ones stand for nobody."""
        ...


@runtime_checkable
class RecognisesRefusals(Protocol):
    """A binding that knows how its client reports that upstream refused the caller."""

    def caller_refused(self, error: BaseException, /) -> CallerRefused | None:
        """The refusal that this error stands for; None for any other error."""
        ...


class Bindings:
    """The bindings of one gate.

    Given None, it binds each client that the application has imported. Each entry point in the
    group `passthrough_auth.bindings` has the name of a client module, and loads the binding for it.
    A client that nobody imported costs nothing.
    """

    __slots__ = ("_bound", "_loading", "_waiting")

    def __init__(self, given: Iterable[Binding] | None = None) -> None:
        self._bound: tuple[Binding, ...] = ()
        self._waiting: dict[str, EntryPoint] = {}
        self._loading = threading.Lock()
        if given is None:
            self._waiting = _installed()
        else:
            self._bound = tuple(
                map(_checked_binding, checked_collection("bindings", given, "[bind_flyte]"))
            )

    def current(self) -> tuple[Binding, ...]:
        """The bindings that apply now."""
        for module in self._waiting:
            if module in sys.modules:
                self._load(module)
        return self._bound

    def _load(self, module: str) -> None:
        with self._loading:
            # Another thread may have loaded it in the meantime, and it must not be bound twice.
            if module in self._waiting:
                self._bound = (*self._bound, _checked_binding(self._waiting[module].load()))
                # Replaced, not changed: another thread may be iterating over it.
                waiting = self._waiting.items()
                self._waiting = {name: entry for name, entry in waiting if name != module}


def find_refusal(error: BaseException, bindings: Iterable[Binding]) -> CallerRefused | None:
    """The upstream refusal that caused this error, at any depth of the chain of causes, or None.

    A group of errors (PEP 654: task groups raise them) counts only if a refusal caused each of its
    errors. If something else failed too, answering with the refusal would hide that.
    """
    return _find_refusal(error, bindings, set())


def _find_refusal(
    error: BaseException, bindings: Iterable[Binding], seen: set[int]
) -> CallerRefused | None:
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, CallerRefused):
            return cause
        for binding in bindings:
            if isinstance(binding, RecognisesRefusals):
                refused = binding.caller_refused(cause)
                if refused is not None:
                    return refused
        if isinstance(cause, BaseExceptionGroup):
            group = cast("BaseExceptionGroup[BaseException]", cause)
            refusals = [_find_refusal(each, bindings, {*seen}) for each in group.exceptions]
            return refusals[0] if all(refusals) else None
        cause = cause.__cause__
    return None


def _installed() -> "dict[str, EntryPoint]":
    # Imported here: this takes longer than the rest of core, and only the default needs it.
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=_GROUP)}


def _checked_binding(binding: object) -> Binding:
    if not callable(binding):
        raise ConfigurationError(
            "bindings takes callables from Credentials to a context manager, such as bind_flyte "
            f"of passthrough_auth.clients.flyte, not {binding!r}"
        )
    return cast("Binding", binding)
