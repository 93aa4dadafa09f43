"""One call of each client library: bare, with a hook that does nothing, and with ours.

The bare call and the one with a hook are handed the same two headers by hand.
"""

from statistics import median

from .contest import Effort, Entrant, Samples, Spread, compete, over
from .report import Report, Table, Verdict

_MODULE = f"{__package__}.subjects.clients"
CLIENTS = ("httpx", "httpx async", "httpx2", "requests", "aiohttp", "grpc", "grpc.aio")
WAYS = ("bare", "hook", "ours")
AT_MOST = 2.5
"""Times the processor time of the same call with the library's own hook."""


def measure(effort: Effort) -> Report:
    """Every client: its processor time, and the time that a whole call takes on loopback."""
    processor = compete([_entrant(name, way) for name in CLIENTS for way in WAYS], effort)
    bare_calls = [_entrant(name, "bare") for name in CLIENTS]
    waited = compete(bare_calls, effort, clock="perf_counter_ns")
    rows: list[tuple[str, ...]] = []
    verdicts: list[Verdict] = []
    for name in CLIENTS:
        bare, hook, ours = (processor[_entrant(name, way)] for way in WAYS)
        added, ratio = Spread.of(over(ours, bare)), _times(ours, hook)
        call = median(waited[_entrant(name, "bare")])
        medians = [f"{median(samples):.0f}" for samples in (bare, hook, ours)]
        shares = (f"{ratio:.2f}", f"{call:.0f}", f"{added.median / call:.1%}")
        rows.append((name, *medians, added.text(1), *shares))
        verdicts.append(
            Verdict(
                f"{name} call", f"at most {AT_MOST} × own hook", f"{ratio:.2f} ×", ratio <= AT_MOST
            )
        )
    columns = (
        "client",
        "bare, µs",
        "own hook",
        "passthrough-auth",
        "added to bare (middle half)",
        "× own hook",
        "wait for a bare call, µs",
        "added share",
    )
    note = (
        "All but the last two columns are processor time of the calling thread, for a whole call. "
        "The own hook is the library's, and does nothing: an event hook of httpx, a mounted "
        "adapter of requests, a trace of aiohttp, an interceptor of gRPC. The wait is wall-clock "
        "time on loopback, as the caller waits."
    )
    return Report(verdicts=verdicts, tables=[Table("Clients", columns, rows, note)])


def _entrant(client: str, way: str) -> Entrant:
    return Entrant(_MODULE, f"{client}, {way}")


def _times(samples: Samples, base: Samples) -> float:
    """The median of the ratios, round by round."""
    return median(sample / own for sample, own in zip(samples, base, strict=True))
