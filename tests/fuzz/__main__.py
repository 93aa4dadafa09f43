"""The long run: every property under atheris, one after the other.

    python -m tests.fuzz --inputs 1000000

Prints a line for each. If one failed, it keeps the input in a file and exits with 1.
"""

import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from tests.fuzz import adapter_properties, core_properties, destination_properties
from tests.fuzz.runner import LONGEST_INPUT

PROPERTIES = tuple(
    f"{module.__name__.rpartition('.')[2]}.{holds.__name__}"
    for module in (core_properties, adapter_properties, destination_properties)
    for holds in module.PROPERTIES
)
SECONDS_FOR_ONE_INPUT = 20
SEEDS = 200

_COVERED = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)")
_EXECUTED = re.compile(r"number_of_executed_units: (\d+)")


@dataclass
class Run:
    """The result of one property."""

    name: str
    inputs: int
    edges: int
    features: int
    kept: int
    seconds: float
    failed: bool


@click.command()
@click.option("--inputs", default=1_000_000, help="Number of inputs, over all properties.")
@click.option("--only", default="", help="Run only properties with this in their name.")
@click.option("--seed", default=1, help="The same seed gives the same inputs.")
@click.option(
    "--findings",
    default=Path("fuzz-findings"),
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder for inputs that made a property fail.",
)
def main(inputs: int, only: str, seed: int, findings: Path) -> None:
    """Search for an input for which a property doesn't hold."""
    chosen = [name for name in PROPERTIES if only in name]
    if not chosen:
        raise click.UsageError(f"no property has {only!r} in its name")
    share = -(-inputs // len(chosen))
    console = Console()
    runs: list[Run] = []
    for name in chosen:
        run = _run(name, share, seed, findings)
        runs.append(run)
        console.print(f"{run.name}: {run.inputs:,} inputs in {run.seconds:.0f} s", soft_wrap=True)
    console.print(_table(runs))
    failed = [run.name for run in runs if run.failed]
    for name in failed:
        for left in sorted(findings.glob(f"{name}-*")):
            again = f"python -m tests.fuzz.guided {name} {left}"
            console.print(f"Failed. Run it again with: {again}", soft_wrap=True)
    sys.exit(bool(failed))


def _run(name: str, inputs: int, seed: int, findings: Path) -> Run:
    findings.mkdir(exist_ok=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as corpus:
        _sow(Path(corpus), seed)
        command = [
            *(sys.executable, "-m", "tests.fuzz.guided", name, corpus),
            *(f"-runs={inputs}", f"-seed={seed}", f"-max_len={LONGEST_INPUT}", "-len_control=0"),
            *(f"-timeout={SECONDS_FOR_ONE_INPUT}", "-print_final_stats=1"),
            f"-artifact_prefix={findings}/{name}-",
        ]
        ended = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    seconds = time.monotonic() - started
    if ended.returncode:
        sys.stderr.write(ended.stderr[-4000:])
    edges, features, kept = _last(_COVERED, ended.stderr, 3)
    (executed,) = _last(_EXECUTED, ended.stderr, 1)
    return Run(name, executed, edges, features, kept, seconds, failed=bool(ended.returncode))


def _sow(corpus: Path, seed: int) -> None:
    """Write the first corpus: random inputs of every length."""
    source = random.Random(seed)  # noqa: S311 - reproducible by its seed
    for number in range(SEEDS):
        (corpus / str(number)).write_bytes(source.randbytes(source.randrange(LONGEST_INPUT)))


def _last(pattern: re.Pattern[str], text: str, groups: int) -> Iterator[int]:
    found = pattern.findall(text)
    last = found[-1] if found else ("0",) * groups
    return map(int, (last,) if isinstance(last, str) else last)


def _table(runs: list[Run]) -> Table:
    table = Table("property", "inputs", "edges", "features", "kept", "seconds", "finding")
    for run in runs:
        figures = (run.inputs, run.edges, run.features, run.kept, round(run.seconds))
        name = run.name.partition(".")[2].replace("_", " ")
        table.add_row(name, *(f"{figure:,}" for figure in figures), "yes" if run.failed else "none")
    table.add_section()
    total, seconds = sum(run.inputs for run in runs), sum(run.seconds for run in runs)
    found = sum(run.failed for run in runs)
    table.add_row(
        "all", f"{total:,}", "", "", "", f"{seconds:,.0f}", str(found) if found else "none"
    )
    return table


if __name__ == "__main__":
    main()
