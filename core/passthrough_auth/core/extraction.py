"""Taking credentials off a request, and what counts as one.

An extractor proposes a header to forward; `check_name` and `check_value` decide whether it may
travel. They judge by the name it will travel under, so an app's own extractor is held to the same
grammar as the built-in ones.
"""

import re
from collections.abc import Callable
from types import FunctionType
from typing import TypeVar, cast
from weakref import WeakSet

from .checking import checked_arguments, checked_flag
from .errors import ConfigurationError, MalformedCredential
from .request import Request, cookie_pairs, cookie_text

HeaderExtractor = Callable[[Request], tuple[str, str] | None]
"""Reads a request and yields the (name, value) of a header to forward, or None."""

_Extractor = TypeVar("_Extractor", bound=HeaderExtractor)
_MARK = "__passthrough_auth_ambient__"

MAX_VALUE_BYTES = 8190
"""The longest Authorization or custom header value, in bytes: the line limit of Apache."""


def _alphabet(allowed: bytes) -> bytes:
    """A table for `bytes.translate` that leaves these characters as they are, and no others."""
    return bytes(code if code in allowed else code ^ 0x80 for code in range(256))


_VISIBLE_CHARACTERS = bytes(range(0x21, 0x7F))
_VISIBLE_AND_SPACE = _alphabet(b" " + _VISIBLE_CHARACTERS)
_VISIBLE_BUT_COMMA = _alphabet(_VISIBLE_CHARACTERS.replace(b",", b""))
_TOKEN = _alphabet(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
# Several WSGI servers join the lines of a Cookie header with a comma, like those of any other.
_JOINED_COOKIE = re.compile(r",[ \t]*[^=; \t,]+=")
_QUOTED = r'"(?:[ !#-\[\]-~]|\\[ -~])*"'
_AUTH_PARAM = rf"[!#$%&'*+.^_`|~0-9A-Za-z-]+[ \t]*=[ \t]*(?:[!#-+\--~]+|{_QUOTED})"
_AUTH_PARAMS = re.compile(rf"{_AUTH_PARAM}(?:[ \t]*,[ \t]*{_AUTH_PARAM})*")
_COOKIE_PAIR = re.compile(r"(?:\A|;)[ \t]*[^=; \t][^=;]*=")

# Hop-by-hop (RFC 9110 section 7.6.1), framing and routing fields: forwarding one of these would
# let a caller steer the connection to upstream instead of naming themselves.
_NOT_FORWARDABLE = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "forwarded",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
    }
)

# Headers that an authenticating proxy sets from its own session cookie, or from the certificate of
# a TLS client, by how their names begin. A browser attaches both by itself, so such a header proves
# no more than a cookie does.
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

# Schemes a browser answers by itself once its user has logged in to the origin (RFC 7617,
# RFC 7616, RFC 4559).
_AMBIENT_SCHEMES = ("basic ", "digest ", "negotiate ", "ntlm ")
_LONGEST_AMBIENT_SCHEME = max(map(len, _AMBIENT_SCHEMES))


