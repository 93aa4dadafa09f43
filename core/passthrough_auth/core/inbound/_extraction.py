"""Extractors: how credentials are read from a request.

An extractor proposes a header; `name_problem` and `valid_value` decide whether it is forwarded.
They check the name under which it is forwarded, so a custom extractor must follow the same grammar
as the built-in ones.
"""

import re
from collections.abc import Callable
from types import FunctionType
from typing import TypeVar, cast
from weakref import WeakSet

from passthrough_auth.core._checking import check_arguments, checked_flag, is_async
from passthrough_auth.core._credential_rules import is_token, name_problem
from passthrough_auth.core.errors import ConfigurationError, MalformedCredential

from ._request import Request, cookie_pairs, cookie_text

HeaderExtractor = Callable[[Request], tuple[str, str] | None]
"""Reads a request and returns the (name, value) of a header to forward, or None."""

_Extractor = TypeVar("_Extractor", bound=HeaderExtractor)
_MARK = "__passthrough_auth_ambient__"

# Several WSGI servers join the lines of a Cookie header with a comma, as for other headers.
_JOINED_COOKIE = re.compile(r",[ \t]*[^=; \t,]+=")

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


_BUILT_IN: WeakSet[HeaderExtractor] = WeakSet()


def _built_in(*, ambient: bool) -> Callable[[_Extractor], _Extractor]:
    """`header_extractor` for built-in ones: only the value of their result needs a check."""

    def mark(extractor: _Extractor) -> _Extractor:
        _BUILT_IN.add(extractor)
        return _marked(extractor, ambient=ambient)

    return mark


def is_built_in(extractor: HeaderExtractor) -> bool:
    """Whether it is a built-in extractor: it returns only None, or text with a forwardable name.

    Only these exact functions are built in. A function that wraps one is a custom extractor.
    """
    return isinstance(extractor, FunctionType) and extractor in _BUILT_IN


@_built_in(ambient=False)
def extract_authorization_header(request: Request) -> tuple[str, str] | None:
    """The Authorization header (RFC 9110 section 11.6.2), its lines joined with a comma."""
    text = request.joined("authorization", ",")
    return None if text is None else ("authorization", text)


@_built_in(ambient=True)
def extract_cookie_header(request: Request) -> tuple[str, str] | None:
    """The whole Cookie header. `extract_cookies` forwards only named cookies."""
    text = request.joined("cookie", "; ")
    return ("cookie", text) if text else None


def extract_cookies(*names: str) -> HeaderExtractor:
    """Make an extractor that forwards only the named cookies.

    A cookie that was sent twice with two values is malformed: one of them may have been planted
    from a sibling domain, and it can't be told which. Raises `ConfigurationError` without a name,
    and for a name that no cookie can have.
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


def checked_extractor(extractor: object) -> HeaderExtractor:
    """Return the extractor, or raise `ConfigurationError` with an explanation."""
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
        check_arguments(f"the extractor {describe(extractor)}", extractor, "request")
    return cast("HeaderExtractor", extractor)


def describe(extractor: object) -> str:
    """The extractor's name, for messages. Not its repr, which may show secrets that it holds."""
    name = getattr(extractor, "__qualname__", type(extractor).__qualname__)
    return f"{getattr(extractor, '__module__', '?')}.{name}"
