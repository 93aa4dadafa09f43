r"""Origins (RFC 6454): scheme, host and port of a URL, if every client reads them in the same way.

Clients were observed to read the same URL in different ways. httpx and yarl end the authority of
`https://good.example\@evil.example/` at different places than requests does, yarl drops tabs, only
requests decodes `%2e` in a host, and the international forms of a name depend on the edition of
IDNA. This module accepts none of that: a URL that isn't plain has no origin.
"""

import re
from functools import lru_cache
from typing import NamedTuple

_DEFAULT_PORTS = {"http": 80, "https": 443}
# A WebSocket begins as a request to the http or https origin of the same host and port.
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}

_URL = re.compile(
    r"(https?|wss?)://"
    r"([a-z0-9._-]+|\[[0-9a-f:.]+\])"
    r"(?::([1-9][0-9]{0,4}))?"
    r"(?=[/?#]|\Z)",
    re.ASCII | re.IGNORECASE,
)
# Underscores are not allowed in host names, but are common in container networks.
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}")
# Some resolvers read a host that ends in a number as an IPv4 address: 127.1, 0x7f000001.
_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
# The beginning of any text, up to the earliest place where a client would end the host.
_START = re.compile(r"(?:[^/\\?#]*:)?[/\\]*[^/\\?#]*")
_LONGEST_NAME = 253
_HIGHEST_PORT = 65535


class Origin(NamedTuple):
    """Scheme, host and port in normal form: lower case, and always with the port."""

    scheme: str
    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether a request to it stays on this machine."""
        host = self.host
        if host in ("localhost", "[::1]"):
            return True
        return host.startswith("127.") and _NUMERIC.fullmatch(host) is not None

    def __str__(self) -> str:
        if self.port == _DEFAULT_PORTS[self.scheme]:
            return f"{self.scheme}://{self.host}"
        return f"{self.scheme}://{self.host}:{self.port}"


def origin_of(url: str) -> Origin | None:
    """The origin that every client connects to for this URL; None if that isn't certain.

    None for a URL with a user name, another scheme, non-ASCII characters in the host, a host that
    ends in a dot, an address in an unusual notation, or a port that is empty or above 65535.
    """
    found = _URL.match(url)
    return None if found is None else _normal_origin(*found.groups())


# An app calls the same few hosts again and again. Only scheme, host and port are kept: the rest of
# a URL may hold secrets.
@lru_cache(maxsize=256)
def _normal_origin(scheme: str, host: str, digits: str | None) -> Origin | None:
    """The origin with this scheme, host and port digits of a URL; None if the host isn't valid."""
    scheme = _SCHEMES[scheme.lower()]
    port = _DEFAULT_PORTS[scheme] if digits is None else int(digits)
    normalised = _normalised_host(host.lower())
    if normalised is None or port > _HIGHEST_PORT:
        return None
    return Origin(scheme, normalised, port)


def origin_alone(text: str) -> Origin | None:
    """The origin, if the text is only an origin, like an Origin header; else None."""
    scheme, _, rest = text.partition("://")
    if scheme.lower() not in _DEFAULT_PORTS or any(mark in rest for mark in "/?#"):
        return None
    return origin_of(text)


def redacted(given: object) -> str:
    """The part of a wrong origin that an error may show.

    That is scheme and host. User names, paths and queries may be secret.
    """
    if not isinstance(given, str):
        return f"a value of type {type(given).__name__}"
    start = _START.match(given)
    head = start[0] if start else ""
    # An @ after the host may mean that this host is part of a password.
    return "the URL given" if "@" in given[len(head) :] else repr(head.rpartition("@")[2])


def _normalised_host(host: str) -> str | None:
    """The normal form of a lower-case host, or None if it isn't a valid host."""
    if host[0] == "[" or _NUMERIC.fullmatch(host):
        return _normalised_address(host)
    return host if len(host) <= _LONGEST_NAME and _NAME.fullmatch(host) else None


def _normalised_address(host: str) -> str | None:
    # Imported here: most origins have names, not addresses.
    from ipaddress import AddressValueError, IPv4Address, IPv6Address

    try:
        return f"[{IPv6Address(host[1:-1])}]" if host[0] == "[" else str(IPv4Address(host))
    except AddressValueError:
        return None
