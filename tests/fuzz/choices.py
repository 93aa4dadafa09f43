"""Where the inputs of a property come from: hypothesis, or the bytes of a fuzzer.

A property takes one `Choices` and makes of it whatever it needs, so that it is written once and run
by both: hypothesis shrinks what fails, and a coverage-guided fuzzer changes byte by byte what
reached new code.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeVar

from hypothesis import strategies as st

T = TypeVar("T")

HIGHEST_BYTE = 0xFF
HIGHEST_CHARACTER = 0x10FFFF


class Choices(ABC):
    """A source of choices. The first option is what it falls back to: the plainest goes there."""

    @abstractmethod
    def integer(self, low: int, high: int) -> int:
        """A number from low to high, both included."""

    @abstractmethod
    def text(self, words: Sequence[str], most: int, highest: int = HIGHEST_BYTE) -> str:
        """Up to `most` of these words and of single characters up to `highest`, in a row."""

    def pick(self, options: Sequence[T]) -> T:
        """One of these."""
        return options[self.integer(0, len(options) - 1)]

    def flag(self) -> bool:
        """False or true."""
        return self.pick((False, True))

    def many(self, make: Callable[[], T], most: int) -> list[T]:
        """Up to `most` of what `make` makes."""
        return [make() for _ in range(self.integer(0, most))]


class Bytes(Choices):
    """Reads choices off the bytes of a fuzzer, front to back; past their end it is all zeros."""

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
        # Every fourth is a single character, whatever it is.
        which = self.integer(0, 255)
        if which >= 192:
            return chr(self.integer(0, highest))
        return words[which % len(words)]


class Drawn(Choices):
    """Draws choices from hypothesis, given its `st.data()`."""

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
