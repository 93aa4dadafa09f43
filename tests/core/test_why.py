"""What the log says about a refused request."""

import logging

import pytest
from tests.core.builders import asgi, on_both_interfaces

from passthrough_auth.core import (
    MalformedCredential,
    Refusal,
    extract_authorization_header,
    extract_bare_authorization,
    extract_bearer_token,
    extract_cookie_header,
    extract_cookies,
    extract_custom_header,
    header_extractor,
)
from passthrough_auth.core.inbound import Gate

SECRET = "s3cret"
CROSS_SITE = ("Sec-Fetch-Site", "cross-site")


def said(caplog, request, level=logging.DEBUG, **options):
    """The texts at this level about one refused request."""
    with caplog.at_level(logging.DEBUG):
        assert Gate(bindings=(), **options).admit(request).refusal is not None
    assert SECRET not in caplog.text
    return [each.getMessage() for each in caplog.records if each.levelno == level]


@on_both_interfaces
def test_each_refusal_has_a_record_with_its_reasons(make, caplog):
    (text,) = said(
        caplog,
        make("/me", [("Cookie", f"SSO={SECRET}")], method="PUT"),
        header_extractors=[extract_bearer_token, extract_cookies("sso", "session")],
        excluded_paths={"/health"},
    )
    assert text == (
        'PUT \'/me\' was refused with 401, {"detail": "Authentication credentials required"}. No '
        "rule of excluded_paths matches this path. Asked: extract_bearer_token found nothing: "
        "there is no 'authorization' header; extract_cookies found nothing: 'cookie' is there, and "
        "holds no 'sso' or 'session'"
    )


@pytest.mark.parametrize(
    ("rule", "path"),
    [("/health/", "/health"), ("/static", "/static/a.css"), ("/health", "/Health")],
)
def test_it_names_the_nearest_rule(rule, path, caplog):
    (text,) = said(caplog, asgi(path), excluded_paths={rule, "/other/*"})
    assert f"matches this path; nearest: {rule!r}" in text


CAUSES = [
    ("", "it is empty"),
    ("Bearer " + 65_536 * "a", "it is longer than 65,536 bytes"),
    ("Bearer a\x01", "it has a control character"),
    ("Bearer é", "it has characters beyond ASCII"),
    ("Bearer", "it is a scheme alone"),
    (SECRET, "it has no scheme, such as Bearer, before the token"),
    ("Bearer a, Bearer b", "it has a comma, as two lines that a server joined"),
    ("Bearer a b", "it has white space in the token"),
    ("Bea(rer a", "it is not of the form that this header has"),
]


@pytest.mark.parametrize(("value", "cause"), CAUSES)
@on_both_interfaces
def test_it_names_the_cause_of_a_malformed_value(make, value, cause, caplog):
    request = make("/me", [("Authorization", value)])
    (text,) = said(caplog, request, header_extractors=[extract_authorization_header])
    assert f"found 'authorization', which is malformed: {cause}" in text


@pytest.mark.parametrize(
    ("name", "value", "cause"),
    [
        ("Cookie", "flag", "no cookie in it has a value"),
        ("X-Token", "a\x7f", "it has a control character"),
    ],
)
def test_the_cause_of_another_header(name, value, cause, caplog):
    extractors = [extract_cookie_header, extract_custom_header("x-token")]
    (text,) = said(caplog, asgi("/", [(name, value)]), header_extractors=extractors)
    assert f"which is malformed: {cause}" in text


def test_what_extractors_raise(caplog):
    def own(request):
        raise MalformedCredential(SECRET, name="authorization")

    request = asgi("/", [("Cookie", "sso=a; sso=b")])
    (text,) = said(caplog, request, header_extractors=[own, extract_cookies("sso")])
    assert "own raised MalformedCredential" in text
    assert "extract_cookies (a cookie asked for was sent twice with two values)" in text


def test_an_extractor_of_the_app_s_own_found_nothing_or_something(caplog):
    def own(request):
        return None

    def other(request):
        return "x-other", "found"

    request = asgi("/", [CROSS_SITE], method="POST")
    (text,) = said(caplog, request, header_extractors=[own, other])
    assert "own found nothing; " in text
    assert "found 'x-other'" in text
    assert "Cross-site request" in text


def test_nothing_is_made_for_a_log_that_nobody_reads(caplog, monkeypatch):
    with caplog.at_level(logging.INFO):
        Gate(bindings=()).admit(asgi("/"))
    assert caplog.records == []
    monkeypatch.delitem(__import__("sys").modules, "logging")
    assert Gate(bindings=()).admit(asgi("/")).refusal is not None


def test_a_token_that_no_extractor_reads_is_said_once(caplog):
    gate = Gate(bindings=(), header_extractors=[extract_cookies("sso")])
    for _ in range(2):
        gate.admit(asgi("/", [("Authorization", f"Bearer {SECRET}")]))
    (text,) = caplog.messages
    assert text.endswith("write header_extractors=[extract_bearer_token, ...]")


@pytest.mark.parametrize(
    "extractors", [[extract_bearer_token], [lambda request: None, extract_cookies("sso")], None]
)
def test_a_token_that_some_extractor_may_have_read_is_not_warned_of(extractors, caplog):
    gate = Gate(bindings=(), header_extractors=extractors)
    gate.admit(asgi("/", [("Authorization", "Basic YTpi,")]))
    assert caplog.messages == []


@pytest.mark.parametrize("path", ["/health/", "/HEALTH", "/Health//"])
def test_a_path_that_is_a_rule_but_for_its_form_is_said_once(path, caplog):
    gate = Gate(bindings=(), excluded_paths={"/health", "/"})
    for _ in range(2):
        gate.admit(asgi(path))
        gate.admit(asgi("//"))
        gate.admit(asgi("/elsewhere"))
    (text,) = caplog.messages
    assert "differs from the rule '/health'" in text


@pytest.mark.parametrize("answer", [RuntimeError, None])
def test_a_wrong_on_refusal_is_said_once(answer, caplog):
    def on_refusal(request, refusal):
        if answer is not None:
            raise answer
        return Refusal(200, ())

    gate = Gate(bindings=(), on_refusal=on_refusal)
    for _ in range(3):
        assert gate.admit(asgi("/")).refusal.status == 401
    (record,) = caplog.records
    assert record.levelname == "ERROR"


def test_the_gate_s_own_rules_decide_what_is_malformed(caplog):
    """A Digest that comma_schemes permits is refused for another reason."""
    digest = [("Authorization", 'Digest username="a", realm="b"'), CROSS_SITE]
    (text,) = said(caplog, asgi("/", digest, method="POST"), comma_schemes=["Digest"])
    assert "found 'authorization';" in text
    assert "Cross-site request" in text


def test_a_key_without_a_scheme_is_found_where_it_is_taken(caplog):
    own = header_extractor(ambient=True)(lambda request: ("authorization", "abc.def"))
    request = asgi("/", [CROSS_SITE], method="POST")
    (text,) = said(caplog, request, header_extractors=[extract_bare_authorization, own])
    assert text.endswith("found 'authorization'")
