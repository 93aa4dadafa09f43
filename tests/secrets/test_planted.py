"""The search finds secrets. Without that, the other tests here would prove nothing."""

import base64
from urllib.parse import quote

import pytest
from tests.secrets.planted import CUSTOM, PAIRS, SESSION, TOKEN, leaked


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        f"Authorization: Bearer {TOKEN}",
        f"b'Bearer {TOKEN}'".encode(),
        f"token={quote(TOKEN)}",
        TOKEN.encode().hex(),
        TOKEN[:8],
        TOKEN[-8:],
        TOKEN[11:19],
        *(base64.b64encode(b"x" * shift + TOKEN.encode() + b"x").decode() for shift in range(4)),
        base64.urlsafe_b64encode(f"Bearer {TOKEN}".encode()).decode().strip("="),
    ],
)
def test_it_finds_a_secret_in_every_form(text):
    assert leaked(text) == leaked(f"before {text} after" if isinstance(text, str) else text)
    assert leaked(text) == {"tok-"}


def test_it_returns_the_names_of_the_secrets():
    assert leaked(f"{SESSION[3:20]} {CUSTOM[3:20]}") == {"ses-", "cus-"}
    assert leaked(repr(PAIRS)) == {"tok-", "ses-", "cus-"}


def test_it_finds_no_secret_in_a_text_without_one():
    assert leaked("Authorization: Bearer ******** session= x-sso " * 100) == set()
    assert leaked(TOKEN[:7]) == set()
