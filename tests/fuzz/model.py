"""The semantics, written a second time and in another way than in core.

This module doesn't import the package, so they can't share a mistake. It is slow and simple on
purpose, and takes one character or segment after the other.
"""

import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address

# --- Paths ----------------------------------------------------------------------------------------


def is_canonical(path: str) -> bool:
    """Whether a rule may match the path: the definition, character by character."""
    if not path.startswith("/"):
        return False
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in path):
        return False
    if any(character in path for character in "\\%?#;\ufffd"):
        return False
    segments = path.split("/")[1:]
    return "" not in segments[:-1] and not {".", ".."} & set(segments)


def within(path: str, root: str) -> str | None:
    """The path below a mount; None if it isn't certain which path is left."""
    if not root:
        return path
    below = path.removeprefix(root)
    plain = root.startswith("/") and not root.endswith("/")
    if path.startswith(root) and plain and (not below or below.startswith("/")):
        return below
    return None if root in path else path


def names(rule: "str | re.Pattern[str]", path: str) -> bool:
    """Whether a rule names a path."""
    if isinstance(rule, re.Pattern):
        return re.match(f"(?:{rule.pattern})\\Z", path, rule.flags) is not None
    return path.startswith(rule[:-1]) if rule.endswith("/*") else path == rule


def is_rule(rule: "str | re.Pattern[str]") -> bool:
    """Whether a rule is valid."""
    if isinstance(rule, re.Pattern):
        # A pattern that begins with a letter can't match a whole path.
        return not (rule.pattern[:1].isalnum() or rule.pattern.startswith("_"))
    if (
        rule.startswith("^")
        or rule.endswith("$")
        or re.search(r"/:\w|{\w+(:[^}]*)?}|<[^>]+>", rule)
        or re.search(r"[.]\+|\[[^]]+\][*+?]|\([^)]*\|[^)]*\)", rule)
    ):
        return False  # written as another framework's route, or as a regular expression
    literal = rule[:-1] if rule.endswith("/*") else rule
    return "*" not in literal and is_canonical(literal)


# --- Values ---------------------------------------------------------------------------------------

LONGEST = 65_536
TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
# RFC 9110 section 7.6.1, and other headers that concern one connection, message or hop.
NEVER_FORWARDED = frozenset(
    {
        *("connection", "content-length", "expect", "host", "http2-settings", "keep-alive"),
        *("proxy-authenticate", "proxy-authorization", "proxy-connection", "set-cookie", "te"),
        *("trailer", "transfer-encoding", "upgrade", "forwarded", "x-forwarded-proto"),
    }
)
FROM_A_PROXY_SESSION = frozenset({"x-forwarded-access-token"})
ANSWERED_BY_BROWSERS = frozenset({"basic", "digest", "negotiate", "ntlm"})


def is_visible(text: str) -> bool:
    """Whether the text isn't empty and has only visible ASCII and spaces."""
    return text != "" and all(" " <= character <= "~" for character in text)


def valid(name: str, value: str, comma_schemes: frozenset[str] = frozenset()) -> str | None:
    """The value to forward under that name, "" if it is none, or None if it is malformed."""
    if len(value) > LONGEST:
        return None
    while value[:1] in (" ", "\t") and value:
        value = value[1:]
    while value[-1:] in (" ", "\t") and value:
        value = value[:-1]
    if not value:
        return ""
    if name == "cookie":
        return _valid_cookies(value)
    fits = _is_authorization(value, comma_schemes) if name == "authorization" else is_visible(value)
    return value if fits else None


def _valid_cookies(value: str) -> str | None:
    if any(character < " " or character == "\x7f" for character in value):
        return None
    kept = [part for part in value.split(";") if all(each <= "~" for each in part)]
    left_out = len(kept) < len(value.split(";"))
    if left_out:
        value = "; ".join(part.strip(" ") for part in kept if part.strip(" "))
    if cookies_in(value):
        return value
    named = any(part.partition("=")[0].strip(" ") for part in kept if "=" in part)
    return "" if named and not left_out else None


