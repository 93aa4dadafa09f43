"""The options of the command. Each sub-command is carried out by a module of its own."""

import sys

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="passthrough-auth", prog_name="passthrough-auth")
def main() -> None:
    """Lets a web app act as the person who called it."""


@main.command()
@click.option("--serve", is_flag=True, help="Keep the apps up to try, until Ctrl-C.")
def demo(*, serve: bool) -> None:
    """Show how Flyte sees two callers and a request without one, on three frameworks.

    Starts a local Flyte endpoint and the same small app on FastAPI, Flask and Django, each in a
    process of its own on a free port. Calls them all at once, as alice, as bob and without
    credentials, and prints the callers that Flyte saw. Ends with 0 only if every answer was right.
    Leaves nothing running.
    """
    try:
        from .demo import run
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"the demo needs {error.name}: pip install 'passthrough-auth[demo]'"
        ) from error
    sys.exit(run(serve=serve))
