"""Credentials are sent to the named origins only, in the form that is configured for each."""

import pickle
from traceback import TracebackException
from types import MappingProxyType
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passthrough_auth.core import (
    ConfigurationError,
    CredentialMissing,
    CredentialUnusable,
    Destination,
    DestinationNotAllowed,
    Destinations,
    NoCaller,
    acting_as,
    current_credentials,
    snapshot,
)
from passthrough_auth.core.caller import Binding, CallerScope, Credentials
from passthrough_auth.core.inbound import Gate
from passthrough_auth.core.origin import origin_of
from passthrough_auth.core.outbound import Redirects, check_destinations, keep_first_cookie
from passthrough_auth.core.outbound._identities import IDENTITIES

ALICE = ("authorization", "Bearer alice-token")
SESSION = ("cookie", "session=alice-session")
PROXIED = ("x-forwarded-access-token", "alice-proxied")


def as_alice(*pairs):
    return acting_as(*(pairs or (ALICE,)), bindings=())


def test_destinations_given_to_a_client_are_taken_as_they_are():
    destinations = Destinations("https://api.example.com")

    assert check_destinations(destinations) is destinations


@pytest.mark.parametrize("given", ["https://api.example.com", None, Destinations])
def test_another_type_than_destinations_says_what_to_write(given):
    with pytest.raises(
        ConfigurationError, match=r"write Destinations\('https://api.example.com'\)"
    ):
        check_destinations(given)


# --- headers_for ----------------------------------------------------------------------------------


def test_a_named_origin_is_sent_all_of_the_callers_credentials():
    destinations = Destinations("https://api.example.com")

    with as_alice(ALICE, SESSION):
        headers = destinations.headers_for("https://API.example.com:443/reports?of=may")

    assert headers == dict([ALICE, SESSION])


def test_the_app_may_change_the_headers():
    destinations = Destinations("https://api.example.com")

    with as_alice():
        destinations.headers_for("https://api.example.com")["authorization"] = "changed"

        assert destinations.headers_for("https://api.example.com") == dict([ALICE])


def test_only_the_credentials_chosen_are_sent():
    destinations = Destinations(Destination("https://api.example.com", send=["Authorization"]))

    with as_alice(ALICE, SESSION):
        assert destinations.headers_for("https://api.example.com") == dict([ALICE])


@pytest.mark.parametrize(
    ("send", "pairs", "expected"),
    [
        (
            {"x-forwarded-access-token": "Authorization: Bearer {value}"},
            [PROXIED],
            {"authorization": "Bearer alice-proxied"},
        ),
        ({"X-Forwarded-Access-Token": "X-Token"}, [PROXIED], {"x-token": "alice-proxied"}),
        ({"cookie": "Cookie"}, [ALICE, SESSION], dict([SESSION])),
        ({"x-session": "cookie: session={value}"}, [("x-session", "s1")], {"cookie": "session=s1"}),
        (
            {"x-auth": "authorization:{value}"},
            [("x-auth", "Bearer t")],
            {"authorization": "Bearer t"},
        ),
        ({"x-token": "X-Key: a {value} z"}, [("x-token", "t")], {"x-key": "a t z"}),
        (
            {"authorization": "Authorization", "x-forwarded-access-token": "Authorization"},
            [ALICE, PROXIED],
            dict([ALICE]),
        ),
    ],
)
def test_a_credential_is_renamed_on_its_way_out(send, pairs, expected):
    destinations = Destinations(Destination("https://api.example.com", send=send))

    with as_alice(*pairs):
        assert destinations.headers_for("https://api.example.com/") == expected


def test_a_credential_that_makes_no_valid_header_is_refused_but_not_shown():
    send = {"x-token": "Authorization: Bearer {value}"}
    destinations = Destinations(Destination("https://api.example.com", send=send))

    with as_alice(("x-token", "two planted-words")), pytest.raises(CredentialUnusable) as caught:
        destinations.headers_for("https://api.example.com/")

    assert str(caught.value) == "the caller's 'x-token' makes no valid 'authorization' header"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("Cookie: session={value}", "cookie"),
        ("Authorization: Token token={value}", "authorization"),
        ("X-Auth: token={value}, issuer=app", "x-auth"),
        ('X-Auth: token="{value}"', "x-auth"),
    ],
)
@pytest.mark.parametrize(
    "value",
    [
        "abc; role=admin",
        "abc;role=admin",
        "abc, issuer=evil",
        "abc,issuer=evil",
        "abc role=admin",
        'abc"role="admin',
        "abc\\",
    ],
)
def test_a_caller_can_t_add_to_the_header_line_around_the_credential(line, name, value):
    destinations = Destinations(Destination("https://api.example.com", send={"x-token": line}))

    with as_alice(("x-token", value)), pytest.raises(CredentialUnusable) as caught:
        destinations.headers_for("https://api.example.com/")

    assert str(caught.value) == f"the caller's 'x-token' makes no valid {name!r} header"


@pytest.mark.parametrize("value", ["!#$%&'()*+-./09:<=>?@AZ[]^_`az{|}~", "ZW5j.b2Rl-Z_A=="])
def test_every_other_character_is_allowed_in_a_header_line(value):
    send = {"x-token": "Cookie: session={value}"}
    destinations = Destinations(Destination("https://api.example.com", send=send))

    with as_alice(("x-token", value)):
        assert destinations.headers_for("https://api.example.com/") == {
            "cookie": f"session={value}"
        }


def test_a_credential_that_is_sent_whole_may_have_several_words():
    send = {"x-token": "X-Key", "authorization": "X-Auth: {value}", "cookie": "X-Session"}
    destinations = Destinations(Destination("https://api.example.com", send=send))

    with as_alice(ALICE, ("x-token", 'a b; "c", d'), ("cookie", "a=b; c=d")):
        assert destinations.headers_for("https://api.example.com/") == {
            "x-key": 'a b; "c", d',
            "x-auth": ALICE[1],
            "x-session": "a=b; c=d",
        }


