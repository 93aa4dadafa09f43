"""The built-in extractors, and the values that may be forwarded."""

import functools
import re

import pytest
from tests.core.builders import asgi, on_both_interfaces, wsgi

from passthrough_auth.core import (
    ConfigurationError,
    MalformedCredential,
    extract_authorization_header,
    extract_bare_authorization,
    extract_bearer_from_cookie,
    extract_bearer_token,
    extract_cookie_header,
    extract_cookies,
    extract_custom_header,
    extract_schemes,
    extract_websocket_token,
    header_extractor,
)
from passthrough_auth.core._credential_rules import name_problem, rule_for, valid_value
from passthrough_auth.core.inbound._extraction import (
    checked_extractor,
    describe,
    is_ambient,
    is_ambient_scheme,
)

# --- The Authorization header -------------------------------------------------------------------


@on_both_interfaces
def test_all_authorization_lines_are_joined_with_a_comma(make):
    """So two lines are malformed on every server, whether it joins them or not."""
    two = make(headers=[("Authorization", "Bearer a"), ("Authorization", "Bearer b")])

    assert extract_authorization_header(two) == ("authorization", "Bearer a,Bearer b")
    assert extract_authorization_header(make()) is None


@on_both_interfaces
def test_an_empty_authorization_header_is_left_to_the_rule(make):
    """Which counts it as not sent, unless there is a second line."""
    request = make(headers=[("Authorization", "")])
    two = make(headers=[("Authorization", ""), ("Authorization", "")])

    assert extract_authorization_header(request) == ("authorization", "")
    assert rule_for("authorization")("") == ""
    assert extract_authorization_header(two) == ("authorization", ",")
    assert rule_for("authorization")(",") is None


@pytest.mark.parametrize("name", ["authorization", "cookie", "x-token"])
def test_the_limit_is_checked_before_anything_else(name):
    """So a value of white space alone is too long as well."""
    assert rule_for(name)(" \t" * 32_768) == ""
    assert rule_for(name)(" \t" * 32_768 + " ") is None


@pytest.mark.parametrize(
    "value",
    [
        "Bearer a",
        "bearer a",
        "Bearer    a",
        " \tBearer a\t ",
        "Basic YTpi",
        "AWS4-HMAC-SHA256 x=y",
        "Bearer !#$~\\\"';:=",
        "Bearer " + 65_529 * "a",
    ],
)
def test_one_scheme_and_one_credential_are_valid(value):
    assert valid_value("authorization", value) == value.strip(" \t")


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "Bearer",
        "Bearer ",
        "a",
        "Bearer a, Bearer b",
        "Bearer a,",
        ",Bearer a",
        "Bearer a b",
        "Bearer\ta",
        "Bearer \ta",
        "Bearer a\x00",
        "Bearer a\nX: y",
        "Bearer a\x7f",
        "Bearer \xa0a",
        "Bearer é",
        "Bearer \ud800",
        "B(earer a",
        "Béarer a",
        "\x0bBearer a",
        "Digest username=a, realm=b",
        "Bearer " + 65_530 * "a",
    ],
)
def test_any_other_authorization_is_malformed(value):
    assert valid_value("authorization", value) is None


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        ('Digest username="a b", realm="c"', True),
        ("digest a", True),
        ('Digest a=b , c = d,e="f, \\" g"', True),
        ("Digest a=b, Bearer victim", False),
        ("Digest a=b,Digest c=d", False),
        ("Digest a=b,", False),
        ("Digest a=b,,c=d", False),
        ("Digest a=b c=d", False),
        ("Digest", False),
        ("Digest é", False),
        ("Digest a=" + 65_536 * "b", False),
        ("Bearer a, Bearer b", False),
        ("Kerb a=b", True),
        ("\u212aerb a=b", False),  # the Kelvin sign, a k in lower case
    ],
)
def test_commas_are_allowed_for_comma_schemes_only(value, valid):
    assert (valid_value("authorization", value, frozenset({"digest", "kerb"})) == value) is valid


# --- Cookies ------------------------------------------------------------------------------------


@on_both_interfaces
def test_the_cookie_header_is_forwarded_whole(make):
    request = make(headers=[("Cookie", "a=1; flag"), ("Cookie", "b=2")])

    assert extract_cookie_header(request) == ("cookie", "a=1; flag; b=2")


@on_both_interfaces
def test_without_a_cookie_no_cookie_is_forwarded(make):
    assert extract_cookie_header(make()) is None
    assert extract_cookie_header(make(headers=[("Cookie", "")])) is None


