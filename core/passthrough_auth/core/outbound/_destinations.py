"""The origins to which the caller's credentials may travel, and their form. By default, none.

Every client checks every hop in the same way, so that a redirect can't carry credentials to an
origin that the app has not named.
"""

import re
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from typing import Any, final

from passthrough_auth.core._checking import not_destinations
from passthrough_auth.core.caller import Credentials, NamedOrigins, Snapshot, current_scope
from passthrough_auth.core.errors import ConfigurationError, DestinationNotAllowed
from passthrough_auth.core.origin import Origin, origin_of

from ._destination import Destination
from ._identities import Settled
from ._redirects import Redirects, carry

_UNCHANGED = nullcontext()
# Any scheme and host.
_FULL_URL = re.compile(r"\s*[a-z][a-z0-9+.-]*://[^/?#]", re.ASCII | re.IGNORECASE)


@final
class Destinations(NamedOrigins):
    """The origins to which credentials may travel. They are checked on construction.

        destinations = Destinations(
            "https://api.example.com",
            "https://*.internal.example.com",
            Destination("http://10.0.0.7:8080", plain_http=True),
        )

    An exact origin takes precedence over wildcards, and the closest wildcard over others. A string
    is a `Destination` with the default options. Raises `ConfigurationError` for an invalid
    destination.
    """

    __slots__ = ("_caller", "_exact", "_sensitive", "_wildcards")

    def __init__(self, *destinations: str | Destination) -> None:
        if not destinations:
            raise ConfigurationError(
                "Destinations without an origin sends nothing anywhere. Write "
                "Destinations('https://api.example.com')"
            )
        self._caller: Snapshot | None = None
        self._exact: dict[Origin, Destination] = {}
        self._wildcards: dict[Origin, Destination] = {}
        for given in destinations:
            self._add(given if isinstance(given, Destination) else Destination(given))
        self._sensitive = frozenset[str]().union(*(each.sensitive_names() for each in self))

    def headers_for(self, url: str | Origin) -> dict[str, str]:
        """The headers that a request to this URL carries on behalf of the caller.

        The clients apply the same rules on every hop. You can also call this yourself. A client
        that only calls one origin can get it once from `check`, and pass it instead of a URL.

        Raises `DestinationNotAllowed` for an origin that is not named, `NoCaller` if there is no
        caller, `CredentialMissing` if the caller lacks the credentials to send, and
        `CredentialUnusable` if a credential doesn't make a valid header line.
        """
        origin = url if isinstance(url, Origin) else _checked_origin(url)
        destination = self._destination_of(origin)
        with self._acting():
            return destination.headers(origin)

    def bound_to(self, caller: Snapshot) -> "Destinations":
        """The same destinations, asked as this caller wherever they are asked.

            session = CallerSession(destinations.bound_to(snapshot()))

        For one job of an SDK that calls from threads of its own, in which there is no caller. A
        client made with them acts as nobody else, so make it for that job, and don't share it.
        Raises `ConfigurationError` for anything but a snapshot.
        """
        if not isinstance(caller, Snapshot):
            raise ConfigurationError(
                f"bound_to takes a snapshot, not {type(caller).__name__}: write "
                "destinations.bound_to(snapshot())"
            )
        bound = copy(self)
        bound._caller = caller  # noqa: SLF001 - one of this class
        return bound

    def check(self, url: str) -> Origin:
        """The URL's origin. Raises `DestinationNotAllowed` unless it is named. Needs no caller."""
        origin = _checked_origin(url)
        self._destination_of(origin)
        return origin

    def apps_names(self) -> frozenset[str]:
        """The lower-case names of the app's own headers on which a destination has its word.

        Somewhere they are sent beside the caller, or never sent.
        """
        return frozenset[str]().union(
            *(each.conflicts.beside | each.conflicts.drop for each in self)
        )

    def settle(self, origin: Origin, sent: Mapping[str, Any], callers: dict[str, str]) -> Settled:
        """Decide between the app's own headers of a hop to this origin, and the caller's.

        `sent` has the app's headers, and ignores the case of names; `callers` is the result of
        `headers_for`.
        Raises `ConfigurationError` for two identities between which the destination doesn't decide.
        """
        with self._acting():
            caller = current_scope()
        destination = self._destination_of(origin)
        return destination.settle(origin, sent, callers, caller, self._sensitive)

    def names(self, origin: Origin) -> bool:
        """Whether credentials may travel to this origin."""
        return self._find(origin) is not None

    def sent_names(self, origin: Origin) -> frozenset[str]:
        """The lower-case names of headers that `send` names for this origin. For clients.

        Raises `DestinationNotAllowed`.
        """
        return self._destination_of(origin).sent_names()

    def select(self, origin: Origin, credentials: Credentials) -> Credentials:
        """The credentials among these that may travel to this origin. For narrowed snapshots.

        Raises `CredentialMissing` in the same situations as `headers_for`, and
        `DestinationNotAllowed`.
        """
        return self._destination_of(origin).select(credentials)

    def carry(
        self,
        url: str,
        headers: MutableMapping[str, Any],
        redirects: Redirects | None = None,
        *,
        proxied: bool = False,
        advice: str = "",
    ) -> Redirects:
        """Change the headers of one hop of a call to those that may be sent to its URL.

        Clients call this once for each hop. `headers` must ignore the case of names. `redirects` is
        the result for the previous hop, and None for the first one.

        The first hop must go to a named origin, as in `headers_for`. A redirect to another origin
        loses the credentials that the app set for the first one. It carries the caller's
        credentials if that origin is named, and none at all otherwise. Then no later hop carries
        any either: an origin that is not named chose where it goes.

        An identity of the app's own beside the caller's is a conflict, which the destination
        decides. If the app calls alone, it does so for as long as the call stays at its first
        origin, also if the client drops that header, as some do with Cookie on a redirect. For
        Cookie, the app's own is only the one with which the call began.

        Raises the same errors as `headers_for`, and `ConfigurationError` for a conflict that the
        destination doesn't decide. The headers stay as they are then. If the hop
        is `proxied`, it also raises `DestinationNotAllowed` instead of sending the caller's
        credentials in plain http, which the proxy could read; that text ends with `advice`.
        """
        return carry(self, url, headers, redirects, proxied=proxied, advice=advice)

    def sensitive_names(self) -> frozenset[str]:
        """The lower-case names of headers that must not reach an origin that is not named.

        They are Authorization, Cookie and other headers in which an app says who it is, every
        header of a destination, and every header of the caller.
        """
        return self._sensitive | self.caller_names()

    def caller_names(self) -> frozenset[str]:
        """The lower-case names of the caller's credentials; empty without a caller."""
        with self._acting():
            scope = current_scope()
        return frozenset() if scope is None else frozenset(scope.credential_names())

    def _acting(self) -> AbstractContextManager[object]:
        return _UNCHANGED if self._caller is None else self._caller.active()

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

    def _destination_of(self, origin: Origin) -> Destination:
        """The destination that names this origin. Raises `DestinationNotAllowed` if none does."""
        found = self._find(origin)
        if found is None:
            raise DestinationNotAllowed(_how_to_name(origin))
        return found

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