def test_an_origin_with_an_empty_send_is_called_without_credentials():
    destinations = Destinations(Destination("https://api.example.com", send=[]))

    assert destinations.headers_for("https://api.example.com/") == {}
    with as_alice():
        assert destinations.headers_for("https://api.example.com/") == {}


# --- What is missing ------------------------------------------------------------------------------


def test_a_credential_that_the_caller_lacks_is_missed_by_name():
    destinations = Destinations(Destination("https://api.example.com", send=["x-a", "x-b"]))

    with as_alice(), pytest.raises(CredentialMissing) as caught:
        destinations.headers_for("https://api.example.com/")

    assert "'x-a' or 'x-b'" in str(caught.value)
    assert "on_missing='anonymous'" in str(caught.value)
    assert isinstance(caught.value, LookupError)


def test_an_anonymous_destination_does_without_a_missing_credential():
    destination = Destination("https://api.example.com", send=["x-a"], on_missing="anonymous")

    with as_alice():
        assert Destinations(destination).headers_for("https://api.example.com/") == {}


@pytest.mark.parametrize("send", [None, ["authorization"]])
def test_a_caller_narrowed_to_no_credential_is_missed_for_every_destination(send):
    """Such work must not call a destination without credentials instead."""
    url = "https://api.example.com/"
    narrow = Destination("https://api.example.com", send=["x-a"], on_missing="anonymous")
    strict = Destinations(Destination("https://api.example.com", send=send))
    anonymous = Destination("https://api.example.com", send=send, on_missing="anonymous")
    with as_alice():
        caller = snapshot(destinations=Destinations(narrow))

    with caller.active():
        assert Destinations(anonymous).headers_for(url) == {}
        with pytest.raises(CredentialMissing, match="to send to"):
            strict.headers_for(url)
        with snapshot(destinations=strict).active(), pytest.raises(CredentialMissing):
            Destinations(anonymous).headers_for(url)


@pytest.mark.parametrize("reason", ["public", "preflight"])
def test_without_a_caller_only_an_anonymous_destination_is_called(reason):
    destinations = Destinations(
        "https://api.example.com",
        Destination("https://open.example.com", on_missing="anonymous"),
    )

    with CallerScope(None, reason).active():
        assert destinations.headers_for("https://open.example.com/") == {}
        with pytest.raises(NoCaller) as caught:
            destinations.headers_for("https://api.example.com/")

    assert caught.value.reason == reason


@pytest.mark.parametrize("reason", ["undecided", "refused", "ended", "expired"])
def test_a_caller_that_was_lost_is_an_error_also_for_an_anonymous_destination(reason):
    """Work that outlived its request must not go on as if it never had a caller."""
    destination = Destination("https://open.example.com", on_missing="anonymous")

    with CallerScope(None, reason).active(), pytest.raises(NoCaller) as caught:
        Destinations(destination).headers_for("https://open.example.com/")

    assert caught.value.reason == reason


def test_outside_of_any_request_there_is_no_caller():
    destination = Destination("https://open.example.com", on_missing="anonymous")

    with pytest.raises(NoCaller, match="acting_as"):
        Destinations(destination).headers_for("https://open.example.com/")


# --- Other origins --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example",
        "https://api.example.com:8443/",
        "https://example.com/",
        "https://www.api.example.com/",
        "https://api.example.com.evil.example/",
        "https://api.example.comevil.example/",
        "http://127.0.0.1/",
    ],
)
def test_an_origin_that_is_not_named_is_refused_with_the_line_to_write(url):
    destinations = Destinations("https://api.example.com")

    with as_alice(), pytest.raises(DestinationNotAllowed) as caught:
        destinations.headers_for(url)

    assert f"Destinations(..., '{origin_of(url)}')" in str(caught.value)


def test_plain_http_to_a_named_host_is_refused_with_the_line_to_write():
    with as_alice(), pytest.raises(DestinationNotAllowed) as caught:
        Destinations("https://api.example.com").headers_for("http://api.example.com/")

    assert "use https" in str(caught.value)
    assert "Destination('http://api.example.com', plain_http=True)" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://alice:planted-password@api.example.com/",
        "https://api.example.com\\@evil.example/",
        "https://api.example.com./",
        "https://api.example.com/".replace("a", "\u0430"),
        " https://api.example.com/planted-password",
        "",
    ],
)
def test_an_ambiguous_url_is_refused_and_not_shown(url):
    with as_alice(), pytest.raises(DestinationNotAllowed) as caught:
        Destinations("https://api.example.com").headers_for(url)

    assert "planted-password" not in str(caught.value)
    assert "without a user name" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "/planted-password",
        "planted-password",
        "?planted-password",
        "//api.example.com/planted-password",
        "api.example.com/planted-password",
        "localhost:8000/planted-password",
        "https:///planted-password",
        "https:/api.example.com/planted-password",
    ],
)
def test_a_url_without_scheme_or_host_is_refused_with_what_to_write(url):
    destinations = Destinations("https://api.example.com")
    for ask in (destinations.headers_for, destinations.check, first_hop(destinations)):
        with as_alice(), pytest.raises(DestinationNotAllowed) as caught:
            ask(url)

        assert "planted-password" not in str(caught.value)
        assert "not a full URL" in str(caught.value)
        assert "base_url='https://api.example.com'" in str(caught.value)


def test_another_origin_is_refused_before_the_caller_is_looked_up():
    with pytest.raises(DestinationNotAllowed):
        Destinations("https://api.example.com").headers_for("https://evil.example/")


def test_check_needs_no_caller():
    destinations = Destinations("https://api.example.com")

    destinations.check("https://api.example.com/")
    with pytest.raises(DestinationNotAllowed):
        destinations.check("https://evil.example/")


