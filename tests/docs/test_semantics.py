"""The tables of docs/semantics.md, row by row, on both interfaces."""

import json

import pytest
from tests.docs.blocks import ROOT, table

from passthrough_auth.core import (
    CallerDenied,
    CallerUnauthenticated,
    CredentialMissing,
    CredentialUnusable,
    PathRules,
)
from passthrough_auth.core.inbound import AsgiRequest, Gate, WsgiRequest

PAGE = ROOT / "docs" / "semantics.md"
PATHS = table(PAGE, "Public paths")
SENT = table(PAGE, "Credentials")
RESPONSES = table(PAGE, "Responses")


@pytest.mark.parametrize(("rule", "path", "expected"), PATHS)
def test_which_paths_are_public(rule, path, expected):
    # The servers decode once, as the page says.
    decoded = path.replace("%25", "%")
    assert PathRules([rule]).match(decoded) == (expected == "public")


@pytest.mark.parametrize(("sent", "expected"), SENT)
def test_which_credentials_are_valid(sent, expected):
    lines = [] if sent == "nothing" else headers_in(sent)
    for request in (asgi(lines), wsgi(lines)):
        refusal = Gate().admit(request).refusal
        if expected == "taken":
            assert refusal is None
        else:
            detail = json.loads(refusal.body)["detail"]
            status, _, kind = expected.partition(", ")
            assert str(refusal.status) == status
            assert detail == f"Authentication credentials {kind}"


def test_upstream_refusals_have_the_documented_answers():
    for error in (
        CredentialMissing(),
        CredentialUnusable(),
        CallerUnauthenticated(),
        CallerDenied(),
    ):
        refusal = Gate().refusal_for(asgi([]), error)
        rows = [(row[1], row[2]) for row in RESPONSES if type(error).__name__ in row[0]]
        assert rows == [(str(refusal.status), refusal.body.decode())]


def test_the_gate_s_answers_are_documented():
    documented = {(status, body) for _, status, body in RESPONSES}
    ambient = [("Cookie", "a=b"), ("Sec-Fetch-Site", "cross-site")]
    for lines in ([], [("Authorization", "Bearer")], ambient):
        refusal = Gate().admit(asgi(lines, "POST")).refusal
        assert (str(refusal.status), refusal.body.decode()) in documented


def headers_in(sent):
    """The header lines in a cell of the page."""
    return [
        (name, value)
        for line in sent.replace(", Cookie:", "\nCookie:")
        .replace(", Authorization:", "\nAuthorization:")
        .splitlines()
        for name, _, value in [line.partition(": ")]
    ]


def asgi(lines, method="GET"):
    headers = [(name.lower().encode(), value.encode()) for name, value in lines]
    return AsgiRequest({"type": "http", "method": method, "path": "/me", "headers": headers})


def wsgi(lines):
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/me"}
    for name, value in lines:
        key = f"HTTP_{name.upper()}"
        latin = value.encode().decode("latin-1")
        environ[key] = f"{environ[key]},{latin}" if key in environ else latin
    return WsgiRequest(environ)
