"""The `passthrough-auth` command."""

import sys

from passthrough_auth.core import requires_extra

__all__ = ["main"]


def main() -> None:
    """Run the command; say what to install where its own dependencies are absent."""
    try:
        with requires_extra("demo", module="click"):
            from .commands import main as command
    except ModuleNotFoundError as error:
        sys.exit(str(error))
    command()