# --- Plain http, wildcards ------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["http://localhost:8000", "http://127.0.0.1", "http://[::1]:80"])
def test_plain_http_on_loopback_needs_no_permission(origin):
    with as_alice():
        assert Destinations(origin).headers_for(f"{origin}/x") == dict([ALICE])


def test_plain_http_to_another_machine_needs_plain_http_true():
    destinations = Destinations(Destination("http://10.0.0.7:8080", plain_http=True))

    with as_alice():
        assert destinations.headers_for("http://10.0.0.7:8080/x") == dict([ALICE])


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("https://a.example.com/", True),
        ("https://a.b.example.com/", True),
        ("https://A.EXAMPLE.COM:443/", True),
        ("https://example.com/", False),
        ("https://aexample.com/", False),
        ("https://.example.com/", False),
        ("https://a..example.com/", False),
        ("https://a.example.com./", False),
        ("https://a.example.com:8443/", False),
        ("http://a.example.com/", False),
        ("https://a.example.com.evil.example/", False),
        ("https://evil.example/.example.com", False),
        ("https://evil.example#.example.com", False),
        ("https://evil.example?.example.com", False),
        ("https://evil.example\\.example.com", False),
        ("https://evil.example%2f.example.com", False),
        ("https://[::1].example.com/", False),
    ],
)
def test_a_wildcard_names_sub_domains_on_its_port_and_scheme(url, named):
    destinations = Destinations("https://*.example.com")

    with as_alice():
        if named:
            assert destinations.headers_for(url) == dict([ALICE])
        else:
            with pytest.raises(DestinationNotAllowed):
                destinations.headers_for(url)


def test_the_closest_name_wins():
    destinations = Destinations(
        Destination("https://*.example.com", send={"authorization": "X-Wide"}),
        Destination("https://*.a.example.com", send={"authorization": "X-Near"}),
        Destination("https://b.a.example.com", send={"authorization": "X-Exact"}),
        Destination("https://*.b.a.example.com:8443", send={"authorization": "X-Port"}),
    )

    def name_for(host):
        with as_alice():
            (name,) = destinations.headers_for(f"https://{host}/")
        return name

    assert name_for("c.example.com") == "x-wide"
    assert name_for("a.example.com") == "x-wide"
    assert name_for("c.a.example.com") == "x-near"
    assert name_for("b.a.example.com") == "x-exact"
    assert name_for("c.b.a.example.com") == "x-near"
    assert name_for("c.b.a.example.com:8443") == "x-port"


# --- Checked at start-up --------------------------------------------------------------------------


def named(**options):
    return Destination("https://a.example", **options)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (Destinations, "Destinations('https://api.example.com')"),
        (lambda: Destinations(["https://a.example"]), "write Destinations('https://a.example')"),
        (
            lambda: Destinations(("https://a.example", "https://*.b.example")),
            "not a tuple: write Destinations('https://a.example', 'https://*.b.example')",
        ),
        (lambda: Destinations(None), "not a NoneType: write Destinations('https://api.example"),
        (lambda: Destinations("a.example"), "'a.example' is not an origin"),
        (lambda: Destinations("https://a.example/"), "write 'https://a.example'"),
        (lambda: Destinations("https://a.example/api"), "write 'https://a.example'"),
        (lambda: Destinations("https://a.example?x"), "write 'https://a.example'"),
        (lambda: Destinations("https://a.example#x"), "write 'https://a.example'"),
        (
            lambda: Destinations("wss://a.example"),
            "is an origin by itself: write 'https://a.example'",
        ),
        (lambda: Destinations("https://a.example."), "a final dot"),
        (lambda: Destinations("https://bücher.example"), "'xn--...'"),
        (lambda: Destinations("https://127.1"), "is not an origin"),
        (lambda: Destinations("*"), "is not an origin"),
        (lambda: Destinations("https://*"), "is not an origin"),
        (lambda: Destinations("*.example.com"), "is not an origin"),
        (lambda: Destinations("https://api.*.example.com"), "'https://*.example.com'"),
        (lambda: Destinations("https://api*.example.com"), "'https://*.example.com'"),
        (lambda: Destinations("https://*.*.example.com"), "'https://*.example.com'"),
        (lambda: Destinations("https://*.example.com:*"), "is not an origin"),
        (lambda: Destinations("https://*.com"), "everyone's hosts"),
        (lambda: Destinations("https://*.localhost"), "everyone's hosts"),
        (lambda: Destinations("https://*.10.0.0.1"), "everyone's hosts"),
        (lambda: Destinations("https://*.[::1]"), "everyone's hosts"),
        (
            lambda: Destinations("http://a.example"),
            "Destination('http://a.example', plain_http=True)",
        ),
        (
            lambda: Destinations("http://*.a.example"),
            "Destination('http://*.a.example', plain_http=True)",
        ),
        (lambda: named(plain_http=True), "leave plain_http out"),
        (lambda: Destination("http://a.example", plain_http="yes"), "plain_http is True or False"),
        (lambda: named(on_missing="skip"), "'raise' or 'anonymous'"),
        (lambda: Destinations("https://a.example", "https://A.example:443"), "is named twice"),
        (lambda: Destinations("https://*.a.example", "https://*.a.example"), "is named twice"),
        (lambda: named(send="authorization"), "write ['authorization']"),
        (lambda: named(send=7), "send takes a collection"),
        (lambda: named(send=["*"]), "leave send out"),
        (lambda: named(send=["host"]), "never forwarded"),
        (lambda: named(send=["bad name"]), "is not a header name"),
        (lambda: named(send=[7]), "send maps the name of a header"),
        (
            lambda: named(send={"x-a": 7}),
            "send maps the name of a header",
        ),
        (
            lambda: named(send={"x-a": "Host: {value}"}),
            "never forwarded",
        ),
        (
            lambda: named(send={"x-a": "Bearer {value}"}),
            "lacks the header's name: write 'Authorization: Bearer {value}'",
        ),
        (
            lambda: named(send={"x-a": "X-B: fixed"}),
            "{value} or {token} in it once",
        ),
        (
            lambda: named(send={"x-a": "X-B: {value} {value}"}),
            "{value} or {token} in it once",
        ),
        (
            lambda: named(send={"x-a": "X-B: {value}\r\nX-C: d"}),
            "{value} or {token} in it once",
        ),
        (
            lambda: named(send={"Authorization": "X-Auth: of {value}"}),
            "write 'X-Auth' to send it whole",
        ),
        (
            lambda: named(send={"Cookie": "Authorization: {value}"}),
            "none that the value of 'Cookie' makes",
        ),
        (
            lambda: named(send={"x-a": "Authorization: B, {value}"}),
            "{value} or {token} in it once",
        ),
    ],
)
def test_a_wrong_destination_is_an_error_that_says_what_to_write(build, says):
    with pytest.raises(ConfigurationError) as caught:
        build()

    assert says in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/?token=s3cret",
        "https://a.example?token=s3cret@a.example#",
        "https://a.example./s3cret",
        "https://a.example.?token=p@s3cret",
        "https://s3cret@a.example",
        "https://alice:s3cret@a.example",
        "https://alice:pass?s3cret@a.example",
        "alice:s3cret@a.example/",
        "https:/a.example/s3cret",
        "https:\\\\a.example\\s3cret",
        "https://*.a.example/s3cret",
    ],
)
@pytest.mark.parametrize(
    "build",
    [
        Destinations,
        lambda url: Destinations([url]),
        lambda url: Gate(trusted_origins=[url]),
    ],
    ids=["destination", "destinations", "trusted origin"],
)
def test_an_error_shows_only_the_origin_of_a_url(build, url):
    with pytest.raises(ConfigurationError) as caught:
        build(url)
    assert "s3cret" not in str(caught.value)


