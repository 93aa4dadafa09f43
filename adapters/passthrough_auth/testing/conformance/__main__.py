"""Print the conformance matrix: `python -m passthrough_auth.testing.conformance --help`."""

import logging
import warnings

from passthrough_auth.core import requires_extra

with requires_extra("testing", module="click"):
    import click
    from rich.console import Console

from passthrough_auth.testing.servers import SERVERS, ServerDidNotStart

from .matrix import IN_PROCESS, Result, all_columns, places, run_in_process, run_on, show, summarise

_PLACES = [IN_PROCESS, *(server.name for server in SERVERS)]


@click.command()
@click.option(
    "--on",
    "names",
    multiple=True,
    type=click.Choice(_PLACES),
    help="Only there; may be given several times. Without it: in process, and on every server.",
)
@click.option("--column", "only", help="Only the columns whose name holds this, whatever its case.")
@click.option("--brief", is_flag=True, help="The counts and what failed, without the tables.")
def main(names: tuple[str, ...], only: str | None, brief: bool) -> None:
    """Run every conformance case on every column, and print what came of it.

    Exits with 1 if anything failed.
    """
    # Cases provoke what is worth a log or a warning elsewhere.
    logging.getLogger().setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
    console = Console(width=None if brief else 160)
    try:
        results = _run(console, names, only, brief=brief)
    except (ModuleNotFoundError, ServerDidNotStart) as error:
        raise click.ClickException(str(error)) from error
    raise SystemExit(0 if summarise(console, results) else 1)


def _run(
    console: Console, names: tuple[str, ...], only: str | None, *, brief: bool
) -> list[Result]:
    columns = [c for c in all_columns() if only is None or only.lower() in c.name.lower()]
    results: list[Result] = []
    for place in places(names):
        name = IN_PROCESS if place is None else place.name
        with console.status(f"{name} ..."):
            found = list(run_in_process(columns) if place is None else run_on(place, columns))
        results += found
        if not brief or any(result.verdict.kind == "failed" for result in found):
            show(console, name, found)
    return results


main()
