"""Clients that act as the caller by themselves, without arguments at each call.

A binding is installed once, when its client is first seen. From then on, the client asks for the
caller at each of its calls. So a request without such a call has no cost, and no caller can remain
for another request.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cache
from typing import cast, final

from passthrough_auth.core._checking import checked_collection
from passthrough_auth.core.errors import CallerError, ConfigurationError, NoCaller

from ._answers import marked_refusal
from ._context import current_scope
from ._credentials import NOBODY, Credentials
from ._discovery import INSTALLING, Discovery

Bindings = tuple["Binding", ...] | None
"""The clients that act as the caller; None stands for all installed ones."""


class Binding(ABC):
    """Makes a client ask for the caller. Create one per process, and list it in `bindings`.

    With an entry point in the group `passthrough_auth.bindings`, named like the client's module, it
    is found automatically once the app has imported the client.
    """

    @abstractmethod
    def install(self) -> None:
        """Make the client ask `self.credentials()` at each call. Called once per process."""

    def caller_refused(self, error: BaseException, /) -> CallerError | None:  # noqa: ARG002 - knows none
        """The refusal by upstream that this error of the client means; None for other errors."""
        return None

    @final
    def credentials(self) -> Credentials:
        """The credentials for the client's next call. They are empty if there is no caller.

        Raises `NoCaller` if the code's request or work has ended.
        """
        scope = current_scope()
        if scope is None or not (scope.bindings is None or _is_among(self, scope.bindings)):
            return NOBODY
        try:
            return scope.credentials()
        except NoCaller as absent:
            if absent.is_over:
                raise
            return NOBODY


@cache
def discovery() -> "Discovery[Binding]":
    """The discovery of clients, of this process."""
    return Discovery("passthrough_auth.bindings", installed)


def checked_bindings(given: Iterable[Binding] | None) -> Bindings:
    """The bindings that an app lists, installed; None for those of the clients that it imports."""
    if given is None:
        discovery().found()
        return None
    return tuple(map(installed, checked_collection("bindings", given, "[bind_flyte]")))


# For a binding of the earlier kind, which was called with credentials around each request.
_WRITE_A_BINDING = (
    ". A client is not handed credentials: it asks for them. Write a class derived from "
    "passthrough_auth.core.caller.Binding, whose install() makes the client ask "
    "self.credentials() at each of its calls"
)
_installed: list[Binding] = []


def installed(binding: object) -> Binding:
    """Install the binding and return it. Raises `ConfigurationError` for another object."""
    if not isinstance(binding, Binding):
        instead = "" if not callable(binding) else _WRITE_A_BINDING
        raise ConfigurationError(
            "bindings takes objects such as bind_flyte of passthrough_auth.clients.flyte, not "
            f"{binding!r}{instead}"
        )
    with INSTALLING:
        if not _is_among(binding, _installed):
            _installed.append(binding)
            try:
                binding.install()
            except BaseException:
                _installed.remove(binding)
                raise
    return binding


def _is_among(binding: Binding, bindings: Iterable[object]) -> bool:
    """Whether it is one of them itself: others may be equal to it."""
    return any(each is binding for each in bindings)


def find_refusal(error: BaseException, bindings: Bindings) -> CallerError | None:
    """The refusal that caused this error, at any depth of the chain of causes, or None.

    A group of errors (PEP 654: task groups raise them) counts only if a refusal caused each of its
    errors. If something else failed too, answering with the refusal would hide that.
    """
    return _find_refusal(error, discovery().found() if bindings is None else bindings, set())


def _find_refusal(
    error: BaseException, bindings: Iterable[Binding], seen: set[int]
) -> CallerError | None:
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, CallerError):
            return cause
        refused: CallerError | None = marked_refusal(cause)
        for binding in bindings:
            refused = refused or binding.caller_refused(cause)
        if refused is not None:
            return refused
        if isinstance(cause, BaseExceptionGroup):
            group = cast("BaseExceptionGroup[BaseException]", cause)
            refusals = [_find_refusal(each, bindings, {*seen}) for each in group.exceptions]
            return refusals[0] if all(refusals) else None
        cause = cause.__cause__
    return None