def test_a_wrong_origin_is_shown_without_its_user():
    with pytest.raises(ConfigurationError, match=r"'a\.example' is not an origin"):
        Destinations("https://alice:s3cret@a.example")


@pytest.mark.parametrize(
    ("wrong", "seen"),
    [
        ("https://a.example./api", "'https://a.example.'"),
        ("a.example:99999/api", "'a.example:99999'"),
        ("//a.example/api", "'//a.example'"),
        ("https:/a.example/api", "'https:/a.example'"),
        ("a.example/api", "'a.example'"),
        ("", "''"),
        ("https://a.example./p@q", "the URL given"),
    ],
)
def test_a_wrong_origin_is_shown_up_to_its_host(wrong, seen):
    with pytest.raises(ConfigurationError) as caught:
        Destinations(wrong)
    assert str(caught.value).startswith(f"{seen} is not an origin. Write scheme")


# --- Hop by hop -----------------------------------------------------------------------------------


def first_hop(destinations):
    return lambda url: destinations.carry(url, {})


def walk(destinations, *hops):
    """The headers sent on each hop of a call. A hop is a URL and the client's headers."""
    redirects = None
    for url, headers in hops:
        redirects = destinations.carry(url, headers, redirects)
        yield headers


def carried(headers, pairs, url="https://a.example/", **options):
    """The headers of one hop, on which the app has set these, as the caller with these pairs."""
    with acting_as(*pairs, bindings=()):
        Destinations(Destination("https://a.example", **options)).carry(url, headers)
    return headers


IDENTITY = [
    {"authorization": "Basic own"},
    {"cookie": "app=own"},
    {"x-api-key": "own"},
    {"private-token": "own", "authorization": "Bearer own"},
]


@pytest.mark.parametrize("pairs", [[ALICE], [SESSION], [ALICE, SESSION]])
@pytest.mark.parametrize("own", IDENTITY)
def test_an_identity_of_the_app_s_and_the_caller_s_never_mix(own, pairs):
    headers = {"accept": "*/*", **own}
    with pytest.raises(ConfigurationError) as refused:
        carried(headers, pairs)
    assert headers == {"accept": "*/*", **own}  # nothing was changed, and nothing is sent
    for line in ("Destination('https://a.example', on_conflict='caller')", "'app'", "drop=['"):
        assert line in str(refused.value)

    assert carried({"accept": "*/*", **own}, pairs, on_conflict="caller") == {
        "accept": "*/*",
        **dict(pairs),
    }
    assert carried({"accept": "*/*", **own}, pairs, on_conflict="app") == {"accept": "*/*", **own}


def test_a_header_equal_to_the_caller_s_is_no_conflict():
    pairs = [ALICE, SESSION]
    for value in (ALICE[1], ALICE[1].encode()):
        assert carried({"authorization": value}, pairs) == dict(pairs)


def test_what_send_leaves_out_is_not_added_by_copying_the_request_s_headers():
    """As reverse proxies do, with `headers=request.headers`."""
    pairs = [ALICE, SESSION]
    with pytest.raises(ConfigurationError, match="'cookie'"):
        carried(dict(pairs), pairs, send=["authorization"])
    assert carried(dict(pairs), pairs, send=["authorization"], drop=["cookie"]) == dict([ALICE])


def test_a_caller_who_lacks_what_is_sent_is_still_somebody():
    """The app's key alone would act for them, and for everybody else who lacks it."""
    own = {"x-api-key": "own", "accept": "*/*"}
    options = {"send": ["authorization"], "on_missing": "anonymous"}
    with pytest.raises(ConfigurationError, match="two identities never mix"):
        carried(dict(own), [SESSION], **options)
    with CallerScope(None, "public").active():
        headers = dict(own)
        Destinations(Destination("https://a.example", **options)).carry(
            "https://a.example/", headers
        )
    assert headers == own


