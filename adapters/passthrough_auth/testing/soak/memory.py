"""Whether a server's memory grows while it serves."""

from dataclasses import dataclass, field

MIB = 1024 * 1024
# What is left of a heap's size to chance, with all that is free in it given back to the system.
TOLERANCE = 0.02
SLACK = 1 * MIB


@dataclass
class Memory:
    """A server's resident set in bytes at rest, after each tenth of the requests."""

    sizes: list[int] = field(default_factory=list[int])

    @property
    def first(self) -> int:
        """After the first tenth."""
        return self.sizes[0]

    @property
    def last(self) -> int:
        """After the last tenth."""
        return self.sizes[-1]

    @property
    def grew(self) -> bool:
        """Whether it grew by more than chance explains."""
        return self.last > self.first * (1 + TOLERANCE) + SLACK