@pytest.mark.parametrize(
    "value",
    [
        "a=1",
        "flag; a=1",
        " a=1 ",
        "a=b=c",
        'a="b"',
        'a=""b',
        ";;a=1",
        "a=; b=1",
        'a=" "',
        "a=" + 65_534 * "b",
    ],
)
def test_a_cookie_header_holds_at_least_one_pair(value):
    assert valid_value("cookie", value) == value.strip(" ")


@pytest.mark.parametrize(
    "value",
    [
        *("flag", "=1", "; =1", ";;", "a=\x00", "a=1\r\nX: y", "a=1;\tb=2"),
        *("a=é", "a=é; b=", "a=é\x01; b=1", "a=\x7f; b=é", "a=" + 65_535 * "b"),
    ],
)
def test_a_cookie_header_without_one_or_with_control_characters_is_malformed(value):
    assert rule_for("cookie")(value) is None


@pytest.mark.parametrize("value", ["", " ", "a=", "a= ", 'a=""', 'a = "" ; b=', "flag; a="])
def test_a_cookie_header_whose_pairs_have_no_value_counts_as_not_sent(value):
    assert rule_for("cookie")(value) == ""


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ("a=é; b=1", "b=1"),
        ("b=1;a=\ud800;c=2", "b=1; c=2"),
        ("é; b=1", "b=1"),
        ("é=1; b=1; ;", "b=1"),
    ],
)
def test_a_pair_beyond_ascii_is_left_out(value, left):
    assert valid_value("cookie", value) == left


@on_both_interfaces
def test_named_cookies_are_forwarded_and_no_others(make):
    request = make(headers=[("Cookie", "csrf=x; session=s; lang=en")])

    assert extract_cookies("session")(request) == ("cookie", "session=s")
    assert extract_cookies("lang", "session")(request) == ("cookie", "lang=en; session=s")
    assert extract_cookies("session", "session")(request) == ("cookie", "session=s")
    assert extract_cookies("Session")(request) is None


@on_both_interfaces
def test_a_named_cookie_sent_twice_is_malformed_unless_both_are_equal(make):
    """One of two may have been planted from a sibling domain, and it can't be told which."""
    extract = extract_cookies("session")

    with pytest.raises(MalformedCredential, match=r"was sent twice with two values") as caught:
        extract(make(headers=[("Cookie", "session=mine; session=planted")]))
    assert "planted" not in str(caught.value)
    assert extract(make(headers=[("Cookie", "session=s; session=s")])) == ("cookie", "session=s")
    assert extract(make(headers=[("Cookie", "a=1; a=2; session=s")])) == ("cookie", "session=s")


def test_a_named_cookie_joined_with_one_that_is_not_is_malformed():
    """Several WSGI servers join two Cookie lines with a comma. Few cookies contain one."""
    extract = extract_cookies("session")

    with pytest.raises(MalformedCredential, match="joined"):
        extract(asgi(headers=[("Cookie", "session=s, tracking=other")]))
    assert extract(asgi(headers=[("Cookie", "session=a,b")])) == ("cookie", "session=a,b")
    json = """session={"a":"x=1","b":"y=2"}"""
    assert extract(asgi(headers=[("Cookie", json)])) == ("cookie", json)


@on_both_interfaces
def test_a_cookie_without_a_value_is_none(make):
    extract = extract_cookies("session")

    assert extract(make(headers=[("Cookie", 'session=; a=1; session=""')])) is None
    assert extract(make(headers=[("Cookie", "session=; session=s")])) == ("cookie", "session=s")


@on_both_interfaces
def test_a_named_cookie_beyond_ascii_is_malformed_and_another_is_not(make):
    extract = extract_cookies("session")
    named = make(headers=[("Cookie", "session=é")])

    with pytest.raises(MalformedCredential, match="beyond ASCII"):
        extract(named)
    other = make(headers=[("Cookie", "name=é; session=s")])
    assert extract(other) == ("cookie", "session=s")


@on_both_interfaces
def test_a_cookie_header_longer_than_any_credential_is_malformed(make):
    long = make(headers=[("Cookie", f"session=s; a={65_536 * 'a'}")])

    for extract in (extract_cookies("session"), extract_bearer_from_cookie("session")):
        with pytest.raises(MalformedCredential, match="too long"):
            extract(long)
    with pytest.raises(MalformedCredential, match="too long"):
        assert long.cookies


