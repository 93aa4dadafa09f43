"""Where the caller's credentials may travel, and in which form. By default, nowhere.

Every client checks every hop in the same way, so that a redirect can't carry credentials to an
origin that the app has not named.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping
from typing import Any, Literal, NamedTuple, NoReturn, cast, final

from .checking import checked_collection, checked_flag
from .context import current_hold
from .credentials import NOBODY, Credential, Credentials
from .errors import (
    Absence,
    ConfigurationError,
    CredentialMissing,
    CredentialUnusable,
    DestinationNotAllowed,
    NoCaller,
)
from .grammar import name_problem, valid_value
from .origin import Origin, origin_alone, origin_of

OnMissing = Literal["raise", "anonymous"]
Send = Iterable[str] | Mapping[str, str]

_ON_MISSING = ("raise", "anonymous")
# Reasons for which a request has no caller on purpose. Any other one is a mistake in the app.
_ON_PURPOSE: frozenset[Absence] = frozenset({"public", "preflight"})
# Clients and apps identify someone by these, whether or not a destination is sent them.
_ALWAYS_CONFINED = frozenset({"authorization", "cookie"})
_WILDCARD = re.compile(r"(https?://)\*\.(.+)", re.ASCII | re.IGNORECASE | re.DOTALL)
# Any scheme and host.
_FULL_URL = re.compile(r"\s*[a-z][a-z0-9+.-]*://[^/?#]", re.ASCII | re.IGNORECASE)
_VALUE = "{value}"
# Sample values of these headers. An Authorization value is a scheme, a space and credentials.
_SAMPLES = {"authorization": ("x x", "x x="), "cookie": ("x=x",)}
# RFC 6265 section 4.1.1: no white space, quote, comma, semicolon or backslash.
_COOKIE_OCTETS = re.compile(r"[!#-+\--:<-\[\]-~]+")


class _Line(NamedTuple):
    """How one credential is sent: the name that it came under, and the header line to send."""

    inbound: str
    name: str
    before: str = ""
    after: str = ""

    def render(self, value: str) -> str | None:
        """The header value to send for this credential; None if it makes no valid header.

        A caller must not be able to change the text around the value. So within a line, the value
        may have only the characters of a cookie value, which end no parameter of any header.
        """
        if self.before or self.after:
            if _COOKIE_OCTETS.fullmatch(value) is None:
                return None
        elif self.inbound == self.name:
            return value
        return valid_value(self.name, f"{self.before}{value}{self.after}")


@final
class Destination:
    """One origin, and the caller's credentials that it is sent.

        Destination("https://api.example.com", send=["authorization"])
        Destination(
            "https://reports.example.com",
            send={"x-forwarded-access-token": "Authorization: Bearer {value}"},
        )

    Args:
        origin: Scheme, host and, if unusual, port. `https://*.example.com` stands for every host
            below example.com, on that port, but not for example.com itself.
        send: The names of the credentials to send, as they came in. Or a mapping from each name to
            the header line to send, where `{value}` is the credential. By default, all credentials.
            An empty list names an origin that is called without any. If several lines have the same
            header name, the first one whose credential is available is sent. Within a line, a
            credential with white space, quotes, commas, semicolons or backslashes is malformed.
        on_missing: What to do if the caller has none of these credentials, or if a public path or a
            preflight has no caller: "raise", or send nothing ("anonymous"). In any other situation
            a missing caller raises.
        plain_http: Permits `http://` to another machine. Everyone on the way can read it.

    Raises `ConfigurationError` for an invalid option.
    """

    __slots__ = ("_lines", "on_missing", "origin", "wildcard")

    origin: Origin
    wildcard: bool
    on_missing: OnMissing

    def __init__(
        self,
        origin: str,
        *,
        send: Send | None = None,
        on_missing: OnMissing = "raise",
        plain_http: bool = False,
    ) -> None:
        self.wildcard, self.origin = _checked_origin(origin)
        _check_scheme(self.origin, str(self), plain_http)
        self._lines = None if send is None else _checked_send(send)
        if on_missing not in _ON_MISSING:
            raise ConfigurationError(
                f"on_missing is 'raise' or 'anonymous', not {on_missing!r} (for {self})"
            )
        self.on_missing = on_missing

    def headers(self, origin: Origin) -> dict[str, str]:
        """The credentials that the current caller's request carries, by lower-case header name.

        `origin` is the origin that is called; for a wildcard, it is one of the hosts below it.
        Raises the same errors as `Destinations.headers_for`.
        """
        if self._lines == ():
            return {}
        credentials = self._credentials(origin)
        if credentials is None:
            return {}
        if not credentials:
            self._check_missing()
        if self._lines is None:
            return credentials.headers()
        return self._rendered(credentials, self._lines)

    def sendable(self, credentials: Credentials) -> Credentials:
        """The credentials that are sent here, in any form. Work narrowed to it has no others.

        Raises `CredentialMissing` in the same situations as `headers`.
        """
        if self._lines == ():
            return NOBODY
        found = credentials
        if self._lines is not None:
            inbound = {line.inbound for line in self._lines}
            found = Credentials(*(pair for pair in credentials.pairs() if pair[0] in inbound))
        if not found:
            self._check_missing()
        return found

    def confined(self) -> frozenset[str]:
        """The lower-case names of the credentials that are sent here, as they came and as sent."""
        lines = self._lines or ()
        return frozenset(name for line in lines for name in (line.inbound, line.name))

    def sent_names(self) -> frozenset[str]:
        """The lower-case names of headers that `send` names. Without it, they are the caller's."""
        return frozenset(line.name for line in self._lines or ())

    def _credentials(self, origin: Origin) -> Credentials | None:
        hold = current_hold()
        if hold is None:
            raise NoCaller("outside")
        try:
            return hold.credentials_for(origin)
        except NoCaller as absent:
            if self.on_missing == "anonymous" and absent.reason in _ON_PURPOSE:
                return None
            raise

    def _rendered(self, credentials: Credentials, lines: tuple[_Line, ...]) -> dict[str, str]:
        values = credentials.headers()
        headers: dict[str, str] = {}
        for line in lines:
            if line.inbound in values and line.name not in headers:
                rendered = line.render(values[line.inbound])
                if rendered is None:
                    del values, headers  # a traceback with locals would show them
                    raise CredentialUnusable(
                        f"the caller's {line.inbound!r} makes no valid {line.name!r} header"
                    )
                headers[line.name] = rendered
        if not headers:
            del values  # a traceback with locals would show them
            self._check_missing()
        return headers

    def _check_missing(self) -> None:
        """Raise `CredentialMissing`, unless `on_missing` is "anonymous"."""
        if self.on_missing == "raise":
            wanted = " or ".join(repr(line.inbound) for line in self._lines or ()) or "credential"
            raise CredentialMissing(
                f"The caller has no {wanted} to send to {self}. Read it from requests with "
                "header_extractors, name it in send= where work is narrowed to destinations, or "
                "write on_missing='anonymous' to send nothing"
            )

    def __str__(self) -> str:
        text = str(self.origin)
        return text.replace("://", "://*.", 1) if self.wildcard else text

    def __repr__(self) -> str:
        return f"<Destination {self}>"


