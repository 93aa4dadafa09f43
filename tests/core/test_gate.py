"""The gate's decision: whether a request passes, and as which caller."""

import functools
import json
import logging
import pickle
import sys
from types import SimpleNamespace

import pytest
from tests.core.builders import BoundClient, asgi, on_both_interfaces, wsgi
from tests.core.test_bindings import Recognising, Upstream

from passthrough_auth.core import (
    CallerDenied,
    CallerRefused,
    CallerUnauthenticated,
    ConfigurationError,
    CredentialMissing,
    Credentials,
    CredentialUnusable,
    MalformedCredential,
    NoCaller,
    Refusal,
    extract_authorization_header,
    extract_bare_authorization,
    extract_bearer_from_cookie,
    extract_bearer_token,
    extract_cookie_header,
    extract_cookies,
    extract_custom_header,
    header_extractor,
)
from passthrough_auth.core.inbound import Gate

BEARER = ("Authorization", "Bearer alice")
TOKEN = "invalid_token"
COOKIE = ("Cookie", "session=alice")
CROSS_SITE = ("Sec-Fetch-Site", "cross-site")
PREFLIGHT = [("Origin", "https://app.example"), ("Access-Control-Request-Method", "PUT")]

GATE = Gate(excluded_paths={"/health", "/public/*"})


def outcome(admission):
    """The outcome for a request: the headers to forward, the absence, or the refusal."""
    if admission.refusal is not None:
        return answer_of(admission.refusal)
    if admission.absence in ("public", "preflight"):
        return admission.absence
    return admission.credentials().headers()


def answer_of(refusal):
    return refusal.status, json.loads(refusal.body)["detail"]


REQUIRED = (401, "Authentication credentials required")
MALFORMED = (401, "Authentication credentials malformed")
FORBIDDEN = (403, "Cross-site request with ambient credentials refused")


# --- Public paths -------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [[], [BEARER], [("Authorization", "broken")]])
@pytest.mark.parametrize("path", ["/health", "/public/x"])
@on_both_interfaces
def test_a_public_path_is_public_with_and_without_credentials(make, path, headers):
    assert outcome(GATE.admit(make(path, headers))) == "public"


@pytest.mark.parametrize("path", ["/", "/me", "/health/", "/public", "/public/../me", ""])
@on_both_interfaces
def test_any_other_path_needs_credentials(make, path):
    """Also a path without a handler: without credentials it isn't shown that there is none."""
    assert outcome(GATE.admit(make(path))) == REQUIRED
    assert outcome(GATE.admit(make(path, [BEARER]))) == {"authorization": "Bearer alice"}


def test_a_path_that_can_t_be_decoded_needs_credentials():
    environ = wsgi("/health").environ | {"PATH_INFO": "/public/\xe9"}

    assert outcome(GATE.admit(type(wsgi())(environ))) == REQUIRED


def test_the_path_within_the_app_decides_where_it_is_mounted():
    assert outcome(GATE.admit(asgi("/api/health", root_path="/api"))) == "public"
    assert outcome(GATE.admit(asgi("/health/api", root_path="/health"))) == REQUIRED


# --- Credentials --------------------------------------------------------------------------------


@on_both_interfaces
def test_authorization_and_cookie_are_taken_by_default(make):
    request = make("/", [COOKIE, BEARER, ("X-Token", "t")])

    assert outcome(GATE.admit(request)) == {
        "authorization": "Bearer alice",
        "cookie": "session=alice",
    }


@on_both_interfaces
def test_one_of_them_is_enough(make):
    assert outcome(GATE.admit(make("/", [COOKIE]))) == {"cookie": "session=alice"}


@on_both_interfaces
def test_values_are_forwarded_without_the_space_around_them(make):
    assert outcome(GATE.admit(make("/", [("Authorization", " \tBearer a ")]))) == {
        "authorization": "Bearer a"
    }


