"""Deliberately broken ways to hold a caller, to show that the soak finds them.

Each takes the place of how core holds a caller, in the process that serves, and so breaks every
adapter at once. They are the mistakes that hand-written middleware makes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from passthrough_auth.core import Gate, Hold, context


@dataclass(frozen=True, slots=True)
class Break:
    """One mistake. `shows_as` is what the soak has to report it as."""

    what: str
    shows_as: str
    apply: Callable[[], None]


class _Global:
    """What a context variable offers, in one place for everybody."""

    def __init__(self) -> None:
        self._value: Any = None

    def get(self) -> Any:
        return self._value

    def set(self, value: Any) -> Any:
        before, self._value = self._value, value
        return before

    def reset(self, before: Any) -> None:
        self._value = before


def _in_a_global() -> None:
    _replace(context, "_current", _Global())


def _never_reset() -> None:
    def enter(active: Any) -> Any:
        hold = active._hold  # noqa: SLF001 - what is broken is inside
        if hold.bound_credentials():
            vars(context)["_current"].set(hold)
        return hold

    active: Any = vars(context)["_Active"]
    active.__enter__ = enter
    active.__exit__ = _nothing
    _replace(Hold, "close", _nothing)


def _piling_up() -> None:
    kept: list[Any] = []
    decide = Gate.decide

    def decide_and_keep(gate: Gate, request: Any) -> Any:
        kept.append(decide(gate, request))
        return kept[-1]

    _replace(Gate, "decide", decide_and_keep)


def _nothing(*_: object) -> None:
    pass


def _replace(owner: Any, name: str, by: Any) -> None:
    setattr(owner, name, by)


BREAKS = {
    "global": Break("the caller is kept in a global of the module", "crossed", _in_a_global),
    "no-reset": Break(
        "a context variable is set for each caller, and never reset or ended", "stale", _never_reset
    ),
    "pile-up": Break("every caller is kept for ever, as in an unbounded cache", "kept", _piling_up),
}
