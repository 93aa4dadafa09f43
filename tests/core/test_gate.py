"""The one decision: may this request pass, and as whom."""

import functools
import json
import logging
from contextlib import nullcontext

import pytest
from tests.core.making import asgi, on_both_interfaces, wsgi
from tests.core.test_bindings import Recognising, Upstream
from tests.core.test_context import Recorder

from passthrough_auth.core import (
    Admitted,
    CallerDenied,
    CallerRefused,
    CallerUnauthenticated,
    ConfigurationError,
    CredentialMissing,
    Credentials,
    CredentialUnusable,
    Gate,
    MalformedCredential,
    NoCaller,
    Public,
    Refusal,
    Refused,
    extract_authorization_header,
    extract_cookie_header,
    extract_cookies,
    extract_custom_header,
    header_extractor,
)

BEARER = ("Authorization", "Bearer alice")
COOKIE = ("Cookie", "session=alice")
CROSS_SITE = ("Sec-Fetch-Site", "cross-site")
PREFLIGHT = [("Origin", "https://app.example"), ("Access-Control-Request-Method", "PUT")]

GATE = Gate(excluded_paths={"/health", "/public/*"})


def told(decision):
    """What a decision comes down to: the headers to forward, the absence, or status and detail."""
    if isinstance(decision, Admitted):
        return decision.credentials.headers()
    if isinstance(decision, Public):
        return decision.absence
    return decision.refusal.status, json.loads(decision.refusal.body)["detail"]


REQUIRED = (401, "Authentication credentials required")
MALFORMED = (401, "Authentication credentials malformed")
FORBIDDEN = (403, "Cross-site request with ambient credentials refused")


# --- Public paths -------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [[], [BEARER], [("Authorization", "broken")]])
@pytest.mark.parametrize("path", ["/health", "/public/x"])
@on_both_interfaces
def test_a_public_path_is_public_whatever_was_sent(make, path, headers):
    assert told(GATE.decide(make(path, headers))) == "public"


@pytest.mark.parametrize("path", ["/", "/me", "/health/", "/public", "/public/../me", ""])
@on_both_interfaces
def test_any_other_path_needs_credentials(make, path):
    """Also one that no handler has: whether it exists is nobody's business."""
    assert told(GATE.decide(make(path))) == REQUIRED
    assert told(GATE.decide(make(path, [BEARER]))) == {"authorization": "Bearer alice"}


def test_a_path_that_can_t_be_decoded_needs_credentials():
    environ = wsgi("/health").environ | {"PATH_INFO": "/public/\xe9"}

    assert told(GATE.decide(type(wsgi())(environ))) == REQUIRED


def test_the_path_within_the_app_decides_where_it_is_mounted():
    assert told(GATE.decide(asgi("/api/health", root_path="/api"))) == "public"
    assert told(GATE.decide(asgi("/health/api", root_path="/health"))) == REQUIRED


# --- Credentials --------------------------------------------------------------------------------


@on_both_interfaces
def test_authorization_and_cookie_are_taken_by_default(make):
    request = make("/", [COOKIE, BEARER, ("X-Token", "t")])

    assert told(GATE.decide(request)) == {
        "authorization": "Bearer alice",
        "cookie": "session=alice",
    }


@on_both_interfaces
def test_one_of_them_is_enough(make):
    assert told(GATE.decide(make("/", [COOKIE]))) == {"cookie": "session=alice"}


@on_both_interfaces
def test_values_are_forwarded_without_the_space_around_them(make):
    assert told(GATE.decide(make("/", [("Authorization", " \tBearer a ")]))) == {
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
        [""],
        ["Bearer \x01"],
        ["Bearer é"],
    ],
)
@pytest.mark.parametrize("cookie", [[], [COOKIE]])
@on_both_interfaces
def test_a_malformed_authorization_is_refused_and_no_cookie_takes_its_place(make, lines, cookie):
    headers = [*cookie, *(("Authorization", line) for line in lines)]

    assert told(GATE.decide(make("/", headers))) == MALFORMED


@on_both_interfaces
def test_that_does_not_depend_on_the_order_of_the_extractors(make):
    gate = Gate(header_extractors=[extract_cookie_header, extract_authorization_header])

    assert told(gate.decide(make("/", [COOKIE, ("Authorization", "Bearer")]))) == MALFORMED


