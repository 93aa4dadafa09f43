"""End to end: requests a second and latencies under real servers, one process each.

The servers run side by side and are put under load one at a time, in turns, so that each run with
a layer has one without it right next to it. The load comes from a process of its own. Requests a
second are compared by the median of the ratios of such pairs. Processor time per request is shown
next to it: it measures the same, and other work on the machine disturbs it less.
"""

import os
import random
import sys
from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import psutil

from passthrough_auth.testing.servers import Running, server, serving

from .contest import Spread
from .layers import FLOOR, FLYTES, OURS, OURS_BOUND
from .load import Load, put
from .report import Report, Table

CONNECTIONS = 16
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Field:
    """A server, and the functions in `served` that make its applications, the bare one first."""

    server: str
    app: str
    layers: dict[str, str]


_FASTAPI = {
    "no middleware": "fastapi",
    FLOOR: "fastapi_hand_written",
    OURS: "fastapi_ours",
    OURS_BOUND: "fastapi_ours_bound",
    FLYTES: "fastapi_flytes",
}
FIELDS = (
    Field(
        "uvicorn-httptools-uvloop",
        "ASGI",
        {
            "no middleware": "plain",
            FLOOR: "plain_hand_written",
            OURS: "plain_ours",
            OURS_BOUND: "plain_ours_bound",
            FLYTES: "plain_flytes",
        },
    ),
    Field(
        "uvicorn-httptools-uvloop",
        "FastAPI",
        _FASTAPI,
    ),
    Field(
        "gunicorn-asgi",
        "FastAPI",
        _FASTAPI,
    ),
    Field("gunicorn-gthread", "Flask", {"no middleware": "flask", OURS: "flask_ours"}),
    Field("gunicorn-gthread", "Django", {"no middleware": "django", OURS: "django_ours"}),
)


@dataclass(frozen=True)
class Effort:
    """How many rounds, and how long each server is under load in each of them."""

    rounds: int
    seconds: float


@dataclass
class Runs:
    """What one layer came to, round by round; `processor` is in microseconds a request."""

    loads: list[Load] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)


def measure(effort: Effort) -> Report:
    """Every server and application."""
    report = Report()
    rows: list[tuple[str, ...]] = []
    for each in FIELDS:
        runs = _run(each, effort)
        bare = next(iter(each.layers))
        rows += [_row(each, layer, runs[layer], runs[bare]) for layer in each.layers]
    columns = (
        "server, application",
        "layer",
        "requests per second",
        "compared with no middleware (middle half)",
        "p50 ms",
        "p99 ms",
        "processor µs per request",
    )
    note = f"{CONNECTIONS} connections. Each sends its next request when it has its answer."
    report.tables.append(Table("Under real servers", columns, rows, note))
    return report


def _run(field: Field, effort: Effort) -> dict[str, Runs]:
    runs = {layer: Runs() for layer in field.layers}
    with ExitStack() as stack:
        running = {
            layer: stack.enter_context(_served(field, maker))
            for layer, maker in field.layers.items()
        }
        generator = stack.enter_context(ProcessPoolExecutor(1, mp_context=get_context("spawn")))
        order = list(field.layers)
        for number in range(-1, effort.rounds):
            random.shuffle(order)
            for layer in order:
                load, processor = _load(generator, running[layer], effort.seconds)
                if number >= 0:  # the one before warms up
                    runs[layer].loads.append(load)
                    runs[layer].processor.append(processor)
    return runs


def _load(generator: ProcessPoolExecutor, running: Running, seconds: float) -> tuple[Load, float]:
    before = _processor_seconds(running)
    load = generator.submit(put, running.port, seconds, CONNECTIONS).result()
    return load, (_processor_seconds(running) - before) / load.count * 1e6


@contextmanager
def _served(field: Field, maker: str) -> Generator[Running]:
    uvicorn = field.server.startswith("uvicorn")
    app = f"{__package__}.served:{maker}" + ("" if uvicorn else "()")
    options = ["--factory"] if uvicorn else []
    env = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "DO_NOT_TRACK": "1"}
    with serving(server(field.server), app, options=options, cwd=ROOT, env=env) as running:
        yield running


def _processes(running: Running) -> list[psutil.Process]:
    leader = psutil.Process(running.pid)
    return [leader, *leader.children(recursive=True)]


def _processor_seconds(running: Running) -> float:
    times = [process.cpu_times() for process in _processes(running)]
    return sum(each.user + each.system for each in times)


def _ratios(runs: Runs, bare: Runs) -> list[float]:
    pairs = zip(runs.loads, bare.loads, strict=True)
    return [one.per_second / other.per_second for one, other in pairs]


def _row(field: Field, layer: str, runs: Runs, bare: Runs) -> tuple[str, ...]:
    share = Spread.of(_ratios(runs, bare))
    against = (
        ""
        if runs is bare
        else (f"{_percent(share.median)} ({_percent(share.low)} to {_percent(share.high)})")
    )
    return (
        f"{field.server}, {field.app}",
        layer,
        f"{median(load.per_second for load in runs.loads):,.0f}",
        against,
        f"{median(load.p50 for load in runs.loads):.2f}",
        f"{median(load.p99 for load in runs.loads):.2f}",
        f"{median(runs.processor):.1f}",
    )


def _percent(share: float) -> str:
    return f"{(share - 1) * 100:+.1f}%"