def check_destinations(given: object) -> Destinations:
    """The destinations that a client or a snapshot got, if they are `Destinations`.

    Raises `ConfigurationError` for anything else, such as a bare origin.
    """
    if not isinstance(given, Destinations):
        raise not_destinations()
    return given


def _checked_origin(url: str) -> Origin:
    origin = origin_of(url)
    if origin is None:
        raise DestinationNotAllowed(_how_to_write(url))
    return origin


def _how_to_write(url: str) -> str:
    """The error for a URL that has no origin. The URL may hold a secret, so it isn't shown."""
    if url and _FULL_URL.match(url) is None:
        return (
            "This is not a full URL: it lacks scheme or host, so it doesn't say where it leads. "
            "Write 'https://api.example.com/path', or give the client "
            "base_url='https://api.example.com'"
        )
    return (
        "No credentials travel to a URL that clients may read in different ways. Write scheme, "
        "host and path in ASCII ('https://api.example.com/path'), without a user name, a "
        "backslash or white space"
    )


def _how_to_name(origin: Origin) -> str:
    """The error for an origin that is not named."""
    text = f"{origin} is not among the destinations that credentials may travel to. "
    if origin.scheme == "https" or origin.is_loopback:
        return f"{text}If they may, write Destinations(..., '{origin}')"
    return (
        f"{text}It is plain http, readable by everyone on the way: use https. If credentials may "
        f"travel there all the same, write Destinations(..., Destination('{origin}', "
        "plain_http=True))"
    )
