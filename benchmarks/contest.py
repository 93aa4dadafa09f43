"""Timing several things against each other in one run, fairly on a machine that is busy.

Each round times a batch of every entrant, in an order of its own, so that whatever slows the
machine down for a while slows them all. What an entrant costs over another is the difference
within a round. The clock is the processor time of the thread, unless told otherwise: what other
processes do hardly counts.

Entrants live in modules, each of which runs in a process of its own, as some change the process
that they are imported into (an application that imports the Flyte SDK is bound to it). Processes
are started afresh a few times: hash seeds and the layout of memory make a difference too.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
from statistics import median, quantiles
from typing import Literal, NamedTuple

Batch = Callable[[int], object]
"""Does the same thing so many times."""

Samples = list[float]
"""Microseconds a time, round by round."""


_WARM_UP = 100
"""The first times are slow: modules are imported, caches are filled."""


class Entrant(NamedTuple):
    """Something to time: one of the `subjects()` of a module."""

    module: str
    name: str


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    `seconds` is what one batch lasts, `rounds` how many there are of it in each of so many
    `processes` one after the other.
    """

    processes: int
    rounds: int
    seconds: float


@dataclass(frozen=True)
class Spread:
    """The middle of some samples, and how far half of them are from it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Spread":
        low, _, high = quantiles(samples, n=4) if len(samples) > 1 else [samples[0]] * 3
        return cls(median(samples), low, high)

    def text(self, digits: int = 2) -> str:
        return f"{self.median:.{digits}f} ({self.low:.{digits}f} to {self.high:.{digits}f})"


Clock = Literal["thread_time_ns", "perf_counter_ns"]
"""Processor time of the thread, or the time that passes."""


def compete(
    entrants: Sequence[Entrant], effort: Effort, clock: Clock = "thread_time_ns"
) -> dict[Entrant, Samples]:
    """Time them all, interleaved. Sample n of each is of the same round."""
    samples: dict[Entrant, Samples] = {entrant: [] for entrant in entrants}
    order = list(entrants)
    for _ in range(effort.processes):
        with ExitStack() as stack:
            workers = {
                module: stack.enter_context(_worker(module, clock))
                for module in dict.fromkeys(entrant.module for entrant in entrants)
            }
            batches = {each: _calibrated(workers, each, effort.seconds) for each in entrants}
            for _ in range(effort.rounds):
                random.shuffle(order)
                for entrant in order:
                    samples[entrant].append(_timed(workers, entrant, batches[entrant]))
    return samples


def over(samples: Samples, base: Samples) -> Samples:
    """What the one costs over the other, round by round."""
    return [sample - own for sample, own in zip(samples, base, strict=True)]


def _worker(module: str, clock: Clock) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        1, mp_context=get_context("spawn"), initializer=_open, initargs=(module, clock)
    )


def _calibrated(
    workers: Mapping[str, ProcessPoolExecutor], entrant: Entrant, seconds: float
) -> int:
    """How many times it can be done in so many seconds."""
    _timed(workers, entrant, _WARM_UP)
    count = 1
    while (elapsed := _timed(workers, entrant, count) * count / 1e6) < seconds / 2:
        count = max(count + 1, min(count * 10, round(count * seconds / max(elapsed, 1e-6))))
    return count


def _timed(workers: Mapping[str, ProcessPoolExecutor], entrant: Entrant, count: int) -> float:
    return workers[entrant.module].submit(_time, entrant.name, count).result()


# --- In the process of a module -------------------------------------------------------------------

_subjects: dict[str, Batch] = {}
_clock: list[Callable[[], int]] = []


def _open(module: str, clock: Clock) -> None:
    _subjects.update(import_module(module).subjects())
    _clock.append(getattr(time, clock))


def _time(name: str, count: int) -> float:
    batch, now = _subjects[name], _clock[0]
    begin = now()
    batch(count)
    return (now() - begin) / count / 1000