def _is_authorization(value: str, comma_schemes: frozenset[str]) -> bool:
    end = 0
    while end < len(value) and value[end] in TOKEN:
        end += 1
    scheme, rest = value[:end], value[end:]
    if not scheme or not rest.startswith(" ") or not rest.strip(" "):
        return False
    if scheme.lower() in comma_schemes and _are_parameters(rest.lstrip(" ")):
        return True
    return is_visible(rest) and "," not in rest and " " not in rest.lstrip(" ")


def _are_parameters(text: str) -> bool:
    """Whether it is a list like `name=value, name="value"` (RFC 9110 section 11.2)."""
    parts, quoted, escaped = [""], False, False
    for character in text:
        if character == "," and not quoted:
            parts.append("")
            continue
        parts[-1] += character
        if character == '"' and not escaped:
            quoted = not quoted
        escaped = quoted and character == "\\" and not escaped
    return text.strip(" \t") == text and all(map(_is_parameter, parts))


def _is_parameter(text: str) -> bool:
    name, equals, value = text.strip(" \t").partition("=")
    name, value = name.rstrip(" \t"), value.lstrip(" \t")
    if not equals or not name or any(each not in TOKEN for each in name):
        return False
    if value.startswith('"'):
        inner = re.sub(r"\\[ -~]", "", value[1:-1])
        closed = len(value) > 1 and value.endswith('"') and '"' not in inner and "\\" not in inner
        return closed and all(" " <= each <= "~" for each in inner)
    return is_visible(value) and " " not in value and '"' not in value


def cookies_in(text: str) -> list[tuple[str, str]]:
    """The pairs of a Cookie header that have a value, in order."""
    found: list[tuple[str, str]] = []
    for part in text.split(";"):
        if "=" not in part:
            continue
        at = part.index("=")
        name, value = part[:at].strip(" \t"), part[at + 1 :].strip(" \t")
        if name and value and value != '""':
            found.append((name, value))
    return found


# --- Decisions ------------------------------------------------------------------------------------

Lines = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Reads:
    """One extractor: the header that it forwards, and the names of what it takes.

    With `cookies`, those are read; an Authorization header is made of one. With `schemes`, an
    Authorization header with another one is none.
    """

    header: str
    cookies: tuple[str, ...] = ()
    schemes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Policy:
    """The configuration of a gate."""

    reads: tuple[Reads, ...] = (Reads("authorization"), Reads("cookie"))
    rules: "tuple[str | re.Pattern[str], ...]" = ()
    trusted_origins: frozenset[str] = frozenset()
    allow_preflight: bool = False
    comma_schemes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Seen:
    """A request as a server passes it on: header names in lower case, lines joined or not."""

    method: str
    path: str | None
    lines: Lines
    websocket: bool = False
    scheme: str = "https"

    def of(self, name: str) -> list[str]:
        """Every line of that header."""
        return [value for own, value in self.lines if own == name]


@dataclass(frozen=True)
class Expected:
    """The outcome of a request, and the headers of an admitted caller."""

    outcome: str
    caller: tuple[tuple[str, str], ...] = ()


def decide(policy: Policy, seen: Seen) -> Expected:
    """The decision of the semantics about a request."""
    path = seen.path
    if path is not None and is_canonical(path) and any(names(rule, path) for rule in policy.rules):
        return Expected("public")
    if policy.allow_preflight and is_preflight(seen):
        return Expected("preflight")
    return _judge(policy, seen)


def _judge(policy: Policy, seen: Seen) -> Expected:
    caller: dict[str, str] = {}
    malformed: set[str] = set()
    dropped = False
    for reads in policy.reads:
        sent = _read(reads, seen)
        if sent is None:
            continue
        first = reads.header not in caller and reads.header not in malformed
        value = valid(reads.header, sent, policy.comma_schemes)
        if value == "":
            continue
        if _is_dropped(reads, value or sent, policy, seen):
            dropped = True
        elif first and value is None:
            malformed.add(reads.header)
        elif first and value is not None:
            caller[reads.header] = value
    if "authorization" in malformed:
        return Expected("malformed")
    if dropped and (not caller or is_handshake(seen)):
        return Expected("cross-site")
    if not caller:
        return Expected("malformed" if malformed else "missing")
    return Expected("admitted", tuple(caller.items()))


