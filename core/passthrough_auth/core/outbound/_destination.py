"""One origin to which credentials may travel, and their form."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal, NamedTuple, cast, final

from passthrough_auth.core._checking import checked_collection, checked_flag
from passthrough_auth.core._credential_rules import name_problem, valid_value
from passthrough_auth.core.caller import NOBODY, CallerScope, Credentials, current_scope
from passthrough_auth.core.errors import (
    ConfigurationError,
    CredentialMissing,
    CredentialUnusable,
    NoCaller,
)
from passthrough_auth.core.origin import Origin, origin_alone, origin_of, redacted

from ._identities import Conflicts, OnConflict, Others, Settled

OnMissing = Literal["raise", "anonymous"]
Send = Iterable[str] | Mapping[str, str]
"""The names of credentials, or a mapping from each name to the header line to send."""

_ON_MISSING = ("raise", "anonymous")
_WILDCARD = re.compile(r"(https?://)\*\.(.+)", re.ASCII | re.IGNORECASE | re.DOTALL)
# The whole value of a credential, or a bearer token without its scheme.
_VALUE, _TOKEN = "{value}", "{token}"
_PLACEHOLDERS = re.compile(r"\{(?:value|token)\}")
# Sample values of these headers. An Authorization value is a scheme, a space and credentials.
_SAMPLES = {"authorization": ("Bearer x", "Bearer x="), "cookie": ("x=x",)}
# RFC 6265 section 4.1.1: no white space, quote, comma, semicolon or backslash.
_COOKIE_OCTETS = re.compile(r"[!#-+\--:<-\[\]-~]+")


class _Line(NamedTuple):
    """The header line for one credential: the header `name`, and perhaps text around the value.

    `credential` is the name in the caller's request. Both names are in lower case.
    """

    credential: str
    name: str
    before: str = ""
    after: str = ""
    is_token: bool = False

    def header_value(self, value: str) -> str | None:
        """The header's value for this value of the credential; None if it makes no valid header.

        A caller must not be able to change the text around the value. So within a line, the value
        may have only the characters of a cookie value, which end no parameter of any header.
        """
        if self.is_token:
            scheme, _, value = value.partition(" ")
            # Another scheme's, such as a password, would leave as a token.
            if scheme.lower() != "bearer":
                return None
            value = value.lstrip(" ")
        if self.before or self.after:
            if _COOKIE_OCTETS.fullmatch(value) is None:
                return None
        elif self.credential == self.name and not self.is_token:
            return value
        return valid_value(self.name, f"{self.before}{value}{self.after}")


@final
class Destination:
    """One origin, and the caller's credentials that are sent to it.

        Destination("https://api.example.com", send=["authorization"])
        Destination(
            "https://reports.example.com",
            send={"x-forwarded-access-token": "Authorization: Bearer {value}"},
        )

    Args:
        origin: Scheme, host and, if unusual, port. `https://*.example.com` stands for every host
            below example.com, on that port, but not for example.com itself.
        send: The names of the credentials to send, as in the caller's request. Or a mapping from
            each name to the header line to send, where `{value}` is the credential, and `{token}`
            a bearer token without its scheme: any other scheme is then malformed. Default: all.
            With an empty list, the origin is called without any. If several lines have the same
            header name, the first one whose credential is available is sent. Within a line, a
            credential with white space, quotes, commas, semicolons or backslashes is malformed.
        on_missing: What to do if the caller has none of these credentials, or if a public path or a
            preflight has no caller: "raise", or send nothing ("anonymous"). In any other situation
            a missing caller raises.
        on_conflict: What to do with a call that carries the caller's credentials beside an identity
            of the app's own, such as the key that an SDK sets: "raise" `ConfigurationError`, let
            the "caller" call alone, or let the "app".
        drop: Headers of an SDK's own that are never sent there.
        beside: Headers that identify the app there, beside the caller, such as a gateway's
            subscription key.
        identities: More headers in which the app says who it is. `x-api-key` and its like are
            known.
        plain_http: Permits `http://` to another machine. Everyone on the way can read it.

    Raises `ConfigurationError` for an invalid option.
    """

    __slots__ = ("_lines", "_on_missing", "_origin", "_wildcard", "conflicts")

    _origin: Origin
    _wildcard: bool
    _on_missing: OnMissing

    def __init__(
        self,
        origin: str,
        *,
        send: Send | None = None,
        on_missing: OnMissing = "raise",
        on_conflict: OnConflict = "raise",
        drop: Iterable[str] | None = None,
        beside: Iterable[str] | None = None,
        identities: Iterable[str] | None = None,
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
        self.conflicts = Conflicts.checked(
            str(self), on_conflict, drop=drop, beside=beside, identities=identities
        )

    @property
    def origin(self) -> Origin:
        """The origin itself; for a wildcard, the origin above all its hosts."""
        return self._origin

    @property
    def wildcard(self) -> bool:
        """Whether it stands for all sub-domains of the origin."""
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
        return self._header_lines(credentials, self._lines)

    def select(self, credentials: Credentials) -> Credentials:
        """The credentials among these that are sent here. Work narrowed to it has no others.

        Raises `CredentialMissing` in the same situations as `headers`.
        """
        if self._lines == ():
            return NOBODY
        selected = credentials
        if self._lines is not None:
            names = {line.credential for line in self._lines}
            selected = Credentials(*(pair for pair in credentials.pairs() if pair[0] in names))
        if not selected:
            self._check_missing()
        return selected

    def settle(
        self,
        origin: Origin,
        sent: Mapping[str, Any],
        callers: dict[str, str],
        caller: CallerScope | None,
        named: frozenset[str],
    ) -> Settled:
        """Decide between the app's own headers and the caller's. `Conflicts.settle` says how.

        `named` has the headers that identify somebody at any destination.
        """
        present = {name.lower() for name in sent}
        copied = frozenset[str]()
        if caller is not None and self._lines is not None:
            left_out = present.intersection(caller.credential_names()) - self.sent_names()
            copied = frozenset([name for name in left_out if caller.has(name, sent[name])])
        if self._lines == ():
            # Called without any caller, so with whatever identity the app has.
            return Settled(self.conflicts.without_copies(origin, present, copied), {})
        has_caller = caller is not None and any(caller.credential_names())
        return self.conflicts.settle(origin, sent, callers, Others(named, copied, has_caller))

    def sensitive_names(self) -> frozenset[str]:
        """The lower-case names of what may identify someone here: the caller or the app."""
        lines = self._lines or ()
        callers = frozenset(name for line in lines for name in (line.credential, line.name))
        return callers | self.conflicts.names()

    def sent_names(self) -> frozenset[str]:
        """The lower-case names of headers that `send` names. Without it, they are the caller's."""
        return frozenset(line.name for line in self._lines or ())

    def _credentials(self, origin: Origin) -> Credentials | None:
        """The current caller's credentials; None for a call without a caller on purpose."""
        scope = current_scope()
        if scope is None:
            raise NoCaller("outside")
        try:
            return scope.credentials_for(origin)
        except NoCaller as absent:
            if self._on_missing == "anonymous" and absent.is_intended:
                return None
            raise

    def _header_lines(self, credentials: Credentials, lines: tuple[_Line, ...]) -> dict[str, str]:
        """The headers made from the caller's credentials by these lines."""
        values = credentials.headers()
        headers: dict[str, str] = {}
        for line in lines:
            if line.credential in values and line.name not in headers:
                header_value = line.header_value(values[line.credential])
                if header_value is None:
                    del values, headers  # a traceback with locals would show them
                    raise CredentialUnusable(
                        f"the caller's {line.credential!r} makes no valid {line.name!r} header"
                    )
                headers[line.name] = header_value
        if not headers:
            del values  # a traceback with locals would show them
            self._check_missing()
        return headers

    def _check_missing(self) -> None:
        """Raise `CredentialMissing`, unless `on_missing` is "anonymous"."""
        if self._on_missing == "raise":
            names = [repr(line.credential) for line in self._lines or ()]
            wanted = " or ".join(names) or "credential"
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
    wildcard, origin = _parse(given)
    if origin is None:
        of_url = origin_of(given)
        if of_url is not None:
            # The rest isn't shown: a query may contain secrets.
            raise ConfigurationError(f"a destination is an origin by itself: write '{of_url}'")
        raise ConfigurationError(
            f"{redacted(given)} is not an origin. Write scheme, host and, if unusual, port, in "
            "ASCII (an international name as 'xn--...') and without a path, a user name or a final "
            "dot: 'https://api.example.com', or 'https://*.example.com' for every sub-domain"
        )
    if wildcard and (origin.host.startswith("[") or not _has_subdomains(origin.host)):
        raise ConfigurationError(
            f"{given!r} would stand for everyone's hosts. A wildcard is for the sub-domains of a "
            "name of yours: 'https://*.example.com'"
        )
    return wildcard, origin


