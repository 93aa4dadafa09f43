"""Memory: what a request takes while it is served, and what is left of a million of them."""

import gc
import sys
import tracemalloc
from array import array
from collections.abc import Callable, MutableSequence
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from typing import NamedTuple, ParamSpec, TypeVar

import psutil

from .layers import ASGI, DJANGO, FLASK
from .report import Report, Table, Verdict

P = ParamSpec("P")
R = TypeVar("R")

MIXED = f"{__package__}.subjects.mixed"
TENTHS = 10
# What the allocator takes from the system and gives back comes and goes in arenas of 1 MiB.
ARENA = 2**20
_REQUESTS_A_BLOCK = 1000


class Growth(NamedTuple):
    """What a process has after each tenth of its requests: bytes resident, and live blocks."""

    resident: MutableSequence[int]
    blocks: MutableSequence[int]


def measure(requests: int) -> Report:
    """Per request, and over so many requests to each kind of application."""
    report = _growth(requests)
    report.tables.insert(0, _peaks())
    return report


def _peaks() -> Table:
    rows = []
    for app, module, bare in (
        ("ASGI", ASGI, "no middleware"),
        ("FastAPI", ASGI, "no middleware"),
        ("Flask", FLASK, "no hooks"),
        ("Django, WSGI", DJANGO, "no middleware"),
    ):
        alone = _in_process(peak, module, f"{app}: {bare}")
        with_it = _in_process(peak, module, f"{app}: passthrough-auth")
        rows.append((app, f"{alone:,}", f"{with_it:,}", f"{with_it - alone:,}"))
    columns = ("application", "bytes without", "bytes with", "difference")
    return Table("Peak memory while a request is served", columns, rows)


def _growth(requests: int) -> Report:
    rows, verdicts = [], []
    for app in ("ASGI", "Flask", "Django, WSGI"):
        found = _in_process(grow, MIXED, app, requests)
        # The first tenth fills pools and caches.
        resident = found.resident[-1] - found.resident[0]
        blocks = found.blocks[-1] - found.blocks[0]
        met = resident < ARENA and blocks * _REQUESTS_A_BLOCK < requests
        kib = resident / 1024
        rows.append((app, f"{requests:,}", f"{kib:+.0f} KiB", f"{blocks:+}"))
        what = f"growth of memory over {requests:,} requests, {app}"
        verdicts.append(Verdict(what, "none", f"{kib:+.0f} KiB, {blocks:+} blocks", met))
    columns = ("application", "requests", "resident memory", "live blocks of memory")
    note = (
        "Measured from the end of the first tenth of the requests to the end of the last. No "
        "growth means less than 1 MiB, which is what the allocator takes at a time, and less than "
        "one block for a thousand requests, because the interpreter and the frameworks keep "
        "filling caches for a long time."
    )
    return Report(verdicts, [Table("Memory over many requests", columns, rows, note)])


def _in_process(work: Callable[P, R], *arguments: P.args, **options: P.kwargs) -> R:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(work, *arguments, **options).result()


# --- In a process of its own ----------------------------------------------------------------------


def peak(module: str, name: str) -> int:
    """The most bytes that are allocated at once to serve one request, warmed up."""
    batch = import_module(module).subjects()[name]
    tracemalloc.start()
    batch(100)
    gc.collect()
    gc.disable()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    batch(1)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most - before


def grow(module: str, name: str, requests: int) -> Growth:
    """Serve so many requests, and look at the memory ten times."""
    batch = import_module(module).subjects()[name]
    process = psutil.Process()
    # Made before, so that what is noted down isn't measured.
    found = Growth(array("q", [0] * TENTHS), array("q", [0] * TENTHS))
    for tenth in range(TENTHS):
        batch(requests // TENTHS)
        gc.collect()
        found.resident[tenth] = process.memory_info().rss
        found.blocks[tenth] = sys.getallocatedblocks()
    return found
