"""The figures as a table."""

from collections import Counter
from collections.abc import Sequence
from typing import get_args

from rich.table import Table
from tests.soak.cell import Figures
from tests.soak.judge import Kind
from tests.soak.memory import MIB

KINDS: tuple[Kind, ...] = get_args(Kind)


def table(results: Sequence[Figures]) -> Table:
    """A row for each cell, and their sum."""
    made = Table(title="Soak", caption="RSS in MiB, at rest after the first and the last tenth")
    made.add_column("server, framework", no_wrap=True)
    for heading in ("requests", *KINDS, "injected", "cut", "kept", "RSS first", "last", "s"):
        made.add_column(heading, justify="right", no_wrap=True)
    for each in results:
        made.add_row(str(each.cell), *_row(each), style=None if each.clean else "red")
    made.add_section()
    made.add_row("all", *_sums(results))
    return made


def line(each: Figures) -> str:
    """The figures of one cell in words, for when it is done."""
    tally, memory = each.tally, each.memory
    wrong = ", ".join(f"{tally.faults[kind]} {kind}" for kind in KINDS)
    return (
        f"{each.cell}: {tally.requests:,} requests, {wrong}, {each.kept} kept, "
        f"{tally.injected.total()} injected, {tally.cut} cut, "
        f"{memory.first / MIB:.1f} to {memory.last / MIB:.1f} MiB, {each.seconds:.0f} s"
    )


def injected(results: Sequence[Figures]) -> str:
    """The misbehaviours of the clients, and how often there were."""
    sums = sum((each.tally.injected for each in results), Counter[str]())
    return ", ".join(f"{name} {number:,}" for name, number in sums.most_common())


def _row(each: Figures) -> list[str]:
    first, last = (f"{size / MIB:.1f}" for size in (each.memory.first, each.memory.last))
    return [*map("{:,}".format, _counts(each)), first, last, f"{each.seconds:.0f}"]


def _sums(results: Sequence[Figures]) -> list[str]:
    sums = [sum(column) for column in zip(*map(_counts, results), strict=True)]
    return [*map("{:,}".format, sums), "", "", f"{sum(each.seconds for each in results):.0f}"]


def _counts(each: Figures) -> list[int]:
    tally = each.tally
    wrong = [tally.faults[kind] for kind in KINDS]
    return [tally.requests, *wrong, tally.injected.total(), tally.cut, each.kept]
