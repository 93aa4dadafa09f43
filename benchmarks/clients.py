"""What one call costs over the bare library that is handed the same two headers by hand."""

from statistics import median

from .contest import Effort, Entrant, Spread, compete, over
from .report import Report, Table

_MODULE = f"{__package__}.subjects.clients"
CLIENTS = ("httpx", "httpx async", "httpx2", "requests", "aiohttp", "grpc", "grpc.aio")


def measure(effort: Effort) -> Report:
    """Every client: its processor time, and the time that a whole call takes on loopback."""
    entrants = [
        Entrant(_MODULE, f"{name}, {which}") for name in CLIENTS for which in ("bare", "ours")
    ]
    processor = compete(entrants, effort)
    whole = compete(entrants, effort, clock="perf_counter_ns")
    rows = []
    for name in CLIENTS:
        bare, ours = (Entrant(_MODULE, f"{name}, {which}") for which in ("bare", "ours"))
        cost = Spread.of(over(processor[ours], processor[bare]))
        call = median(whole[bare])
        rows.append((name, cost.text(1), f"{call:.0f}", f"{cost.median / call:.1%}"))
    columns = ("client", "µs added per call (middle half)", "µs per bare call", "share")
    note = (
        "The added cost is processor time of the calling thread. The bare call is wall-clock time, "
        "as the caller waits."
    )
    return Report(tables=[Table("Clients", columns, rows, note)])
