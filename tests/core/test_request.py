"""Requests of ASGI and WSGI."""

import pytest
from tests.core.builders import asgi, on_both_interfaces, wsgi

from passthrough_auth.core.inbound import AsgiRequest, WsgiRequest
from passthrough_auth.core.inbound._request import cookie_pairs

# --- The path -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("root_path", "path", "within"),
    [
        ("", "/items", "/items"),
        ("/api", "/api/items", "/items"),
        ("/api", "/api/", "/"),
        ("/api", "/api", ""),
        ("/api", "/items", "/items"),
        ("/api", "/apiary", None),
        ("/api", "/items/api/x", None),
        ("/api/", "/api/items", None),
        ("api", "api/items", None),
    ],
)
def test_the_root_path_is_taken_off_at_a_slash_only(root_path, path, within):
    """If routers would remove it elsewhere, the path is empty, so no rule matches."""
    assert asgi(path, root_path=root_path).path == within


def test_a_scope_without_root_path_is_not_mounted():
    scope = {"type": "http", "method": "GET", "path": "/items", "headers": []}

    assert AsgiRequest(scope).path == "/items"


def test_a_request_does_not_change_with_its_scope():
    """Mounts change the scope, and uvicorn with httptools adds trailers to its headers."""
    scope = {"type": "http", "path": "/api/items", "root_path": "", "headers": [(b"a", b"1")] * 2}
    request = AsgiRequest(scope)

    scope["root_path"] = "/api"
    scope["headers"].append((b"a", b"2"))

    assert request.path == "/api/items"
    assert request.lines("a") == ["1", "1"]


@pytest.mark.parametrize(
    ("path_info", "path"),
    [
        ("/items", "/items"),
        ("/caf\xc3\xa9", "/café"),
        ("/caf\xe9", None),
        ("/\xc0\xae\xc0\xae/", None),
        ("/\xed\xa0\x80", None),
        ("/caf\u0113", None),
        ("", ""),
    ],
)
def test_a_wsgi_path_is_strict_utf_8(path_info, path):
    """Latin-1, overlong forms, surrogates and text that no server passes give no path."""
    assert WsgiRequest({"REQUEST_METHOD": "GET", "PATH_INFO": path_info}).path == path


def test_an_environ_without_path_info_has_an_empty_path():
    assert WsgiRequest({"REQUEST_METHOD": "GET"}).path == ""


# --- Method and transport -----------------------------------------------------------------------


@on_both_interfaces
def test_the_method_is_as_sent(make):
    assert make(method="get").method == "get"
    assert make(method="PATCH").transport == "http"


def test_a_websocket_handshake_is_a_get():
    request = asgi(kind="websocket")

    assert (request.transport, request.method) == ("websocket", "GET")


def test_native_is_the_server_s_own_object():
    scope = asgi().scope
    environ = {"REQUEST_METHOD": "GET"}

    assert AsgiRequest(scope).native is scope
    assert WsgiRequest(environ).native is environ


# --- Headers ------------------------------------------------------------------------------------


@on_both_interfaces
def test_headers_are_found_by_a_name_in_any_case(make):
    request = make(headers=[("X-Token", "t"), ("Accept", "a")])

    assert list(request.lines("x-ToKeN")) == ["t"]
    assert request.headers["X-TOKEN"] == "t"
    assert request.headers.get("x-none") is None
    assert "x-token" in request.headers
    assert "x-none" not in request.headers
    assert 7 not in request.headers
    assert list(request.lines("x-none")) == []


@on_both_interfaces
def test_a_missing_header_is_a_key_error(make):
    with pytest.raises(KeyError, match="x-none"):
        make().headers["x-none"]


@on_both_interfaces
def test_headers_are_a_mapping(make):
    request = make(headers=[("X-Token", "t"), ("Accept", "a"), ("Accept", "b")])

    assert dict(request.headers) == {"x-token": "t", "accept": "a,b"}
    assert len(request.headers) == 2
    assert repr(request.headers) == "<Headers x-token, accept>"


def test_each_header_line_is_kept_if_the_server_keeps_them_apart():
    request = asgi(headers=[("accept", "a"), ("x-token", "t"), ("accept", "b")])

    assert list(request.lines("Accept")) == ["a", "b"]
    assert list(request.lines("x-token")) == ["t"]
    assert list(request.lines("x-none")) == []


@on_both_interfaces
def test_cookie_lines_are_joined_with_a_semicolon(make):
    request = make(headers=[("Cookie", "a=1"), ("Cookie", "b=2")])

    assert request.headers["cookie"] == "a=1; b=2"
    assert request.cookies == {"a": "1", "b": "2"}


@on_both_interfaces
def test_an_empty_header_is_there_and_empty(make):
    request = make(headers=[("Cookie", ""), ("X-Token", "")])

    assert (request.headers["cookie"], request.headers["x-token"]) == ("", "")
    assert "cookie" in request.headers


@on_both_interfaces
def test_of_two_cookies_with_one_name_the_first_is_kept(make):
    assert make(headers=[("Cookie", "a=1; b=2; a=3")]).cookies == {"a": "1", "b": "2"}


def test_parts_of_a_cookie_header_that_aren_t_pairs_are_left_out():
    assert list(cookie_pairs('flag; =x; a = 1 ;b=x=y;;c=;d=""')) == [("a", "1"), ("b", "x=y")]


def test_a_name_with_an_underscore_is_not_the_one_with_a_hyphen():
    request = asgi(headers=[("X_Flyte_Token", "forged")])

    assert list(request.lines("x-flyte-token")) == []
    assert list(request.lines("x_flyte_token")) == ["forged"]


def test_an_environ_has_no_names_with_underscores():
    """It can't tell which of the two was sent, so only the name with hyphens is found."""
    request = wsgi(headers=[("X-Flyte-Token", "t")])

    assert list(request.lines("x_flyte_token")) == []
    assert list(request.lines("x-flyte-token")) == ["t"]


def test_an_environ_keeps_content_type_and_length_under_names_of_their_own():
    environ = {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": "a/b",
        "CONTENT_LENGTH": "1",
        "HTTPS": "on",
    }
    request = WsgiRequest(environ)

    assert dict(request.headers) == {"content-type": "a/b", "content-length": "1"}


def test_an_invalid_header_name_is_not_found():
    assert list(asgi(headers=[("x-token", "t")]).lines("x-\ud800")) == []
    assert list(wsgi(headers=[("x-token", "t")]).lines("x-\ud800")) == []


def test_the_headers_of_a_scope_may_be_an_iterator():
    """ASGI promises only an iterable, and the app must be able to read them too."""
    scope = {"type": "http", "method": "GET", "path": "/", "headers": iter([(b"x-token", b"t")])}

    assert list(AsgiRequest(scope).lines("x-token")) == ["t"]
    assert list(AsgiRequest(scope).lines("x-token")) == ["t"]


def test_the_headers_of_a_scope_may_be_lists():
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [[b"x-token", b"t"]]}

    assert list(AsgiRequest(scope).lines("x-token")) == ["t"]


@on_both_interfaces
def test_the_repr_shows_method_and_path_and_no_headers(make):
    request = make("/items", [("authorization", "Bearer s3cret")], method="PUT")

    assert repr(request) == f"<{type(request).__name__} http PUT '/items'>"