@pytest.mark.parametrize(
    "lines",
    [
        ["Bearer a", "Bearer b"],
        ["", "Bearer a"],
        ["Bearer a", ""],
        ["Bearer a", "Bearer a"],
        ["Bearer"],
        ["Bearer a, Bearer b"],
        ["", ""],
        ["Bearer \x01"],
        ["Bearer é"],
    ],
)
@pytest.mark.parametrize("cookie", [[], [COOKIE]])
@on_both_interfaces
def test_a_malformed_authorization_is_refused_and_no_cookie_takes_its_place(make, lines, cookie):
    headers = [*cookie, *(("Authorization", line) for line in lines)]

    assert outcome(GATE.admit(make("/", headers))) == MALFORMED


@on_both_interfaces
def test_a_malformed_authorization_is_refused_in_any_order_of_the_extractors(make):
    gate = Gate(header_extractors=[extract_cookie_header, extract_authorization_header])

    assert outcome(gate.admit(make("/", [COOKIE, ("Authorization", "Bearer")]))) == MALFORMED


@on_both_interfaces
def test_empty_headers_count_as_not_sent(make):
    empty = ("Authorization", " ")

    assert outcome(GATE.admit(make("/", [empty]))) == REQUIRED
    assert outcome(GATE.admit(make("/", [("Cookie", "session=")]))) == REQUIRED
    assert outcome(GATE.admit(make("/", [empty, COOKIE]))) == {"cookie": "session=alice"}


def test_a_key_without_a_scheme_needs_its_extractor():
    gate = Gate(header_extractors=[extract_bare_authorization])
    request = asgi("/", [("Authorization", "abc.def")])

    assert outcome(gate.admit(request)) == {"authorization": "abc.def"}
    assert outcome(GATE.admit(request)) == MALFORMED


@on_both_interfaces
def test_a_malformed_cookie_without_another_credential_is_refused(make):
    assert outcome(GATE.admit(make("/", [("Cookie", "flag")]))) == MALFORMED
    assert outcome(GATE.admit(make("/", [("Cookie", "flag"), BEARER]))) == {
        "authorization": "Bearer alice"
    }


def test_named_cookies_travel_alone():
    gate = Gate(header_extractors=[extract_cookies("session")])

    assert outcome(gate.admit(asgi("/", [("Cookie", "csrf=x; session=s")]))) == {
        "cookie": "session=s"
    }
    assert outcome(gate.admit(asgi("/", [("Cookie", "session=s; session=t")]))) == MALFORMED


def test_a_custom_header_that_is_sent_twice_is_malformed():
    gate = Gate(header_extractors=[extract_custom_header("x-token")])

    assert outcome(gate.admit(asgi("/", [("X-Token", "a")]))) == {"x-token": "a"}
    assert outcome(gate.admit(asgi("/", [("X-Token", "a"), ("X-Token", "b")]))) == MALFORMED
    assert outcome(gate.admit(asgi("/", [BEARER]))) == REQUIRED


def test_of_two_extractors_that_yield_one_name_the_first_wins():
    def from_token(request):
        token = request.headers.get("x-token")
        return ("Authorization", f"Bearer {token}") if token else None

    gate = Gate(header_extractors=[from_token, extract_authorization_header])

    assert outcome(gate.admit(asgi("/", [BEARER, ("X-Token", "t")]))) == {
        "authorization": "Bearer t"
    }
    assert outcome(gate.admit(asgi("/", [BEARER]))) == {"authorization": "Bearer alice"}


def test_a_malformed_credential_is_not_replaced_by_a_later_one_with_its_name():
    """The later one could forward the cookie that the first one rejected as planted."""
    planted = asgi("/", [("Cookie", "session=alice; session=evil")])
    with_bearer = asgi("/", [("Cookie", "session=alice; session=evil"), BEARER])
    gate = Gate(
        header_extractors=[
            extract_cookies("session"),
            extract_cookie_header,
            extract_authorization_header,
        ]
    )

    assert outcome(gate.admit(planted)) == MALFORMED
    assert outcome(gate.admit(with_bearer)) == {"authorization": "Bearer alice"}


def test_a_value_that_can_t_be_forwarded_is_not_replaced_by_a_later_one():
    def from_token(request):
        return "cookie", request.headers["x-token"]

    gate = Gate(header_extractors=[from_token, extract_cookie_header])

    assert outcome(gate.admit(asgi("/", [COOKIE, ("X-Token", "no pair")]))) == MALFORMED


