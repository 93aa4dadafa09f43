"""A refusal as data."""

import json

import pytest

from passthrough_auth.core import ConfigurationError, Refusal
from passthrough_auth.core.inbound._refusal import bearer_challenge, checked_refusal

REFUSAL = Refusal.json(401, "Authentication credentials required", ("www-authenticate", "Bearer"))


def test_a_refusal_is_json_that_no_cache_keeps():
    assert json.loads(REFUSAL.body) == {"detail": "Authentication credentials required"}
    assert dict(REFUSAL.headers) == {
        "content-type": "application/json",
        "content-length": str(len(REFUSAL.body)),
        "cache-control": "no-store",
        "www-authenticate": "Bearer",
    }


def test_the_answer_to_head_has_no_body():
    assert REFUSAL.body_for("HEAD") == b""
    assert REFUSAL.body_for("GET") == REFUSAL.body_for("POST") == REFUSAL.body


@pytest.mark.parametrize(
    ("realm", "metadata", "challenge"),
    [
        (None, None, "Bearer"),
        ("flyte", None, 'Bearer realm="flyte"'),
        (None, "https://a.example/m", 'Bearer resource_metadata="https://a.example/m"'),
        ("the app", "https://a.example", None),
    ],
)
def test_the_challenge_is_a_bearer_one_with_what_was_configured(realm, metadata, challenge):
    both = 'Bearer realm="the app", resource_metadata="https://a.example"'

    assert bearer_challenge(realm, metadata) == ("www-authenticate", challenge or both)


@pytest.mark.parametrize("value", ["", 'a"b', "a\\b", "a\r\nb", "é", 7, b"flyte"])
@pytest.mark.parametrize("name", ["realm", "resource_metadata"])
def test_a_parameter_that_can_t_be_quoted_is_a_configuration_error(name, value):
    with pytest.raises(ConfigurationError, match=f"{name}=.*printable ASCII"):
        bearer_challenge(**{"realm": None, "resource_metadata": None, name: value})


@pytest.mark.parametrize(
    "metadata",
    [
        "/x",
        "a.example/x",
        "//a.example/x",
        "wss://a.example/x",
        "https://",
        "https://a.example/a b",
    ],
)
def test_metadata_without_an_absolute_web_url_is_a_configuration_error(metadata):
    with pytest.raises(ConfigurationError, match=r"is not an absolute URL: write 'https://"):
        bearer_challenge(None, metadata)


def test_metadata_on_the_developer_s_own_machine_may_be_over_plain_http():
    challenge = 'Bearer resource_metadata="http://localhost:8000/m"'
    assert bearer_challenge(None, "http://localhost:8000/m")[1] == challenge


def test_an_app_s_refusal_is_sent_with_the_length_of_its_own_body():
    """An app that replaces only the body would otherwise send the old length."""
    page = REFUSAL._replace(body=b"<h1>Who are you?</h1>")

    headers = [value for name, value in checked_refusal(page).headers if name == "content-length"]

    assert headers == ["21"]


def test_an_app_s_refusal_is_sent_with_names_in_lower_case():
    login = Refusal(303, (("Location", " /login\t"), ("Content-Length", "7")), b"")

    assert checked_refusal(login).headers == (("location", "/login"), ("content-length", "0"))


@pytest.mark.parametrize(
    "answer",
    [
        None,
        REFUSAL.body,
        REFUSAL._replace(status=200),
        REFUSAL._replace(status=299),
        REFUSAL._replace(status=304),
        REFUSAL._replace(status=600),
        REFUSAL._replace(status="401"),
        REFUSAL._replace(body="text"),
        REFUSAL._replace(headers=(("location", "/\r\nset-cookie: a=b"),)),
        REFUSAL._replace(headers=(("location", "/\x00"),)),
        REFUSAL._replace(headers=(("location", "/\x7f"),)),
        REFUSAL._replace(headers=(("location", "/\x85"),)),
        *(
            REFUSAL._replace(headers=((name, "x"),))
            for name in (
                "Connection",
                "keep-alive",
                "proxy-authenticate",
                "proxy-authorization",
                "proxy-connection",
                "te",
                "trailer",
                "transfer-encoding",
                "upgrade",
            )
        ),
        REFUSAL._replace(headers=(("location", "/\u20ac"),)),
        REFUSAL._replace(headers=(("loc ation", "/"),)),
        REFUSAL._replace(headers=(("", "/"),)),
    ],
)
def test_an_unusable_refusal_is_not_sent(answer):
    """A success would let the request pass; a line break would let a caller write headers."""
    assert checked_refusal(answer) is None


@pytest.mark.parametrize("status", [300, 401, 403, 404, 599])
def test_a_refusal_can_have_any_status_but_a_success(status):
    assert checked_refusal(REFUSAL._replace(status=status)).status == status
