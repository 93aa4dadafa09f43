"""Whether another site made a browser send this request."""

import pytest
from tests.core.builders import asgi, on_both_interfaces, wsgi

from passthrough_auth.core import ConfigurationError
from passthrough_auth.core.inbound._crosssite import (
    checked_origins,
    is_cross_site,
    is_preflight,
    is_state_changing,
)

NONE_TRUSTED = frozenset()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "get", "BREW", "QUERY"])
@on_both_interfaces
def test_a_method_not_known_to_be_safe_changes_state(make, method):
    """Methods are case-sensitive: a router may take `get` for anything."""
    assert is_state_changing(make(method=method))


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
@on_both_interfaces
def test_a_safe_method_does_not_change_state(make, method):
    assert not is_state_changing(make(method=method))


def test_a_websocket_handshake_counts_as_changing_state():
    assert is_state_changing(asgi(kind="websocket"))


@pytest.mark.parametrize("upgrade", ["websocket", "WebSocket", "h2c, websocket"])
@on_both_interfaces
def test_a_get_that_asks_for_a_websocket_counts_as_well(make, upgrade):
    """It is a handshake in WSGI: extensions such as flask-sock take over the connection."""
    assert is_state_changing(make(headers=[("Upgrade", upgrade)]))
    assert not is_state_changing(make(headers=[("Upgrade", "h2c")]))


@pytest.mark.parametrize("site", ["same-origin", "none"])
@on_both_interfaces
def test_sec_fetch_site_same_origin_or_none_is_the_app_s_own_page(make, site):
    """Also with an Origin that differs from the Host: a proxy may have rewritten that."""
    headers = [("Sec-Fetch-Site", site), ("Origin", "https://proxied.example"), ("Host", "app:1")]

    assert not is_cross_site(make(headers=headers), NONE_TRUSTED)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "Same-Origin", "none,none", "new"])
@on_both_interfaces
def test_any_other_sec_fetch_site_is_cross_site(make, site):
    """Also if the Origin is the Host: another party may own a sub-domain of the same site."""
    headers = [("Sec-Fetch-Site", site), ("Origin", "https://app.example"), ("Host", "app.example")]

    assert is_cross_site(make(headers=headers), NONE_TRUSTED)


@on_both_interfaces
def test_two_sec_fetch_sites_are_cross_site(make):
    headers = [("Sec-Fetch-Site", "none"), ("Sec-Fetch-Site", "none")]

    assert is_cross_site(make(headers=headers), NONE_TRUSTED)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://app.example", "app.example"),
        ("http://app.example", "app.example"),
        ("https://APP.example", "app.EXAMPLE"),
        ("https://app.example", "app.example:443"),
        ("http://app.example", "app.example:80"),
        ("https://app.example:443", "app.example"),
        ("https://app.example:8443", "app.example:8443"),
        ("http://[::1]:8000", "[::1]:8000"),
    ],
)
@on_both_interfaces
def test_without_sec_fetch_site_an_origin_equal_to_the_host_is_its_own(make, origin, host):
    headers = [("Origin", origin), ("Host", host)]

    assert not is_cross_site(make(headers=headers), NONE_TRUSTED)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://evil.example", "app.example"),
        ("https://app.example.evil.example", "app.example"),
        ("https://sub.app.example", "app.example"),
        ("https://app.example:8443", "app.example"),
        ("https://app.example", "app.example:8443"),
        ("https://app.example:80", "app.example"),
        ("http://app.example", "app.example:443"),
        ("null", "app.example"),
        ("", "app.example"),
        ("file://", "app.example"),
        ("https://app.example/", "app.example"),
        ("https://user@app.example", "app.example"),
        ("chrome-extension://app.example", "app.example"),
        ("https://app.example", ""),
    ],
)
@on_both_interfaces
def test_any_other_origin_is_cross_site(make, origin, host):
    assert is_cross_site(make(headers=[("Origin", origin), ("Host", host)]), NONE_TRUSTED)


@on_both_interfaces
def test_an_origin_without_a_host_to_compare_is_cross_site(make):
    assert is_cross_site(make(headers=[("Origin", "https://app.example")]), NONE_TRUSTED)


@on_both_interfaces
def test_two_origins_or_two_hosts_are_cross_site(make):
    origin, host = ("Origin", "https://app.example"), ("Host", "app.example")

    assert is_cross_site(make(headers=[origin, origin, host]), NONE_TRUSTED)
    assert is_cross_site(make(headers=[origin, host, host]), NONE_TRUSTED)


@on_both_interfaces
def test_without_a_browser_s_headers_it_is_not_a_browser(make):
    assert not is_cross_site(make(headers=[("Host", "app.example")]), NONE_TRUSTED)


