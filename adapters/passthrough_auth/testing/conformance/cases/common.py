"""The callers of the cases, and the headers that they send."""

from passthrough_auth.testing.conformance.model import (
    Call,
    HeaderLines,
    all_of,
    body,
    header,
    sees,
    status,
    without,
)

ALICE: HeaderLines = ((b"Authorization", b"Bearer alice"),)
BOB: HeaderLines = ((b"Authorization", b"Bearer bob"),)
SESSION: HeaderLines = ((b"Cookie", b"session=alice"),)
SEES_ALICE = sees(authorization="Bearer alice")
SEES_BOB = sees(authorization="Bearer bob")


def authorization(*lines: bytes) -> HeaderLines:
    """Authorization header lines with these values."""
    return tuple((b"Authorization", line) for line in lines)


def chunked(headers: HeaderLines = (), *, trailer: bytes) -> Call:
    """A request with one byte of body, followed by a trailer field."""
    body = b"1\r\nx\r\n0\r\n" + trailer + b"\r\n\r\n"
    return Call(b"/whoami", (*headers, (b"Transfer-Encoding", b"chunked")), "POST", body)


NOT_ACCEPTED = all_of(
    status(401),
    body(detail="Authentication credentials not accepted"),
    header("www-authenticate", 'Bearer error="invalid_token"'),
    header("cache-control", "no-store"),
    without("s3cret"),
)


def fetch_site(value: bytes) -> HeaderLines:
    """The header in which a browser says which site a request comes from."""
    return ((b"Sec-Fetch-Site", value),)


def from_origin(origin: bytes, host: bytes = b"app.example.com") -> HeaderLines:
    """An Origin header, and the Host header that it is compared with."""
    return ((b"Origin", origin), (b"Host", host))