def malformed_token(request):
    raise MalformedCredential("no token", name="Authorization")


def test_an_extractor_that_finds_authorization_malformed_refuses_the_request():
    """A valid cookie doesn't replace it."""

    gate = Gate(header_extractors=[malformed_token, extract_cookie_header])

    assert outcome(gate.admit(asgi("/", [COOKIE]))) == MALFORMED


def test_a_malformed_authorization_after_a_valid_one_is_ignored():
    gate = Gate(header_extractors=[extract_authorization_header, malformed_token])

    assert outcome(gate.admit(asgi("/", [BEARER]))) == {"authorization": "Bearer alice"}


def test_the_credentials_come_in_the_order_of_the_extractors():
    gate = Gate(header_extractors=[extract_custom_header("x-token"), extract_cookie_header])
    admission = gate.admit(asgi("/", [COOKIE, ("X-Token", "t")]))

    assert admission.credentials() == Credentials(("x-token", "t"), ("cookie", "session=alice"))


def test_schemes_with_commas_are_allowed_by_name():
    digest = asgi("/", [("Authorization", 'Digest username="a", realm="b c"')])

    assert outcome(GATE.admit(digest)) == MALFORMED
    assert outcome(Gate(comma_schemes=iter(["Digest"])).admit(digest)) == {
        "authorization": 'Digest username="a", realm="b c"'
    }


def test_an_ordinary_request_is_not_logged(caplog):
    """A request without credentials or with malformed ones isn't logged either."""
    for headers in ([BEARER, COOKIE], [COOKIE], [], [("Authorization", "Bearer")]):
        GATE.admit(asgi("/", headers))

    assert caplog.records == []


def test_a_refusal_is_final():
    """The gate reuses a refusal for many requests, so it must not be changeable."""
    refusal = GATE.admit(asgi("/")).refusal

    assert GATE.admit(asgi("/")).refusal is refusal
    with pytest.raises(AttributeError):
        refusal.status = 200


# --- Extractors of an app's own -----------------------------------------------------------------


def yielding(pair):
    """An extractor that always yields this."""

    def extract_anything(request):
        return pair

    return extract_anything


async def answer():
    return ("x-token", "s3cret")


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        (["x-token", "s3cret"], "returned list, not a (name, value) pair or None"),
        ("s3cret", "returned str, not a (name, value) pair or None"),
        ({"x-token": "s3cret"}, "returned dict, not a (name, value) pair or None"),
        (("x-token", "s3cret", "more"), "returned a tuple that is not a pair of two strings"),
        (("x-token", b"s3cret"), "returned a tuple that is not a pair of two strings"),
        ((None, "s3cret"), "returned a tuple that is not a pair of two strings"),
        (("host", "s3cret"), "returned a name that can't be forwarded as a credential"),
        (("Transfer-Encoding", "s3cret"), "returned a name that can't be forwarded"),
        (("s3cret name", "x-token"), "returned a name that can't be forwarded as a credential"),
        (("s3cret\n", "x-token"), "returned a name that can't be forwarded as a credential"),
    ],
)
def test_an_invalid_result_of_an_extractor_is_ignored_with_a_warning(pair, said, caplog):
    gate = Gate(header_extractors=[yielding(pair), extract_cookie_header])

    assert outcome(gate.admit(asgi("/", [COOKIE]))) == {"cookie": "session=alice"}
    assert outcome(gate.admit(asgi("/"))) == REQUIRED
    assert caplog.text.count(said) == 1
    assert "extract_anything" in caplog.text
    assert "s3cret" not in caplog.text


def test_the_wrapper_of_a_core_extractor_is_checked_like_an_app_s_own(caplog):
    """Also if it has all attributes of the wrapped extractor, as with `functools.wraps`."""

    @functools.wraps(extract_authorization_header)
    def extract_for_a_tenant(request):
        return ("host", "s3cret")

    gate = Gate(header_extractors=[extract_for_a_tenant])

    assert outcome(gate.admit(asgi("/", [BEARER]))) == REQUIRED
    assert "returned a name that can't be forwarded" in caplog.text


