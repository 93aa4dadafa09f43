"""Whether a server's memory grows while it serves."""

from dataclasses import dataclass

MIB = 1024 * 1024
# The size of a heap varies by so much, even if its free memory is given back to the system.
TOLERANCE = 0.02
SLACK = 1 * MIB


@dataclass(frozen=True, slots=True)
class Memory:
    """A server's resident set in bytes, at rest after the first and the last tenth."""

    first: int
    last: int

    @property
    def grew(self) -> bool:
        """Whether it grew by more than chance explains."""
        return self.last > self.first * (1 + TOLERANCE) + SLACK
