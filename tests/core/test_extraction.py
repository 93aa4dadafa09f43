"""What the built-in extractors take off a request, and what may be forwarded."""

import functools

import pytest
from tests.core.making import asgi, on_both_interfaces, wsgi

from passthrough_auth.core import (
    ConfigurationError,
    MalformedCredential,
    extract_authorization_header,
    extract_cookie_header,
    extract_cookies,
    extract_custom_header,
    header_extractor,
)
from passthrough_auth.core.extraction import (
    checked_extractor,
    describe,
    is_ambient,
    is_ambient_scheme,
)
from passthrough_auth.core.grammar import name_problem, valid_value

# --- The Authorization header -------------------------------------------------------------------


@on_both_interfaces
def test_all_authorization_lines_are_joined_with_a_comma(make):
    """So that two of them are malformed, on servers that join them and on those that don't."""
    two = make(headers=[("Authorization", "Bearer a"), ("Authorization", "Bearer b")])

    assert extract_authorization_header(two) == ("authorization", "Bearer a,Bearer b")
    assert extract_authorization_header(make()) is None


@on_both_interfaces
def test_an_empty_authorization_header_is_present(make):
    """Present and malformed: what keeps a cookie from being used in its place."""
    request = make(headers=[("Authorization", "")])

    assert extract_authorization_header(request) == ("authorization", "")


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
        "Bearer " + 8183 * "a",
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
        "Bearer " + 8184 * "a",
    ],
)
def test_anything_else_is_malformed(value):
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
        ("Bearer a, Bearer b", False),
    ],
)
def test_commas_are_for_schemes_that_were_opted_in(value, valid):
    assert (valid_value("authorization", value, frozenset({"digest"})) == value) is valid


# --- Cookies ------------------------------------------------------------------------------------


@on_both_interfaces
def test_the_cookie_header_travels_whole(make):
    request = make(headers=[("Cookie", "a=1; flag"), ("Cookie", "b=2")])

    assert extract_cookie_header(request) == ("cookie", "a=1; flag; b=2")


@on_both_interfaces
def test_without_a_cookie_there_is_nothing_to_forward(make):
    assert extract_cookie_header(make()) is None
    assert extract_cookie_header(make(headers=[("Cookie", "")])) is None


@pytest.mark.parametrize(
    "value", ["a=1", "a=", "flag; a=1", " a=1 ", "a=b=c", 'a="b"', ";;a=1", "a=" + 9000 * "b"]
)
def test_a_cookie_header_holds_at_least_one_pair(value):
    assert valid_value("cookie", value) == value.strip(" ")


@pytest.mark.parametrize(
    "value", ["", " ", "flag", "=1", "; =1", ";;", "a=\x00", "a=1\r\nX: y", "a=é", "a=1;\tb=2"]
)
def test_a_cookie_header_without_one_or_not_visible_ascii_is_malformed(value):
    assert valid_value("cookie", value) is None


@on_both_interfaces
def test_named_cookies_are_forwarded_and_no_others(make):
    request = make(headers=[("Cookie", "csrf=x; session=s; lang=en")])

    assert extract_cookies("session")(request) == ("cookie", "session=s")
    assert extract_cookies("lang", "session")(request) == ("cookie", "lang=en; session=s")
    assert extract_cookies("session", "session")(request) == ("cookie", "session=s")
    assert extract_cookies("Session")(request) is None


@on_both_interfaces
def test_a_named_cookie_sent_twice_is_malformed_unless_both_are_equal(make):
    """One of two may have been planted from a sibling domain, and nothing tells which."""
    extract = extract_cookies("session")

    with pytest.raises(MalformedCredential, match=r"'session' was sent twice") as caught:
        extract(make(headers=[("Cookie", "session=mine; session=planted")]))
    assert "planted" not in str(caught.value)
    assert extract(make(headers=[("Cookie", "session=s; session=s")])) == ("cookie", "session=s")
    assert extract(make(headers=[("Cookie", "a=1; a=2; session=s")])) == ("cookie", "session=s")


def test_a_named_cookie_joined_with_one_that_is_not_is_malformed():
    """Several WSGI servers join two Cookie lines with a comma, which few cookies hold."""
    extract = extract_cookies("session")

    with pytest.raises(MalformedCredential, match="joined"):
        extract(asgi(headers=[("Cookie", "session=s, tracking=other")]))
    assert extract(asgi(headers=[("Cookie", "session=a,b")])) == ("cookie", "session=a,b")


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
def test_a_named_cookie_behind_a_comma_is_malformed_whatever_it_was_joined_to(make, text):
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
def test_a_custom_header_has_commas_only_where_that_was_said(make):
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


@pytest.mark.parametrize("value", ["t", "a b", "a,b", " t\t", "!~", 8190 * "a"])
def test_a_custom_value_is_visible_ascii_with_inner_spaces(value):
    assert valid_value("x-token", value) == value.strip(" \t")