def test_a_coroutine_is_ignored_and_closed(caplog):
    """A plain function that returns a coroutine passes the check at start-up."""
    gate = Gate(header_extractors=[lambda request: answer()])

    assert outcome(gate.admit(asgi("/"))) == REQUIRED
    assert "returned a coroutine" in caplog.text


def test_an_extractor_that_raises_is_ignored_with_one_warning(caplog):
    """One warning for each type of exception. Its text isn't logged: it can contain a secret."""

    def extract_token(request):
        raise {"a": KeyError, "b": UnicodeError}[request.headers["x-token"]]("s3cret")

    gate = Gate(header_extractors=[extract_token, extract_cookie_header])

    for token in ("a", "b", "a", "b"):
        headers = [COOKIE, ("X-Token", token)]
        assert outcome(gate.admit(asgi("/", headers))) == {"cookie": "session=alice"}
    assert [record.getMessage() for record in caplog.records] == [
        f"The extractor {__name__}.{extract_token.__qualname__} raised {error}: "
        "it counts as having found nothing"
        for error in ("KeyError", "UnicodeError")
    ]
    assert all(record.exc_info is None for record in caplog.records)
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_the_warning_for_an_attribute_error_points_to_request_native(caplog):
    gate = Gate(header_extractors=[lambda request: request.query_params])

    assert outcome(gate.admit(asgi("/"))) == REQUIRED
    assert "what only the framework's own request has is on request.native" in caplog.text


def test_an_extractor_can_report_a_malformed_credential():
    def extract_token(request):
        raise MalformedCredential("s3cret")

    gate = Gate(header_extractors=[extract_token, extract_cookie_header])

    assert outcome(gate.admit(asgi("/"))) == MALFORMED
    assert outcome(gate.admit(asgi("/", [COOKIE]))) == {"cookie": "session=alice"}


def test_keyboard_interrupt_is_not_caught():
    def extract_token(request):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Gate(header_extractors=[extract_token]).admit(asgi("/"))


def test_an_app_s_extractor_has_the_same_grammar_and_lower_case_names():
    gate = Gate(header_extractors=[yielding(("X-Token", " t "))])
    broken = Gate(header_extractors=[yielding(("X-Token", "a\r\nx: y"))])

    assert outcome(gate.admit(asgi("/"))) == {"x-token": "t"}
    assert outcome(broken.admit(asgi("/"))) == MALFORMED


# --- Refusals -----------------------------------------------------------------------------------


@on_both_interfaces
def test_a_refusal_is_a_401_that_asks_for_a_bearer_token(make):
    refusal = GATE.admit(make("/me")).refusal

    assert refusal.status == 401
    assert refusal.body == b'{"detail": "Authentication credentials required"}'
    assert dict(refusal.headers) == {
        "content-type": "application/json",
        "content-length": "49",
        "cache-control": "no-store",
        "www-authenticate": "Bearer",
    }


def test_the_challenge_names_what_was_configured():
    gate = Gate(realm="flyte", resource_metadata="https://a.example/.well-known/m")
    challenge = 'Bearer realm="flyte", resource_metadata="https://a.example/.well-known/m"'

    # RFC 6750 section 3.1: no error code for a request without any credentials.
    for headers, error in (([], ""), ([("Authorization", "Bearer")], ', error="invalid_token"')):
        refusal = gate.admit(asgi("/", headers)).refusal
        assert dict(refusal.headers)["www-authenticate"] == challenge + error


@pytest.mark.parametrize(
    "headers", [[("Authorization", "s3cret")], [("Cookie", "s3cret")], [COOKIE, CROSS_SITE]]
)
def test_a_refusal_never_echoes_what_was_sent(headers):
    refusal = GATE.admit(asgi("/me?s3cret", headers, method="POST")).refusal

    assert "s3cret" not in repr(refusal)
    assert "session" not in repr(refusal)


def test_an_app_can_replace_headers_and_body():
    def on_refusal(request, refusal):
        return refusal._replace(headers=(("X-Path", request.path),), body=b"no")

    refusal = Gate(on_refusal=on_refusal).admit(asgi("/me")).refusal

    assert refusal == Refusal(401, (("x-path", "/me"), ("content-length", "2")), b"no")