@on_both_interfaces
def test_a_malformed_cookie_is_refused_where_there_is_nothing_else(make):
    assert told(GATE.decide(make("/", [("Cookie", "flag")]))) == MALFORMED
    assert told(GATE.decide(make("/", [("Cookie", "flag"), BEARER]))) == {
        "authorization": "Bearer alice"
    }


def test_named_cookies_travel_alone():
    gate = Gate(header_extractors=[extract_cookies("session")])

    assert told(gate.decide(asgi("/", [("Cookie", "csrf=x; session=s")]))) == {
        "cookie": "session=s"
    }
    assert told(gate.decide(asgi("/", [("Cookie", "session=s; session=t")]))) == MALFORMED


def test_a_custom_header_that_is_sent_twice_is_malformed():
    gate = Gate(header_extractors=[extract_custom_header("x-token")])

    assert told(gate.decide(asgi("/", [("X-Token", "a")]))) == {"x-token": "a"}
    assert told(gate.decide(asgi("/", [("X-Token", "a"), ("X-Token", "b")]))) == MALFORMED
    assert told(gate.decide(asgi("/", [BEARER]))) == REQUIRED


def test_of_two_extractors_that_yield_one_name_the_first_wins():
    def from_token(request):
        token = request.headers.get("x-token")
        return ("Authorization", f"Bearer {token}") if token else None

    gate = Gate(header_extractors=[from_token, extract_authorization_header])

    assert told(gate.decide(asgi("/", [BEARER, ("X-Token", "t")]))) == {"authorization": "Bearer t"}
    assert told(gate.decide(asgi("/", [BEARER]))) == {"authorization": "Bearer alice"}


def test_where_the_first_is_malformed_no_other_yields_that_name():
    """It would forward whole what the first one found to be planted."""
    planted = asgi("/", [("Cookie", "session=alice; session=evil")])
    with_bearer = asgi("/", [("Cookie", "session=alice; session=evil"), BEARER])
    gate = Gate(
        header_extractors=[
            extract_cookies("session"),
            extract_cookie_header,
            extract_authorization_header,
        ]
    )

    assert told(gate.decide(planted)) == MALFORMED
    assert told(gate.decide(with_bearer)) == {"authorization": "Bearer alice"}


def test_that_goes_for_a_value_that_can_t_travel_too():
    def from_token(request):
        return "cookie", request.headers["x-token"]

    gate = Gate(header_extractors=[from_token, extract_cookie_header])

    assert told(gate.decide(asgi("/", [COOKIE, ("X-Token", "no pair")]))) == MALFORMED


def malformed_token(request):
    raise MalformedCredential("no token", name="Authorization")


def test_an_extractor_that_finds_authorization_malformed_refuses_the_request():
    """As a malformed Authorization header does: there is no falling back to a cookie."""

    gate = Gate(header_extractors=[malformed_token, extract_cookie_header])

    assert told(gate.decide(asgi("/", [COOKIE]))) == MALFORMED


def test_unless_an_earlier_extractor_has_found_it():
    gate = Gate(header_extractors=[extract_authorization_header, malformed_token])

    assert told(gate.decide(asgi("/", [BEARER]))) == {"authorization": "Bearer alice"}


def test_the_credentials_come_in_the_order_of_the_extractors():
    gate = Gate(header_extractors=[extract_custom_header("x-token"), extract_cookie_header])
    decision = gate.decide(asgi("/", [COOKIE, ("X-Token", "t")]))

    assert decision.credentials == Credentials(("x-token", "t"), ("cookie", "session=alice"))


def test_schemes_with_commas_are_opted_in_by_name():
    digest = asgi("/", [("Authorization", 'Digest username="a", realm="b c"')])

    assert told(GATE.decide(digest)) == MALFORMED
    assert told(Gate(comma_schemes=iter(["Digest"])).decide(digest)) == {
        "authorization": 'Digest username="a", realm="b c"'
    }


def test_an_ordinary_request_is_nothing_to_log(caplog):
    """Nor is one without credentials, or with malformed ones."""
    for headers in ([BEARER, COOKIE], [COOKIE], [], [("Authorization", "Bearer")]):
        GATE.decide(asgi("/", headers))

    assert caplog.records == []


