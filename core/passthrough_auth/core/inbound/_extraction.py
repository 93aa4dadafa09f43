"""Extractors: how credentials are read from a request.

An extractor proposes a header; `name_problem` and `valid_value` decide whether it is forwarded.
They check the name under which it is forwarded, so a custom extractor must follow the same grammar
as the built-in ones.
"""

import re
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import NamedTuple, TypeVar, cast
from weakref import WeakKeyDictionary

from passthrough_auth.core._checking import check_arguments, checked_flag, is_async
from passthrough_auth.core._credential_rules import (
    is_one_authorization,
    is_token,
    is_too_long,
    name_problem,
)
from passthrough_auth.core.errors import ConfigurationError, MalformedCredential

from ._request import Request, cookie_pairs, cookie_text

HeaderExtractor = Callable[[Request], tuple[str, str] | None]
"""Reads a request and returns the (name, value) of a header to forward, or None."""

_Extractor = TypeVar("_Extractor", bound=HeaderExtractor)
_MARK = "__passthrough_auth_ambient__"

# Several WSGI servers join the lines of a Cookie header with a comma, as for other headers. Only
# the name of a cookie may stand before the `=`: session cookies in JSON have commas and `=` too.
_IN_A_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_JOINED_COOKIE = re.compile(rf",[ \t]*{_IN_A_NAME}+=")

# Prefixes of headers that an authenticating proxy sets from its own session cookie, or from the
# certificate of a TLS client. A browser attaches both automatically, so such a header proves no
# more than a cookie does.
_FROM_A_PROXY = (
    "cf-access-",
    "cf-client-cert-",
    "client-cert",
    "remote-",
    "ssl-client-",
    "tailscale-user-",
    "x-amzn-mtls-",
    "x-amzn-oidc-",
    "x-arr-clientcert",
    "x-auth-request-",
    "x-authentik-",
    "x-client-cert",
    "x-forwarded-access-token",
    "x-forwarded-client-cert",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-id-token",
    "x-forwarded-preferred-username",
    "x-forwarded-tls-client-cert",
    "x-forwarded-user",
    "x-goog-authenticated-user-",
    "x-goog-iap-",
    "x-ms-client-principal",
    "x-ms-token-",
    "x-pomerium-",
    "x-remote-",
    "x-ssl-client-",
    "x-vouch-",
    "x-webauth-",
)

# Schemes that a browser answers automatically once its user has logged in to the origin (RFC 7617,
# RFC 7616, RFC 4559).
_AMBIENT_SCHEMES = ("basic ", "digest ", "negotiate ", "ntlm ")
_LONGEST_AMBIENT_SCHEME = max(map(len, _AMBIENT_SCHEMES))


def header_extractor(*, ambient: bool) -> Callable[[_Extractor], _Extractor]:
    """Declare whether your extractor reads ambient credentials: attached by browsers automatically.

    Cookies are ambient. So is a header that a proxy derives from a cookie, or from a client's
    certificate. An undecorated extractor counts as ambient: if you forget the decorator, a
    cross-site request is refused instead of acting as the user. Raises `ConfigurationError` for a
    built-in extractor, because all apps in the process share it.
    """
    checked_flag("ambient", ambient)

    def mark(extractor: _Extractor) -> _Extractor:
        if is_built_in(extractor):
            raise ConfigurationError(
                f"{describe(extractor)} is known already. Write extract_custom_header(name, "
                "ambient=...), or decorate a function of your own that calls it"
            )
        return _marked(extractor, ambient=ambient)

    return mark


def _marked(extractor: _Extractor, *, ambient: bool) -> _Extractor:
    # The mark includes the function: a wrapper has the same mark (functools.wraps), but may read
    # other headers.
    try:
        setattr(extractor, _MARK, (extractor, ambient))
    except AttributeError:
        raise ConfigurationError(
            f"{describe(extractor)} can't be decorated: @header_extractor is for functions"
        ) from None
    return extractor


def is_ambient(extractor: HeaderExtractor) -> bool:
    """Whether a browser may have attached this extractor's credential automatically."""
    function = getattr(extractor, "__func__", extractor)  # a bound method has its function's mark
    marked, ambient = getattr(function, _MARK, (None, True))
    return ambient or marked is not function


def is_ambient_scheme(name: str, value: str) -> bool:
    """Whether this is an Authorization value with a scheme that browsers answer automatically."""
    if name != "authorization":
        return False
    start = value[:_LONGEST_AMBIENT_SCHEME]  # cut first, because the rest is long
    return start.lower().startswith(_AMBIENT_SCHEMES)


