"""`python -m benchmarks`: measure everything, print it, and write it into the documentation."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console

from . import chart, clients, growth, layers, memory, start, throughput, unused
from .contest import Effort
from .report import Report, markdown, show, write_page

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Plan:
    """How much to measure of each."""

    in_process: Effort
    calls: Effort
    under_load: throughput.Effort
    starts: int
    requests: int


FULL = Plan(Effort(4, 15, 0.01), Effort(3, 10, 0.05), throughput.Effort(10, 1.0), 11, 1_000_000)
SMOKE = Plan(Effort(1, 2, 0.0), Effort(1, 2, 0.0), throughput.Effort(2, 0.2), 1, 4000)

PARTS: dict[str, Callable[[Plan], Report]] = {
    "layers": lambda plan: layers.measure(plan.in_process),
    "unused": lambda plan: unused.measure(plan.in_process),
    "growth": lambda plan: growth.measure(plan.in_process),
    "throughput": lambda plan: throughput.measure(plan.under_load),
    "memory": lambda plan: memory.measure(plan.requests),
    "start": lambda plan: start.measure(plan.starts),
    "clients": lambda plan: clients.measure(plan.calls),
}


@click.command()
@click.option("--only", type=click.Choice(list(PARTS)), multiple=True, help="Some parts only.")
@click.option("--smoke", is_flag=True, help="See that it runs; the figures mean nothing.")
@click.option(
    "--docs",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Write performance.md and performance.svg there. [default: the docs, for a full run]",
)
def main(*, only: tuple[str, ...], smoke: bool, docs: Path | None) -> None:
    """Measure what passthrough-auth costs beside the alternatives."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    plan = SMOKE if smoke else FULL
    report = Report()
    for name in only or PARTS:
        console.log(f"measuring {name}")
        report.add(PARTS[name](plan))
    show(report.all_tables(), console)
    if docs is None and not smoke and not only:
        docs = ROOT / "docs"
    if docs is not None:
        write_page(docs / "performance.md", markdown(report))
        if report.bars:
            chart.draw(report.bars, docs / "performance.svg")


if __name__ == "__main__":
    main()
