"""The sources of a property's inputs: hypothesis, or the bytes of a fuzzer.

A property builds its input from one `Choices`, so it is written once and runs with both. Hypothesis
shrinks inputs that fail. A coverage-guided fuzzer changes the bytes of inputs that reached new
code.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeVar

from hypothesis import strategies as st

T = TypeVar("T")

HIGHEST_BYTE = 0xFF
HIGHEST_CHARACTER = 0x10FFFF


class Choices(ABC):
    """A source of choices. It falls back to the first option, so put the simplest one first."""

    @abstractmethod
    def integer(self, low: int, high: int) -> int:
        """A number from low to high, both included."""

    @abstractmethod
    def text(self, words: Sequence[str], most: int, highest: int = HIGHEST_BYTE) -> str:
        """A text of up to `most` parts: these words, or single characters up to `highest`."""

    def pick(self, options: Sequence[T]) -> T:
        """One of these."""
        return options[self.integer(0, len(options) - 1)]

    def flag(self) -> bool:
        """False or true."""
        return self.pick((False, True))

    def many(self, make: Callable[[], T], most: int) -> list[T]:
        """Up to `most` results of `make`."""
        return [make() for _ in range(self.integer(0, most))]


class Bytes(Choices):
    """Reads choices from the bytes of a fuzzer, front to back. After their end it reads zeros."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._read = 0

    def integer(self, low: int, high: int) -> int:
        span = high - low + 1
        if span <= 1:
            return low
        size = ((span - 1).bit_length() + 7) // 8
        taken = self._data[self._read : self._read + size]
        self._read += size
        return low + int.from_bytes(taken, "little") % span

    def text(self, words: Sequence[str], most: int, highest: int = HIGHEST_BYTE) -> str:
        return "".join(self._word(words, highest) for _ in range(self.integer(0, most)))

    def _word(self, words: Sequence[str], highest: int) -> str:
        # Every fourth part is a single character of any kind.
        which = self.integer(0, 255)
        if which >= 192:
            return chr(self.integer(0, highest))
        return words[which % len(words)]


class Drawn(Choices):
    """Draws choices from hypothesis, with its `st.data()`."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    def integer(self, low: int, high: int) -> int:
        drawn: int = self._data.draw(st.integers(low, high))
        return drawn

    def text(self, words: Sequence[str], most: int, highest: int = HIGHEST_BYTE) -> str:
        characters = st.characters(max_codepoint=highest, exclude_categories=())
        parts = st.lists(st.sampled_from(words) | characters, max_size=most)
        drawn: str = self._data.draw(parts.map("".join))
        return drawn
