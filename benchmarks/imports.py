"""Import time: of core, and of each adapter beyond the framework or client that it is for.

Each import is timed in interpreters of its own, interleaved. The clock is the processor time of
the process. Modules are compiled already, as an installer or a first start leaves them: into a
folder of this run, also where the environment says not to write any (PYTHONDONTWRITEBYTECODE).
"""

import os
import random
import subprocess
import sys
import tempfile

from .contest import Spread
from .report import Report, Table, Verdict

CORE = "passthrough_auth.core"
STANDARD = "contextlib, contextvars, functools, re, threading, typing, weakref"
# What is imported before the clock starts: what an application has that uses the adapter.
IMPORTS = {
    CORE: "",
    STANDARD: "",
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
_TIMED = """
import sys, time
{before}
begin = time.process_time_ns()
{timed}
print((time.process_time_ns() - begin) / 1e6)
"""


def measure(rounds: int) -> Report:
    """Every import so many times; the first of them, which may compile, doesn't count."""
    samples: dict[str, list[float]] = {name: [] for name in IMPORTS}
    order = list(IMPORTS)
    with tempfile.TemporaryDirectory(prefix="passthrough-auth-compiled-") as compiled:
        for number in range(-1, rounds):
            random.shuffle(order)
            for name in order:
                taken = _taken(name, IMPORTS[name], compiled)
                if number >= 0:
                    samples[name].append(taken)
    spreads = {name: Spread.of(each) for name, each in samples.items()}
    rows = [(f"`{name}`", IMPORTS[name] or "nothing", spreads[name].text()) for name in IMPORTS]
    columns = ("import", "after", "ms (middle half of the rounds)")
    core = spreads[CORE].median
    return Report(
        [Verdict("import of core", "15 ms", f"{core:.1f} ms", core <= 15)],
        [Table("Import time", columns, rows)],
    )


def _taken(name: str, before: str, compiled: str) -> float:
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    path = os.pathsep.join(filter(None, sys.path))
    code = _TIMED.format(before=f"import {before}" if before else "", timed=f"import {name}")
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        env=kept | {"PYTHONPATH": path, "PYTHONPYCACHEPREFIX": compiled},
        text=True,
    )
    return float(done.stdout)
