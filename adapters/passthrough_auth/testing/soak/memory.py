"""Whether a server's memory grows while it serves."""

from dataclasses import dataclass, field
from statistics import median

MIB = 1024 * 1024
# What a heap varies by from one moment to another, with dozens of requests of up to 1 MB under way.
TOLERANCE = 0.04
SLACK = 2 * MIB


@dataclass
class Memory:
    """Samples of a server's resident set, each with how much of the run was done by then."""

    samples: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])

    def sample(self, done: float, size: int) -> None:
        """Note a size in bytes; `done` goes from 0 to 1."""
        self.samples.append((done, size))

    @property
    def first(self) -> float:
        """The median of the first tenth of the run, in bytes."""
        return median(size for done, size in self.samples if done <= 0.1)

    @property
    def last(self) -> float:
        """The median of the last tenth."""
        return median(size for done, size in self.samples if done >= 0.9)

    @property
    def grew(self) -> bool:
        """Whether it grew by more than chance explains."""
        return self.last > self.first * (1 + TOLERANCE) + SLACK
