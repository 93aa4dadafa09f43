"""Finding what belongs to a package once the app has imported that package."""

import sys
from collections.abc import Callable
from threading import RLock
from typing import Generic, TypeVar, final

T = TypeVar("T")

INSTALLING = RLock()
"""One for all, and reentrant: installing one client may make a gate, which looks for others."""


@final
class Discovery(Generic[T]):
    """What entry points name for the packages that the app has imported, each installed.

    A package that the app hasn't imported has no cost. Making one reads the entry points of the
    installed distributions, which takes milliseconds: make one of each group in a process.
    """

    def __init__(self, group: str, install: Callable[[object], T]) -> None:
        # Imported here: this takes longer than the rest of core, and only the default needs it.
        from importlib.metadata import entry_points

        self._install = install
        self._waiting = {entry.name: entry for entry in entry_points(group=group)}
        self._found: tuple[T, ...] = ()
        self._loading: set[str] = set()

    def found(self) -> tuple[T, ...]:
        """What belongs to the packages imported by now, installed."""
        for module in self._waiting:
            if sys.modules.get(module) is not None:  # None bars an import
                self._load(module)
        return self._found

    def _load(self, module: str) -> None:
        with INSTALLING:
            # Another thread may have loaded it in the meantime, or this one is about to.
            if module not in self._waiting or module in self._loading:
                return
            self._loading.add(module)
            try:
                self._found = (*self._found, self._install(self._waiting[module].load()))
            finally:
                self._loading.discard(module)
            # Replaced, not changed: another thread may be iterating over it.
            waiting = self._waiting.items()
            self._waiting = {name: entry for name, entry in waiting if name != module}