@pytest.mark.parametrize(
    ("decision", "field"),
    [
        (GATE.decide(asgi("/", [BEARER])), "credentials"),
        (GATE.decide(asgi("/health")), "absence"),
        (GATE.decide(asgi("/")), "refusal"),
        (GATE.decide(asgi("/")).refusal, "status"),
    ],
)
def test_a_decision_is_final(decision, field):
    """One refusal answers many requests, so nothing may be written into it."""
    with pytest.raises(AttributeError):
        setattr(decision, field, None)


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
def test_what_is_no_credential_counts_as_nothing_and_is_warned_of(pair, said, caplog):
    gate = Gate(header_extractors=[yielding(pair), extract_cookie_header])

    assert told(gate.decide(asgi("/", [COOKIE]))) == {"cookie": "session=alice"}
    assert told(gate.decide(asgi("/"))) == REQUIRED
    assert caplog.text.count(said) == 1
    assert "extract_anything" in caplog.text
    assert "s3cret" not in caplog.text


def test_a_wrapped_extractor_of_core_is_checked_like_an_app_s_own(caplog):
    """Also if it took over all that the wrapped one has, as `functools.wraps` does."""

    @functools.wraps(extract_authorization_header)
    def extract_for_a_tenant(request):
        return ("host", "s3cret")

    gate = Gate(header_extractors=[extract_for_a_tenant])

    assert told(gate.decide(asgi("/", [BEARER]))) == REQUIRED
    assert "returned a name that can't be forwarded" in caplog.text


def test_a_coroutine_counts_as_nothing_and_is_closed(caplog):
    """What only shows when it is called: a function that returns another one's coroutine."""
    gate = Gate(header_extractors=[lambda request: answer()])

    assert told(gate.decide(asgi("/"))) == REQUIRED
    assert "returned a coroutine" in caplog.text


def test_an_extractor_that_raises_yields_nothing_and_is_warned_of_once(caplog):
    """Once for each way of failing, by the exception's type: its text can hold the secret."""

    def extract_token(request):
        raise {"a": KeyError, "b": UnicodeError}[request.headers["x-token"]]("s3cret")

    gate = Gate(header_extractors=[extract_token, extract_cookie_header])

    for token in ("a", "b", "a", "b"):
        headers = [COOKIE, ("X-Token", token)]
        assert told(gate.decide(asgi("/", headers))) == {"cookie": "session=alice"}
    assert [record.getMessage() for record in caplog.records] == [
        f"The extractor {__name__}.{extract_token.__qualname__} raised {error}: "
        "it counts as having found nothing"
        for error in ("KeyError", "UnicodeError")
    ]
    assert all(record.exc_info is None for record in caplog.records)
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_an_extractor_that_wants_more_of_the_request_is_told_where_that_is(caplog):
    gate = Gate(header_extractors=[lambda request: request.query_params])

    assert told(gate.decide(asgi("/"))) == REQUIRED
    assert "what only the framework's own request has is on request.native" in caplog.text


def test_an_extractor_may_say_that_a_credential_is_malformed():
    def extract_token(request):
        raise MalformedCredential("s3cret")

    gate = Gate(header_extractors=[extract_token, extract_cookie_header])

    assert told(gate.decide(asgi("/"))) == MALFORMED
    assert told(gate.decide(asgi("/", [COOKIE]))) == {"cookie": "session=alice"}


def test_what_stops_the_process_is_not_held_up():
    def extract_token(request):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Gate(header_extractors=[extract_token]).decide(asgi("/"))


def test_a_name_is_forwarded_in_lower_case_and_its_value_held_to_the_same_grammar():
    gate = Gate(header_extractors=[yielding(("X-Token", " t "))])
    broken = Gate(header_extractors=[yielding(("X-Token", "a\r\nx: y"))])

    assert told(gate.decide(asgi("/"))) == {"x-token": "t"}
    assert told(broken.decide(asgi("/"))) == MALFORMED


# --- Refusals -----------------------------------------------------------------------------------


@on_both_interfaces
def test_a_refusal_is_a_401_that_asks_for_a_bearer_token(make):
    refusal = GATE.decide(make("/me")).refusal

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

    for headers in ([], [("Authorization", "Bearer")]):
        refusal = gate.decide(asgi("/", headers)).refusal
        assert dict(refusal.headers)["www-authenticate"] == challenge


