"""The `passthrough-auth` command."""

import sys

from passthrough_auth.optional_import import optional_import

__all__ = ["main"]


def main() -> None:
    """Run the command. If it lacks its own dependencies, name the extra to install."""
    try:
        with optional_import("demo", module="click"):
            from .commands import main as command
    except ModuleNotFoundError as error:
        sys.exit(str(error))
    command()
