"""What a benchmark has found, and how it is shown: in the terminal, as Markdown, as a chart."""

import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table as RichTable

from .contest import Spread

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

_PACKAGES = (
    "starlette",
    "fastapi",
    "flask",
    "django",
    "flyte",
    "starlette-context",
    "uvicorn",
    "gunicorn",
    "httpx",
    "httpx2",
    "requests",
    "aiohttp",
    "grpcio",
)


@dataclass(frozen=True)
class Table:
    """Figures with a heading and, below them, a remark."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """One row of the budgets."""

    what: str
    budget: str
    measured: str
    met: bool


@dataclass(frozen=True)
class Bars:
    """One panel of the chart: what each costs, in microseconds."""

    title: str
    spreads: Mapping[str, Spread]


@dataclass
class Report:
    """All that one run has found."""

    verdicts: list[Verdict] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    bars: list[Bars] = field(default_factory=list)

    def add(self, other: "Report") -> None:
        self.verdicts += other.verdicts
        self.tables += other.tables
        self.bars += other.bars

    def all_tables(self) -> list[Table]:
        """The budgets first."""
        return [_budgets(self.verdicts), *self.tables] if self.verdicts else self.tables


def show(tables: Iterable[Table], console: Console) -> None:
    """Print them for a person to read."""
    for table in tables:
        shown = RichTable(*table.columns, title=table.title, caption=table.note or None)
        for row in table.rows:
            shown.add_row(*row)
        console.print(shown)


def markdown(report: Report) -> str:
    """The same as Markdown, with what it was measured on."""
    parts = [machine()]
    for table in report.all_tables():
        lines = [table.columns, ["---"] * len(table.columns), *table.rows]
        parts.append(f"### {table.title}")
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
        if table.note:
            parts.append(table.note)
    return "\n\n".join(parts)


def write_page(page: Path, text: str) -> None:
    """Put the text between the page's marks; a page that isn't there is made of them alone."""
    before = page.read_text(encoding="utf-8") if page.exists() else f"{BEGIN}\n{END}\n"
    marked = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    page.write_text(
        marked.sub(lambda _: f"{BEGIN}\n{text}\n{END}", before, count=1), encoding="utf-8"
    )


def machine() -> str:
    """What it was measured on, and with which versions."""
    installed = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"Measured on {_processor()}, {psutil.cpu_count()} cores, {memory:.0f} GiB, "
        f"{platform.system()}, with {platform.python_implementation()} "
        f"{platform.python_version()}, {installed}."
    )


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return found[1] if found else platform.machine()


def _budgets(verdicts: Iterable[Verdict]) -> Table:
    rows = [(each.what, each.budget, each.measured, _word(each.met)) for each in verdicts]
    return Table("Budgets", ("what", "budget", "measured", ""), rows)


def _word(met: bool) -> str:  # noqa: FBT001 - a word for each of the two
    return "met" if met else "not met"
