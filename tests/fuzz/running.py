"""Runs a property on inputs of hypothesis, or on a fixed row of random bytes."""

import random
from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.choices import Bytes, Choices, Drawn

Property = Callable[[Choices], None]

LONGEST_INPUT = 160


def check(holds: Property, examples: int) -> None:
    """Look for an input that it doesn't hold for, and raise what that one raises."""

    @settings(max_examples=examples, deadline=None)
    @given(data=st.data())
    def search(data: st.DataObject) -> None:
        holds(Drawn(data))

    search()


def is_refuted(holds: Property, inputs: int) -> bool:
    """Whether one of a fixed row of random inputs makes it fail."""
    source = random.Random(0)  # noqa: S311 - the same row each time
    for _ in range(inputs):
        try:
            holds(Bytes(source.randbytes(source.randrange(LONGEST_INPUT))))
        except Exception:  # noqa: BLE001 - an unexpected one refutes it as well
            return True
    return False


def is_documented(holds: Property) -> bool:
    """Whether the documentation has it in its table."""
    page = Path(__file__).parents[2] / "docs" / "fuzzing.md"
    return f"| {holds.__name__.replace('_', ' ')} |" in page.read_text(encoding="utf-8")
