"""The metadata that a call carries: the app's own, and the caller's credentials."""

import re
from collections.abc import Iterable
from typing import Any

import grpc

from passthrough_auth.core.errors import ConfigurationError
from passthrough_auth.core.origin import Origin
from passthrough_auth.core.outbound import Destinations

# The names of metadata that carry text. Those that end in "-bin" carry bytes, those that begin with
# "grpc-" are gRPC's own (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
_NAME_OF_TEXT = re.compile(r"(?!grpc-)[0-9a-z_.-]+(?<!-bin)")

Metadata = list[tuple[str, str | bytes]]


class CallerMetadata:
    """Makes the metadata of one channel's calls."""

    __slots__ = ("_destinations", "_origin")

    def __init__(self, destinations: Destinations, origin: Origin) -> None:
        self._destinations = destinations
        self._origin = origin

    def of(self, details: Any) -> tuple[Metadata, Any, bool]:
        """The metadata and call credentials of one call, and whether it carries the caller.

        `details` are those that gRPC gives an interceptor. Raises the errors of
        `Destinations.headers_for` and `Destinations.settle`, and `ConfigurationError` for a name
        that gRPC can't send.
        """
        # gRPC takes names as bytes, too.
        apps: list[tuple[str, str | bytes]] = [
            (name.decode() if isinstance(name, bytes) else name, value)
            for name, value in details.metadata or ()
        ]
        sent: dict[str, object] = {name.lower(): value for name, value in apps}
        if details.credentials is not None:
            # The app authenticates this call by itself. gRPC sends that under this name.
            sent["authorization"] = details.credentials
        callers = self._destinations.headers_for(self._origin)
        try:
            settled = self._destinations.settle(self._origin, sent, callers)
            check_names(settled.callers)
        except BaseException:
            callers.clear()  # a traceback with locals would show them
            raise
        replaced = settled.removed.union(settled.callers)
        kept = [(name, value) for name, value in apps if name.lower() not in replaced]
        credentials = None if "authorization" in settled.removed else details.credentials
        return [*kept, *settled.callers.items()], credentials, bool(settled.callers)


def status_of(error: Any) -> int | None:
    """The HTTP status for the status of a call that upstream refused; None for any other error.

    https://github.com/grpc/grpc/blob/master/doc/statuscodes.md
    """
    return {
        grpc.StatusCode.UNAUTHENTICATED: 401,
        grpc.StatusCode.PERMISSION_DENIED: 403,
    }.get(error.code())


def check_names(names: Iterable[str]) -> None:
    """Raise `ConfigurationError` for the name of a header that gRPC can't send as metadata."""
    for name in names:
        if _NAME_OF_TEXT.fullmatch(name) is None:
            raise ConfigurationError(
                f"gRPC can't send the caller's {name!r}: names of metadata consist of letters, "
                "digits and '_.-', don't begin with 'grpc-', and are for bytes if they end in "
                "'-bin'. Send it under another name, as in Destination(..., "
                f"send={{{name!r}: 'x-token'}})"
            )
