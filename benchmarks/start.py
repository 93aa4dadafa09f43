"""Start-up: the import of core, and of each adapter beyond what it is for; and making a gate.

Each is timed in interpreters of its own, interleaved. The clock is the processor time of the
process. Modules are compiled already, as an installer or a first start leaves them: into a folder
of this run, also where the environment says not to write any (PYTHONDONTWRITEBYTECODE).
"""

import os
import random
import subprocess
import sys
import tempfile

from .contest import Spread
from .report import Report, Table, Verdict

# What is imported before the clock starts: what an application has that uses the adapter.
IMPORTS = {
    "passthrough_auth.core": "",
    "contextlib, contextvars, functools, re, threading, typing, weakref": "",
    "passthrough_auth.frameworks.asgi": "",
    "passthrough_auth.frameworks.fastapi": "fastapi",
    "passthrough_auth.frameworks.flask": "flask",
    "passthrough_auth.frameworks.django": "django.core.handlers.asgi, django.core.handlers.wsgi",
    "passthrough_auth.clients.httpx": "httpx",
    "passthrough_auth.clients.requests": "requests",
    "passthrough_auth.clients.aiohttp": "aiohttp",
    "passthrough_auth.clients.grpc": "grpc, grpc.aio",
    "passthrough_auth.clients.flyte": "flyte, flyte.remote",
}
_GATE = "from passthrough_auth.core.inbound import Gate"
FIRST, FURTHER = "the first `Gate()`", "a further `Gate()`"
# The statement that is timed, and the one before it.
STATEMENTS = {
    f"import of `{name}`": (f"import {name}", f"import {before}" if before else "")
    for name, before in IMPORTS.items()
} | {FIRST: ("Gate()", _GATE), FURTHER: ("Gate()", f"{_GATE}; Gate()")}
_TIMED = """
import sys, time
{before}
begin = time.process_time_ns()
{timed}
print((time.process_time_ns() - begin) / 1e6)
"""


def measure(rounds: int) -> Report:
    """Each of them so many times; the first, which may compile, doesn't count."""
    samples: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    order = list(STATEMENTS)
    with tempfile.TemporaryDirectory(prefix="passthrough-auth-compiled-") as compiled:
        for number in range(-1, rounds):
            random.shuffle(order)
            for name in order:
                taken = _taken(*STATEMENTS[name], compiled)
                if number >= 0:
                    samples[name].append(taken)
    spreads = {name: Spread.of(each) for name, each in samples.items()}
    rows = [
        (name, f"`{before}`" if before else "nothing", spreads[name].text())
        for name, (_, before) in STATEMENTS.items()
    ]
    columns = ("what", "after", "ms (middle half of the rounds)")
    further = spreads[FURTHER].median
    return Report(
        [Verdict(FURTHER, "at most 1 ms", f"{further:.2f} ms", further <= 1)],
        [Table("Start-up", columns, rows)],
    )


def _taken(timed: str, before: str, compiled: str) -> float:
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", _TIMED.format(before=before, timed=timed)],
        capture_output=True,
        check=True,
        env=kept | {"PYTHONPATH": path, "PYTHONPYCACHEPREFIX": compiled},
        text=True,
    )
    return float(done.stdout)
