"""Requests that another site makes a browser send."""

from collections.abc import Iterable

from passthrough_auth.testing.conformance.model import (
    Call,
    Case,
    cross_site,
    header,
    refused,
    sees,
    sees_no_caller,
)
from passthrough_auth.testing.conformance.options import CERTIFICATES

from .common import ALICE, SEES_ALICE, SESSION, authorization, fetch_site, from_origin

_ALLOWED = {
    "same-origin": fetch_site(b"same-origin"),
    "by the user's own hand": fetch_site(b"none"),
    "no browser headers": (),
    "Origin is the Host": from_origin(b"https://app.example.com"),
    "Origin is the Host, with its default port": from_origin(
        b"https://app.example.com", b"app.example.com:443"
    ),
    "Origin is the Host, with a port": from_origin(
        b"http://app.example.com:8000", b"app.example.com:8000"
    ),
    "Sec-Fetch-Site speaks for the Origin": fetch_site(b"same-origin")
    + from_origin(b"https://cdn.example"),
}

_BOTH = sees(authorization="Bearer alice", cookie="session=alice")

_CROSS_SITE = {
    "cross-site": fetch_site(b"cross-site"),
    "a sibling domain": fetch_site(b"same-site"),
    "a word of tomorrow": fetch_site(b"galactic"),
    "Sec-Fetch-Site speaks against the Origin": fetch_site(b"cross-site")
    + from_origin(b"https://app.example.com"),
    "another Origin": from_origin(b"https://evil.example"),
    "another port": from_origin(b"https://app.example.com:8443"),
    "the opaque Origin": from_origin(b"null"),
    "an Origin that begins alike": from_origin(b"https://app.example.com.evil.example"),
    "an Origin with a user": from_origin(b"https://app.example.com@evil.example"),
    "two Origins": (*from_origin(b"https://app.example.com"), (b"Origin", b"https://evil.example")),
}