def raising(request, refusal):
    raise KeyError(request.headers["authorization"])


def redirecting(request, refusal):
    return Refusal(303, (("location", f"/login?next={request.path}"),), b"")


@pytest.mark.parametrize(
    ("on_refusal", "path", "said"),
    [
        (raising, "/me", "on_refusal raised KeyError"),
        (lambda request, refusal: None, "/me", "no Refusal that can be sent"),
        (lambda request, refusal: refusal._replace(status=200), "/me", "status from 300 to 599"),
        (lambda request, refusal: refusal._replace(headers={"a": "b"}), "/me", "ValueError"),
        (redirecting, "/me\r\nset-cookie: a=b", "no Refusal that can be sent"),
    ],
)
def test_an_unusable_replacement_is_not_sent(on_refusal, path, said, caplog):
    """A success isn't a refusal, and a caller must not be able to add a header."""
    gate = Gate(on_refusal=on_refusal)
    headers = [("Authorization", "s3cret")]

    assert outcome(gate.admit(asgi(path, headers))) == MALFORMED
    assert said in caplog.text
    assert "s3cret" not in caplog.text


# --- CORS preflights ----------------------------------------------------------------------------


@on_both_interfaces
def test_a_preflight_needs_credentials_unless_it_is_allowed(make):
    preflight = make("/me", PREFLIGHT, method="OPTIONS")

    assert outcome(GATE.admit(preflight)) == REQUIRED
    assert outcome(Gate().admit(preflight, preflights=True)) == "preflight"


def test_a_refused_preflight_is_logged_once(caplog):
    """The browser's own message doesn't say that two middlewares are in the wrong order."""
    gate = Gate()

    for _ in range(3):
        gate.admit(asgi("/me", PREFLIGHT, method="OPTIONS"))

    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "Put the CORS middleware outside this one" in caplog.text
    assert "app.example" not in caplog.text


def test_a_refused_cross_site_request_is_logged_once(caplog):
    gate = Gate()
    for _ in range(2):
        gate.admit(asgi("/me", [COOKIE, ("sec-fetch-site", "cross-site")], method="POST"))

    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "name the origin that the browser shows in trusted_origins" in caplog.text


@pytest.mark.parametrize("headers", [[], PREFLIGHT[:1], PREFLIGHT[1:]])
def test_only_a_preflight_is_allowed_through(headers):
    for method, lines in (("OPTIONS", headers), ("GET", PREFLIGHT)):
        request = asgi("/me", lines, method=method)
        assert outcome(GATE.admit(request, preflights=True)) == REQUIRED


def test_a_preflight_has_no_caller_even_with_credentials():
    request = asgi("/", [*PREFLIGHT, BEARER], method="OPTIONS")

    admission = GATE.admit(request, preflights=True)

    assert outcome(admission) == "preflight"
    with pytest.raises(NoCaller):
        admission.credentials()


# --- Cross-site requests ------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "DELETE", "get"])
@on_both_interfaces
def test_another_site_can_t_act_with_a_user_s_cookie(make, method):
    assert outcome(GATE.admit(make("/me", [COOKIE, CROSS_SITE], method=method))) == FORBIDDEN


def test_another_site_can_t_open_a_websocket_with_a_user_s_cookie():
    headers = [COOKIE, ("Origin", "https://evil.example"), ("Host", "app.example")]

    assert outcome(GATE.admit(asgi("/ws", headers, kind="websocket"))) == FORBIDDEN


@pytest.mark.parametrize(
    ("headers", "method"),
    [
        ([COOKIE, CROSS_SITE], "GET"),
        ([COOKIE], "POST"),
        ([COOKIE, ("Sec-Fetch-Site", "same-origin")], "POST"),
        ([COOKIE, ("Sec-Fetch-Site", "none")], "POST"),
        ([COOKIE, ("Origin", "https://app.example"), ("Host", "app.example")], "POST"),
        ([BEARER, CROSS_SITE], "POST"),
        ([BEARER, COOKIE, CROSS_SITE], "POST"),
    ],
)
@on_both_interfaces
def test_safe_own_and_unambient_requests_are_admitted(make, headers, method):
    assert GATE.admit(make("/me", headers, method=method)).refusal is None