class Trail(NamedTuple):
    """The path of one call so far. A client keeps it between two hops; it holds no secret.

    `origin` is the origin of the first hop. `strayed` is true from the first hop that leaves it.
    Until then, `own` has the names of headers that the app itself set instead of the caller's, and
    `cookie` is what `keep_first_cookie` returned for the first hop.
    """

    origin: Origin
    strayed: bool = False
    own: frozenset[str] = frozenset()
    cookie: str | None = None


@final
class Hop:
    """The changes for one hop of a call: headers to remove, headers to add, and the trail so far.

    Pass `trail` to the next hop after this one was applied. Only `add` holds secrets. A hop can't
    be pickled, and its repr shows no secrets.
    """

    __slots__ = ("add", "remove", "trail")

    def __init__(self, remove: frozenset[str], add: Mapping[str, str], trail: Trail) -> None:
        self.remove = remove
        self.add = add
        self.trail = trail

    def apply(self, headers: MutableMapping[str, Any]) -> list[str]:
        """Change the headers of this hop. Their mapping must ignore the case of names.

        A header that the app itself set stays unchanged while the call stays at its first origin.
        For Cookie, that is only the one that the call began with. If the client drops that header,
        as some do with Cookie on a redirect, the caller's does not replace it: next to the app's
        other headers, it would be another identity. Returns the names of the caller's headers that
        were added. They may have to be removed after the hop.
        """
        for name in self.remove:
            if name in headers:
                del headers[name]
        cookie = keep_first_cookie(headers, self.trail.cookie)
        own = self.trail.own.union(name for name in self.add if name in headers)
        self.trail = self.trail._replace(own=own, cookie=cookie)
        added = [name for name in self.add if name not in own]
        for name in added:
            headers[name] = self.add[name]
        return added

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Hop holds secrets and can't be pickled")

    def __repr__(self) -> str:
        return f"<Hop to {self.trail.origin} adding {sorted(self.add)}>"


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
        origin = origin_of(url)
        return self._named(origin, url).headers(cast("Origin", origin))

    def check(self, url: str) -> None:
        """Raise `DestinationNotAllowed` unless the URL's origin is named. Needs no caller."""
        self._named(origin_of(url), url)

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
        origin = origin_of(url)
        if trail is None:
            destination = self._named(origin, url)
            trail = Trail(cast("Origin", origin))
            return Hop(frozenset(), destination.headers(trail.origin), trail)
        if origin == trail.origin and not trail.strayed:
            return Hop(frozenset(), self._named(origin).headers(trail.origin), trail)
        stray = Trail(trail.origin, strayed=True)
        found = None if origin is None else self._find(origin)
        added = {} if origin is None or found is None else found.headers(origin)
        return Hop(self.confined_headers(), added, stray)

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

    def _named(self, origin: Origin | None, url: str = "") -> Destination:
        if origin is None:
            raise DestinationNotAllowed(_how_to_write(url))
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


