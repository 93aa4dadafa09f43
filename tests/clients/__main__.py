"""Runs the suite over all clients, or the soak, and prints the results.

    python -m tests.clients                   every case, every client
    python -m tests.clients --soak 50000      crossed callers among so many calls
    python -m tests.clients --table           where redirects take credentials

Ends with 0 only if everything is as it must be.
"""

import argparse
import sys
import traceback
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from rich.console import Console
from rich.table import Table
from tests.clients.drivers import DRIVERS, driver
from tests.clients.redirect_table import as_markdown, measured
from tests.clients.soak import soak
from tests.clients.suite import (
    CASES,
    Bench,
    Case,
    Driver,
    LocalWorld,
    cases_for,
    http_world,
)

# The kinds of gRPC call differ in how metadata is attached, not in how the caller is asked for.
_SOAKED = [name for name in DRIVERS if "stream" not in name]


def main(arguments: list[str] | None = None) -> int:
    """Run the part that the arguments ask for. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.clients")
    parser.add_argument("--client", action="append", choices=[*DRIVERS], help="only this one")
    parser.add_argument("--soak", type=int, metavar="CALLS", help="calls for each client")
    parser.add_argument("--table", action="store_true", help="print the table of redirects")
    options = parser.parse_args(arguments)
    try:
        return _run(options)
    except ModuleNotFoundError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")


def _run(options: argparse.Namespace) -> int:
    console = Console()
    with _worlds() as world_of:
        if options.table:
            sys.stdout.write(as_markdown(measured(world_of("httpx"))))
            return 0
        if options.soak:
            return _soak(console, world_of, options.client or _SOAKED, options.soak)
        return _matrix(console, world_of, options.client or [*DRIVERS])


WorldOf = Callable[[str], LocalWorld]


@contextmanager
def _worlds() -> Generator[WorldOf]:
    """The servers for each client by its name, started when they are first needed."""
    with ExitStack() as stack:
        running: dict[bool, LocalWorld] = {}

        def world_of(name: str) -> LocalWorld:
            grpc = name.startswith("grpc")
            if grpc not in running:
                running[grpc] = stack.enter_context(_grpc_world() if grpc else http_world())
            return running[grpc]

        yield world_of


def _grpc_world() -> AbstractContextManager[LocalWorld]:
    # Here and not above: the other clients are run without gRPC.
    from tests.clients.grpc_world import grpc_world

    return grpc_world()


def _matrix(console: Console, world_of: WorldOf, names: list[str]) -> int:
    families: dict[str, list[Driver]] = {}
    for name in names:
        families.setdefault(name.partition("-")[0], []).append(driver(name))
    table = Table("case", *families)
    ran = passed = 0
    for case in CASES:
        cells: list[str] = []
        for drivers in families.values():
            able = [each for each in drivers if case in cases_for(each)]
            good = sum(_passes(console, case, each, world_of(each.name)) for each in able)
            ran, passed = ran + len(able), passed + good
            colour = "green" if good == len(able) else "red"
            cells.append(f"[{colour}]{good} of {len(able)}" if able else "")
        table.add_row(case.name.replace("_", " "), *cells)
    console.print(table)
    worlds = {id(world): world for world in map(world_of, names)}.values()
    requests = sum(world.requests_at_strangers for world in worlds)
    leaked = sum(world.credentials_at_strangers for world in worlds)
    console.print(
        f"{len(CASES)} cases, {len(names)} clients (sync, asyncio, kinds of call): {ran} run, "
        f"{ran - passed} failed"
    )
    console.print(
        f"{requests} requests reached origins not named, with {leaked} credential headers"
    )
    return 0 if ran == passed and not leaked else 1


def _passes(console: Console, case: Case, client: Driver, world: LocalWorld) -> bool:
    try:
        case.run(Bench(client, world))
    except Exception:  # noqa: BLE001 - reported, and counted
        console.print(f"[red]{client}: {case}[/red] ({case.why})")
        console.print(traceback.format_exc(), markup=False)
        return False
    return True


def _soak(console: Console, world_of: WorldOf, names: list[str], calls: int) -> int:
    table = Table("client", "calls", "at once", "crossed credentials", "crossed cookies", "calls/s")
    clean = True
    for name in names:
        figures = soak(driver(name), world_of(name), calls)
        clean = clean and figures.clean
        rate = f"{figures.calls / figures.seconds:,.0f}"
        counts = map(str, (figures.crossed_credentials, figures.crossed_cookies))
        table.add_row(figures.client, f"{figures.calls:,}", figures.workers, *counts, rate)
        console.print(f"{name}: {figures.calls:,} calls in {figures.seconds:,.0f} s")
    console.print(table)
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
