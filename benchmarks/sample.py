"""The request of every benchmark: 15 headers, a 900-byte bearer token and a cookie among them."""

from collections.abc import Sequence
from io import BytesIO
from itertools import cycle, islice
from string import ascii_letters, digits
from typing import Any

Header = tuple[bytes, bytes]

PATH = "/items"
TOKEN_BYTES = 900


def token(length: int = TOKEN_BYTES) -> bytes:
    """Something that looks like a signed token, of that many bytes."""
    return "".join(islice(cycle(f"{ascii_letters}.{digits}-_"), length)).encode()


AUTHORIZATION: Header = (b"authorization", b"Bearer " + token())
COOKIE: Header = (b"cookie", b"session=8f14e45fceea167a5a36dedd4bea2543; theme=dark; locale=en-GB")

OTHERS: tuple[Header, ...] = (
    (b"host", b"app.example.com"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"),
    (b"accept", b"application/json, text/plain, */*"),
    (b"accept-language", b"en-GB,en;q=0.7,de;q=0.3"),
    (b"accept-encoding", b"gzip, deflate, br, zstd"),
    (b"referer", b"https://app.example.com/items"),
    (b"x-request-id", b"5b1d4a0e-8a46-4d4e-bb0c-2f1f6f6d3c55"),
    (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    (b"x-forwarded-for", b"203.0.113.7"),
    (b"x-forwarded-proto", b"https"),
    (b"sec-fetch-dest", b"empty"),
    (b"sec-fetch-mode", b"cors"),
    (b"sec-fetch-site", b"same-origin"),
)
HEADERS: tuple[Header, ...] = (*OTHERS[:6], AUTHORIZATION, *OTHERS[6:], COOKIE)


def headers(count: int) -> tuple[Header, ...]:
    """The sample's headers with fewer of the others, or more of their kind: `count` in all."""
    extra = [(b"x-extra-%d" % number, b"value of an extra header") for number in range(count)]
    others = (*OTHERS, *extra)[: count - 2]
    middle = len(others) // 2
    return (*others[:middle], AUTHORIZATION, *others[middle:], COOKIE)


def scope(fields: Sequence[Header] = HEADERS, path: str = PATH) -> dict[str, Any]:
    """The request as an ASGI scope. Servers make a list of headers, so this has one."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": list(fields),
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
        "state": {},
        "extensions": {},
    }


def environ(fields: Sequence[Header] = HEADERS, path: str = PATH) -> dict[str, Any]:
    """The request as a WSGI environ. Its input is empty and never read."""
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
        "wsgi.errors": BytesIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **{
            f"HTTP_{name.decode().upper().replace('-', '_')}": value.decode()
            for name, value in fields
        },
    }


def raw(path: str = PATH) -> bytes:
    """The request as it is on the wire."""
    lines = [f"GET {path} HTTP/1.1".encode(), *(b": ".join(field) for field in HEADERS)]
    return b"\r\n".join([*lines, b"", b""])