@on_both_interfaces
def test_a_trusted_origin_is_an_exception_to_all_of_this(make):
    trusted = checked_origins(["https://Admin.Example:443", "http://localhost:3000"])
    admin = [("Origin", "https://admin.example"), ("Sec-Fetch-Site", "cross-site")]
    local = [("Origin", "http://localhost:3000"), ("Host", "app.example")]
    other = [("Origin", "http://admin.example"), ("Host", "app.example")]

    assert not is_cross_site(make(headers=admin), trusted)
    assert not is_cross_site(make(headers=local), trusted)
    assert is_cross_site(make(headers=other), trusted)
    assert is_cross_site(make(headers=[*admin, admin[0]]), trusted)


NATIVE = ["capacitor://localhost", "chrome-extension://abcdefgh", "Tauri://localhost:8080"]


@pytest.mark.parametrize("origin", NATIVE)
@on_both_interfaces
def test_the_origin_of_a_native_app_is_trusted_as_a_whole(make, origin):
    """Its scheme and its host: another app may use the same scheme."""
    trusted = checked_origins([origin])
    scheme, _, host = origin.partition("://")
    site = ("Sec-Fetch-Site", "cross-site")

    assert not is_cross_site(make(headers=[("Origin", origin.lower()), site]), trusted)
    for other in (f"{scheme}://evil", f"{scheme}x://{host}", f"https://{host}", scheme, "null"):
        assert is_cross_site(make(headers=[("Origin", other), site]), trusted)
    twice = [("Origin", origin.lower())] * 2
    assert is_cross_site(make(headers=[*twice, site]), trusted)


def over(scheme, lines):
    """The same request on both interfaces, to a server that knows its scheme."""
    asgi_request, wsgi_request = asgi(headers=lines), wsgi(headers=lines)
    asgi_request.scope["scheme"] = scheme
    wsgi_request.environ["wsgi.url_scheme"] = scheme
    return asgi_request, wsgi_request


HTTP_PAGE = [("Origin", "http://app.example:8000"), ("Host", "app.example:8000")]
HTTPS_PAGE = [("Origin", "https://app.example:8000"), ("Host", "app.example:8000")]


@pytest.mark.parametrize(
    ("scheme", "told", "refused"),
    [
        ("http", [], False),
        ("https", [], True),
        ("wss", [], True),
        ("ws", [], False),
        # A proxy that ends TLS, and one that starts it.
        ("http", [("X-Forwarded-Proto", "https")], True),
        ("http", [("X-Forwarded-Proto", "WSS")], True),
        ("http", [("X-Forwarded-Proto", "http, https")], True),
        ("http", [("Forwarded", "for=192.0.2.1;Proto=https")], True),
        ("https", [("X-Forwarded-Proto", "http")], False),
        ("https", [("Forwarded", "proto=http")], False),
        ("https", [("Forwarded", "for=192.0.2.1")], True),
    ],
)
def test_a_page_in_the_clear_is_another_origin_than_an_encrypted_app(scheme, told, refused):
    """Somebody on the network can write such a page, and handshakes have no Sec-Fetch-Site."""
    for request in over(scheme, [*HTTP_PAGE, *told]):
        assert is_cross_site(request, NONE_TRUSTED) == refused
    for request in over(scheme, [*HTTPS_PAGE, *told]):
        # After a proxy that ends TLS, the app may believe that it is not encrypted.
        assert not is_cross_site(request, NONE_TRUSTED)


@pytest.mark.parametrize(
    "origins",
    [
        "https://admin.example",
        b"https://admin.example",
        None,
        ["admin.example"],
        {"https://admin.example": False},
        ["https://admin.example/"],
        ["https://*.example"],
        ["null"],
        ["*"],
        [""],
        [None],
        ["https://admin.example:65536"],
        ["https://admin.example:0"],
        ["capacitor://*"],
        ["capacitor://"],
        ["capacitor://localhost/"],
        ["file://localhost"],
        ["data://localhost"],
    ],
)
def test_a_wrong_trusted_origin_says_what_to_write(origins):
    with pytest.raises(ConfigurationError, match=r"https://a(dmin)?\.example"):
        checked_origins(origins)


PREFLIGHT = {"Origin": "https://app.example", "Access-Control-Request-Method": "PUT"}


@on_both_interfaces
def test_a_preflight_is_options_with_both_headers_that_only_a_browser_sets(make):
    assert is_preflight(make(headers=PREFLIGHT.items(), method="OPTIONS"))


@pytest.mark.parametrize("missing", PREFLIGHT)
@on_both_interfaces
def test_without_one_of_them_it_is_not_a_preflight(make, missing):
    headers = [item for item in PREFLIGHT.items() if item[0] != missing]

    assert not is_preflight(make(headers=headers, method="OPTIONS"))


@pytest.mark.parametrize("method", ["options", "GET", "POST"])
@on_both_interfaces
def test_another_method_is_not_a_preflight(make, method):
    assert not is_preflight(make(headers=PREFLIGHT.items(), method=method))


def test_a_websocket_handshake_is_not_a_preflight():
    request = asgi(headers=PREFLIGHT.items(), kind="websocket")
    request.scope["method"] = "OPTIONS"

    assert not is_preflight(request)
