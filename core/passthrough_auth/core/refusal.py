"""A refusal as data: what to answer, for any framework to put into its own response."""

import json
import re
from dataclasses import dataclass

from .errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer to give instead of running the handler. Holds nothing the client sent."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @classmethod
    def json(cls, status: int, detail: str, *headers: tuple[str, str]) -> "Refusal":
        """The refusal `{"detail": ...}`, never to be cached (RFC 9111 section 5.2.2.5)."""
        body = json.dumps({"detail": detail}).encode()
        always = (
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            ("cache-control", "no-store"),
        )
        return cls(status, always + headers, body)

    def body_for(self, method: str) -> bytes:
        """The body to send: none for HEAD (RFC 9110 section 9.3.2)."""
        return b"" if method == "HEAD" else self.body


_QUOTABLE = re.compile(r"[ !#-\[\]-~]+")


def bearer_challenge(realm: str | None, resource_metadata: str | None) -> tuple[str, str]:
    """The WWW-Authenticate header (RFC 6750 section 3, RFC 9728 section 5.1).

    Raises `ConfigurationError` for a parameter that can't stand in a quoted string.
    """
    given = {"realm": realm, "resource_metadata": resource_metadata}
    parameters = {name: value for name, value in given.items() if value is not None}
    for name, value in parameters.items():
        if not isinstance(value, str) or _QUOTABLE.fullmatch(value) is None:
            raise ConfigurationError(
                f"{name}={value!r} can't be sent in WWW-Authenticate: use printable ASCII without "
                "quotes and backslashes"
            )
    written = ", ".join(f'{name}="{value}"' for name, value in parameters.items())
    return ("www-authenticate", f"Bearer {written}" if written else "Bearer")
