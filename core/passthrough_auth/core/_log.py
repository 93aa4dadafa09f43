"""The log of this library, for its app's author. No record has a value that a client sent."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logging import Logger


def logger() -> "Logger":
    """The logger of this library."""
    # Imported here: this takes as long as much of core, and core logs only when there is a problem.
    import logging

    return logging.getLogger("passthrough_auth")