@pytest.mark.parametrize(
    ("send", "pairs", "copied"),
    [
        ([], [ALICE], {"authorization": ALICE[1]}),
        ([], [SESSION], {"cookie": SESSION[1]}),
        ([], [("x-token", "t")], {"x-token": "t"}),
        ([], [("x-token", "t")], {"x-token": b"t"}),
        (["authorization"], [SESSION], {"cookie": SESSION[1]}),
        (["authorization"], [ALICE, ("x-token", "t")], {"x-token": "t"}),
        ({"x-token": "authorization: Bearer {value}"}, [("x-token", "t")], {"x-token": "t"}),
    ],
)
def test_what_send_leaves_out_does_not_travel_by_being_copied(send, pairs, copied):
    options = {"send": send, "on_missing": "anonymous"}
    (name,) = copied
    with pytest.raises(ConfigurationError) as refused:
        carried(dict(copied), pairs, **options)
    assert f"has the caller's own '{name}', copied from the request" in str(refused.value)
    assert f"drop=['{name}']" in str(refused.value)
    for more in ({"drop": [name]}, {"on_conflict": "caller"}, {"on_conflict": "app"}):
        assert name not in carried(dict(copied), pairs, **options, **more)
    assert carried(dict(copied), pairs, **options, beside=[name])[name] == copied[name]
    # Another value is the app's own word.
    if send == []:
        assert carried({name: "own"}, pairs, **options) == {name: "own"}


def both(headers, url, **options):
    """The headers of one hop to one of two destinations, the first of which has these options."""
    destinations = Destinations(Destination("https://a.example", **options), "https://b.example")
    with acting_as(ALICE, bindings=()):
        destinations.carry(url, headers)
    return headers


@pytest.mark.parametrize(
    "options",
    [
        {"beside": ["x-acme"]},
        {"identities": ["x-acme"]},
        {"send": {"authorization": "x-acme: {value}"}},
        {"drop": ["x-acme"]},
    ],
)
def test_what_identifies_somebody_at_one_destination_does_so_at_the_others(options):
    with pytest.raises(ConfigurationError, match=r"https://b\.example has the app's own 'x-acme'"):
        both({"x-acme": "own"}, "https://b.example/", **options)


def test_what_is_never_sent_to_a_destination_goes_nowhere_from_there():
    headers = {"x-acme": "own"}
    destinations = Destinations(Destination("https://a.example", drop=["x-acme"]))
    with acting_as(ALICE, bindings=()):
        begun = destinations.carry("https://a.example/", dict(headers))
        destinations.carry("https://stranger.example/", headers, begun)
    assert "x-acme" not in headers


def test_what_is_named_like_a_caller_s_goes_nowhere_once_they_have_ended():
    """The request or snapshot may end while the call is under way."""
    destinations = Destinations("https://a.example")
    scope = CallerScope(Credentials(("x-token", "t")))
    headers = {"x-token": "t"}
    with scope.active():
        begun = destinations.carry("https://a.example/", dict(headers))
        scope.close()
        after = destinations.carry("https://stranger.example/", headers, begun)
        again = {"x-token": "t"}
        destinations.carry("https://other.example/", again, after)
    assert "x-token" not in headers
    assert "x-token" not in again


def test_what_is_settled_shows_no_value():
    destinations = Destinations("https://a.example")
    with acting_as(ALICE, bindings=()):
        origin = destinations.check("https://a.example/")
        settled = destinations.settle(origin, {}, destinations.headers_for(origin))
    assert repr(settled) == "<Settled callers: authorization>"


def test_no_caller_is_no_conflict_but_the_caller_s_place_stays_empty():
    """`on_conflict="caller"` never falls back to the app's."""
    other = [("x-other", "1")]
    own = {"x-api-key": "own", "accept": "*/*"}
    options = {"send": ["authorization"], "on_missing": "anonymous"}
    assert carried(dict(own), other, **options, on_conflict="caller") == {"accept": "*/*"}
    # Without a caller at all, it is the app's own call.
    assert carried(dict(own), other, send=[], on_conflict="caller") == own
    assert carried(dict(own), other, send=[], drop=["X-API-Key"]) == {"accept": "*/*"}


def test_names_of_a_destination_s_own():
    pairs = [ALICE]
    both = {"x-api-key": "own", "accept": "*/*"}
    assert carried(dict(both), pairs, beside=["X-API-Key"]) == {**both, **dict(pairs)}
    assert carried(dict(both), pairs, drop=["X-API-Key"]) == {"accept": "*/*", **dict(pairs)}
    acme = {"x-acme": "own"}
    assert carried(dict(acme), pairs) == {**acme, **dict(pairs)}
    with pytest.raises(ConfigurationError, match="the app's own 'x-acme'"):
        carried(dict(acme), pairs, identities=["X-Acme"])
    # What a destination is sent counts too, by the name with which it travels.
    with pytest.raises(ConfigurationError, match="the app's own 'x-acme'"):
        carried(dict(acme), pairs, send={"authorization": "X-Acme"})


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        ("PRIVATE-TOKEN: {token}", {"private-token": "alice-token"}),
        ("Authorization: token {token}", {"authorization": "token alice-token"}),
        (
            'Authorization: Snowflake Token="{token}"',
            {"authorization": 'Snowflake Token="alice-token"'},
        ),
        ("X-Whole: {value}", {"x-whole": "Bearer alice-token"}),
    ],
)
def test_a_line_may_have_the_token_without_its_scheme(line, sent):
    destinations = Destinations(Destination("https://a.example", send={"authorization": line}))
    with as_alice():
        assert destinations.headers_for("https://a.example/") == sent
    with acting_as(("authorization", "bEARER   t"), bindings=()):
        assert "t" in "".join(destinations.headers_for("https://a.example/").values())