def _is_dropped(reads: Reads, value: str, policy: Policy, seen: Seen) -> bool:
    ambient = bool(reads.cookies) or is_ambient(reads.header, value)
    return ambient and changes_state(seen) and is_cross_site(policy, seen)


MALFORMED = "\x00"  # a value that is never valid


def _read(reads: Reads, seen: Seen) -> str | None:
    if reads.cookies:
        text = "; ".join(seen.of("cookie"))
        picked = _pick(reads.cookies, text)
        return _token_in(picked) if reads.header == "authorization" else picked
    lines = seen.of(reads.header)
    if not lines:
        return None
    if reads.header == "authorization":
        return _of_schemes(reads.schemes, ",".join(lines))
    if reads.header == "cookie":
        return "; ".join(lines)
    # A server may have joined two lines at a comma.
    return lines[0] if len(lines) == 1 and "," not in lines[0] else MALFORMED


def _of_schemes(schemes: tuple[str, ...], value: str) -> str | None:
    """The value, or None if it is one of another scheme."""
    trimmed = value.strip(" \t")
    scheme = trimmed.partition(" ")[0].lower()
    if not schemes or scheme in schemes or len(value) > LONGEST:
        return value
    return None if _is_authorization(trimmed, frozenset({scheme})) else value


def _token_in(picked: str | None) -> str | None:
    """The Authorization header of the one cookie that was picked."""
    if picked is None or picked == MALFORMED:
        return picked
    value = picked.partition("=")[2]
    if value.startswith('"') and value.endswith('"') and len(value) > 1:
        value = value[1:-1]
    value = re.sub("%([0-9A-Fa-f]{2})", lambda found: chr(int(found[1], 16)), value)
    return f"Bearer {value[7:] if value.lower().startswith('bearer ') else value}"


def _pick(wanted: tuple[str, ...], text: str) -> str | None:
    if len(text) > LONGEST:
        return MALFORMED
    for part in text.split(",")[1:]:
        name, equals, _ = part.partition("=")
        name = name.strip(" \t")
        if equals and _is_token(name) and any(_is_named(name, each) for each in wanted):
            return MALFORMED  # a server may have joined it to the value before
    picked: dict[str, str] = {}
    for each in wanted:
        for name, value in cookies_in(text):
            if not _is_named(name, each):
                continue
            if picked.setdefault(name, value) != value or _holds_another(value):
                return MALFORMED
            if any(character > "~" for character in value):
                return MALFORMED
    return "; ".join(f"{name}={value}" for name, value in picked.items()) or None


def _is_token(text: str) -> bool:
    return text != "" and all(character in TOKEN for character in text)


def _is_named(name: str, wanted: str) -> bool:
    return name.startswith(wanted[:-1]) if wanted.endswith("*") else name == wanted


def _holds_another(value: str) -> bool:
    """Whether a server may have joined two Cookie lines with a comma: `a=1,b=2`."""
    for part in value.split(",")[1:]:
        name, equals, _ = part.lstrip(" \t").partition("=")
        if equals and _is_token(name):
            return True
    return False


def is_ambient(name: str, value: str) -> bool:
    """Whether a browser attaches this credential by itself."""
    if name == "authorization":
        scheme, space, _ = value.partition(" ")
        return bool(space) and scheme.lower() in ANSWERED_BY_BROWSERS
    return name == "cookie" or name in FROM_A_PROXY_SESSION


def is_preflight(seen: Seen) -> bool:
    """Whether it is OPTIONS with Origin and Access-Control-Request-Method, over HTTP."""
    asked = seen.of("origin") and seen.of("access-control-request-method")
    return seen.method == "OPTIONS" and not seen.websocket and bool(asked)


