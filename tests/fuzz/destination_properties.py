"""Properties of destinations: no URL leads credentials to an unnamed host.

The client libraries themselves are the model. If two of them read a URL differently, it must get
no credentials.
"""

from tests.fuzz.choices import HIGHEST_CHARACTER, Choices
from tests.fuzz.model import Address, below, normal
from tests.fuzz.readers import JUDGED, READERS
from tests.fuzz.sent import SECRET

from passthrough_auth.core import (
    ConfigurationError,
    Credentials,
    Destination,
    DestinationNotAllowed,
    Destinations,
    PassthroughAuthError,
)
from passthrough_auth.core.caller import CallerScope
from passthrough_auth.core.origin import origin_of

PASSWORD = "pa55word"
"""Planted in URLs. An @ follows it, so it is never in a host."""

PLANTED = "session=planted-by-a-response"
"""A Cookie that a client library made from a Set-Cookie on the way."""

CALLER = {"authorization": f"Bearer {SECRET}", "cookie": f"session={SECRET}", "x-token": SECRET}

# The headers that each named origin gets by the configuration below.
EXACT: dict[Address, tuple[str, ...]] = {
    ("https", "good.example", 443): tuple(CALLER),
    ("https", "good.example", 8443): ("cookie",),
    ("http", "localhost", 8080): tuple(CALLER),
    ("https", "2001:db8::1", 443): tuple(CALLER),
    ("https", "10.0.0.1", 443): ("x-token",),
    ("https", "quiet.example", 443): (),
}
WILDCARDS: dict[Address, tuple[str, ...]] = {
    ("https", "wild.example", 443): tuple(CALLER),
    ("https", "deep.wild.example", 443): ("authorization",),
}
DESTINATIONS = Destinations(
    "https://good.example",
    Destination("https://good.example:8443", send=["cookie"]),
    "http://localhost:8080",
    "https://[2001:db8::1]",
    Destination("https://10.0.0.1", send=["x-token"]),
    Destination("https://quiet.example", send=[]),
    "https://*.wild.example",
    Destination("https://*.deep.wild.example", send=["authorization"]),
)
CALLER_SCOPE = CallerScope(Credentials(*CALLER.items()))

SPELLED = (
    "https://good.example",
    "https://good.example:443",
    "HTTPS://Good.EXAMPLE",
    "wss://good.example",
    "https://good.example:8443",
    "http://localhost:8080",
    "ws://LOCALHOST:8080",
    "https://[2001:db8::1]",
    "https://[2001:DB8:0:0:0:0:0:1]:443",
    "https://10.0.0.1",
    "https://quiet.example",
    "https://a.wild.example",
    "https://a.b.Wild.example",
    "https://deep.wild.example",
    "https://x.deep.wild.example",
)
HOST_WORDS = (
    *("good.example", "evil.example", "wild.example", ".wild.example", "localhost", "10.0.0.1"),
    *("[2001:db8::1]", "127.1", "0x7f000001", "[::ffff:10.0.0.1]", "[::1%25lo]", "deep.", "a."),
    *("@", ":", "\\", "/", "?", "#", "%", "%2e", "%40", "%5c", "%00", "\t", "\n", "\r", " "),
    *(":443", ":8443", ":80", ":8080", ":0443", "::", ";", ",", "&", "[", "]", "user", "\x00"),
    # Characters that some version of IDNA maps to a dot, a letter, a slash, an at sign or "".
    *("\u3002", "\uff0e", "\u2024", "\xdf", "\u212a", "\u2177", "\xad", "\u200d", "xn--"),
    *("\uff0f", "\uff20", "\u2048", "\ufe55", "|", "^", "`", "{", "}", "=", "~", "'", '"'),
    *(f"user:{PASSWORD}@", f"?token={PASSWORD}@", ".", "", "*", "<", ">"),
)
PREFIXES = ("https://", "http://", "HTTPS://", "https:", "https:/", "https:///", "//", "wss://", "")
ODD_PREFIXES = (" https://", "\thttps://", "ht\ntps://", "https:\\\\", "URL:https://", "<https://")
TAILS = ("", "/", "?", "#", "/x", "/\\", "/@", "?@evil.example", "#@evil.example", "//evil.example")


def no_unnamed_host_gets_credentials(choices: Choices) -> None:
    """For any URL that gets credentials, every library connects to a named origin."""
    url = _any_url(choices)
    headers = _headers_for(url)
    if headers is None:
        return
    for reader in READERS:
        read = reader(url)
        assert read is None or _sent_to(read) is not None, f"{reader.__name__}({url!r}) is {read}"
        # Every library connects to the origin for which these headers are meant.
        assert read is None or _sent_to(read) == headers, f"{reader.__name__}({url!r}) is {read}"


def each_client_checks_the_host_that_it_connects_to(choices: Choices) -> None:
    """A client checks the text of the normalised URL, and must connect to that host."""
    url = _any_url(choices)
    for judged_by, reader in JUDGED:
        judged = judged_by(url)
        origin = None if judged is None else origin_of(judged)
        if origin is None:
            continue
        connects = reader(url)
        assert connects in (None, normal(*origin)), f"{judged!r} of {url!r} leads to {connects}"


