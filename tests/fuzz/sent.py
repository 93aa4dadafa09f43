"""Hostile requests that servers let pass, as each server interface passes them on."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.fuzz.choices import Choices
from tests.fuzz.model import Seen

SECRET = "s3cret-of-alice"
"""Planted in header values, and searched in every text."""

QUERY_SECRET = "s3cret-in-the-query"
"""Planted in the query. Frameworks show it in their texts; this package must not."""

PATH_WORDS = (
    *("/", "health", "public", "private", "items", "a", ".", "..", "//", "/./", "/../"),
    *("%2e", "%", "?", "#", ";", "\\", "\x00", "\t", "\n", "\x7f", "\x85", " ", "é", "\u2028"),
    *("Health", "\ufffd", "\udc80", "/public/", "/public/../", "/health", "~", "*", "+"),
)
NAME_WORDS = (
    *("authorization", "cookie", "x-token", "x-forwarded-access-token", "origin", "host"),
    *("sec-fetch-site", "access-control-request-method", "x_token", "proxy-authorization"),
    *("accept", "x-other", "transfer", "upgrade", "x-forwarded-proto", "forwarded"),
)
VALUE_WORDS = (
    *("Bearer", " ", SECRET, "Basic", "Digest", "negotiate", ",", "a", "=", ";", "; ", "\t", '"'),
    *("session=", "csrf=", "other=", f"session={SECRET}", "Bearer a", "\x00", "\r\n", "é", "\x7f"),
    *("$Version=1", "x" * 65_508, "x" * 21, "Digest a=b", ', c="d', "\\", ", session=", ",x=y"),
    *('""', "cs1=", "; cs2=", ",cs3=", "Token a", "%20", "%0a", "Bearer%20"),
)
SITE_WORDS = ("same-origin", "none", "cross-site", "same-site", " ", ",", "", "Same-Origin")
ORIGIN_WORDS = (
    *("https://", "http://", "app.example", "admin.example", ":443", ":80", ":8443", "null"),
    *("evil.example", "@", ".", "/", ",", "[::1]", "APP.example", "", "ws://", ":", "0", " "),
    *("https://app.example", "http://app.example:80", "https://admin.example", "http://[::1]"),
    *("127.0.0.1", "0x7f", "127.1", "[0:0:0:0:0:0:0:1]", "_", "-", "app://", "app://shell"),
)
ORIGINS = (
    "https://app.example",
    "http://app.example:8443",
    "https://admin.example",
    "http://[::1]",
    "https://admin.example:443",
    "https://127.0.0.1",
)
HOST_WORDS = (
    *("app.example", ":443", ":80", ":8443", "evil.example", "[::1]", "APP.EXAMPLE", ",", "."),
    *("127.0.0.1", "127.1", "0x7f", "[0:0:0:0:0:0:0:1]", "_", "-", "@", "/", "admin.example"),
)
VALUES = {
    "origin": ORIGIN_WORDS,
    "host": HOST_WORDS,
    "sec-fetch-site": SITE_WORDS,
    "access-control-request-method": ("POST", "GET", ""),
    "x-forwarded-proto": ("http", "https", "wss", "WSS", ",", " ", ""),
    "forwarded": ("for=_a", ";", "proto=", "Proto=", "http", "https", ","),
    "upgrade": ("websocket", "WebSocket", "h2c", ", ", "web"),
}
METHODS = ("GET", "POST", "OPTIONS", "HEAD", "PUT", "TRACE", "get", "post", "options", "PURGE")
ROOTS = ("", "/app", "/app/v1")


@dataclass(frozen=True)
class Sent:
    """A parsed request: the path is percent-decoded, and header names are in lower case."""

    method: str
    path: bytes
    lines: tuple[tuple[str, str], ...]
    websocket: bool = False
    root: str = ""
    encrypted: bool = True

    def scope(self) -> dict[str, Any]:
        """The ASGI scope: undecodable bytes of the path are replaced, and header lines separate."""
        scope: dict[str, Any] = {
            "type": "websocket" if self.websocket else "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": self._scheme,
            "path": self.root + self.path.decode("utf-8", "replace"),
            "raw_path": self.root.encode() + self.path,
            "root_path": self.root,
            "query_string": QUERY_SECRET.encode(),
            "headers": [
                (name.encode("latin-1"), value.encode("latin-1")) for name, value in self.lines
            ],
            "server": ("app.example", 443),
            "client": ("127.0.0.1", 1),
        }
        if self.websocket:
            return {**scope, "subprotocols": [], "extensions": {"websocket.http.response": {}}}
        return {**scope, "method": self.method}

    def environ(self) -> dict[str, Any]:
        """The WSGI environ: bytes as latin-1, lines joined, names with underscores dropped."""
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.method,
            "SCRIPT_NAME": self.root,
            "PATH_INFO": self.path.decode("latin-1"),
            "QUERY_STRING": QUERY_SECRET,
            "SERVER_NAME": "app.example",
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": self._scheme,
        }
        for name, value in self._joined():
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        return environ

    def seen_by_asgi(self) -> Seen:
        """The model's request for ASGI."""
        # A handshake is a GET. The method of the input applies to HTTP only.
        method = "GET" if self.websocket else self.method
        path = self.path.decode("utf-8", "replace")
        return Seen(method, path, self.lines, self.websocket, self._scheme)

    def seen_by_wsgi(self) -> Seen:
        """The model's request for WSGI."""
        try:
            path = self.path.decode("utf-8")
        except UnicodeDecodeError:
            path = None
        return Seen(self.method, path, tuple(self._joined()), scheme=self._scheme)

    @property
    def _scheme(self) -> str:
        return ("ws" if self.websocket else "http") + ("s" if self.encrypted else "")

    def _joined(self) -> Iterator[tuple[str, str]]:
        for name in dict.fromkeys(name for name, _ in self.lines):
            if "_" not in name:
                joint = "; " if name == "cookie" else ","
                yield name, joint.join(value for own, value in self.lines if own == name)


def any_sent(choices: Choices, *, websockets: bool = True) -> Sent:
    """A request of parts that have fooled some router, parser or server, and of random ones."""
    path, root = "/" + choices.text(PATH_WORDS, 5), choices.pick(ROOTS)
    if choices.integer(0, 15) == 15:
        path = "" if root else path[1:]  # a mount ends at a slash, or at the end of the path
    method = choices.pick(METHODS)
    if choices.integer(0, 15) == 15:
        method = latin_1(choices.text(METHODS, 2))
    raw = path.encode("utf-8", "surrogateescape")
    if choices.integer(0, 15) == 15:
        raw += bytes([choices.integer(0x80, 0xFF)])
    return Sent(
        method,
        raw,
        tuple(choices.many(lambda: any_line(choices), 5)),
        websocket=websockets and choices.flag(),
        root=root,
        encrypted=choices.flag(),
    )


def any_line(choices: Choices, names: tuple[str, ...] = NAME_WORDS) -> tuple[str, str]:
    """A header line with one of these names or another one, and a valid or invalid value."""
    name = choices.pick(names)
    if choices.integer(0, 31) == 31:
        name = choices.text(NAME_WORDS, 2).lower()
        # Servers refuse names beyond ASCII, and latin-1 in upper case may not be latin-1.
        name = "".join(each for each in name if each.isascii())
    words = VALUES.get(name, VALUE_WORDS)
    return name, latin_1(choices.text(words, 4))


def latin_1(text: str) -> str:
    """The text as it can be in the bytes of a header."""
    return "".join(each if ord(each) < 256 else "?" for each in text)