class Reads(NamedTuple):
    """What a built-in extractor looks for in a request, for messages."""

    header: str
    names: tuple[str, ...] = ()
    """The cookies, or the schemes, that it takes; empty if it takes the whole header."""


_BUILT_IN: WeakKeyDictionary[HeaderExtractor, Reads] = WeakKeyDictionary()


def built_in(header: str, *names: str, ambient: bool = False) -> Callable[[_Extractor], _Extractor]:
    """`header_extractor` for built-in ones: only the value of their result needs a check."""

    def mark(extractor: _Extractor) -> _Extractor:
        _BUILT_IN[extractor] = Reads(header, names)
        return _marked(extractor, ambient=ambient)

    return mark


# Functions that make extractors, and are easily given in place of one, with the call to write.
_MAKERS: WeakKeyDictionary[FunctionType, str] = WeakKeyDictionary()
_Maker = TypeVar("_Maker", bound=Callable[..., HeaderExtractor])


def makes_extractors(call: str) -> Callable[[_Maker], _Maker]:
    """Mark a function that makes extractors, when called as in this example."""

    def mark(function: _Maker) -> _Maker:
        _MAKERS[cast("FunctionType", function)] = call
        return function

    return mark


def what_it_reads(extractor: HeaderExtractor) -> Reads | None:
    """What a built-in extractor looks for; None for an extractor of the app's own."""
    return _BUILT_IN.get(extractor) if isinstance(extractor, FunctionType) else None


def is_built_in(extractor: HeaderExtractor) -> bool:
    """Whether it is a built-in extractor: it returns only None, or text with a forwardable name.

    Only these exact functions are built in. A function that wraps one is a custom extractor.
    """
    return isinstance(extractor, FunctionType) and extractor in _BUILT_IN


@built_in("authorization")
def extract_authorization_header(request: Request) -> tuple[str, str] | None:
    """The Authorization header (RFC 9110 section 11.6.2), its lines joined with a comma."""
    text = request.joined("authorization", ",")
    return None if text is None else ("authorization", text)


@built_in("authorization")
def extract_bare_authorization(request: Request) -> tuple[str, str] | None:
    """The Authorization header, also if it is a key without a scheme, which some APIs take."""
    return extract_authorization_header(request)


@makes_extractors("extract_schemes('Bearer', 'Token')")
def extract_schemes(*schemes: str) -> HeaderExtractor:
    """Make an extractor that takes the Authorization header only with one of these schemes.

    A header with another scheme counts as not sent, such as the Basic password of a proxy in front.
    One that is malformed stays malformed, and so do two lines. Raises `ConfigurationError` without
    a scheme, and for a text that no scheme can be.
    """
    if not schemes or not all(isinstance(each, str) and is_token(each) for each in schemes):
        raise ConfigurationError(
            f"extract_schemes takes the names of schemes, not {', '.join(map(repr, schemes))}: "
            "write extract_schemes('Bearer', 'Token')"
            if schemes
            else "extract_schemes needs a scheme: extract_schemes('Bearer', 'Token')"
        )
    starts = tuple(f"{scheme.lower()} " for scheme in schemes)
    longest = max(map(len, starts))

    @built_in("authorization", *schemes)
    def extract_authorization_schemes(request: Request) -> tuple[str, str] | None:
        text = request.joined("authorization", ",")
        if text is None:
            return None
        # Cut first, because the rest is long.
        if text[:longest].lower().startswith(starts) or is_too_long(text):
            return "authorization", text
        # Servers keep the white space around a value, or remove it.
        trimmed = text.strip(" \t")
        of_another = not trimmed[:longest].lower().startswith(starts)
        return None if of_another and is_one_authorization(trimmed) else ("authorization", text)

    return extract_authorization_schemes


_extract_bearer = extract_schemes("Bearer")


@built_in("authorization", "Bearer")
def extract_bearer_token(request: Request) -> tuple[str, str] | None:
    """The Authorization header with the scheme Bearer (RFC 6750 section 2.1), and with no other.

    `extract_schemes` makes extractors for other schemes, and says what becomes of the rest.
    """
    return _extract_bearer(request)


@built_in("cookie", ambient=True)
def extract_cookie_header(request: Request) -> tuple[str, str] | None:
    """The whole Cookie header. `extract_cookies` forwards only named cookies."""
    text = request.joined("cookie", "; ")
    return ("cookie", text) if text else None