def a_plain_url_of_a_named_origin_gets_its_credentials(choices: Choices) -> None:
    """In any spelling and with any path. Every library reads it as that origin."""
    spelled = choices.pick(SPELLED)
    tail = choices.text((*HOST_WORDS, *TAILS), 4, HIGHEST_CHARACTER)
    url = spelled + (choices.pick("/?#") + tail if tail else "")
    address = normal(*_plainly(spelled))

    headers = _headers_for(url)

    assert headers == _sent_to(address), url
    for reader in READERS:
        assert reader(url) in (None, address), f"{reader.__name__}({url!r}) is {reader(url)}"


def no_hop_takes_credentials_to_an_unnamed_origin(choices: Choices) -> None:
    """Over redirects, the app's and the caller's credentials reach named origins only.

    A cookie that a response on the way has set reaches no origin.
    """
    headers = {"accept": "*/*"}
    if choices.flag():
        headers["authorization"] = "Bearer of-the-app"
    redirects = None
    first: Address | None = None
    left = strayed = False
    for url in choices.many(lambda: _any_hop(choices), 4):
        if redirects is not None and choices.flag():
            headers["cookie"] = PLANTED
        try:
            with CALLER_SCOPE.active():
                redirects = DESTINATIONS.carry(url, headers, redirects)
        except PassthroughAuthError as refused:
            _expect_no_secret(refused)
            assert redirects is None or not left, f"{url!r} raised on a later hop"
            return
        assert PLANTED not in headers.values(), url
        read = {address for address in (reader(url) for reader in READERS) if address}
        first = first or normal(*redirects.origin)
        reached = origin_of(url)
        left = left or read != {first} or reached is None
        assert redirects.left_origin or not left, url
        named = reached is not None and _sent_to(normal(*reached)) is not None
        strayed = strayed or (left and not named)
        for address in read:
            due = _sent_to(address) or {}
            carried = {name: value for name, value in headers.items() if name in CALLER}
            if left:
                # All of them, unless a stranger led there.
                assert carried == ({} if strayed else due), f"{carried} for {url!r}"
            else:
                assert set(carried) <= {*due, "authorization"}, f"{carried} to {address}"
        assert SECRET not in repr(redirects)


def a_destination_is_one_origin_or_a_configuration_error(choices: Choices) -> None:
    """It is one origin or the sub-domains of one, and not over plain http."""
    given = _any_url(choices)
    if choices.flag():
        given = given.replace("://", "://*.", 1)
    try:
        destination = Destination(given)
    except ConfigurationError as error:
        _expect_no_secret(error)
        return
    origin = destination.origin
    assert str(destination) == str(Destination(str(destination)))
    assert origin.scheme == "https" or origin.is_loopback, given
    assert given.lower().startswith(f"{origin.scheme}://"), given
    for character in ("@", "\\", "/", "?", "#", "%", " ", "\t"):
        assert character not in given.partition("://")[2], given
    if destination.wildcard:
        assert "." in origin.host, given
        assert not origin.host.replace(".", "").isdigit(), given
        assert Destinations(destination).names(origin._replace(host=f"a.{origin.host}"))
        assert not Destinations(destination).names(origin)
        assert not Destinations(destination).names(origin._replace(host=f"a{origin.host}"))


def _any_hop(choices: Choices) -> str:
    if choices.flag():
        return _any_url(choices)
    spelled = choices.pick((*SPELLED, "https://evil.example", "http://good.example"))
    return spelled + choices.pick(TAILS)


def _any_url(choices: Choices) -> str:
    """A URL that two libraries may read differently, as a named host and as another."""
    if choices.flag():
        start = choices.pick((*PREFIXES, *ODD_PREFIXES))
        return start + choices.text(HOST_WORDS, 6, HIGHEST_CHARACTER) + choices.pick(TAILS)
    spelled, hostile = choices.pick(SPELLED), choices.text(HOST_WORDS, 3, HIGHEST_CHARACTER)
    # Somewhere in a named address: before, in, or after the host.
    start = spelled.index("://") + 3
    at = choices.integer(start, len(spelled))
    return spelled[:at] + hostile + spelled[at:] + choices.pick(TAILS)


def _headers_for(url: str) -> dict[str, str] | None:
    """Core's headers for a URL; None if it isn't allowed. The error must not show the secret."""
    try:
        with CALLER_SCOPE.active():
            return DESTINATIONS.headers_for(url)
    except DestinationNotAllowed as refused:
        _expect_no_secret(refused)
        return None


def _expect_no_secret(error: Exception) -> None:
    text = f"{error} {error!r}"
    assert SECRET not in text, text
    assert PASSWORD not in text, text


def _sent_to(address: Address) -> dict[str, str] | None:
    """The headers for a named origin; None for one that isn't named."""
    names = EXACT.get(address)
    if names is None:
        scheme, host, port = address
        closest = [
            (len(name), sent)
            for (its_scheme, name, its_port), sent in WILDCARDS.items()
            if (scheme, port) == (its_scheme, its_port) and below(name, host)
        ]
        names = max(closest, default=(0, None))[1]
    return None if names is None else {name: CALLER[name] for name in names}


def _plainly(spelled: str) -> tuple[str, str, int | None]:
    scheme, _, authority = spelled.partition("://")
    host, colon, port = authority.rpartition(":")
    if not colon or "]" in port:
        return scheme, authority, None
    return scheme, host, int(port)


PROPERTIES = (
    no_unnamed_host_gets_credentials,
    each_client_checks_the_host_that_it_connects_to,
    a_plain_url_of_a_named_origin_gets_its_credentials,
    no_hop_takes_credentials_to_an_unnamed_origin,
    a_destination_is_one_origin_or_a_configuration_error,
)
