"""Where the caller's credentials may travel, and in which form. By default, nowhere.

Every client checks every hop in the same way, so that a redirect can't carry credentials to an
origin that the app has not named.
"""

import re
from collections.abc import Iterator
from typing import final

from .context import current_hold
from .credentials import Credentials
from .destination import Destination
from .errors import ConfigurationError, DestinationNotAllowed
from .hops import Hop, Trail
from .origin import Origin, origin_of

# Clients and apps identify someone by these, whether or not a destination is sent them.
_ALWAYS_CONFINED = frozenset({"authorization", "cookie"})
# Any scheme and host.
_FULL_URL = re.compile(r"\s*[a-z][a-z0-9+.-]*://[^/?#]", re.ASCII | re.IGNORECASE)


@final
class Destinations:
    """The origins that credentials may travel to. They are checked on construction.

        destinations = Destinations(
            "https://api.example.com",
            "https://*.internal.example.com",
            Destination("http://10.0.0.7:8080", plain_http=True),
        )

    An exact origin takes precedence over wildcards, and the closest wildcard over others. A string
    is a `Destination` with the default options. Raises `ConfigurationError` for an invalid
    destination.
    """

    __slots__ = ("_confined", "_exact", "_wildcards")

    def __init__(self, *destinations: str | Destination) -> None:
        if not destinations:
            raise ConfigurationError(
                "Destinations without an origin sends nothing anywhere. Write "
                "Destinations('https://api.example.com')"
            )
        self._exact: dict[Origin, Destination] = {}
        self._wildcards: dict[Origin, Destination] = {}
        for given in destinations:
            self._add(given if isinstance(given, Destination) else Destination(given))
        self._confined = _ALWAYS_CONFINED.union(*(each.confined() for each in self))

    def headers_for(self, url: str) -> dict[str, str]:
        """The headers that a request to this URL carries on behalf of the caller.

        The clients apply the same rules on every hop. You can also call this yourself.

        Raises `DestinationNotAllowed` for an origin that is not named, `NoCaller` if there is no
        caller, `CredentialMissing` if the caller lacks the credentials to send, and
        `CredentialUnusable` if a credential doesn't make a valid header line.
        """
        origin = _checked_url(url)
        return self._named(origin).headers(origin)

    def check(self, url: str) -> Origin:
        """The URL's origin. Raises `DestinationNotAllowed` unless it is named. Needs no caller."""
        origin = _checked_url(url)
        self._named(origin)
        return origin

    def names(self, origin: Origin) -> bool:
        """Whether credentials may travel to this origin."""
        return self._find(origin) is not None

    def sent_names(self, origin: Origin) -> frozenset[str]:
        """The lower-case names of headers that `send` names for this origin. For clients.

        Raises `DestinationNotAllowed`.
        """
        return self._named(origin).sent_names()

    def sendable(self, origin: Origin, credentials: Credentials) -> Credentials:
        """The credentials among these that may travel to this origin. For narrowed snapshots.

        Raises `CredentialMissing` in the same situations as `headers_for`, and
        `DestinationNotAllowed`.
        """
        return self._named(origin).sendable(credentials)

    def hop(self, url: str, trail: Trail | None = None) -> Hop:
        """The changes for the next hop of a call. For clients; `trail` is from the previous hop.

        The first hop must go to a named origin, as in `headers_for`. A redirect to another origin
        loses the credentials that the app set for the first one. It carries the caller's
        credentials if that origin is named, and none at all otherwise. Raises the same errors as
        `headers_for`.
        """
        if trail is None:
            origin = _checked_url(url)
            return Hop(frozenset(), self._named(origin).headers(origin), Trail(origin))
        reached = origin_of(url)
        if reached is not None and reached == trail.origin and not trail.strayed:
            return Hop(frozenset(), self._named(reached).headers(reached), trail)
        found = None if reached is None else self._find(reached)
        added = {} if reached is None or found is None else found.headers(reached)
        return Hop(self.confined_headers(), added, Trail(trail.origin, strayed=True))

    def confined_headers(self) -> frozenset[str]:
        """The lower-case names of headers that may not reach an origin that is not named.

        They are Authorization, Cookie, every header of a destination, and every header of the
        caller.
        """
        hold = current_hold()
        return self._confined if hold is None else self._confined.union(hold.credential_names())

    def refuse_plain_proxy(self, url: str, otherwise: str = "") -> None:
        """Raise `DestinationNotAllowed` for plain http through a proxy, which could read it.

        For clients. `otherwise` is more advice for the text: what to write if no proxy is wanted.
        """
        origin = origin_of(url)
        if origin is not None and origin.scheme == "http":
            raise DestinationNotAllowed(
                f"A request to {origin} through a proxy would show the caller's credentials to the "
                "proxy. Use https, which is tunnelled, or call that origin without a proxy"
                + (otherwise and f". {otherwise}")
            )

    def __iter__(self) -> Iterator[Destination]:
        yield from self._exact.values()
        yield from self._wildcards.values()

    def __repr__(self) -> str:
        return f"<Destinations {' '.join(map(str, self))}>"

    def _add(self, destination: Destination) -> None:
        kind = self._wildcards if destination.wildcard else self._exact
        if destination.origin in kind:
            raise ConfigurationError(f"{destination} is named twice. Name it once")
        kind[destination.origin] = destination

    def _find(self, origin: Origin) -> Destination | None:
        found = self._exact.get(origin)
        if found is None and self._wildcards:
            found = self._wildcard_above(origin)
        return found

    def _wildcard_above(self, origin: Origin) -> Destination | None:
        parent = origin.host
        while parent:
            parent = parent.partition(".")[2]
            found = self._wildcards.get(origin._replace(host=parent))
            if found is not None:
                return found
        return None

    def _named(self, origin: Origin) -> Destination:
        found = self._find(origin)
        if found is None:
            raise DestinationNotAllowed(_how_to_name(origin))
        return found


def check_destinations(given: object) -> Destinations:
    """The given destinations of a client or a snapshot, if they are `Destinations`.

    Raises `ConfigurationError` for anything else, such as a bare origin.
    """
    if not isinstance(given, Destinations):
        raise ConfigurationError(
            "destinations takes Destinations: write Destinations('https://api.example.com')"
        )
    return given


def _checked_url(url: str) -> Origin:
    origin = origin_of(url)
    if origin is None:
        raise DestinationNotAllowed(_how_to_write(url))
    return origin


def _how_to_write(url: str) -> str:
    """What is wrong with a URL that has no origin. The URL may hold a secret, so it isn't shown."""
    if url and _FULL_URL.match(url) is None:
        return (
            "This is not a full URL, so nobody knows where it leads: it lacks scheme or host. "
            "Write 'https://api.example.com/path', or give the client "
            "base_url='https://api.example.com'"
        )
    return (
        "No credentials travel to a URL that clients may read in different ways. Write scheme, "
        "host and path in ASCII ('https://api.example.com/path'), without a user name, a "
        "backslash or white space"
    )


def _how_to_name(origin: Origin) -> str:
    text = f"{origin} is not among the destinations that credentials may travel to. "
    if origin.scheme == "https" or origin.is_loopback:
        return f"{text}If they may, write Destinations(..., '{origin}')"
    return (
        f"{text}It is plain http, readable by everyone on the way: use https. If credentials may "
        f"travel there all the same, write Destinations(..., Destination('{origin}', "
        "plain_http=True))"
    )