@on_both_interfaces
def test_a_trusted_origin_may_act_as_its_users(make):
    gate = Gate(trusted_origins={"https://admin.example"})
    headers = [COOKIE, CROSS_SITE, ("Origin", "https://admin.example")]

    assert outcome(gate.admit(make("/me", headers, method="POST"))) == {"cookie": "session=alice"}


def test_basic_credentials_are_like_a_cookie():
    headers = [("Authorization", "Basic YTpi"), COOKIE, CROSS_SITE]

    assert outcome(GATE.admit(asgi("/me", headers, method="POST"))) == FORBIDDEN


def test_a_token_that_a_proxy_makes_from_a_cookie_is_like_a_cookie():
    gate = Gate(header_extractors=[extract_custom_header("x-forwarded-access-token")])
    headers = [("X-Forwarded-Access-Token", "t"), CROSS_SITE]

    assert outcome(gate.admit(asgi("/me", headers, method="POST"))) == FORBIDDEN


def test_an_app_s_extractor_says_whether_it_is_ambient():
    not_ambient = header_extractor(ambient=False)(yielding(("x-token", "t")))
    request = asgi("/me", [CROSS_SITE], method="POST")

    assert outcome(Gate(header_extractors=[yielding(("x-token", "t"))]).admit(request)) == FORBIDDEN
    assert outcome(Gate(header_extractors=[not_ambient]).admit(request)) == {"x-token": "t"}


def test_what_takes_the_place_of_a_dropped_credential_vouches_for_itself():
    not_ambient = header_extractor(ambient=False)(yielding(("cookie", "a=b")))
    gate = Gate(header_extractors=[extract_cookie_header, not_ambient])

    admitted = gate.admit(asgi("/me", [COOKIE, CROSS_SITE], method="POST"))

    assert outcome(admitted) == {"cookie": "a=b"}


def test_a_dropped_cookie_is_said_once_with_the_line_to_write(caplog):
    gate = Gate()
    for _ in range(2):
        admitted = gate.admit(asgi("/me", [BEARER, COOKIE, CROSS_SITE], method="POST"))
        assert outcome(admitted) == {"authorization": "Bearer alice"}
    (said,) = caplog.messages
    assert "trusted_origins={'https://...'}" in said


@pytest.mark.parametrize(
    "request_",
    [
        asgi("/me", [BEARER, COOKIE, CROSS_SITE], kind="websocket"),
        wsgi("/me", [BEARER, COOKIE, CROSS_SITE, ("Upgrade", "websocket")]),
    ],
)
def test_a_handshake_of_another_site_with_a_cookie_is_refused_even_with_a_token(request_):
    """No CORS layer was asked whether a page of that site may add the token."""
    assert outcome(GATE.admit(request_)) == FORBIDDEN


@on_both_interfaces
def test_an_empty_cookie_is_not_dropped_but_none(make):
    """Nothing was attached that could have been misused."""
    request = make("/me", [("Cookie", "session="), CROSS_SITE], method="POST")
    assert outcome(GATE.admit(request)) == REQUIRED


def test_a_cross_site_request_without_credentials_is_a_401():
    assert outcome(GATE.admit(asgi("/me", [CROSS_SITE], method="POST"))) == REQUIRED


# --- Admissions and upstream refusals -----------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "found"),
    [
        (asgi("/me", [BEARER]), {"authorization": "Bearer alice"}),
        (asgi("/health", [BEARER]), "public"),
        (asgi("/me"), "refused"),
        (asgi("/me", PREFLIGHT, method="OPTIONS"), "preflight"),
    ],
)
def test_the_caller_of_a_request_is_the_one_that_the_gate_admitted(request_, found):
    client = BoundClient()
    gate = Gate(excluded_paths=["/health"], bindings=[client])
    admission = gate.admit(request_, preflights=True)

    try:
        assert admission.credentials().headers() == found
    except NoCaller as absent:
        assert absent.reason == found  # noqa: PT017 - either is a test of its own
    assert admission.bindings == (client,)