@on_both_interfaces
def test_a_star_at_the_end_stands_for_any_rest(make):
    request = make(headers=[("Cookie", "sb-1=y; lang=en; sb-=x; a=1; sb-*=z")])

    assert extract_cookies("sb-*")(request) == ("cookie", "sb-1=y; sb-=x; sb-*=z")
    assert extract_cookies("sb-*", "lang")(request) == ("cookie", "sb-1=y; sb-=x; sb-*=z; lang=en")
    assert extract_cookies("sb-*", "b")(request) == ("cookie", "sb-1=y; sb-=x; sb-*=z")
    assert extract_cookies("lang", "s*")(request) == ("cookie", "lang=en; sb-1=y; sb-=x; sb-*=z")


@on_both_interfaces
def test_a_cookie_of_a_prefix_that_was_joined_is_malformed(make):
    joined = make(headers=[("Cookie", "a=1,sb-0=planted")])

    with pytest.raises(MalformedCredential, match="joined"):
        extract_cookies("sb-*")(joined)


# --- Tokens -------------------------------------------------------------------------------------


@on_both_interfaces
def test_a_bearer_token_is_taken_and_another_scheme_counts_as_not_sent(make):
    def taken(*lines):
        return extract_bearer_token(make(headers=[("Authorization", line) for line in lines]))

    assert taken() is None
    assert taken("Bearer a") == ("authorization", "Bearer a")
    assert taken("bEARER a") == ("authorization", "bEARER a")
    assert taken("Basic YTpi") is None
    assert taken('Digest username="a", realm="b"') is None
    # The rule refuses these.
    assert taken("Bearer") == ("authorization", "Bearer")
    assert taken("abc") == ("authorization", "abc")
    assert taken("Basic a", "Bearer b") == ("authorization", "Basic a,Bearer b")
    assert taken("Basic a", "") == ("authorization", "Basic a,")
    assert taken(f"Basic {65_536 * 'a'}") is not None


def test_the_space_around_an_authorization_doesn_t_matter():
    """WSGI servers remove it; ASGI servers keep some of it."""
    bearer = asgi(headers=[("Authorization", " \tBearer a ")])
    basic = asgi(headers=[("Authorization", " Basic a")])

    assert extract_bearer_token(bearer) == ("authorization", " \tBearer a ")
    assert extract_bearer_token(basic) is None


def test_other_schemes_can_be_chosen():
    extract = extract_schemes("Token", "AWS4-HMAC-SHA256")

    for value in ("token a", "AWS4-HMAC-SHA256 a=b, c=d"):
        request = asgi(headers=[("Authorization", value)])
        assert extract(request) == ("authorization", value)
    assert extract(asgi(headers=[("Authorization", "Tokens a")])) is None


@pytest.mark.parametrize("schemes", [(), ("",), ("Bearer ",), (7,), (["Bearer"],)])
def test_what_is_no_scheme_is_a_configuration_error(schemes):
    with pytest.raises(ConfigurationError, match=r"extract_schemes\('Bearer', 'Token'\)"):
        extract_schemes(*schemes)


@pytest.mark.parametrize(
    ("value", "token"),
    [
        ("abc", "Bearer abc"),
        ('"Bearer abc"', "Bearer abc"),
        ("bearer abc", "Bearer abc"),
        ("Bearer%20abc%3D", "Bearer abc="),
        ('"', 'Bearer "'),
        ("a%", "Bearer a%"),
    ],
)
@on_both_interfaces
def test_a_token_in_a_cookie_is_forwarded_as_a_bearer_token(make, value, token):
    request = make(headers=[("Cookie", f"a=1; access_token={value}")])

    assert extract_bearer_from_cookie("access_token")(request) == ("authorization", token)
    assert extract_bearer_from_cookie("other")(request) is None
    assert is_ambient(extract_bearer_from_cookie("access_token"))


@pytest.mark.parametrize("name", ["", "a b", "sb-*", 7])
def test_a_token_is_in_one_cookie(name):
    with pytest.raises(ConfigurationError, match="is not the name of a cookie"):
        extract_bearer_from_cookie(name)


@pytest.mark.parametrize("name", ["*", "a*b", "a**"])
def test_a_star_stands_at_the_end_of_a_name(name):
    with pytest.raises(ConfigurationError, match=r"'sb-\*' for all whose names begin"):
        extract_cookies(name)


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        ("abc.def", True),
        ("Bearer abc", True),
        ("", False),
        ("Bearer", False),
        ("a b c", False),
        ("a,b", False),
        ("é", False),
        (65_537 * "a", False),
    ],
)
def test_a_key_without_a_scheme_is_taken_by_its_own_extractor_only(value, valid):
    request = asgi(headers=[("Authorization", value)])

    assert extract_bare_authorization(request) == ("authorization", value)
    assert (rule_for("authorization", bare=True)(value) == value) is (valid or not value)