@pytest.mark.parametrize(
    "headers", [[("Authorization", "s3cret")], [("Cookie", "s3cret")], [COOKIE, CROSS_SITE]]
)
def test_a_refusal_never_echoes_what_was_sent(headers):
    refusal = GATE.decide(asgi("/me?s3cret", headers, method="POST")).refusal

    assert "s3cret" not in repr(refusal)
    assert "session" not in repr(refusal)


def test_an_app_can_replace_headers_and_body():
    def on_refusal(request, refusal):
        return refusal._replace(headers=(("X-Path", request.path),), body=b"no")

    refusal = Gate(on_refusal=on_refusal).decide(asgi("/me")).refusal

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
def test_a_replacement_that_can_t_be_sent_is_not(on_refusal, path, said, caplog):
    """Neither a success, which would be no refusal, nor a header that the caller wrote."""
    gate = Gate(on_refusal=on_refusal)
    headers = [("Authorization", "s3cret")]

    assert told(gate.decide(asgi(path, headers))) == MALFORMED
    assert said in caplog.text
    assert "s3cret" not in caplog.text


# --- CORS preflights ----------------------------------------------------------------------------


@on_both_interfaces
def test_a_preflight_needs_credentials_unless_it_is_allowed(make):
    preflight = make("/me", PREFLIGHT, method="OPTIONS")

    assert told(GATE.decide(preflight)) == REQUIRED
    assert told(Gate(allow_preflight=True).decide(preflight)) == "preflight"


def test_that_a_preflight_was_refused_is_said_once(caplog):
    """The browser's own message doesn't tell that the order of two middlewares is wrong."""
    gate = Gate()

    for _ in range(3):
        gate.decide(asgi("/me", PREFLIGHT, method="OPTIONS"))

    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "Put the CORS middleware outside this one" in caplog.text
    assert "app.example" not in caplog.text


def test_that_a_cross_site_request_was_refused_is_said_once(caplog):
    gate = Gate()
    for _ in range(2):
        gate.decide(asgi("/me", [COOKIE, ("sec-fetch-site", "cross-site")], method="POST"))

    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "name the origin that the browser shows in trusted_origins" in caplog.text


@pytest.mark.parametrize("headers", [[], PREFLIGHT[:1], PREFLIGHT[1:]])
def test_only_a_preflight_is_allowed_through(headers):
    gate = Gate(allow_preflight=True)

    assert told(gate.decide(asgi("/me", headers, method="OPTIONS"))) == REQUIRED
    assert told(gate.decide(asgi("/me", PREFLIGHT, method="GET"))) == REQUIRED


def test_a_preflight_has_no_caller_even_with_credentials():
    decision = Gate(allow_preflight=True).decide(asgi("/", [*PREFLIGHT, BEARER], method="OPTIONS"))

    assert told(decision) == "preflight"


# --- Cross-site requests ------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "DELETE", "get"])
@on_both_interfaces
def test_another_site_can_t_act_with_a_user_s_cookie(make, method):
    assert told(GATE.decide(make("/me", [COOKIE, CROSS_SITE], method=method))) == FORBIDDEN


def test_another_site_can_t_open_a_websocket_with_a_user_s_cookie():
    headers = [COOKIE, ("Origin", "https://evil.example"), ("Host", "app.example")]

    assert told(GATE.decide(asgi("/ws", headers, kind="websocket"))) == FORBIDDEN


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
def test_what_is_safe_or_its_own_or_carries_what_no_browser_attaches_is_admitted(
    make, headers, method
):
    assert isinstance(GATE.decide(make("/me", headers, method=method)), Admitted)


@on_both_interfaces
def test_a_trusted_origin_may_act_as_its_users(make):
    gate = Gate(trusted_origins={"https://admin.example"})
    headers = [COOKIE, CROSS_SITE, ("Origin", "https://admin.example")]

    assert told(gate.decide(make("/me", headers, method="POST"))) == {"cookie": "session=alice"}


def test_a_password_that_browsers_repeat_by_themselves_is_like_a_cookie():
    headers = [("Authorization", "Basic YTpi"), COOKIE, CROSS_SITE]

    assert told(GATE.decide(asgi("/me", headers, method="POST"))) == FORBIDDEN