def header_extractor(*, ambient: bool) -> Callable[[_Extractor], _Extractor]:
    """Say of your own extractor whether what it reads is ambient: attached by a browser by itself.

    Cookies are ambient, and so is a header that a proxy derives from one, or from a client's
    certificate. An undecorated extractor counts as ambient, so that forgetting this refuses a
    cross-site request instead of letting it act as the user. Raises `ConfigurationError` for one
    of this library's own, which every app in the process shares.
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
    # With the function itself: what wraps it copies the mark (functools.wraps), and may read more.
    try:
        setattr(extractor, _MARK, (extractor, ambient))
    except AttributeError:
        raise ConfigurationError(
            f"{describe(extractor)} can't be decorated: @header_extractor is for functions"
        ) from None
    return extractor


def is_ambient(extractor: HeaderExtractor) -> bool:
    """Whether what this extractor yields may have been attached by a browser on its own."""
    function = getattr(extractor, "__func__", extractor)  # a bound method has its function's mark
    marked, ambient = getattr(function, _MARK, (None, True))
    return ambient or marked is not function


def is_ambient_scheme(name: str, value: str) -> bool:
    """Whether this is an Authorization value whose scheme browsers answer by themselves."""
    if name != "authorization":
        return False
    start = value[:_LONGEST_AMBIENT_SCHEME]  # what follows is long
    return start.lower().startswith(_AMBIENT_SCHEMES)


_BUILT_IN: WeakSet[HeaderExtractor] = WeakSet()


def _built_in(*, ambient: bool) -> Callable[[_Extractor], _Extractor]:
    """`header_extractor`, for those below: what they yield needs no check but that of its value."""

    def mark(extractor: _Extractor) -> _Extractor:
        _BUILT_IN.add(extractor)
        return _marked(extractor, ambient=ambient)

    return mark


def is_built_in(extractor: HeaderExtractor) -> bool:
    """Whether it yields nothing but None and pairs of text with a name that may be forwarded.

    Only these very functions do: one that wraps them is an app's own.
    """
    return isinstance(extractor, FunctionType) and extractor in _BUILT_IN


@_built_in(ambient=False)
def extract_authorization_header(request: Request) -> tuple[str, str] | None:
    """The Authorization header (RFC 9110 section 11.6.2), all its lines joined with a comma."""
    lines = request.lines("authorization")
    return ("authorization", ",".join(lines)) if lines else None


@_built_in(ambient=True)
def extract_cookie_header(request: Request) -> tuple[str, str] | None:
    """The whole Cookie header. `extract_cookies` forwards named cookies only."""
    text = "; ".join(request.lines("cookie"))
    return ("cookie", text) if text else None


def extract_cookies(*names: str) -> HeaderExtractor:
    """Make an extractor that forwards the named cookies, and no others.

    A cookie sent twice with two values is malformed: one of them may have been planted from a
    sibling domain, and nothing tells which. Raises `ConfigurationError` for a name that no cookie
    can have.
    """
    if not names:
        raise ConfigurationError("extract_cookies needs a name: extract_cookies('session')")
    for name in names:
        if not isinstance(name, str) or not is_token(name):
            raise ConfigurationError(
                f"{name!r} is not the name of a cookie: write extract_cookies('session', 'sso')"
            )
    wanted = dict.fromkeys(names)
    behind_a_comma = re.compile(rf",[ \t]*(?:{'|'.join(map(re.escape, wanted))})[ \t]*=")

    @_built_in(ambient=True)
    def extract_named_cookies(request: Request) -> tuple[str, str] | None:
        found: dict[str, str] = {}
        text = cookie_text(request)
        if behind_a_comma.search(text):
            raise MalformedCredential("a cookie asked for was joined to another", name="cookie")
        for name, value in cookie_pairs(text):
            if name not in wanted:
                continue
            if found.setdefault(name, value) != value:
                raise MalformedCredential(f"{name!r} was sent twice with two values", name="cookie")
            if _JOINED_COOKIE.search(value):
                raise MalformedCredential(f"{name!r} was joined with another", name="cookie")
        picked = [f"{name}={found[name]}" for name in wanted if name in found]
        return ("cookie", "; ".join(picked)) if picked else None

    return extract_named_cookies


def extract_custom_header(
    header_name: str, *, ambient: bool | None = None, commas: bool = False
) -> HeaderExtractor:
    """Make an extractor that forwards one header under its own name.

    One that was sent twice is malformed. Many servers join its lines with a comma before the app
    sees them, so a value with a comma is malformed as well; `commas` says that this header's own
    values hold some.

    `ambient` says whether a browser can be made to send it by another site. By default that is
    so only for headers known to be set by a proxy from its session cookie or the client's
    certificate, such as `x-forwarded-access-token`.

    Raises `ConfigurationError` for a name that is no header name or that may not be forwarded, and
    for an option that has no meaning for that header.
    """
    if not isinstance(header_name, str):
        raise ConfigurationError(
            f"extract_custom_header takes the name of one header, not {header_name!r}: write an "
            "extractor for each, as in extract_custom_header('x-flyte-token')"
        )
    name = header_name.lower()
    problem = check_name(name)
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

    @_built_in(ambient=ambient)
    def extract_named_header(request: Request) -> tuple[str, str] | None:
        lines = request.lines(name)
        if not lines:
            return None
        if name != "authorization" and (len(lines) > 1 or ("," in lines[0] and not commas)):
            raise MalformedCredential(f"{name!r} was sent more than once", name=name)
        return name, ",".join(lines)

    return extract_named_header


DEFAULT_EXTRACTORS: tuple[HeaderExtractor, ...] = (
    extract_authorization_header,
    extract_cookie_header,
)


def check_extractor(extractor: object) -> HeaderExtractor:
    """Return the extractor, or raise `ConfigurationError` saying what is wrong with it."""
    if isinstance(extractor, str):
        own = {"authorization": "extract_authorization_header", "cookie": "extract_cookie_header"}
        instead = own.get(extractor.lower(), f"extract_custom_header({extractor!r})")
        raise ConfigurationError(f"header_extractors takes functions: write {instead}")
    if not callable(extractor):
        raise ConfigurationError(f"{extractor!r} is not an extractor: it can't be called")
    if extractor is extract_custom_header or extractor is extract_cookies:
        _, _, name = describe(extractor).rpartition(".")
        raise ConfigurationError(f"{name} makes extractors: write {name}('name')")
    if isinstance(extractor, type):
        raise ConfigurationError(f"{describe(extractor)} is a class; extractors are functions")
    if is_async(extractor):
        raise ConfigurationError(
            f"{describe(extractor)} is an async function. Extractors only read the request: make "
            "it a plain `def`"
        )
    if not is_built_in(cast("HeaderExtractor", extractor)):
        checked_arguments(f"the extractor {describe(extractor)}", extractor, "request")
    return cast("HeaderExtractor", extractor)


def is_async(function: object) -> bool:
    """Whether calling it gives something to be awaited or iterated asynchronously."""
    # Imported here: it takes longer than all of core, and is for functions of an app's own.
    import inspect

    call = getattr(function, "__call__", None)  # noqa: B004 - an async __call__ is async too
    return any(
        inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each)
        for each in (function, call)
    )


def describe(extractor: object) -> str:
    """The extractor's name, for messages. Never its repr, which may hold what it closes over."""
    name = getattr(extractor, "__qualname__", type(extractor).__qualname__)
    return f"{getattr(extractor, '__module__', '?')}.{name}"