@pytest.mark.parametrize(
    "text",
    [
        "session=a; theme=dark,session=b",
        "theme=dark, session=b",
        "theme=dark,\tsession =b; lang=en",
        "theme=dark,lang=en,session=b",
    ],
)
@on_both_interfaces
def test_a_named_cookie_after_a_comma_is_malformed(make, text):
    with pytest.raises(MalformedCredential, match="joined"):
        extract_cookies("session")(make(headers=[("Cookie", text)]))
    assert extract_cookies("lang2")(make(headers=[("Cookie", text)])) is None


@pytest.mark.parametrize("names", [(), ("",), ("a b",), ("a=",), ("sé",), (7,), (["session"],)])
def test_a_name_that_no_cookie_can_have_is_a_configuration_error(names):
    with pytest.raises(ConfigurationError, match="cookie"):
        extract_cookies(*names)


# --- Custom headers -----------------------------------------------------------------------------


@on_both_interfaces
def test_a_custom_header_is_forwarded_under_its_lower_case_name(make):
    extract = extract_custom_header("X-Flyte-Token")

    assert extract(make(headers=[("x-FLYTE-token", "t")])) == ("x-flyte-token", "t")
    assert extract(make()) is None


@on_both_interfaces
def test_a_custom_header_has_one_line(make):
    two = make(headers=[("x-token", "a"), ("x-token", "b")])

    with pytest.raises(MalformedCredential, match="more than once"):
        extract_custom_header("x-token")(two)


@on_both_interfaces
def test_a_custom_header_has_commas_only_with_commas_true(make):
    request = make(headers=[("x-token", "a, b")])

    with pytest.raises(MalformedCredential, match="more than once"):
        extract_custom_header("x-token")(request)
    assert extract_custom_header("x-token", commas=True)(request) == ("x-token", "a, b")


@on_both_interfaces
def test_the_standard_headers_by_name_are_the_standard_extractors(make):
    request = make(
        headers=[("Authorization", "A a"), ("Authorization", "A b"), ("Cookie", "a=1; b=2")]
    )

    assert extract_custom_header("Authorization")(request) == ("authorization", "A a,A b")
    assert extract_custom_header("Cookie")(request) == ("cookie", "a=1; b=2")


@pytest.mark.parametrize("value", ["t", "a b", "a,b", " t\t", "!~", 65_536 * "a"])
def test_a_custom_value_is_visible_ascii_with_inner_spaces(value):
    assert valid_value("x-token", value) == value.strip(" \t")


@pytest.mark.parametrize("value", ["", " ", "a\tb", "a\nb", "é", "\x7f", "\ud800", 65_537 * "a"])
def test_any_other_custom_value_is_malformed(value):
    assert valid_value("x-token", value) is None


def test_the_limit_applies_before_trimming():
    assert valid_value("x-token", " " + 65_535 * "a") == 65_535 * "a"
    assert valid_value("x-token", " " + 65_536 * "a") is None


@on_both_interfaces
def test_a_custom_header_longer_than_any_credential_is_malformed(make):
    for length, commas in ((65_537, False), (8_000_000, True)):
        request = make(headers=[("X-Token", length * ",")])
        with pytest.raises(MalformedCredential, match="too long"):
            extract_custom_header("x-token", commas=commas)(request)


def test_a_name_with_an_underscore_is_another_header():
    extract = extract_custom_header("x-flyte-token")

    assert extract(asgi(headers=[("x_flyte_token", "forged")])) is None
    assert not wsgi(headers=[("x-flyte-token", "t")]).lines("x_flyte_token")


@pytest.mark.parametrize(
    "name",
    [
        "Access-Control-Request-Method",
        "Connection",
        "Content-Encoding",
        "Content-Length",
        "Content-Type",
        "Expect",
        "Forwarded",
        "Host",
        "HTTP2-Settings",
        "Keep-Alive",
        "Proxy-Authenticate",
        "Proxy-Authentication-Info",
        "Proxy-Authorization",
        "Proxy-Connection",
        "Sec-Fetch-Site",
        "Set-Cookie",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "Via",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-HTTP-Method",
        "X-HTTP-Method-Override",
        "X-Method-Override",
        "",
        "x token",
        "x-token:",
        "x-tokén",
        "x-token\n",
    ],
)
def test_a_name_that_may_not_be_forwarded_is_a_configuration_error(name):
    with pytest.raises(ConfigurationError, match=r"header name|never forwarded"):
        extract_custom_header(name)


