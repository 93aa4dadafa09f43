"""The grammar of credentials: the headers that may carry one, and their valid values.

The name under which a value is forwarded decides, for every source: a built-in extractor, a custom
one, `acting_as`, or a destination that renames it.
"""

import re
from collections.abc import Callable
from functools import partial

MAX_VALUE_BYTES = 8190
"""The longest Authorization or custom header value, in bytes: the line limit of Apache."""


def _alphabet(allowed: bytes) -> bytes:
    """A table for `bytes.translate` that keeps these characters and changes all others."""
    return bytes(code if code in allowed else code ^ 0x80 for code in range(256))


_VISIBLE_CHARACTERS = bytes(range(0x21, 0x7F))
_VISIBLE_AND_SPACE = _alphabet(b" " + _VISIBLE_CHARACTERS)
_VISIBLE_BUT_COMMA = _alphabet(_VISIBLE_CHARACTERS.replace(b",", b""))
_TOKEN = _alphabet(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_QUOTED = r'"(?:[ !#-\[\]-~]|\\[ -~])*"'
_AUTH_PARAM = rf"[!#$%&'*+.^_`|~0-9A-Za-z-]+[ \t]*=[ \t]*(?:[!#-+\--~]+|{_QUOTED})"
_AUTH_PARAMS = re.compile(rf"{_AUTH_PARAM}(?:[ \t]*,[ \t]*{_AUTH_PARAM})*")
_COOKIE_PAIR = re.compile(r"(?:\A|;)[ \t]*[^=; \t][^=;]*=")


HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that concern one connection only (RFC 9110 sections 7.6.1 and 11.7)."""

# With framing and routing fields. Forwarding one of these would let a caller control the connection
# to upstream, instead of identifying the caller.
_NOT_FORWARDABLE = HOP_BY_HOP | {
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "set-cookie",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
}


def name_problem(name: object) -> str | None:
    """The reason why a lower-case header name can't be forwarded; None if it can."""
    if name in ("authorization", "cookie"):
        return None
    if not isinstance(name, str) or not is_token(name):
        return f"{name!r} is not a header name"
    if name in _NOT_FORWARDABLE or name.startswith(("sec-", "access-control-")):
        return f"{name!r} concerns one connection or message and is never forwarded as a credential"
    return None


def valid_value(name: str, value: str, comma_schemes: frozenset[str] = frozenset()) -> str | None:
    """The value to forward under that name, trimmed; None if it is malformed."""
    return rule_for(name, comma_schemes)(value)


Rule = Callable[[str], str | None]
"""Returns the value to forward, trimmed, or None if it is malformed."""


def rule_for(name: str, comma_schemes: frozenset[str] = frozenset()) -> Rule:
    """The rule for values that are forwarded under that lower-case name.

    `comma_schemes` are the lower-case Authorization schemes whose credentials are lists of
    parameters (RFC 9110 section 11.4).
    """
    if name == "cookie":
        return _cookie
    if name != "authorization":
        return custom_rule
    return partial(_authorization, comma_schemes) if comma_schemes else _plain_authorization


def custom_rule(value: str) -> str | None:
    """The rule for every header but Authorization and Cookie."""
    value = value.strip(" \t")
    valid = len(value) <= MAX_VALUE_BYTES and _consists_of(value, _VISIBLE_AND_SPACE)
    return value if valid else None


def _cookie(value: str) -> str | None:
    """A Cookie header has one pair with a name at least; `a=` is one, and `a` or `;` is malformed.

    A header without any text counts as not sent: `extract_cookie_header` gives None for it.
    """
    value = value.strip(" \t")
    valid = _consists_of(value, _VISIBLE_AND_SPACE) and _COOKIE_PAIR.search(value)
    return value if valid else None


def _plain_authorization(value: str) -> str | None:
    # Without a comma this is one credential: a server, or extract_authorization_header, puts a
    # comma between the lines that it joins.
    value = value.strip(" \t")
    if len(value) > MAX_VALUE_BYTES or not value.isascii():
        return None
    scheme, _, rest = value.encode().partition(b" ")
    rest = rest.lstrip(b" ")
    if not scheme or not rest or scheme.translate(_TOKEN) != scheme:
        return None
    return value if rest.translate(_VISIBLE_BUT_COMMA) == rest else None


def _authorization(comma_schemes: frozenset[str], value: str) -> str | None:
    # If two credentials were joined with a comma, the second begins with a scheme, which is not a
    # parameter.
    plain = _plain_authorization(value)
    if plain is not None:
        return plain
    value = value.strip(" \t")
    scheme, _, rest = value.partition(" ")
    # Some letters beyond ASCII are letters of ASCII in lower case.
    listed = value.isascii() and len(value) <= MAX_VALUE_BYTES and scheme.lower() in comma_schemes
    return value if listed and _AUTH_PARAMS.fullmatch(rest.lstrip(" ")) else None


def is_token(text: str) -> bool:
    """Whether this is a token (RFC 9110 5.6.2), like the names of headers, cookies and schemes."""
    return _consists_of(text, _TOKEN)


def _consists_of(text: str, alphabet: bytes) -> bool:
    """Whether the text is not empty and has only characters of that alphabet.

    A token can be as long as the rest of a request, so `translate` checks it in one pass, in C.
    """
    if not text or not text.isascii():
        return False
    raw = text.encode()
    return raw.translate(alphabet) == raw