@pytest.mark.parametrize(
    ("error", "answer", "code"),
    [
        (CallerUnauthenticated("s3cret"), (401, "Authentication credentials not accepted"), TOKEN),
        (CallerDenied("s3cret"), (403, "Permission denied"), "insufficient_scope"),
        (CallerRefused("s3cret"), (403, "Permission denied"), None),
        (Upstream("s3cret"), (403, "Permission denied"), "insufficient_scope"),
        (CredentialMissing("x"), (401, "Authentication credentials required"), None),
        (CredentialUnusable("x"), (401, "Authentication credentials malformed"), TOKEN),
    ],
)
def test_an_upstream_refusal_is_answered_however_deep_it_is(error, answer, code):
    gate = Gate(bindings=[Recognising()], realm="flyte")
    outer = RuntimeError("outer")
    outer.__cause__ = ValueError("inner")
    outer.__cause__.__cause__ = error

    refusal = gate.refusal_for(asgi("/me"), outer)

    assert answer_of(refusal) == answer
    assert dict(refusal.headers)["cache-control"] == "no-store"
    challenge = 'Bearer realm="flyte"' + ("" if code is None else f', error="{code}"')
    expected = challenge if refusal.status == 401 or code else None
    assert dict(refusal.headers).get("www-authenticate") == expected


@pytest.mark.parametrize(
    "error", [RuntimeError("x"), NoCaller("public"), MalformedCredential("of the app's own")]
)
def test_any_other_error_is_no_refusal(error):
    assert GATE.refusal_for(asgi("/me"), error) is None


def test_what_a_destination_lacks_is_logged_once_for_the_app_may_have_no_extractor_for_it(caplog):
    gate = Gate()
    for _ in range(2):
        gate.refusal_for(asgi("/me"), CredentialMissing("There is no 'x-token' here"))

    assert [record.getMessage() for record in caplog.records] == [
        "A request was answered with 401. There is no 'x-token' here"
    ]


def test_an_app_can_replace_the_answer_to_an_upstream_refusal_too():
    gate = Gate(on_refusal=lambda request, refusal: refusal._replace(headers=(), body=b"no"))

    assert gate.refusal_for(asgi("/me"), CallerDenied()) == Refusal(
        403, (("content-length", "2"),), b"no"
    )


# --- Configuration ------------------------------------------------------------------------------


async def async_answer(request, refusal=None):
    raise NotImplementedError


class AsyncCall:
    async def __call__(self, request, refusal=None):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"header_extractors": extract_cookie_header}, r"write \[extract_cookie_header\]"),
        ({"header_extractors": "x-token"}, r"write \[extract_authorization_header\]"),
        ({"header_extractors": 7}, r"write \[extract_authorization_header\]"),
        ({"header_extractors": []}, "Leave it out"),
        ({"header_extractors": ["x-token"]}, r"write extract_custom_header\('x-token'\)"),
        ({"header_extractors": [None]}, "can't be called"),
        ({"header_extractors": [async_answer]}, "plain `def`"),
        ({"header_extractors": [AsyncCall()]}, "plain `def`"),
        ({"excluded_paths": "/health"}, r"write \{'/health'\}"),
        ({"excluded_paths": ["health"]}, "'/health'"),
        ({"trusted_origins": "https://a.example"}, "takes a collection, not"),
        ({"trusted_origins": {"https://a.example": False}}, "takes a collection, not"),
        ({"trusted_origins": ["a.example"]}, "Write scheme, host"),
        ({"comma_schemes": "Digest"}, r"write \{'Digest'\}"),
        ({"comma_schemes": {"Digest": False}}, r"write \{'Digest'\}"),
        ({"comma_schemes": None}, r"write \{'Digest'\}"),
        ({"comma_schemes": ["Digest MD5"]}, "such as 'Digest'"),
        ({"comma_schemes": [7]}, "such as 'Digest'"),
        ({"realm": 'a"b'}, "printable ASCII"),
        ({"resource_metadata": "a\nb"}, "printable ASCII"),
        ({"on_refusal": "/login"}, r"\(request, refusal\) -> Refusal"),
        ({"on_refusal": async_answer}, r"\(request, refusal\) -> Refusal"),
        ({"on_refusal": AsyncCall()}, r"\(request, refusal\) -> Refusal"),
        ({"on_refusal": functools.partial(async_answer)}, r"\(request, refusal\) -> Refusal"),
        ({"bindings": [7]}, "bindings takes objects"),
        ({"on_refusal": lambda refusal: refusal}, r"is called as \(request, refusal\)"),
        ({"trusted_origins": ["https://a.example:8443/"]}, "wildcard: 'https://a.example:8443'$"),
        ({"trusted_origins": ["a.example"]}, "wildcard: 'https://a.example'$"),
        ({"trusted_origins": ["localhost:3000"]}, "wildcard: 'http://localhost:3000'$"),
        ({"trusted_origins": ["*"]}, "wildcard: 'https://admin.example.com'$"),
        ({"trusted_origins": [7]}, "wildcard: 'https://admin.example.com'$"),
        ({"bindings": 7}, "bindings takes a collection"),
        ({"bindings": {BoundClient(): False}}, "bindings takes a collection"),
        (
            {"header_extractors": {extract_cookie_header: False}},
            r"takes a collection, not a mapping",
        ),
    ],
)
def test_an_option_that_can_t_be_right_says_what_to_write(options, advice):
    with pytest.raises(ConfigurationError, match=advice):
        Gate(**options)


