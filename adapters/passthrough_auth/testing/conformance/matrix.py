"""The matrix: every case, every column, in process and on every server, as a table."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table

from passthrough_auth.testing.servers import SERVERS, Server

from . import inprocess, sockets
from .column import Column
from .model import Case
from .serving import shipped
from .sockets import KINDS, Kind, Verdict, cells, serving_columns

IN_PROCESS = "in process"

_MARKS: dict[Kind, str] = {
    "passed": "[green]✓[/]",
    "server": "[cyan]s[/]",
    "documented": "[yellow]d[/]",
    "failed": "[bold red]✗[/]",
}
_LEGEND = (
    "✓ as the semantics say   s refused by the server itself, as it may   "
    "d documented exception   ✗ failed   · not for this column"
)


@dataclass(frozen=True, slots=True)
class Result:
    """How one case went with one column in one place: in process, or on a server."""

    place: str
    column: Column
    case: Case
    verdict: Verdict


def run_in_process(columns: Iterable[Column]) -> Iterator[Result]:
    """Run every case of these columns through the raw interfaces."""
    for column in columns:
        for case in column.cases():
            try:
                wrong = inprocess.run(column, case)
            except Exception as error:
                wrong = f"{type(error).__name__}: {error}"
            verdict = Verdict("failed", wrong) if wrong else Verdict("passed")
            yield Result(IN_PROCESS, column, case, verdict)


def run_on(server: Server, columns: Iterable[Column]) -> Iterator[Result]:
    """Run every case of these columns over a socket to that server."""
    with serving_columns(server) as running:
        for column, case in cells(server, columns):
            verdict = sockets.run(running, server, column, case)
            yield Result(server.name, column, case, verdict)


def all_columns() -> list[Column]:
    """Every column that ships, each also below a prefix."""
    return shipped("asgi") + shipped("wsgi")


def places(names: Sequence[str]) -> list[Server | None]:
    """The servers of these names, None for in process; all of them if none is named."""
    known: dict[str, Server | None] = {IN_PROCESS: None, **{each.name: each for each in SERVERS}}
    return [known[name] for name in names or known]


def show(console: Console, place: str, results: Sequence[Result]) -> None:
    """Print one place's table, cases by columns, and what failed in it."""
    columns = list(dict.fromkeys(result.column.name for result in results))
    marks = {
        (result.case.name, result.column.name): _MARKS[result.verdict.kind] for result in results
    }
    table = Table(title=f"{place}: cases by columns", caption=_LEGEND)
    table.add_column("case", no_wrap=True)
    for number, _ in enumerate(columns, 1):
        table.add_column(str(number), justify="center")
    for case in dict.fromkeys(result.case.name for result in results):
        table.add_row(case, *(marks.get((case, column), "·") for column in columns))
    console.print(table)
    for number, column in enumerate(columns, 1):
        console.print(f"  {number}  {column}")
    for result in results:
        if result.verdict.kind in ("failed", "documented"):
            mark = _MARKS[result.verdict.kind]
            where = f"{result.column.name}: {result.case.name}"
            console.print(f"  {mark} {where}: ", end="")
            console.print(result.verdict.note, markup=False)


def summarise(console: Console, results: Sequence[Result]) -> bool:
    """Print the counts by place; return whether nothing failed."""
    # Narrow enough to be whole on a terminal of 80 columns.
    table = Table(title="Conformance", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("where", "columns", "cases", "run", *KINDS):
        justify: JustifyMethod = "left" if heading == "where" else "right"
        table.add_column(heading, justify=justify, no_wrap=True)
    for place in dict.fromkeys(result.place for result in results):
        table.add_row(place, *_counts([each for each in results if each.place == place]))
    table.add_section()
    table.add_row("all", *_counts(results))
    console.print(table)
    return all(result.verdict.kind != "failed" for result in results)


def _counts(results: Sequence[Result]) -> list[str]:
    kinds = Counter(result.verdict.kind for result in results)
    columns = len({result.column.name for result in results})
    cases = len({result.case.name for result in results})
    return [
        str(number) for number in (columns, cases, len(results), *(kinds[kind] for kind in KINDS))
    ]
