"""Print the conformance matrix: `python -m tests.conformance --help`."""

import logging
import warnings

import click
from rich.console import Console
from tests.conformance.matrix import (
    IN_PROCESS,
    all_columns,
    places,
    run_in_process,
    run_on,
    show,
    summarise,
)

from passthrough_auth.testing.servers import SERVERS, ServerDidNotStart

_PLACES = [IN_PROCESS, *(server.name for server in SERVERS)]


@click.command()
@click.option(
    "--on",
    "names",
    multiple=True,
    type=click.Choice(_PLACES),
    help="Run only there. Can be repeated. Default: in process and on every server.",
)
@click.option("--column", "only", help="Run only columns with this in their name, in any case.")
@click.option("--brief", is_flag=True, help="Print counts and failures, without the tables.")
def main(names, only, *, brief):
    """Run every conformance case on every column, and print the results.

    Exits with 1 if anything failed.
    """
    # The cases provoke logs and warnings on purpose.
    logging.getLogger().setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
    console = Console(width=None if brief else 160)
    try:
        results = _run(console, names, only, brief=brief)
    except (ModuleNotFoundError, ServerDidNotStart) as error:
        raise click.ClickException(str(error)) from error
    raise SystemExit(0 if summarise(console, results) else 1)


def _run(console, names, only, *, brief):
    columns = [c for c in all_columns() if only is None or only.lower() in c.name.lower()]
    results = []
    for place in places(names):
        name = IN_PROCESS if place is None else place.name
        with console.status(f"{name} ..."):
            found = list(run_in_process(columns) if place is None else run_on(place, columns))
        results += found
        if not brief or any(result.verdict.kind == "failed" for result in found):
            show(console, name, found)
    return results


main()