def changes_state(seen: Seen) -> bool:
    """Whether the method is unsafe (RFC 9110 section 9.2.1), or it is a WebSocket handshake."""
    return is_handshake(seen) or seen.method not in ("GET", "HEAD", "OPTIONS", "TRACE")


def is_handshake(seen: Seen) -> bool:
    """Whether it is a WebSocket, or asks for one on an interface without WebSockets."""
    return seen.websocket or any("websocket" in line.lower() for line in seen.of("upgrade"))


def is_cross_site(policy: Policy, seen: Seen) -> bool:
    """Whether Sec-Fetch-Site says so, or without it an Origin that isn't the app's own."""
    origins, sites = seen.of("origin"), seen.of("sec-fetch-site")
    if len(origins) == 1 and any(_same(origins[0], each) for each in policy.trusted_origins):
        return False
    if sites:
        return sites not in (["same-origin"], ["none"])
    return bool(origins) and not (len(origins) == 1 and _is_own(origins[0], seen))


def _same(origin: str, trusted: str) -> bool:
    """Whether it is this origin: of the web in any notation, or of a native app as a whole."""
    address = origin_alone(trusted)
    return origin.lower() == trusted if address is None else origin_alone(origin) == address


def _is_own(origin: str, seen: Seen) -> bool:
    hosts, own = seen.of("host"), origin_alone(origin)
    if own is None or len(hosts) != 1 or own != origin_alone(f"{own[0]}://{hosts[0]}"):
        return False
    # A proxy's word about the scheme counts, if there is one, or else the server's.
    words = seen.of("x-forwarded-proto")
    words += [line for line in seen.of("forwarded") if "proto=" in line.lower()]
    encrypted = any(
        scheme in word.lower() for scheme in ("https", "wss") for word in words or [seen.scheme]
    )
    return own[0] == "https" or not encrypted


# --- Origins --------------------------------------------------------------------------------------

Address = tuple[str, str, int]
"""Scheme, host and port, as a client connects to them."""


def origin_alone(text: str) -> Address | None:
    """The address in an Origin header; None if it isn't a plain scheme, host and port."""
    if not text.isascii():
        return None
    scheme, separator, authority = text.lower().partition("://")
    if not separator or scheme not in ("http", "https"):
        return None
    host, colon, port = authority.rpartition(":")
    if not colon or "]" in port:
        host, colon, port = authority, "", ""
    number = None
    if colon:
        if not port.isdigit() or port[0] == "0" or int(port) > 65535:
            return None
        number = int(port)
    return normal(scheme, host, number) if is_plain_host(host) else None


def is_plain_host(host: str) -> bool:
    """Whether it is a name in ASCII, an IPv4 address in four decimals, or an IPv6 one in []."""
    try:
        if host.startswith("[") and host.endswith("]"):
            return "%" not in host and IPv6Address(host[1:-1]) is not None
        last = host.rpartition(".")[2]
        if last.isdigit() or (last[:2] == "0x" and not last[2:].strip("0123456789abcdef")):
            return IPv4Address(host) is not None
    except AddressValueError:
        return False
    labels = host.split(".")
    return len(host) <= 253 and all(
        0 < len(label) <= 63
        and not label.strip("abcdefghijklmnopqrstuvwxyz0123456789_-")
        and label.strip("-") == label
        for label in labels
    )


def normal(scheme: str, host: str, port: int | None) -> Address:
    """The address in its normal spelling."""
    scheme = {"ws": "http", "wss": "https"}.get(scheme.lower(), scheme.lower())
    host = host.lower().strip("[]")
    with suppress(ValueError):  # another kind of host, or one that only some library accepts
        host = str(ip_address(host))
    return scheme, host, (443 if scheme == "https" else 80) if port is None else port


def below(name: str, host: str) -> bool:
    """Whether the host is a sub-domain of that name, of one label or more."""
    return host.endswith(f".{name}") and all(host.removesuffix(f".{name}").split("."))
