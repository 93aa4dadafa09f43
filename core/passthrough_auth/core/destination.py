"""One origin that credentials may travel to, and in which form."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Literal, NamedTuple, cast, final

from .checking import checked_collection, checked_flag
from .context import current_hold
from .credentials import NOBODY, Credentials
from .errors import (
    Absence,
    ConfigurationError,
    CredentialMissing,
    CredentialUnusable,
    NoCaller,
)
from .grammar import name_problem, valid_value
from .origin import Origin, origin_alone, origin_of, shown

OnMissing = Literal["raise", "anonymous"]
Send = Iterable[str] | Mapping[str, str]

_ON_MISSING = ("raise", "anonymous")
# Reasons for which a request has no caller on purpose. Any other one is a mistake in the app.
_ON_PURPOSE: frozenset[Absence] = frozenset({"public", "preflight"})
_WILDCARD = re.compile(r"(https?://)\*\.(.+)", re.ASCII | re.IGNORECASE | re.DOTALL)
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

    __slots__ = ("_lines", "_on_missing", "_origin", "_wildcard")

    _origin: Origin
    _wildcard: bool
    _on_missing: OnMissing

    def __init__(
        self,
        origin: str,
        *,
        send: Send | None = None,
        on_missing: OnMissing = "raise",
        plain_http: bool = False,
    ) -> None:
        self._wildcard, self._origin = _checked_origin(origin)
        _check_scheme(self._origin, str(self), plain_http)
        self._lines = None if send is None else _checked_send(send)
        if on_missing not in _ON_MISSING:
            raise ConfigurationError(
                f"on_missing is 'raise' or 'anonymous', not {on_missing!r} (for {self})"
            )
        self._on_missing = on_missing

    @property
    def origin(self) -> Origin:
        """The origin itself, or for a wildcard the one that all its hosts are below."""
        return self._origin

    @property
    def wildcard(self) -> bool:
        """Whether it stands for sub-domains."""
        return self._wildcard

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
            if self._on_missing == "anonymous" and absent.reason in _ON_PURPOSE:
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
        if self._on_missing == "raise":
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


def _checked_origin(given: object) -> tuple[bool, Origin]:
    """Whether it is a wildcard, and its origin. A wildcard's hosts are all below its origin."""
    if not isinstance(given, str):
        raise ConfigurationError(
            f"a destination is an origin such as 'https://api.example.com', not a "
            f"{type(given).__name__}: write {_one_by_one(given)}"
        )
    wildcard, origin = _read(given)
    if origin is None:
        meant = origin_of(given)
        if meant is not None:
            # The rest isn't shown: a query is where secrets travel.
            raise ConfigurationError(f"a destination is an origin by itself: write '{meant}'")
        raise ConfigurationError(
            f"{shown(given)} is not an origin. Write scheme, host and, if unusual, port, in ASCII "
            "(an international name as 'xn--...') and without a path, a user name or a final dot: "
            "'https://api.example.com', or 'https://*.example.com' for every sub-domain"
        )
    if wildcard and (origin.host.startswith("[") or not _has_subdomains(origin.host)):
        raise ConfigurationError(
            f"{given!r} would stand for everyone's hosts. A wildcard is for the sub-domains of a "
            "name of yours: 'https://*.example.com'"
        )
    return wildcard, origin


def _read(given: str) -> tuple[bool, Origin | None]:
    wildcard = _WILDCARD.fullmatch(given)
    if wildcard is None:
        return False, origin_alone(given)
    return True, origin_alone(wildcard[1] + wildcard[2])


def _one_by_one(given: object) -> str:
    """The line to write instead of a list of origins, or of something else."""
    listed = cast("Collection[object]", given if isinstance(given, list | tuple | set) else ())
    texts = (each for each in listed if isinstance(each, str))
    named = (each if _read(each)[1] else origin_of(each) for each in texts)
    origins = ", ".join(f"'{each}'" for each in named if each is not None)
    return f"Destinations({origins or repr('https://api.example.com')})"


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