@pytest.mark.parametrize("value", ["Basic YTpi", "DPoP abc", 'Bearer "a"', "Bearer a;b"])
def test_a_credential_of_another_scheme_never_leaves_as_a_token(value):
    send = {"authorization": 'X-Key: "{token}"'}
    destinations = Destinations(Destination("https://a.example", send=send))
    with acting_as(("authorization", value), bindings=()), pytest.raises(CredentialUnusable):
        destinations.headers_for("https://a.example/")


@pytest.mark.parametrize(
    ("send", "says"),
    [
        ({"x-token": "Authorization: Bearer {token}"}, "write 'Authorization: Bearer {value}'"),
        ({"authorization": "Authorization: {token}"}, "write 'Authorization' to send it whole"),
        ({"authorization": "X-Key: {tok}"}, "'X-Key: {token}' for the token alone"),
        ({"authorization": "X-Key: {token} {token}"}, "in it once"),
        ({"authorization": "X-Key: {token}{value}"}, "in it once"),
        ({"authorization": "{token}"}, "lacks the header's name"),
    ],
)
def test_a_line_that_can_t_be_meant_says_what_to_write(send, says):
    with pytest.raises(ConfigurationError) as refused:
        Destination("https://a.example", send=send)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"on_conflict": "both"}, "on_conflict is 'raise', 'caller' or 'app', not 'both'"),
        ({"drop": "x-api-key"}, r"write \['x-api-key'\]"),
        ({"beside": ["host"]}, r"never forwarded as a credential \(in beside\)"),
        ({"identities": [7]}, r"in identities"),
        ({"drop": ["A"], "beside": ["a"]}, "'a' can't be both in drop and in beside"),
    ],
)
def test_a_wrong_word_about_identities_says_what_to_write(options, says):
    with pytest.raises(ConfigurationError, match=says):
        Destination("https://a.example", **options)


def test_what_identifies_the_app_stays_with_the_origin_it_was_set_for():
    destinations = Destinations(
        Destination("https://a.example", beside=["x-gateway"]), "https://b.example"
    )
    own = {"x-gateway": "own", "accept": "*/*"}
    with as_alice():
        first, second = walk(
            destinations,
            ("https://a.example/", dict(own)),
            ("https://b.example/", {**own, "x-api-key": "own"}),
        )
    assert first == {**own, **dict([ALICE])}
    assert second == {"accept": "*/*", **dict([ALICE])}


@pytest.mark.parametrize("headers", [MappingProxyType({}), None, []], ids=repr)
def test_headers_that_can_t_be_changed_show_no_credential(headers):
    destinations = Destinations("https://api.example.com")
    with as_alice(), pytest.raises(TypeError) as caught:
        destinations.carry("https://api.example.com/", headers)

    shown = TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in shown.stack if "outbound" in frame.filename]
    assert ours
    assert "alice-token" not in str([frame.locals for frame in ours])


def test_a_header_of_the_app_in_place_of_a_callers_leaves_with_the_caller():
    """The caller may have ended before the redirect, and with them the names of their headers."""
    destinations = Destinations(Destination("https://api.example.com", on_conflict="app"))
    headers = {"x-token": "the app's"}
    with as_alice(("x-token", "alice's")):
        redirects = destinations.carry("https://api.example.com/", headers)
    assert headers == {"x-token": "the app's"}

    with as_alice(ALICE):
        destinations.carry("https://stranger.example/", headers, redirects)

    assert headers == {}


def test_a_header_that_the_app_set_is_not_replaced_within_its_origin():
    """Clients drop Cookie on redirects, and the app's headers of a second try on the third."""
    destinations = Destinations(
        Destination("https://a.example", on_conflict="app"), "https://b.example"
    )
    redirects, sent = None, []
    with as_alice(ALICE, SESSION):
        for url, headers in [
            ("https://a.example/1", {"cookie": "app=own"}),
            ("https://a.example/2", {"authorization": "Basic own"}),
            ("https://a.example/3", {}),
            ("https://b.example/4", {"cookie": "app=own"}),
            ("https://a.example/5", {}),
        ]:
            redirects = destinations.carry(url, headers, redirects)
            sent.append(headers)
            assert "app=own" not in repr(redirects)

    assert sent == [
        {"cookie": "app=own"},
        {"authorization": "Basic own"},
        {},
        dict([ALICE, SESSION]),
        dict([ALICE, SESSION]),
    ]


APP_OR_CALLER = Destinations(Destination("https://a.example", on_conflict="app"))


def cookies_of(*found):
    """The Cookie sent on each hop within one origin, for the Cookie headers of the client."""
    hops = [("https://a.example/", {} if each is None else {"cookie": each}) for each in found]
    for headers in walk(APP_OR_CALLER, *hops):
        yield headers.get("cookie")


def test_a_cookie_that_a_response_set_is_removed():
    """On a redirect or a second try, it would replace the caller's or the app's cookie."""
    with as_alice(ALICE, SESSION):
        assert list(cookies_of(None, "planted=1", None, "planted=2")) == [SESSION[1]] * 4
        assert list(cookies_of("app=own", "planted=1", "app=own")) == ["app=own", None, "app=own"]
        assert list(cookies_of("app=own", "app=own; planted=1")) == ["app=own", None]
        assert list(cookies_of(b"app=own", b"planted=1", b"app=own")) == [
            b"app=own",
            None,
            b"app=own",
        ]
    with as_alice():
        assert list(cookies_of(None, "planted=1", None)) == [None] * 3


def test_only_the_fingerprint_of_a_cookie_is_remembered():
    first = keep_first_cookie({"cookie": "app=planted-secret"}, None)

    assert "planted-secret" not in first
    assert keep_first_cookie({}, None) == ""
    with as_alice():
        redirects = APP_OR_CALLER.carry("https://a.example/", {"cookie": "app=planted-secret"})
    assert redirects.cookie == first