@pytest.mark.parametrize("names", [None, 7, ["x-a", "x-b"]])
def test_extract_custom_header_takes_one_name(names):
    with pytest.raises(ConfigurationError, match=r"takes the name of one header, not"):
        extract_custom_header(names)


@pytest.mark.parametrize("name", ["authorization", "cookie", "x-token", "x-api-key", "t"])
def test_any_other_name_may_be_forwarded(name):
    assert name_problem(name) is None


# --- Ambient credentials ------------------------------------------------------------------------


def test_cookies_and_headers_made_from_them_are_ambient():
    assert is_ambient(extract_cookie_header)
    assert is_ambient(extract_cookies("session"))
    assert is_ambient(extract_custom_header("cookie"))
    assert is_ambient(extract_custom_header("X-Forwarded-Access-Token"))
    assert is_ambient(extract_custom_header("x-amzn-oidc-data"))
    assert is_ambient(extract_custom_header("Remote-User"))


@pytest.mark.parametrize(
    "name",
    [
        "cf-access-jwt-assertion",
        "cf-client-cert-der-base64",
        "client-cert",
        "client-cert-chain",
        "remote-user",
        "ssl-client-verify",
        "tailscale-user-login",
        "x-amzn-mtls-clientcert",
        "x-amzn-oidc-accesstoken",
        "x-arr-clientcert",
        "x-auth-request-access-token",
        "x-authentik-jwt",
        "x-client-cert",
        "x-forwarded-access-token",
        "x-forwarded-client-cert",
        "x-forwarded-email",
        "x-forwarded-groups",
        "x-forwarded-id-token",
        "x-forwarded-preferred-username",
        "x-forwarded-tls-client-cert",
        "x-forwarded-user",
        "x-goog-authenticated-user-email",
        "x-goog-iap-jwt-assertion",
        "x-ms-client-principal-name",
        "x-ms-token-aad-access-token",
        "x-pomerium-jwt-assertion",
        "x-remote-user",
        "x-ssl-client-cert",
        "x-vouch-user",
        "x-webauth-user",
    ],
)
def test_what_a_proxy_makes_of_a_client_s_certificate_is_ambient(name):
    """The same applies to a session cookie. Browsers send both automatically."""
    assert is_ambient(extract_custom_header(name))


def test_a_header_that_only_programs_send_is_not_ambient():
    assert not is_ambient(extract_authorization_header)
    assert not is_ambient(extract_custom_header("x-flyte-token"))


def test_an_app_can_say_whether_a_custom_header_is_ambient():
    assert is_ambient(extract_custom_header("x-our-proxy", ambient=True))
    assert not is_ambient(extract_custom_header("x-forwarded-access-token", ambient=False))


@pytest.mark.parametrize(
    "known", [extract_cookie_header, extract_authorization_header, extract_custom_header("x-token")]
)
def test_a_built_in_extractor_can_t_be_marked(known):
    was = is_ambient(known)

    with pytest.raises(ConfigurationError, match="a function of your own"):
        header_extractor(ambient=not was)(known)
    assert is_ambient(known) is was


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("cookie", {"ambient": False}, "leave ambient out"),
        ("cookie", {"commas": True}, "no meaning for 'cookie'"),
        ("authorization", {"commas": True}, "comma_schemes"),
        ("X_Token", {}, "Write 'x-token'"),
        ("x-token", {"commas": 1}, "commas is True or False"),
        ("x-token", {"ambient": "no"}, "ambient is True or False"),
    ],
)
def test_an_option_without_a_meaning_is_a_configuration_error(name, options, said):
    with pytest.raises(ConfigurationError, match=said):
        extract_custom_header(name, **options)


def test_an_extractor_counts_as_ambient_by_default():
    """A forgotten mark then refuses a cross-site request, instead of admitting one."""

    def undecorated(request):
        return None

    decorated = header_extractor(ambient=False)(lambda request: None)

    assert is_ambient(undecorated)
    assert not is_ambient(decorated)


def test_a_wrapper_of_an_extractor_needs_its_own_mark():
    """It may read a cookie, even if functools.wraps copies the mark of another extractor."""

    @functools.wraps(extract_authorization_header)
    def wrapper(request):
        return extract_cookie_header(request)

    assert is_ambient(wrapper)
    assert is_ambient(functools.partial(extract_authorization_header))
    assert not is_ambient(header_extractor(ambient=False)(wrapper))