def _parse(given: str) -> tuple[bool, Origin | None]:
    """Whether the text is a wildcard, and its origin, or None if it has none."""
    wildcard = _WILDCARD.fullmatch(given)
    if wildcard is None:
        return False, origin_alone(given)
    return True, origin_alone(wildcard[1] + wildcard[2])


def _one_by_one(given: object) -> str:
    """The line to write instead of a list of origins, or an example."""
    listed = cast("Collection[object]", given if isinstance(given, list | tuple | set) else ())
    texts = (each for each in listed if isinstance(each, str))
    named = (each if _parse(each)[1] else origin_of(each) for each in texts)
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
        lines = cast("Mapping[object, object]", send)
        return tuple(_checked_line(credential, line) for credential, line in lines.items())
    example = f"[{send!r}]" if isinstance(send, str) else "['authorization']"
    names = checked_collection("send", send, example)
    return tuple(_checked_line(name, name) for name in names)


def _checked_line(credential: object, written: object) -> _Line:
    """The line for a credential, which an app writes as a header name or as a whole line."""
    if not isinstance(credential, str) or not isinstance(written, str):
        raise ConfigurationError(
            "send maps the name of a header to a line, as in {'x-forwarded-access-token': "
            f"'Authorization: Bearer {_VALUE}'}}, not {credential!r} to {written!r}"
        )
    if credential == "*":
        raise ConfigurationError("send=['*'] names no header: to send all there is, leave send out")
    name, colon, template = written.partition(":")
    if not colon and _PLACEHOLDERS.search(written):
        raise ConfigurationError(
            f"the line {written!r} in send lacks the header's name: write "
            f"'Authorization: {written}'"
        )
    template = template.strip(" \t") if colon else _VALUE
    for each in (credential, name):
        problem = name_problem(each.lower())
        if problem is not None:
            raise ConfigurationError(f"{problem} (in send)")
    placeholder = _PLACEHOLDERS.search(template)
    start, end = placeholder.span() if placeholder else (0, 0)
    is_token = template[start:end] == _TOKEN
    line = _Line(credential.lower(), name.lower(), template[:start], template[end:], is_token)
    if is_token and line.credential != "authorization":
        raise ConfigurationError(
            f"the line {written!r} in send: {_TOKEN} is the token of an Authorization header, and "
            f"{credential!r} is sent as it is: write {written.replace(_TOKEN, _VALUE)!r}"
        )
    if placeholder is None or not _makes_headers(line):
        # An Authorization value already has its scheme, so a line can't add text to it.
        whole = line.credential == "authorization"
        instead = (
            f"'{name}' to send it whole, or '{name}: {_TOKEN}' for the token alone"
            if whole
            else f"'{name}: Bearer {_VALUE}'"
        )
        raise ConfigurationError(
            f"the line {written!r} in send is no header with {_VALUE} or {_TOKEN} in it once, or "
            f"none that the value of {credential!r} makes: write {instead}"
        )
    return line


def _makes_headers(line: _Line) -> bool:
    """Whether a credential of that name can make a valid header in this line."""
    if "{" in line.before + line.after:
        return False
    samples = _SAMPLES.get(line.credential, ("x", "x x", "x=x"))
    return any(line.header_value(sample) is not None for sample in samples)
