"""The grammar of credentials: the headers that may carry one, and their valid values.

The name under which a value is forwarded decides, for every source: a built-in extractor, a custom
one, `acting_as`, or a destination that renames it.
"""

import re
from collections.abc import Callable
from functools import partial

MAX_VALUE_BYTES = 65_536
"""The longest value of any credential, in bytes, with the white space around it.

Kerberos tickets and tokens that list groups have 8 to 16 KB. Some servers deliver headers of any
length, so this is checked before any other work: a longer one must not cost more than its length.
"""


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
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
_COOKIE_NAME = r"(?:\A|;)[ \t]*[^=; \t][^=;]*="
# `[ \t]*+` doesn't give a space back, which would then count as the value.
_COOKIE_PAIR = re.compile(rf'{_COOKIE_NAME}[ \t]*+(?:[^;"]|"(?!"[ \t]*(?:;|\Z)))')
_EMPTY_COOKIE = re.compile(rf'{_COOKIE_NAME}[ \t]*(?:"")?[ \t]*(?:;|\Z)')


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
    """The value to forward under that name, trimmed; None if it is empty or malformed."""
    return rule_for(name, comma_schemes)(value) or None


Rule = Callable[[str], str | None]
"""Returns the value to forward, trimmed; "" if it counts as not sent, None if it is malformed."""


def rule_for(name: str, comma_schemes: frozenset[str] = frozenset(), *, bare: bool = False) -> Rule:
    """The rule for values that are forwarded under that lower-case name.

    `comma_schemes` are the lower-case Authorization schemes whose credentials are lists of
    parameters (RFC 9110 section 11.4). `bare` allows one without a scheme too.
    """
    if name == "cookie":
        return _cookie
    if name != "authorization":
        return custom_rule
    if bare:
        return partial(_bare_authorization, rule_for(name, comma_schemes))
    return partial(_authorization, comma_schemes) if comma_schemes else _plain_authorization


def is_too_long(value: str) -> bool:
    """Whether a value is longer than any credential may be. To be asked before anything else."""
    return len(value) > MAX_VALUE_BYTES


def custom_rule(value: str) -> str | None:
    """The rule for every header but Authorization and Cookie."""
    if is_too_long(value):
        return None
    value = value.strip(" \t")
    return value if not value or _consists_of(value, _VISIBLE_AND_SPACE) else None


def _cookie(value: str) -> str | None:
    """A Cookie header has one pair with a name and a value at least.

    A pair with bytes beyond ASCII can't travel, and is left out: it is mostly another app's.
    Log-out empties cookies, so a header in which no pair has a value counts as not sent.
    """
    if len(value) > MAX_VALUE_BYTES:
        return None
    value = value.strip(" \t")
    if _consists_of(value, _VISIBLE_AND_SPACE):
        if _COOKIE_PAIR.search(value):
            return value
        return "" if _EMPTY_COOKIE.search(value) else None
    if value.isascii() or _CONTROL_CHARACTER.search(value):
        return None if value else ""
    parts = [part.strip(" \t") for part in value.split(";") if part.isascii()]
    # Without another cookie the caller sent one that can't be used, and not none.
    return valid_value("cookie", "; ".join(filter(None, parts)))


def _plain_authorization(value: str) -> str | None:
    # Without a comma this is one credential: a server, or extract_authorization_header, puts a
    # comma between the lines that it joins.
    if len(value) > MAX_VALUE_BYTES or not value.isascii():
        return None
    value = value.strip(" \t")
    scheme, _, rest = value.encode().partition(b" ")
    rest = rest.lstrip(b" ")
    if not scheme or not rest or scheme.translate(_TOKEN) != scheme:
        # Proxies send an empty header for callers without a credential.
        return None if value else ""
    return value if rest.translate(_VISIBLE_BUT_COMMA) == rest else None


def _authorization(comma_schemes: frozenset[str], value: str) -> str | None:
    # If two credentials were joined with a comma, the second begins with a scheme, which is not a
    # parameter.
    plain = _plain_authorization(value)
    if plain is not None:
        return plain
    return value.strip(" \t") if _has_parameters(value, comma_schemes) else None


def _bare_authorization(with_scheme: Rule, value: str) -> str | None:
    checked = with_scheme(value)
    if checked is not None or is_too_long(value):
        return checked
    value = value.strip(" \t")
    # A scheme alone is a credential that was lost on the way.
    is_key = _consists_of(value, _VISIBLE_BUT_COMMA) and value.lower() not in _SCHEMES
    return value if is_key else None


_SCHEMES = frozenset({"basic", "bearer", "digest", "dpop", "negotiate", "ntlm", "token"})


def _has_parameters(value: str, schemes: frozenset[str] | None) -> bool:
    """Whether this is one of these schemes, or any, with a list of parameters."""
    if is_too_long(value):
        return False
    scheme, _, rest = value.strip(" \t").partition(" ")
    # Some letters beyond ASCII are letters of ASCII in lower case.
    listed = value.isascii() and (schemes is None or scheme.lower() in schemes)
    return listed and is_token(scheme) and bool(_AUTH_PARAMS.fullmatch(rest.lstrip(" ")))


def is_one_authorization(value: str) -> bool:
    """Whether this is one credential of any scheme, also of one that uses commas."""
    return bool(_plain_authorization(value)) or _has_parameters(value, None)


def problem_with(name: str, value: str) -> str:
    """What makes a value malformed, or empty, that its rule doesn't take. For logs."""
    for problem, is_it in _PROBLEMS:
        if is_it(name, value):
            return problem
    return "it is not of the form that this header has"


def _lacks_a_part(name: str, value: str) -> bool:
    return name == "authorization" and " " not in value.strip(" \t")


def _has_more_than_two_parts(name: str, value: str) -> bool:
    return name == "authorization" and len(value.split()) > 2


_PROBLEMS: tuple[tuple[str, Callable[[str, str], bool]], ...] = (
    ("it is empty", lambda _, value: not value.strip(" \t")),
    ("it is longer than 65,536 bytes", lambda _, value: is_too_long(value)),
    ("it has a control character", lambda _, value: bool(_CONTROL_CHARACTER.search(value))),
    ("it has characters beyond ASCII", lambda _, value: not value.isascii()),
    ("no cookie in it has a value", lambda name, _: name == "cookie"),
    ("it is a scheme alone", lambda _, value: value.strip(" \t").lower() in _SCHEMES),
    ("it has no scheme, such as Bearer, before the token", _lacks_a_part),
    ("it has a comma, as two lines that a server joined", lambda _, value: "," in value),
    ("it has white space in the token", _has_more_than_two_parts),
)


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