def test_carry_returns_the_names_of_added_headers():
    with as_alice(ALICE, SESSION):
        first = APP_OR_CALLER.carry("https://a.example/", {"authorization": "Basic own"})
        assert (first.added, first.app_headers) == ((), {"authorization"})
        left = Redirects(origin_of("https://a.example"), left_origin=True)
        back = APP_OR_CALLER.carry("https://a.example/", {"authorization": "Basic own"}, left)
        assert back.added == ("authorization", "cookie")


def test_each_hop_is_checked_by_its_own_origin():
    destinations = Destinations(
        Destination("https://a.example", send={"authorization": "X-App-Token"}, on_conflict="app"),
        "https://b.example",
    )
    hops = [
        (url, {"accept": "*/*", "x-app-token": "apps-own"})
        for url in (
            "https://a.example/1",
            "https://a.example/2",
            "https://b.example/3",
            "https://a.example/4",
        )
    ]
    with as_alice():
        assert list(walk(destinations, *hops)) == [
            {"accept": "*/*", "x-app-token": "apps-own"},
            {"accept": "*/*", "x-app-token": "apps-own"},
            {"accept": "*/*", "authorization": "Bearer alice-token"},
            {"accept": "*/*", "x-app-token": "Bearer alice-token"},
        ]


@pytest.mark.parametrize("astray", ["https://stranger.example/", "https://user@a.example/", ""])
def test_a_call_that_has_strayed_carries_nothing_of_the_caller_s_any_more(astray):
    """A stranger, or a URL of two readings, chose where it goes on."""
    destinations = Destinations("https://a.example", "https://b.example")
    urls = ("https://a.example/1", astray, "https://b.example/2", "https://a.example/3")
    with as_alice():
        first, *others = walk(destinations, *((url, {"accept": "*/*"}) for url in urls))
    assert first == {"accept": "*/*", "authorization": "Bearer alice-token"}
    assert others == [{"accept": "*/*"}] * 3


def test_a_first_hop_goes_to_a_named_origin_only():
    headers = {"authorization": "Basic own"}
    with as_alice(), pytest.raises(DestinationNotAllowed):
        Destinations("https://a.example").carry("https://stranger.example/", headers)

    assert headers == {"authorization": "Basic own"}


def test_a_call_that_began_at_another_origin_is_checked_too():
    """For any history that a client passes, an origin that isn't named gets no credential."""
    stranger = Redirects(origin_of("https://stranger.example"))
    with as_alice(), pytest.raises(DestinationNotAllowed):
        Destinations("https://a.example").carry("https://stranger.example/", {}, stranger)


def test_the_sensitive_names_are_those_of_every_destination_and_of_the_caller():
    destinations = Destinations(
        "https://a.example",
        Destination(
            "https://*.b.example",
            send={"X-Inbound": "X-Outbound: {value}"},
            beside=["x-gateway"],
            identities=["x-acme"],
        ),
    )
    fixed = IDENTITIES | {"x-inbound", "x-outbound", "x-gateway", "x-acme"}

    assert destinations.apps_names() == {"x-gateway"}
    assert destinations.sensitive_names() == fixed
    with as_alice(("x-of-the-caller", "t")):
        assert destinations.sensitive_names() == fixed | {"x-of-the-caller"}


def test_the_sent_names_are_those_of_the_destination():
    destinations = Destinations(
        "https://a.example",
        Destination("https://b.example", send={"X-In": "X-Out: {value}", "cookie": "Cookie"}),
    )

    assert destinations.sent_names(origin_of("https://a.example")) == set()
    assert destinations.sent_names(origin_of("https://b.example")) == {"x-out", "cookie"}
    with pytest.raises(DestinationNotAllowed):
        destinations.sent_names(origin_of("https://c.example"))


def test_plain_http_through_a_proxy_is_refused():
    destinations = Destinations("http://localhost:8000", "https://a.example")
    headers = {}

    with as_alice():
        destinations.carry("https://a.example/", {}, proxied=True)
        with pytest.raises(DestinationNotAllowed) as caught:
            destinations.carry(
                "http://localhost:8000/", headers, proxied=True, advice="Write proxied=False"
            )

    assert "would show the caller's credentials to the proxy" in str(caught.value)
    assert str(caught.value).endswith(". Write proxied=False")
    assert headers == {}
    traceback = TracebackException.from_exception(caught.value, capture_locals=True)
    assert "alice-token" not in "".join(traceback.format())


def test_plain_http_through_a_proxy_is_refused_only_if_the_caller_s_credentials_would_go():
    open_api = Destination("http://localhost:8000", on_missing="anonymous")

    with CallerScope(None, "public").active():
        Destinations(open_api).carry("http://localhost:8000/", {}, proxied=True)


def test_texts_show_origins_and_names_only():
    destinations = Destinations(
        "https://a.example:8443",
        Destination("https://*.b.example", send={"x-in": "Authorization: Bearer {value}"}),
    )

    assert repr(destinations) == "<Destinations https://a.example:8443 https://*.b.example>"
    assert [repr(each) for each in destinations] == [
        "<Destination https://a.example:8443>",
        "<Destination https://*.b.example>",
    ]


def test_the_history_of_a_call_holds_no_secret():
    """A client keeps it where the app can see it, such as in the extensions of an httpx request."""
    shown = ""
    for headers in ({"x-token": "apps-own", "cookie": "app=own"}, {"x-token": "apps-own"}):
        with as_alice(ALICE, SESSION):
            redirects = APP_OR_CALLER.carry("https://a.example/", headers)
        shown += repr(redirects) + repr(pickle.dumps(redirects))

    assert headers["authorization"] == ALICE[1]
    for secret in ("alice-token", "alice-session", "apps-own", "app=own"):
        assert secret not in shown


# --- Narrowed snapshots ---------------------------------------------------------------------------