def test_methods_and_callable_objects_can_be_marked_too():
    class Tokens:
        @header_extractor(ambient=False)
        def extract(self, request):
            return None

        def __call__(self, request):
            return None

    assert not is_ambient(Tokens().extract)
    assert not is_ambient(header_extractor(ambient=False)(Tokens()))
    assert is_ambient(Tokens())


@pytest.mark.parametrize("ambient", [None, 0, "no"])
def test_ambient_is_true_or_false(ambient):
    with pytest.raises(ConfigurationError, match="ambient is True or False"):
        header_extractor(ambient=ambient)


def test_an_object_that_can_t_be_marked_is_refused():
    class Tokens:
        __slots__ = ()

        def __call__(self, request):
            return None

    with pytest.raises(ConfigurationError, match=r"Tokens can't be decorated"):
        header_extractor(ambient=False)(Tokens())


@pytest.mark.parametrize("value", ["Basic YTpi", "basic YTpi", "Negotiate x", "NTLM x", "Digest x"])
def test_basic_digest_and_negotiate_are_ambient(value):
    assert is_ambient_scheme("authorization", value)


def test_a_bearer_token_or_another_header_is_not_ambient():
    assert not is_ambient_scheme("authorization", "Bearer x")
    assert not is_ambient_scheme("x-token", "Basic YTpi")


# --- Extractors of an app's own -----------------------------------------------------------------


async def coroutine(request):
    return None


async def generator(request):
    yield None


class AsyncCall:
    async def __call__(self, request):
        return None


class Call:
    def __call__(self, request):
        return None


@pytest.mark.parametrize(
    "extractor",
    [coroutine, generator, AsyncCall(), functools.partial(coroutine), AsyncCall().__call__],
)
def test_an_async_extractor_is_a_configuration_error(extractor):
    with pytest.raises(ConfigurationError, match="make it a plain `def`"):
        checked_extractor(extractor)


def test_a_header_name_is_not_an_extractor():
    with pytest.raises(ConfigurationError, match=r"write extract_custom_header\('x-token'\)"):
        checked_extractor("x-token")


@pytest.mark.parametrize(
    ("maker", "call"),
    [
        (extract_custom_header, "extract_custom_header('name')"),
        (extract_cookies, "extract_cookies('session')"),
        (extract_schemes, "extract_schemes('Bearer', 'Token')"),
        (extract_bearer_from_cookie, "extract_bearer_from_cookie('access_token')"),
        (extract_websocket_token, "extract_websocket_token()"),
    ],
)
def test_a_function_that_makes_extractors_is_not_one(maker, call):
    with pytest.raises(ConfigurationError, match=rf"write {re.escape(call)}$"):
        checked_extractor(maker)
    checked_extractor(eval(call, {maker.__name__: maker}))  # noqa: S307 - of this table


def test_the_name_of_a_cookie_is_asked_for_by_the_function_that_needs_it():
    with pytest.raises(ConfigurationError, match=r"extract_bearer_from_cookie\('access_token'\)$"):
        extract_bearer_from_cookie("sb-*")


def test_a_class_is_not_an_extractor():
    class Extractor:
        def __call__(self, request): ...

    with pytest.raises(ConfigurationError, match="Extractor is a class"):
        checked_extractor(Extractor)
    assert checked_extractor(Extractor())


@pytest.mark.parametrize("extractor", [lambda: None, lambda request, name: None])
def test_an_extractor_that_can_t_be_called_with_a_request_says_so(extractor):
    with pytest.raises(ConfigurationError, match=r"is called as \(request\)"):
        checked_extractor(extractor)


def test_an_extractor_without_a_signature_is_accepted():
    assert checked_extractor(iter) is iter


def test_an_object_that_is_not_callable_is_not_an_extractor():
    with pytest.raises(ConfigurationError, match="can't be called"):
        checked_extractor(("authorization", "x"))


@pytest.mark.parametrize("extractor", [Call(), Call().__call__, functools.partial(Call())])
def test_any_callable_can_be_an_extractor(extractor):
    assert checked_extractor(extractor) is extractor


def test_messages_name_an_extractor_without_its_closure():
    secret = functools.partial(lambda request, token: None, token="s3cret")

    assert describe(Call()).endswith("Call")
    assert describe(coroutine).endswith(".coroutine")
    assert describe(secret) == "functools.partial"
