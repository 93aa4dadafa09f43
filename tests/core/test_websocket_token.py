"""A token among the subprotocols of a WebSocket handshake."""

import base64
import logging

import pytest
from tests.core.builders import asgi, on_both_interfaces, wsgi

from passthrough_auth.core import (
    ConfigurationError,
    Request,
    extract_bearer_token,
    extract_websocket_token,
)
from passthrough_auth.core.inbound import Gate, _websocket_token

MALFORMED = b"Authentication credentials malformed"


def encoded(token):
    return base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


def offering(make, *names, separate=False):
    """A handshake that offers these, on one line or on several."""
    values = names if separate else (", ".join(names),)
    return make(headers=[("Sec-WebSocket-Protocol", value) for value in values])


def admitted(request, gate=None):
    gate = gate or Gate(header_extractors=[extract_websocket_token()])
    admission = gate.admit(request)
    if admission.refusal is not None:
        return admission.refusal.body
    return admission.credentials().headers()


def seen_by_the_app(request):
    if isinstance(request, type(wsgi())):
        return request.environ.get("HTTP_SEC_WEBSOCKET_PROTOCOL")
    lines = [value for name, value in request.scope["headers"] if name == NAME]
    assert request.scope.get("subprotocols", []) == [
        each for line in lines for each in line.decode().split(", ")
    ]
    return b", ".join(lines).decode() or None


NAME = b"sec-websocket-protocol"
TOKENS = ["alice", "a", "ab", "abc", "a.b-c_d/e+f==", "x" * 3000]


@pytest.mark.parametrize("token", TOKENS)
@on_both_interfaces
def test_the_token_is_the_caller_s_and_the_app_sees_the_rest(make, token):
    request = offering(make, "app.v1", f"bearer.{encoded(token)}", "app.v2")

    assert admitted(request) == {"authorization": f"Bearer {token}"}
    assert seen_by_the_app(request) == "app.v1, app.v2"
    assert "bearer." not in ", ".join(request.lines("sec-websocket-protocol"))


def test_its_lines_may_be_separate():
    request = offering(asgi, "app.v1", f"bearer.{encoded('alice')}", separate=True)

    assert admitted(request) == {"authorization": "Bearer alice"}
    assert seen_by_the_app(request) == "app.v1"
    assert request.lines("sec-websocket-protocol") == ["app.v1"]


def test_other_repeated_headers_stay():
    lines = [("A", "1"), ("A", "2"), ("Sec-WebSocket-Protocol", f"app, bearer.{encoded('alice')}")]
    request = asgi(headers=lines)

    assert admitted(request) == {"authorization": "Bearer alice"}
    assert request.lines("a") == ["1", "2"]


def test_a_server_may_have_it_in_the_scope_alone():
    """As uvicorn with wsproto has."""
    request = asgi(kind="websocket")
    request.scope["subprotocols"] = ["app.v1", f"bearer.{encoded('alice')}"]

    assert admitted(request) == {"authorization": "Bearer alice"}
    assert request.scope["subprotocols"] == ["app.v1"]
    assert request.scope["headers"] == []


@on_both_interfaces
def test_a_gate_inside_another_finds_it_too_and_no_text_shows_it(make):
    request = offering(make, "app.v1", f"bearer.{encoded('alice')}")
    assert admitted(request) == {"authorization": "Bearer alice"}
    inner = type(request)(request.native)

    assert admitted(inner) == {"authorization": "Bearer alice"}
    assert encoded("alice") not in repr(request.native)
    assert seen_by_the_app(inner) == "app.v1"


@on_both_interfaces
def test_nothing_changes_for_a_handshake_without_one(make):
    request = offering(make, "app.v1", "BEARER.x")
    assert b"required" in admitted(request)
    assert [*request.subprotocols()] == ["app.v1", "BEARER.x"]


@pytest.mark.parametrize(
    "names",
    [
        ("app", "bearer.YQ", "bearer.Yg"),
        ("app", "bearer."),
        ("app", "bearer.a"),
        ("app", "bearer.a!!!"),
        ("app", f"bearer.{encoded('a b')}"),
        ("app", f"bearer.{encoded('a')[:-1]}é"),
        ("app", "bearer." + encoded("a\r\nx: y")),
        ("app", "x" * 65_536, "bearer.YQ"),
    ],
)
@on_both_interfaces
def test_what_is_no_single_token_is_malformed(make, names):
    assert MALFORMED in admitted(offering(make, *names))


@on_both_interfaces
def test_a_token_alone_is_refused_with_the_line_to_write(make, caplog):
    _websocket_token._warn_of_a_token_alone.cache_clear()
    request = offering(make, f"bearer.{encoded('alice')}")

    assert MALFORMED in admitted(request)
    assert MALFORMED in admitted(request)
    assert seen_by_the_app(request) is None
    (said,) = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert "new WebSocket(url, ['app.v1', 'bearer.' + token])" in said.getMessage()


@on_both_interfaces
def test_it_is_not_ambient_and_the_header_of_another_client_comes_first(make):
    gate = Gate(header_extractors=[extract_bearer_token, extract_websocket_token("k8s.")])
    request = make(
        headers=[
            ("Authorization", "Bearer bob"),
            ("Sec-WebSocket-Protocol", f"k8s.{encoded('alice')}, app"),
            ("Sec-Fetch-Site", "cross-site"),
        ],
        method="POST",
    )
    assert admitted(request, gate) == {"authorization": "Bearer bob"}
    assert seen_by_the_app(request) == "app"


@pytest.mark.parametrize("prefix", ["", "a b", "bearer,", None])
def test_a_prefix_that_no_subprotocol_has_is_a_configuration_error(prefix):
    with pytest.raises(ConfigurationError, match=r"write extract_websocket_token\(\)$"):
        extract_websocket_token(prefix)


class OfferOnly(Request):
    """A request of an app's own kind, which has no place to hide anything."""

    method, path, native = "GET", "/", None

    def __init__(self, offered):
        self.offered = offered

    def lines(self, name):
        return [self.offered] if name == "sec-websocket-protocol" else []

    def names(self):
        return ["sec-websocket-protocol"]


def test_a_request_of_another_kind_only_reads():
    assert admitted(OfferOnly("app, bearer.YQ")) == {"authorization": "Bearer a"}
    assert OfferOnly("").scheme == "http"


def test_the_function_itself_is_no_extractor():
    with pytest.raises(ConfigurationError, match="makes extractors"):
        Gate(header_extractors=[extract_websocket_token])