def test_a_narrowed_snapshot_is_for_its_destinations_only():
    client = Destinations("https://a.example", "https://*.b.example", "https://c.example")
    narrow = Destinations("https://a.example", "https://x.b.example")
    with as_alice():
        caller = snapshot(destinations=narrow)

    with caller.active():
        assert client.headers_for("https://a.example/") == dict([ALICE])
        assert client.headers_for("https://x.b.example/") == dict([ALICE])
        for url in ("https://c.example", "https://y.b.example"):
            with pytest.raises(DestinationNotAllowed, match=r"snapshot\(destinations=...\)"):
                client.headers_for(url)


def test_a_narrowed_snapshot_refuses_its_credentials_to_other_clients():
    class Client(Binding):
        def install(self):
            pass

    client = Client()
    with acting_as(ALICE, bindings=[client]):
        assert dict(client.credentials().pairs()) == dict([ALICE])
        caller = snapshot(destinations=Destinations("https://a.example"))

    with caller.active():
        with pytest.raises(NoCaller, match="headers_for") as caught:
            current_credentials()
        assert caught.value.reason == "narrowed"
        assert not client.credentials()
    assert "alice-token" not in repr(caller)


def test_the_names_of_a_narrowed_caller_are_sensitive_too():
    destinations = Destinations("https://a.example")
    with as_alice(("x-of-the-caller", "t")):
        caller = snapshot(destinations=destinations)

    with caller.active():
        assert "x-of-the-caller" in destinations.sensitive_names()


@pytest.mark.parametrize("end", ["close", "expire"])
def test_a_narrowed_snapshot_ends_like_any_other(end, clock):
    destinations = Destinations("https://a.example")
    with as_alice():
        caller = snapshot(destinations=destinations, expires_in=60)
    with caller.active():
        if end == "close":
            caller.close()
        else:
            clock.now += 61
        with pytest.raises(NoCaller) as caught:
            destinations.headers_for("https://a.example/")

    assert caught.value.reason == {"close": "closed", "expire": "expired"}[end]


def test_a_snapshot_is_narrowed_by_destinations_only():
    with as_alice(), pytest.raises(ConfigurationError, match="destinations takes Destinations"):
        snapshot(destinations="https://a.example")


# --- Properties -----------------------------------------------------------------------------------

LABEL = st.sampled_from(["a", "b", "xn--c", "example", "com", "evil", "127", "localhost"])
HOST = st.lists(LABEL, min_size=1, max_size=5).map(".".join)
URL = st.builds(
    "{}://{}{}{}".format,
    st.sampled_from(["https", "http", "HTTPS", "wss", "ftp"]),
    HOST | HOST.map("user@{}".format) | st.text(max_size=20),
    st.sampled_from(["", ":443", ":8443", ":", ":0"]),
    st.sampled_from(["", "/", "/x?y#z", "\\@a.example.com", "#@b", "@evil", "\t", "."]),
)
NAMED = Destinations("https://a.example.com", "https://*.b.example.com:8443", "http://localhost")


@given(URL)
def test_only_a_named_origin_is_ever_sent_a_credential(url):
    """Compared with a model that has the three names and parses URLs with the standard library."""
    with as_alice():
        try:
            headers = NAMED.headers_for(url)
        except DestinationNotAllowed:
            return
    parts = urlsplit(url)
    scheme = {"wss": "https", "ws": "http"}.get(parts.scheme, parts.scheme)
    host, port = parts.hostname, parts.port or {"https": 443, "http": 80}[scheme]
    assert headers == dict([ALICE])
    assert parts.username is None
    assert (scheme, host, port) in {("https", "a.example.com", 443), ("http", "localhost", 80)} or (
        scheme == "https" and port == 8443 and host.endswith(".b.example.com")
    )


APPS_OR_CALLERS = Destinations(
    *(Destination(str(each), on_conflict="app") for each in NAMED),
)


@given(st.lists(URL, min_size=1, max_size=6))
def test_no_redirects_take_a_credential_to_an_origin_that_is_not_named(urls):
    """Neither the caller's nor the app's credentials arrive there over any redirects."""
    redirects = None
    with as_alice(ALICE, SESSION):
        for url in urls:
            headers = {"authorization": "Basic own", "cookie": "own=1"}
            try:
                redirects = APPS_OR_CALLERS.carry(url, headers, redirects)
            except DestinationNotAllowed:
                assert redirects is None
                return
            if redirects.left_origin:
                assert "Basic own" not in headers.values()
            try:
                NAMED.check(url)
            except DestinationNotAllowed:
                assert headers == {}


# --- Bound to a caller ----------------------------------------------------------------------------


def test_destinations_bound_to_a_snapshot_are_asked_as_its_caller_anywhere():
    destinations = Destinations("https://a.example")
    with as_alice(ALICE, ("x-own", "1")):
        caller = snapshot()
    bound = destinations.bound_to(caller)

    assert bound.headers_for("https://a.example/") == dict([ALICE, ("x-own", "1")])
    assert "x-own" in bound.sensitive_names()
    with acting_as(("authorization", "Bearer bob"), bindings=()):
        assert bound.headers_for("https://a.example/")["authorization"] == ALICE[1]
        assert destinations.headers_for("https://a.example/")["authorization"] == "Bearer bob"
    with pytest.raises(NoCaller, match="No request is being served"):
        destinations.headers_for("https://a.example/")
    with pytest.raises(DestinationNotAllowed):
        bound.headers_for("https://stranger.example/")

    caller.close()
    with pytest.raises(NoCaller, match="closed"):
        bound.headers_for("https://a.example/")


def test_only_a_snapshot_binds():
    with pytest.raises(ConfigurationError, match=r"write destinations.bound_to\(snapshot\(\)\)$"):
        Destinations("https://a.example").bound_to(dict([ALICE]))
