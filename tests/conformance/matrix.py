"""The matrix: every case, every column, in process and on every server, as a table."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table

from passthrough_auth.testing.conformance import Case, Column, inprocess, sockets
from passthrough_auth.testing.conformance.column import named
from passthrough_auth.testing.conformance.model import Interface
from passthrough_auth.testing.conformance.sockets import (
    KINDS,
    Kind,
    Verdict,
    on_server,
    serving_columns,
)
from passthrough_auth.testing.servers import SERVERS, Server

_COLUMNS = "tests.conformance.columns"
# By interface, because a server needs only the frameworks of its own interface.
NAMES: dict[Interface, list[str]] = {
    "asgi": [
        f"{_COLUMNS}.starlette:COLUMN",
        f"{_COLUMNS}.fastapi:COLUMN",
        f"{_COLUMNS}.django:COLUMNS",
    ],
    "wsgi": [f"{_COLUMNS}.flask:COLUMNS", f"{_COLUMNS}.django:COLUMNS"],
}

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
    """The result of a case with a column in one place: in process, or on a server."""

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
            except Exception as error:  # noqa: BLE001 - a failed case is a result too
                wrong = f"{type(error).__name__}: {error}"
            verdict = Verdict("failed", wrong) if wrong else Verdict("passed")
            yield Result(IN_PROCESS, column, case, verdict)


def run_on(server: Server, columns: Iterable[Column]) -> Iterator[Result]:
    """Run every case of these columns on that server, over a socket."""
    served = [column for column in columns if column.interface == server.interface]
    with serving_columns(server, *NAMES[server.interface]) as running:
        for column, case in on_server(served):
            verdict = sockets.run(running, server, column, case)
            yield Result(server.name, column, case, verdict)


def all_columns() -> list[Column]:
    """The columns of this project's frameworks, each also below a prefix."""
    return [column for interface in NAMES for column in named(NAMES[interface], interface)]


def places(names: Sequence[str]) -> list[Server | None]:
    """The servers with these names, and None for in process. Without names, all of them."""
    known: dict[str, Server | None] = {IN_PROCESS: None, **{each.name: each for each in SERVERS}}
    return [known[name] for name in names or known]


def show(console: Console, place: str, results: Sequence[Result]) -> None:
    """Print the table of one place, with cases by columns, and its failures."""
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
    """Print the counts by place. Return whether every case passed."""
    # Narrow enough for a terminal of 80 columns.
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
