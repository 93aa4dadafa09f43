"""Deliberately broken ways to hold a caller, to show that the soak finds them.

Each changes how core holds a caller in the process that serves, and so breaks every adapter at
once. They are the mistakes that hand-written middleware makes.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from passthrough_auth.core.caller import CallerScope, caller_var
from passthrough_auth.core.inbound import Gate


@dataclass(frozen=True, slots=True)
class Break:
    """One mistake. The soak has to report it as `shows_as`."""

    mistake: str
    shows_as: str
    apply: Callable[[], None]


class _Global:
    """Has the methods of a context variable, and one value for all requests."""

    def __init__(self) -> None:
        self._value: Any = None

    def get(self) -> Any:
        return self._value

    def set(self, value: Any) -> Any:
        before, self._value = self._value, value
        return before

    def reset(self, before: Any) -> None:
        self._value = before


class _SetOnly:
    """A context variable that only a caller changes, and that is never reset."""

    get = caller_var.get

    def set(self, scope: Any) -> None:
        if scope is not None and any(scope.credential_names()):
            caller_var.set(scope)

    def reset(self, token: Any) -> None:
        pass


def _in_a_global() -> None:
    _replace_variable(_Global())


def _never_reset() -> None:
    _replace_variable(_SetOnly())
    CallerScope.close = lambda _scope: None


def _piling_up() -> None:
    kept: list[Any] = []
    admit = Gate.admit

    def admit_and_keep(*arguments: Any, **options: Any) -> Any:
        admission = admit(*arguments, **options)
        # Of the scope alone nothing would be left: closing it forgets the credentials.
        kept.append(admission._credentials)
        return admission

    Gate.admit = admit_and_keep


def _replace_variable(by: Any) -> None:
    """Put this in the place of the context variable in every module that has imported it."""
    for module in [each for name, each in sys.modules.items() if name != __name__]:
        names = [name for name, value in vars(module).items() if value is caller_var]
        for name in names:
            setattr(module, name, by)


BREAKS = {
    "global": Break("the caller is kept in a global of the module", "crossed", _in_a_global),
    "no-reset": Break(
        "a context variable is set for each caller, and never reset or ended", "stale", _never_reset
    ),
    "pile-up": Break("every caller is kept, as in an unbounded cache", "kept", _piling_up),
}