def cross_site_cases() -> Iterable[Case]:
    """The app's own pages, other sites, and credentials that browsers attach."""
    for name, lines in _ALLOWED.items():
        yield Case(
            f"own site: {name}",
            "Requests from the app's own pages pass, and those of clients that aren't browsers.",
            (Call(headers=SESSION + lines, method="POST"), sees(cookie="session=alice")),
        )
    for name, lines in _CROSS_SITE.items():
        yield Case(
            f"cross-site: {name}",
            "A request with an unsafe method that another site makes a browser send is refused.",
            (Call(headers=SESSION + lines, method="POST"), cross_site()),
            (Call(headers=SESSION + lines, method="DELETE"), cross_site()),
            (Call(headers=SESSION + lines), sees(cookie="session=alice")),
            server_may_refuse=name == "two Origins",
        )
    for method in ("GET", "HEAD", "OPTIONS", "TRACE"):
        yield Case(
            f"cross-site: {method} is safe",
            "A method that changes nothing may come from another site (RFC 9110 section 9.2.1).",
            # The status doesn't matter: some frameworks answer that method themselves.
            (
                Call(headers=SESSION + fetch_site(b"cross-site"), method=method),
                header("x-handler", "yes"),
            ),
            server_may_refuse=method == "TRACE",
        )
    for method in ("POST", "PUT", "PATCH", "DELETE", "BREW"):
        yield Case(
            f"cross-site: {method} is unsafe",
            "Any other method could change something, so another site's request is refused.",
            (Call(headers=SESSION + fetch_site(b"cross-site"), method=method), cross_site()),
            server_may_refuse=method == "BREW",
        )
    yield from (
        Case(
            "cross-site: a GET that asks to be a WebSocket",
            "WSGI has no WebSocket handshake, but servers let an app take over the connection of "
            "such a GET, so it counts as unsafe.",
            (
                Call(
                    headers=SESSION
                    + fetch_site(b"cross-site")
                    + ((b"Connection", b"Upgrade"), (b"Upgrade", b"WebSocket"))
                ),
                cross_site(),
            ),
            interface="wsgi",
            server_may_refuse=True,
        ),
        Case(
            "cross-site: a credential that no browser attaches",
            "A credential that isn't ambient vouches for itself: a page has to have it.",
            (Call(headers=ALICE + fetch_site(b"cross-site"), method="POST"), SEES_ALICE),
        ),
        Case(
            "cross-site: a token beside a cookie",
            "Nothing is verified, so a token that any page can make up vouches for no cookie. The "
            "cookie is dropped, and the token alone is the caller.",
            (
                Call(headers=ALICE + SESSION + fetch_site(b"cross-site"), method="POST"),
                SEES_ALICE,
            ),
            (
                Call(headers=ALICE + SESSION + from_origin(b"https://evil.example"), method="POST"),
                SEES_ALICE,
            ),
            (Call(headers=ALICE + SESSION + fetch_site(b"same-origin"), method="POST"), _BOTH),
            (Call(headers=ALICE + SESSION + fetch_site(b"cross-site")), _BOTH),
            (Call(headers=ALICE + SESSION, method="POST"), _BOTH),
        ),
        Case(
            "cross-site: a token beside a cookie, from a trusted origin",
            "A trusted origin's pages act with the user's cookies too.",
            (
                Call(
                    headers=ALICE
                    + SESSION
                    + fetch_site(b"same-site")
                    + from_origin(b"https://admin.example.com"),
                    method="POST",
                ),
                _BOTH,
            ),
            options="trusting",
        ),
        Case(
            "cross-site: a malformed token beside a cookie",
            "What is dropped doesn't make another credential valid.",
            (
                Call(
                    headers=authorization(b"Bearer") + SESSION + fetch_site(b"cross-site"),
                    method="POST",
                ),
                refused("malformed"),
            ),
        ),
        Case(
            "cross-site: another scheme",
            "A page of http is another origin than the app of https on the same host and port.",
            *(
                (
                    Call(
                        headers=SESSION + from_origin(b"http://app.example.com") + ((name, value),),
                        method="POST",
                    ),
                    cross_site(),
                )
                for name, value in (
                    (b"X-Forwarded-Proto", b"https"),
                    (b"Forwarded", b"for=192.0.2.1;proto=https"),
                )
            ),
            (
                Call(headers=SESSION + from_origin(b"http://app.example.com"), method="POST"),
                sees(cookie="session=alice"),
            ),
            # Servers of WSGI drop these headers, unless they are told to trust a proxy.
            interface="asgi",
        ),
        Case(
            "cross-site: the origin of a native app",
            "trusted_origins takes it as a whole: another app may use the same scheme.",
            (
                Call(
                    headers=SESSION
                    + fetch_site(b"cross-site")
                    + from_origin(b"capacitor://localhost"),
                    method="POST",
                ),
                sees(cookie="session=alice"),
            ),
            *(
                (
                    Call(
                        headers=SESSION + fetch_site(b"cross-site") + from_origin(origin),
                        method="POST",
                    ),
                    cross_site(),
                )
                for origin in (b"capacitor://evil", b"capacitor://localhost.evil", b"capacitor")
            ),
            options="trusting",
        ),
        Case(
            "cross-site: Basic is attached by the browser",
            "Browsers attach Basic, Digest and Negotiate credentials by themselves (RFC 7617).",
            (
                Call(
                    headers=authorization(b"Basic YTpi") + fetch_site(b"cross-site"), method="POST"
                ),
                cross_site(),
            ),
        ),
        Case(
            "cross-site: a header that a proxy made of a cookie",
            "x-forwarded-access-token counts as ambient, because a proxy makes it from a cookie.",
            (
                Call(
                    headers=((b"X-Forwarded-Access-Token", b"t"), *fetch_site(b"cross-site")),
                    method="POST",
                ),
                cross_site(),
            ),
            (
                Call(headers=((b"X-Forwarded-Access-Token", b"t"),), method="POST"),
                sees(x_forwarded_access_token="t"),
            ),
            options="behind-proxy",
        ),
        Case(
            "cross-site: a client's certificate",
            "Browsers present it by themselves, so headers that a proxy makes from it are ambient.",
            *[
                (
                    Call(
                        headers=((name.encode(), b"x"), *fetch_site(b"cross-site")), method="POST"
                    ),
                    cross_site(),
                )
                for name in CERTIFICATES
            ],
            (
                Call(headers=((CERTIFICATES[0].encode(), b"x"),), method="POST"),
                sees(client_cert="x"),
            ),
            options="certificate",
        ),
        Case(
            "cross-site: an extractor that doesn't say",
            "An extractor of the app's own counts as ambient unless it says otherwise.",
            (
                Call(headers=((b"X-Token", b"alice"), *fetch_site(b"cross-site")), method="POST"),
                cross_site(),
            ),
            options="flyte-extractor",
        ),
        Case(
            "cross-site: a trusted origin",
            "trusted_origins names exceptions.",
            (
                Call(
                    headers=SESSION
                    + fetch_site(b"same-site")
                    + from_origin(b"https://admin.example.com"),
                    method="POST",
                ),
                sees(cookie="session=alice"),
            ),
            (
                Call(headers=SESSION + from_origin(b"https://admin.example.com"), method="POST"),
                sees(cookie="session=alice"),
            ),
            (
                Call(headers=SESSION + from_origin(b"http://admin.example.com"), method="POST"),
                cross_site(),
            ),
            options="trusting",
        ),
        Case(
            "cross-site: a public path",
            "A public path has no caller, so there is no reason to refuse another site.",
            (
                Call(b"/health", SESSION + fetch_site(b"cross-site"), method="POST"),
                sees_no_caller(),
            ),
        ),
    )
