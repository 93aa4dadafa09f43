"""A refusal as data: what to answer, for any framework to put into its own response."""

import re
from typing import NamedTuple

from .errors import ConfigurationError
from .extraction import is_token
from .origin import origin_of


class Refusal(NamedTuple):
    """An answer to give instead of running the handler. Holds nothing the client sent."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    @classmethod
    def json(cls, status: int, detail: str, *headers: tuple[str, str]) -> "Refusal":
        """The refusal `{"detail": ...}`, never to be cached (RFC 9111 section 5.2.2.5)."""
        # Imported here, as `logging` is in the gate.
        import json

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


def sendable(answer: object) -> Refusal | None:
    """An app's own refusal, as every server sends it; None if it isn't one or can't be sent.

    Its status must not be a success. A value may not hold a line break, which would let whoever
    has a say in it write headers of their own. Headers of the connection are the server's: some
    fail at them, others send two framings. The length is that of the body, whatever the refusal
    it was made from had.
    """
    if not isinstance(answer, Refusal) or not isinstance(answer.body, bytes):
        return None
    if not isinstance(answer.status, int) or not 300 <= answer.status <= 599:
        return None
    if answer.status == _NOT_MODIFIED:
        return None
    if not all(is_token(name) and _HEADER_VALUE.fullmatch(value) for name, value in answer.headers):
        return None
    headers = [(name.lower(), value.strip(" \t")) for name, value in answer.headers]
    if any(name in _OF_THE_CONNECTION for name, _ in headers):
        return None
    kept = [header for header in headers if header[0] != "content-length"]
    length = ("content-length", str(len(answer.body)))
    return Refusal(answer.status, (*kept, length), answer.body)


# It has no body, and says that what the client has already is good (RFC 9110 section 15.4.5).
_NOT_MODIFIED = 304
# RFC 9110 section 7.6.1.
_OF_THE_CONNECTION = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# Without control characters; what latin-1 has beyond ASCII is allowed (RFC 9110 section 5.5).
_HEADER_VALUE = re.compile(r"[\t -~\xa0-\xff]*")
_QUOTABLE = re.compile(r"[ !#-\[\]-~]+")


def bearer_challenge(realm: str | None, resource_metadata: str | None) -> tuple[str, str]:
    """The WWW-Authenticate header (RFC 6750 section 3, RFC 9728 section 5.1).

    Raises `ConfigurationError` for a parameter that can't stand in a quoted string, and for
    metadata that is not at an absolute URL: a client has nothing to resolve a relative one against.
    """
    given = {"realm": realm, "resource_metadata": resource_metadata}
    parameters = {name: value for name, value in given.items() if value is not None}
    for name, value in parameters.items():
        if not isinstance(value, str) or _QUOTABLE.fullmatch(value) is None:
            raise ConfigurationError(
                f"{name}={value!r} can't be sent in WWW-Authenticate: use printable ASCII without "
                "quotes and backslashes, one character at least"
            )
    if resource_metadata is not None and not _is_web_url(resource_metadata):
        raise ConfigurationError(
            f"resource_metadata={resource_metadata!r} is not an absolute URL: write "
            "'https://app.example.com/.well-known/oauth-protected-resource'"
        )
    written = ", ".join(f'{name}="{value}"' for name, value in parameters.items())
    return ("www-authenticate", f"Bearer {written}" if written else "Bearer")


def _is_web_url(text: str) -> bool:
    """Whether this is an https or http URL that every client reads alike."""
    is_web = text.lower().startswith(("https://", "http://"))
    return is_web and " " not in text and origin_of(text) is not None