@pytest.mark.parametrize("value", ["", " ", "a\tb", "a\nb", "é", "\x7f", "\ud800", 8191 * "a"])
def test_any_other_custom_value_is_malformed(value):
    assert valid_value("x-token", value) is None


def test_the_limit_is_for_what_is_left_after_trimming():
    assert valid_value("x-token", " " + 8190 * "a" + "\t") == 8190 * "a"


def test_an_underscore_is_another_header():
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
def test_one_extractor_is_for_one_header(names):
    with pytest.raises(ConfigurationError, match=r"takes the name of one header, not"):
        extract_custom_header(names)


@pytest.mark.parametrize("name", ["authorization", "cookie", "x-token", "x-api-key", "t"])
def test_any_other_name_may(name):
    assert name_problem(name) is None


# --- What a browser attaches by itself ----------------------------------------------------------


def test_cookies_and_what_a_proxy_makes_of_them_are_ambient():
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
    """Or of its session cookie. Browsers send both automatically."""
    assert is_ambient(extract_custom_header(name))


def test_what_only_a_program_sends_is_not():
    assert not is_ambient(extract_authorization_header)
    assert not is_ambient(extract_custom_header("x-flyte-token"))


def test_an_app_knows_better_which_of_its_headers_a_proxy_sets():
    assert is_ambient(extract_custom_header("x-our-proxy", ambient=True))
    assert not is_ambient(extract_custom_header("x-forwarded-access-token", ambient=False))


@pytest.mark.parametrize(
    "known", [extract_cookie_header, extract_authorization_header, extract_custom_header("x-token")]
)
def test_nobody_says_of_an_extractor_that_all_apps_share_what_it_is(known):
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


def test_an_extractor_that_does_not_say_is_taken_to_be_ambient():
    """Forgetting it refuses a cross-site request, rather than letting one through."""

    def undecorated(request):
        return None

    decorated = header_extractor(ambient=False)(lambda request: None)

    assert is_ambient(undecorated)
    assert not is_ambient(decorated)


def test_what_wraps_an_extractor_has_to_say_for_itself():
    """It may read a cookie, whatever functools.wraps copies onto it."""

    @functools.wraps(extract_authorization_header)
    def wrapper(request):
        return extract_cookie_header(request)

    assert is_ambient(wrapper)
    assert is_ambient(functools.partial(extract_authorization_header))
    assert not is_ambient(header_extractor(ambient=False)(wrapper))


def test_methods_and_callable_objects_can_say_so_too():
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
def test_whether_it_is_ambient_is_true_or_false(ambient):
    with pytest.raises(ConfigurationError, match="ambient is True or False"):
        header_extractor(ambient=ambient)


def test_what_can_t_be_marked_is_refused():
    class Tokens:
        __slots__ = ()

        def __call__(self, request):
            return None

    with pytest.raises(ConfigurationError, match=r"Tokens can't be decorated"):
        header_extractor(ambient=False)(Tokens())


@pytest.mark.parametrize("value", ["Basic YTpi", "basic YTpi", "Negotiate x", "NTLM x", "Digest x"])
def test_an_authorization_that_browsers_repeat_by_themselves_is_ambient(value):
    assert is_ambient_scheme("authorization", value)


def test_a_bearer_token_or_another_header_is_not():
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


def test_the_name_of_a_header_is_no_extractor():
    with pytest.raises(ConfigurationError, match=r"write extract_custom_header\('x-token'\)"):
        checked_extractor("x-token")


@pytest.mark.parametrize("maker", [extract_custom_header, extract_cookies])
def test_what_makes_extractors_is_none_itself(maker):
    with pytest.raises(ConfigurationError, match=rf"write {maker.__name__}\('name'\)"):
        checked_extractor(maker)


def test_a_class_is_no_extractor():
    class Extractor:
        def __call__(self, request): ...

    with pytest.raises(ConfigurationError, match="Extractor is a class"):
        checked_extractor(Extractor)
    assert checked_extractor(Extractor())


@pytest.mark.parametrize("extractor", [lambda: None, lambda request, name: None])
def test_an_extractor_that_can_t_be_called_with_a_request_says_so(extractor):
    with pytest.raises(ConfigurationError, match=r"is called as \(request\)"):
        checked_extractor(extractor)


def test_an_extractor_that_doesn_t_tell_what_it_takes_is_believed():
    assert checked_extractor(iter) is iter


def test_what_can_t_be_called_is_no_extractor():
    with pytest.raises(ConfigurationError, match="can't be called"):
        checked_extractor(("authorization", "x"))


@pytest.mark.parametrize("extractor", [Call(), Call().__call__, functools.partial(Call())])
def test_anything_that_can_be_called_is_one(extractor):
    assert checked_extractor(extractor) is extractor


def test_messages_name_an_extractor_without_what_it_closes_over():
    secret = functools.partial(lambda request, token: None, token="s3cret")

    assert describe(Call()).endswith("Call")
    assert describe(coroutine).endswith(".coroutine")
    assert describe(secret) == "functools.partial"
