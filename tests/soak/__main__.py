"""The cross-talk soak: many callers at once, well-behaved and not, on every server and framework.

    python -m tests.soak --help

Every request has a credential that no other has. If a handler, a stream, a thread or work after the
response sees anything of another request, however briefly, it is noticed. The apps are those of the
conformance suite. The servers are real ones, each in a process of its own.
"""

import sys
import time

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from tests.soak.broken import BREAKS
from tests.soak.cell import REST, Cell, Figures, cells, soak
from tests.soak.report import injected, line, table

from passthrough_auth.testing.servers import SERVERS, ServerDidNotStart


@click.command()
@click.option("--requests", default=20_000, show_default=True, help="In all, over all cells.")
@click.option(
    "--on",
    "servers",
    multiple=True,
    type=click.Choice([server.name for server in SERVERS]),
    help="Only this server; may be given several times.",
)
@click.option("--framework", default="", help="Only columns with this in their name.")
@click.option("--seed", default=0, help="Other choices of what is asked when.")
@click.option(
    "--rest", default=REST, show_default=True, help="Seconds of rest before memory is measured."
)
@click.option(
    "--broken", type=click.Choice([*BREAKS]), help="Serve a deliberate fault, to see it reported."
)
def main(
    requests: int,
    servers: tuple[str, ...],
    framework: str,
    seed: int,
    rest: float,
    broken: str | None,
) -> None:
    """Make many requests of real servers at once, and count the callers that were mixed up.

    Ends with 0 only if every request saw its own caller alone, and nothing was left behind.
    """
    console = Console(width=None if sys.stdout.isatty() else 160)
    chosen = cells(servers, framework)
    if not chosen:
        raise click.UsageError(f"no server chosen has a column with {framework!r} in its name")
    began = time.monotonic()
    each = requests // len(chosen)
    try:
        with _progress(console) as progress:
            results = [_one(progress, cell, each, seed, rest, broken) for cell in chosen]
    except (ModuleNotFoundError, ServerDidNotStart) as error:
        raise click.ClickException(str(error)) from error
    console.print(table(results))
    for figures in results:
        for text in figures.tally.examples:
            console.print(f"{figures.cell}: {text}", markup=False, highlight=False)
    console.print(f"injected: {injected(results)}")
    console.print(f"{len(results)} cells in {time.monotonic() - began:.0f} s")
    raise SystemExit(0 if all(figures.clean for figures in results) else 1)


def _progress(console: Console) -> Progress:
    parts = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*parts, TimeElapsedColumn(), console=console)


def _one(
    progress: Progress, cell: Cell, requests: int, seed: int, rest: float, broken: str | None
) -> Figures:
    task = progress.add_task(str(cell), total=requests)

    def watch(made: int) -> None:
        progress.update(task, completed=made)

    figures = soak(cell, requests, seed=seed, rest=rest, broken=broken, watch=watch)
    progress.remove_task(task)
    progress.console.print(line(figures), style=None if figures.clean else "red", highlight=False)
    return figures


main()