@makes_extractors("extract_cookies('session')")
def extract_cookies(*names: str) -> HeaderExtractor:
    """Make an extractor that forwards only the named cookies.

    A `*` at the end of a name stands for any rest: `sb-*` takes the chunks of a session that is too
    long for one cookie.

    A cookie that was sent twice with two values is malformed: one of them may have been planted
    from a sibling domain, and it can't be told which. A cookie without a value counts as not sent.
    Other cookies don't matter. Raises `ConfigurationError` without a name, and for a name that no
    cookie can have.
    """
    if not names:
        raise ConfigurationError("extract_cookies needs a name: extract_cookies('session')")
    for name in names:
        fixed = name[:-1] if isinstance(name, str) and name[-1:] == "*" else name
        _check_cookie_name(
            fixed,
            f"{name!r} is not the name of a cookie: write extract_cookies('session', 'sso'), or "
            "'sb-*' for all whose names begin with 'sb-'",
        )
    find = _cookie_finder(names, "cookie")

    @built_in("cookie", *names, ambient=True)
    def extract_named_cookies(request: Request) -> tuple[str, str] | None:
        found = find(request)
        return ("cookie", "; ".join(map("=".join, found.items()))) if found else None

    return extract_named_cookies


def _check_cookie_name(name: object, otherwise: str) -> None:
    """Raise `ConfigurationError` with this text if no cookie can have that name."""
    if not isinstance(name, str) or not is_token(name) or "*" in name:
        raise ConfigurationError(otherwise)


@makes_extractors("extract_bearer_from_cookie('access_token')")
def extract_bearer_from_cookie(name: str) -> HeaderExtractor:
    """Make an extractor that forwards the token in a cookie as `authorization: Bearer ...`.

    Quotes around the value, percent-encoding and a `Bearer` before the token are taken off: the
    cookies of Python's and of JavaScript's frameworks have them. It is ambient. Of two extractors
    that find a token, the first one wins, so list this one after `extract_bearer_token`. A cookie
    sent twice with two values is malformed, as for `extract_cookies`. Raises `ConfigurationError`
    for a name that no cookie can have.
    """
    _check_cookie_name(
        name,
        f"{name!r} is not the name of a cookie: write extract_bearer_from_cookie('access_token')",
    )
    find = _cookie_finder((name,), "authorization")

    @built_in("cookie", name, ambient=True)
    def extract_token_in_cookie(request: Request) -> tuple[str, str] | None:
        value = find(request).get(name)
        if value is None:
            return None
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1]
        if "%" in value:  # which no bearer token has (RFC 6750 section 2.1)
            from urllib.parse import unquote

            value = unquote(value, "latin-1")
        if value[:7].lower() == "bearer ":
            value = value[7:]
        return "authorization", f"Bearer {value}"

    return extract_token_in_cookie


def _cookie_finder(
    names: tuple[str, ...], forwarded_as: str
) -> Callable[[Request], dict[str, str]]:
    """A function that finds these cookies, in the order of `names`.

    It raises `MalformedCredential` for the name `forwarded_as`.
    """
    exact = frozenset(name for name in names if not name.endswith("*"))
    prefixes = tuple(name[:-1] for name in names if name.endswith("*"))
    alternatives = [
        *map(re.escape, exact),
        *(f"{re.escape(each)}{_IN_A_NAME}*" for each in prefixes),
    ]
    behind_a_comma = re.compile(rf",[ \t]*(?:{'|'.join(alternatives)})[ \t]*=")

    def find(request: Request) -> dict[str, str]:
        text = cookie_text(request)
        if is_too_long(text):
            raise MalformedCredential("the Cookie header is too long", name=forwarded_as)
        if behind_a_comma.search(text):
            raise MalformedCredential("a cookie asked for was joined to another", name=forwarded_as)
        found: dict[str, str] = {}
        for name, value in cookie_pairs(text):
            if name not in exact and not name.startswith(prefixes):
                continue
            problem = _problem_with_cookie(value, found.setdefault(name, value))
            if problem:
                raise MalformedCredential(f"a cookie asked for {problem}", name=forwarded_as)
        return _in_order(names, found) if len(found) > 1 else found

    return find


def _problem_with_cookie(value: str, first: str) -> str | None:
    if value != first:
        return "was sent twice with two values"
    if _JOINED_COOKIE.search(value):
        return "was joined with another"
    return None if value.isascii() else "has characters beyond ASCII"


