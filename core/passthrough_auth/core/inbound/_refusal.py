"""A refusal as data: the answer, which each framework puts into its own response."""

import re
from typing import NamedTuple

from passthrough_auth.core._credential_rules import HOP_BY_HOP, is_token
from passthrough_auth.core.errors import ConfigurationError, CredentialMissing, CredentialUnusable
from passthrough_auth.core.origin import origin_of

# The sentences of the gate's own refusals. After an error it is the `detail` of that error.
REQUIRED, MALFORMED = CredentialMissing.detail, CredentialUnusable.detail
CROSS_SITE = "Cross-site request with ambient credentials refused"


class Refusal(NamedTuple):
    """An answer to send instead of running the handler. It holds nothing from the request."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    close_code: int | None = None
    """For a WebSocket: accept it and close it with this code, from 3000 to 4999.

    A page can read the code of a close. Of a handshake that was refused it learns nothing.
    """

    @classmethod
    def json(cls, status: int, detail: str, *headers: tuple[str, str]) -> "Refusal":
        """The refusal `{"detail": ...}`, never to be cached (RFC 9111 section 5.2.2.5)."""
        # Imported here, for the same reason as `logging` in the gate.
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


def checked_refusal(answer: object) -> Refusal | None:
    """An app's own refusal in the form that every server sends, or None if it can't be sent.

    Its status must not be a success. A header value may not contain a line break: a client that
    controls part of the value could add headers. Only the server may set headers of the connection:
    some servers fail if the app does, others send two framings. The content length is always that
    of the body.
    """
    if not isinstance(answer, Refusal) or not isinstance(answer.body, bytes):
        return None
    if not isinstance(answer.status, int) or not 300 <= answer.status <= 599:
        return None
    if answer.status == _NOT_MODIFIED or not _is_close_code(answer.close_code):
        return None
    if not all(is_token(name) and _HEADER_VALUE.fullmatch(value) for name, value in answer.headers):
        return None
    headers = [(name.lower(), value.strip(" \t")) for name, value in answer.headers]
    if any(name in HOP_BY_HOP for name, _ in headers):
        return None
    kept = [header for header in headers if header[0] != "content-length"]
    length = ("content-length", str(len(answer.body)))
    return Refusal(answer.status, (*kept, length), answer.body, answer.close_code)


def _is_close_code(code: object) -> bool:
    """Whether it is None, or a code for libraries and apps (RFC 6455 section 7.4.2)."""
    return code is None or (isinstance(code, int) and 3000 <= code <= 4999)


# It has no body, and means that the client's own copy is still valid (RFC 9110 section 15.4.5).
_NOT_MODIFIED = 304
# No control characters. Latin-1 characters beyond ASCII are allowed (RFC 9110 section 5.5).
_HEADER_VALUE = re.compile(r"[\t -~\xa0-\xff]*")
_QUOTABLE = re.compile(r"[ !#-\[\]-~]+")


def bearer_challenge(realm: str | None, resource_metadata: str | None) -> tuple[str, str]:
    """The WWW-Authenticate header (RFC 6750 section 3, RFC 9728 section 5.1).

    Raises `ConfigurationError` for a parameter that can't be in a quoted string, and for metadata
    that is not an absolute URL, because a client can't resolve a relative one.
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


def with_error(challenge: tuple[str, str], error: str | None) -> tuple[str, str]:
    """The challenge with this error code (RFC 6750 section 3.1), if there is one."""
    if error is None:
        return challenge
    name, value = challenge
    joint = ", " if "=" in value else " "
    return (name, f'{value}{joint}error="{error}"')


def _is_web_url(text: str) -> bool:
    """Whether this is an https or http URL that every client reads in the same way."""
    is_web = text.lower().startswith(("https://", "http://"))
    return is_web and " " not in text and origin_of(text) is not None
