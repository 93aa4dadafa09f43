"""Runs a property on inputs of hypothesis, or on a fixed series of random bytes."""

import random
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fuzz.choices import Bytes, Choices, Drawn

Property = Callable[[Choices], None]

LONGEST_INPUT = 160


def check(holds: Property, examples: int) -> None:
    """Search for an input for which the property doesn't hold, and raise its error."""

    @settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(data=st.data())
    def search(data: st.DataObject) -> None:
        holds(Drawn(data))

    search()


def is_refuted(holds: Property, inputs: int) -> bool:
    """Whether the property fails for one of a fixed series of random inputs."""
    source = random.Random(0)  # noqa: S311 - the same series each time
    for _ in range(inputs):
        try:
            holds(Bytes(source.randbytes(source.randrange(LONGEST_INPUT))))
        except Exception:  # noqa: BLE001 - an unexpected error refutes it too
            return True
    return False


def is_documented(holds: Property) -> bool:
    """Whether the table in docs/fuzzing.md lists the property."""
    page = Path(__file__).parents[2] / "docs" / "fuzzing.md"
    return f"| {holds.__name__.replace('_', ' ')} |" in page.read_text(encoding="utf-8")