def _in_order(names: tuple[str, ...], found: dict[str, str]) -> dict[str, str]:
    ordered: dict[str, str] = {}
    for name in names:
        if name.endswith("*"):
            ordered |= {own: found[own] for own in found if own.startswith(name[:-1])}
        elif name in found:
            ordered[name] = found[name]
    return ordered


@makes_extractors("extract_custom_header('name')")
def extract_custom_header(
    header_name: str, *, ambient: bool | None = None, commas: bool = False
) -> HeaderExtractor:
    """Make an extractor that forwards one header under its own name.

    A header that was sent twice is malformed. Many servers join its lines with a comma before the
    app sees them, so a value with a comma is also malformed. Set `commas` if this header's own
    values contain commas.

    `ambient` means that another site can make a browser send the header. By default, that applies
    only to cookies, and to headers that a proxy is known to set from its session cookie or the
    client's certificate, such as `x-forwarded-access-token`.

    Raises `ConfigurationError` for an invalid header name, for a name that may not be forwarded,
    and for an option that has no meaning for that header.
    """
    if not isinstance(header_name, str):
        raise ConfigurationError(
            f"extract_custom_header takes the name of one header, not {header_name!r}: write an "
            "extractor for each, as in extract_custom_header('x-flyte-token')"
        )
    name = header_name.lower()
    problem = name_problem(name)
    if problem:
        raise ConfigurationError(problem)
    if "_" in name:
        raise ConfigurationError(
            f"{header_name!r}: servers and proxies drop headers whose names have an underscore, or "
            f"give them other names. Write {name.replace('_', '-')!r}"
        )
    checked_flag("commas", commas)
    if commas and name in ("authorization", "cookie"):
        raise ConfigurationError(
            f"commas=True has no meaning for {name!r}; the schemes of Authorization that hold "
            "commas are named in comma_schemes"
        )
    known = name == "cookie" or name.startswith(_FROM_A_PROXY)
    ambient = known if ambient is None else checked_flag("ambient", ambient)
    if name == "cookie":
        if not ambient:
            raise ConfigurationError("a browser attaches cookies by itself: leave ambient out")
        return extract_cookie_header

    @built_in(name, ambient=ambient)
    def extract_named_header(request: Request) -> tuple[str, str] | None:
        lines = request.lines(name)
        if not lines:
            return None
        if name != "authorization":
            _check_single(name, lines, commas=commas)
        return name, ",".join(lines)

    return extract_named_header


def _check_single(name: str, lines: Sequence[str], *, commas: bool) -> None:
    if is_too_long(lines[0]):
        raise MalformedCredential(f"{name!r} is too long", name=name)
    if len(lines) > 1 or ("," in lines[0] and not commas):
        raise MalformedCredential(f"{name!r} was sent more than once", name=name)


DEFAULT_EXTRACTORS: tuple[HeaderExtractor, ...] = (
    extract_authorization_header,
    extract_cookie_header,
)


def checked_extractor(extractor: object) -> HeaderExtractor:
    """Return the extractor, or raise `ConfigurationError` with an explanation."""
    if isinstance(extractor, str):
        own = {"authorization": "extract_authorization_header", "cookie": "extract_cookie_header"}
        instead = own.get(extractor.lower(), f"extract_custom_header({extractor!r})")
        raise ConfigurationError(f"header_extractors takes functions: write {instead}")
    if not callable(extractor):
        raise ConfigurationError(f"{extractor!r} is not an extractor: it can't be called")
    if isinstance(extractor, FunctionType) and extractor in _MAKERS:
        raise ConfigurationError(
            f"{extractor.__name__} makes extractors: write {_MAKERS[extractor]}"
        )
    if isinstance(extractor, type):
        raise ConfigurationError(f"{describe(extractor)} is a class; extractors are functions")
    if is_async(extractor):
        raise ConfigurationError(
            f"{describe(extractor)} is an async function. Extractors only read the request: make "
            "it a plain `def`"
        )
    if not is_built_in(cast("HeaderExtractor", extractor)):
        check_arguments(f"the extractor {describe(extractor)}", extractor, "request")
    return cast("HeaderExtractor", extractor)


def describe(extractor: object) -> str:
    """The extractor's name, for messages. Not its repr, which may show secrets that it holds."""
    name = getattr(extractor, "__qualname__", type(extractor).__qualname__)
    return f"{getattr(extractor, '__module__', '?')}.{name}"