def keep_first_cookie(headers: MutableMapping[str, Any], first: str | None) -> str:
    """Take away any Cookie but the one that a call began with, which is the app's own.

    One that turns up later is the client library's doing: it is of a response on the way, perhaps
    a stranger's, and would stand in place of the caller's.

    `first` is what this returned for the first hop, and None there. It is no secret: a fingerprint,
    empty for a call that began without a Cookie.
    """
    found = ""
    if "cookie" in headers:
        found = Credential("cookie", repr(headers["cookie"])).fingerprint
    if first is None:
        return found
    if found and found != first:
        del headers["cookie"]
    return first


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


def _checked_origin(given: object) -> tuple[bool, Origin]:
    """Whether it is a wildcard, and its origin. A wildcard's hosts are all below its origin."""
    if not isinstance(given, str):
        raise ConfigurationError(
            f"a destination is an origin such as 'https://api.example.com', not a "
            f"{type(given).__name__}: write {_one_by_one(given)}"
        )
    wildcard = _WILDCARD.fullmatch(given)
    origin = origin_alone(wildcard[1] + wildcard[2] if wildcard else given)
    if origin is None:
        meant = origin_of(given)
        if meant is not None:
            raise ConfigurationError(f"{given!r} is not an origin by itself: write '{meant}'")
        raise ConfigurationError(
            f"{_shown(given)} is not an origin. Write scheme, host and, if unusual, port, in ASCII "
            "(an international name as 'xn--...') and without a path, a user name or a final dot: "
            "'https://api.example.com', or 'https://*.example.com' for every sub-domain"
        )
    if wildcard and (origin.host.startswith("[") or not _has_subdomains(origin.host)):
        raise ConfigurationError(
            f"{given!r} would stand for everyone's hosts. A wildcard is for the sub-domains of a "
            "name of yours: 'https://*.example.com'"
        )
    return wildcard is not None, origin


def _one_by_one(given: object) -> str:
    """The line to write instead of a list of origins, or of something else."""
    listed = cast("Collection[object]", given if isinstance(given, list | tuple | set) else ())
    # What is before an @ can be a password.
    origins = [repr(each) for each in listed if isinstance(each, str) and "@" not in each]
    return f"Destinations({', '.join(origins) or repr('https://api.example.com')})"


def _shown(given: str) -> str:
    # What is before an @ can be a password.
    return f"What ends in {given.rpartition('@')[2]!r}" if "@" in given else repr(given)


def _has_subdomains(host: str) -> bool:
    """Whether it is a name of at least two labels, and not an IPv4 address."""
    return "." in host and not host.replace(".", "").isdigit()


def _check_scheme(origin: Origin, text: str, plain_http: object) -> None:
    checked_flag("plain_http", plain_http)
    if origin.scheme == "https" and plain_http:
        raise ConfigurationError(f"{text} is https: leave plain_http out, or write 'http://...'")
    if origin.scheme == "http" and not (plain_http or origin.is_loopback):
        raise ConfigurationError(
            f"{text} is plain http, readable by everyone on the way. Write 'https://...', or "
            f"Destination('{text}', plain_http=True) if credentials may travel there all the same"
        )


def _checked_send(send: object) -> tuple[_Line, ...]:
    if isinstance(send, Mapping):
        renamed = cast("Mapping[object, object]", send)
        return tuple(_checked_line(inbound, line) for inbound, line in renamed.items())
    example = f"[{send!r}]" if isinstance(send, str) else "['authorization']"
    names = checked_collection("send", send, example)
    return tuple(_checked_line(name, name) for name in names)


def _checked_line(inbound: object, line: object) -> _Line:
    if not isinstance(inbound, str) or not isinstance(line, str):
        raise ConfigurationError(
            "send maps the name of a header to a line, as in {'x-forwarded-access-token': "
            f"'Authorization: Bearer {_VALUE}'}}, not {inbound!r} to {line!r}"
        )
    if inbound == "*":
        raise ConfigurationError("send=['*'] names no header: to send all there is, leave send out")
    name, colon, template = line.partition(":")
    if not colon and _VALUE in line:
        raise ConfigurationError(
            f"the line {line!r} in send lacks the header's name: write 'Authorization: {line}'"
        )
    template = template.strip(" \t") if colon else _VALUE
    for each in (inbound, name):
        problem = name_problem(each.lower())
        if problem is not None:
            raise ConfigurationError(f"{problem} (in send)")
    before, value, after = template.partition(_VALUE)
    checked = _Line(inbound.lower(), name.lower(), before, after)
    if not value or not _renders(checked):
        # An Authorization value has its scheme already, so it makes a line only by itself.
        whole = checked.inbound == "authorization"
        instead = f"'{name}' to send it whole" if whole else f"'{name}: Bearer {_VALUE}'"
        raise ConfigurationError(
            f"the line {line!r} in send is no header with {_VALUE} in it once, or none that the "
            f"value of {inbound!r} makes: write {instead}"
        )
    return checked


def _renders(line: _Line) -> bool:
    """Whether a credential of that name can make a valid header in this line."""
    if "{" in line.before + line.after:
        return False
    samples = _SAMPLES.get(line.inbound, ("x", "x x", "x=x"))
    return any(line.render(sample) is not None for sample in samples)