def test_a_token_that_a_proxy_makes_of_its_cookie_is_like_a_cookie():
    gate = Gate(header_extractors=[extract_custom_header("x-forwarded-access-token")])
    headers = [("X-Forwarded-Access-Token", "t"), CROSS_SITE]

    assert told(gate.decide(asgi("/me", headers, method="POST"))) == FORBIDDEN


def test_an_extractor_of_an_app_s_own_says_whether_it_is_ambient():
    not_ambient = header_extractor(ambient=False)(yielding(("x-token", "t")))
    request = asgi("/me", [CROSS_SITE], method="POST")

    assert told(Gate(header_extractors=[yielding(("x-token", "t"))]).decide(request)) == FORBIDDEN
    assert told(Gate(header_extractors=[not_ambient]).decide(request)) == {"x-token": "t"}


def test_a_credential_that_lost_to_an_ambient_one_does_not_make_up_for_it():
    """Of the same name, it is not forwarded; so it proves nothing about the one that is."""
    not_ambient = header_extractor(ambient=False)(yielding(("cookie", "a=b")))
    gate = Gate(header_extractors=[extract_cookie_header, not_ambient])

    assert told(gate.decide(asgi("/me", [COOKIE, CROSS_SITE], method="POST"))) == FORBIDDEN


def test_a_cross_site_request_without_credentials_is_told_so():
    assert told(GATE.decide(asgi("/me", [CROSS_SITE], method="POST"))) == REQUIRED


# --- Holds and upstream refusals ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "found"),
    [
        (asgi("/me", [BEARER]), {"authorization": "Bearer alice"}),
        (asgi("/health", [BEARER]), "public"),
        (asgi("/me"), "refused"),
        (asgi("/me", PREFLIGHT, method="OPTIONS"), "preflight"),
    ],
)
def test_a_hold_stands_for_what_was_decided(request_, found):
    gate = Gate(excluded_paths=["/health"], allow_preflight=True, bindings=[Recorder()])
    hold = gate.hold(gate.decide(request_))

    try:
        assert hold.credentials().headers() == found
    except NoCaller as absent:
        assert absent.reason == found  # noqa: PT017 - either is a test of its own
    assert len(hold.bindings) == 1


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (CallerUnauthenticated("s3cret"), (401, "Authentication credentials not accepted")),
        (CallerDenied("s3cret"), (403, "Permission denied")),
        (CallerRefused("s3cret"), (403, "Permission denied")),
        (Upstream("s3cret"), (403, "Permission denied")),
        (CredentialMissing("x"), (401, "Authentication credentials required")),
        (CredentialUnusable("x"), (401, "Authentication credentials malformed")),
    ],
)
def test_an_upstream_refusal_is_answered_however_deep_it_is(error, answer):
    gate = Gate(bindings=[Recognising()], realm="flyte")
    outer = RuntimeError("outer")
    outer.__cause__ = ValueError("inner")
    outer.__cause__.__cause__ = error

    refusal = gate.refusal_for(asgi("/me"), outer)

    assert told(Refused(refusal)) == answer
    assert dict(refusal.headers)["cache-control"] == "no-store"
    challenge = 'Bearer realm="flyte"' if refusal.status == 401 else None
    assert dict(refusal.headers).get("www-authenticate") == challenge


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
        ({"allow_preflight": "yes"}, "True or False"),
        ({"allow_preflight": 1}, "True or False"),
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
        ({"bindings": [7]}, "bindings takes callables"),
        ({"on_refusal": lambda refusal: refusal}, r"is called as \(request, refusal\)"),
        ({"trusted_origins": ["https://a.example:8443/"]}, "wildcard: 'https://a.example:8443'$"),
        ({"trusted_origins": ["a.example"]}, "wildcard: 'https://a.example'$"),
        ({"trusted_origins": ["localhost:3000"]}, "wildcard: 'http://localhost:3000'$"),
        ({"trusted_origins": ["*"]}, "wildcard: 'https://admin.example.com'$"),
        ({"trusted_origins": [7]}, "wildcard: 'https://admin.example.com'$"),
        ({"bindings": 7}, "bindings takes a collection"),
        ({"bindings": {nullcontext: False}}, "bindings takes a collection"),
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

    assert told(gate.decide(asgi("/", [BEARER]))) == {"authorization": "Bearer alice"}