def test_none_stands_for_the_default():
    gate = Gate(header_extractors=None, excluded_paths=None, bindings=None)

    assert outcome(gate.admit(asgi("/", [BEARER]))) == {"authorization": "Bearer alice"}


# --- In another process ---------------------------------------------------------------------------


def test_a_gate_that_was_pickled_looks_for_the_clients_of_its_own_process(caplog):
    gate = Gate(excluded_paths={"/health"})
    gate.admit(asgi("/me", [COOKIE, CROSS_SITE], method="POST"))
    assert len(caplog.records) == 1

    other = pickle.loads(pickle.dumps(gate))  # noqa: S301 - our own

    assert outcome(other.admit(asgi("/health"))) == "public"
    assert outcome(other.admit(asgi("/me", [COOKIE]))) == {"cookie": "session=alice"}
    assert outcome(other.admit(asgi("/me", [COOKIE, CROSS_SITE], method="POST"))) == FORBIDDEN
    assert len(caplog.records) == 2  # the log of that process has not said it yet


def test_threads_that_inherit_are_warned_of(monkeypatch, caplog):
    """With the flag of free-threaded Python 3.14, or without it."""
    for flag, times in ((0, 0), (1, 1)):
        monkeypatch.setattr(sys, "flags", SimpleNamespace(thread_inherit_context=flag))
        Gate(bindings=())
        assert caplog.text.count("`with without_caller():` around") == times


@pytest.mark.parametrize("reverse", [False, True])
def test_a_cookie_that_comes_after_a_token_of_the_same_name_was_there_all_the_same(reverse):
    """A made-up token would otherwise open another site's WebSocket beside the victim's cookie."""
    extractors = [extract_bearer_token, extract_bearer_from_cookie("t")]
    gate = Gate(header_extractors=extractors[::-1] if reverse else extractors, bindings=[])
    evil = [("Origin", "https://evil.example"), ("Host", "app.example"), ("Cookie", "t=victim")]
    token = ("Authorization", "Bearer made-up")
    handshake = gate.admit(asgi("/", [*evil, token], kind="websocket"))
    assert handshake.refusal is not None
    assert handshake.refusal.status == 403
    posted = gate.admit(asgi("/", [*evil, token], method="POST"))
    assert posted.credentials().headers() == {"authorization": "Bearer made-up"}
    for cookie in ("t=victim,t=other", "t=" + "v" * 70_000):
        malformed = [*evil[:2], ("Cookie", cookie), token]
        handshake = gate.admit(asgi("/", malformed, kind="websocket"))
        assert handshake.refusal is not None
    own = [("Origin", "https://app.example"), *evil[1:], token]
    assert gate.admit(asgi("/", own, kind="websocket")).refusal is None