def check_name(name: object) -> str | None:
    """What is wrong with a lower-case header name to forward under; None if nothing is."""
    if name in ("authorization", "cookie"):
        return None
    if not isinstance(name, str) or not is_token(name):
        return f"{name!r} is not a header name"
    if name in _NOT_FORWARDABLE or name.startswith(("sec-", "access-control-")):
        return f"{name!r} concerns one connection or message and is never forwarded as a credential"
    return None


def check_value(name: str, value: str, comma_schemes: frozenset[str] = frozenset()) -> str | None:
    """The value to forward under that name, trimmed; None if it is malformed.

    `comma_schemes` are the lower-case Authorization schemes whose credentials are lists of
    parameters (RFC 9110 section 11.4). Of two joined with a comma, the second begins with a scheme,
    which is no parameter.
    """
    value = value.strip(" \t")
    if name == "cookie":
        valid = _consists_of(value, _VISIBLE_AND_SPACE) and _COOKIE_PAIR.search(value) is not None
    elif len(value) > MAX_VALUE_BYTES:
        valid = False
    elif name == "authorization":
        valid = _is_authorization(value, comma_schemes)
    else:
        valid = _consists_of(value, _VISIBLE_AND_SPACE)
    return value if valid else None


def _is_authorization(value: str, comma_schemes: frozenset[str]) -> bool:
    # Without a comma this can only be one credential: lines joined by a server, or by
    # extract_authorization_header, have one between them.
    scheme, _, rest = value.partition(" ")
    if not _consists_of(scheme, _TOKEN):
        return False
    rest = rest.lstrip(" ")
    if comma_schemes and scheme.lower() in comma_schemes and _AUTH_PARAMS.fullmatch(rest):
        return True
    return _consists_of(rest, _VISIBLE_BUT_COMMA)


def is_token(text: str) -> bool:
    """Whether this is a token, as names of headers, cookies and schemes are (RFC 9110 5.6.2)."""
    return _consists_of(text, _TOKEN)


def _consists_of(text: str, alphabet: bytes) -> bool:
    """Whether the text is not empty and holds characters of that alphabet only.

    A token is as long as all else of a request: `translate` looks at it once, in C.
    """
    if not text or not text.isascii():
        return False
    raw = text.encode()
    return raw.translate(alphabet) == raw
