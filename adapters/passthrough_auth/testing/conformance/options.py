"""The gate's options for the cases, by name."""

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from passthrough_auth.core import (
    HeaderExtractor,
    Refusal,
    Request,
    extract_authorization_header,
    extract_bare_authorization,
    extract_bearer_from_cookie,
    extract_bearer_token,
    extract_cookie_header,
    extract_cookies,
    extract_custom_header,
    extract_websocket_token,
    header_extractor,
)
from passthrough_auth.core.inbound import GateOptions

from .handlers import BOUND_CLIENT

PUBLIC = ("/health", "/public/*", re.compile(r"/api/v[0-9]+/status"), re.compile(r".*\.css"))

# Hop-by-hop headers (RFC 9110 section 7.6.1), and headers that frame or route a message.
NEVER_FORWARDED = (
    "Host",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "forwarded",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "Transfer-Encoding",
    "upgrade",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
)

# Headers that carry a client's certificate (RFC 9440; Envoy, nginx, AWS, Azure, Cloudflare).
CERTIFICATES = (
    "client-cert",
    "x-forwarded-client-cert",
    "x-forwarded-tls-client-cert",
    "ssl-client-cert",
    "x-ssl-client-cert",
    "x-client-cert",
    "x-amzn-mtls-clientcert",
    "x-arr-clientcert",
    "cf-client-cert-sha256",
)

FORGET = ("session=; Max-Age=0; Path=/", "session=; Max-Age=0; Path=/app", "seen=1; Unheard-Of=1")


def written_for_flyte(request: Request) -> tuple[str, str] | None:
    """An extractor as users of the Flyte SDK write them."""
    token = request.headers.get("x-token")
    return ("authorization", f"Bearer {token}") if token else None


@header_extractor(ambient=False)
def from_cookie_mapping(request: Request) -> tuple[str, str] | None:
    """An extractor that reads one cookie from `request.cookies`."""
    session = request.cookies.get("session")
    return ("x-session", session) if session else None


class Faulty:
    """Extractors with one fault each. Each app gets new ones, because a warning is logged once."""

    apps = itertools.count()

    def __iter__(self) -> Iterator[HeaderExtractor]:
        yield raising(f"raising_{next(self.apps)}")
        yield from map(yielding, NEVER_FORWARDED)
        yield extract_cookie_header


def raising(name: str) -> HeaderExtractor:
    """An extractor of that name that raises an error with the secret in its text."""

    def extractor(request: Request) -> tuple[str, str] | None:
        raise ValueError(request.headers.get("authorization"))

    extractor.__qualname__ = name
    return extractor


def yielding(name: str) -> HeaderExtractor:
    """An extractor that yields a header that controls the connection and names no caller."""
    return lambda request: (name, "1")


def redirecting(request: Request, refusal: Refusal) -> Refusal:
    """An app's own refusal: it redirects to the login page and deletes the session's cookies."""
    cookies = (("set-cookie", line) for line in FORGET)
    return Refusal(303, (("location", "/login"), ("content-length", "0"), *cookies), b"")


def letting_pass(request: Request, refusal: Refusal) -> Refusal:
    """A wrong `on_refusal`: its status is a success."""
    return Refusal(200, (("content-length", "2"),), b"ok")


class Options(GateOptions, total=False):
    """The gate's options, and the one option that only some adapters have."""

    allow_preflight: bool


OPTIONS: Mapping[str, Options] = {
    "default": {},
    "custom-header": {"header_extractors": [extract_custom_header("X-Flyte-Token")]},
    "named-cookies": {"header_extractors": [extract_cookies("session", "sso")]},
    "prefix-cookies": {"header_extractors": [extract_cookies("sb-*")]},
    "bearer": {"header_extractors": [extract_bearer_token, extract_cookies("session")]},
    "bearer-cookie": {
        "header_extractors": [extract_bearer_token, extract_bearer_from_cookie("access_token")]
    },
    "bare": {"header_extractors": [extract_bare_authorization]},
    "three": {
        "header_extractors": [
            extract_authorization_header,
            extract_cookie_header,
            extract_custom_header("x-flyte-token"),
        ]
    },
    "flyte-extractor": {"header_extractors": [written_for_flyte, extract_authorization_header]},
    "cookie-mapping": {"header_extractors": [from_cookie_mapping]},
    "faulty": {"header_extractors": Faulty()},
    "behind-proxy": {"header_extractors": [extract_custom_header("x-forwarded-access-token")]},
    "certificate": {"header_extractors": list(map(extract_custom_header, CERTIFICATES))},
    "trusting": {"trusted_origins": ["https://admin.example.com", "capacitor://localhost"]},
    "websocket-token": {"header_extractors": [extract_bearer_token, extract_websocket_token()]},
    "preflight": {"allow_preflight": True},
    "digest": {"comma_schemes": ["Digest"]},
    "challenge": {
        "realm": "jobs",
        "resource_metadata": "https://api.example.com/.well-known/oauth-protected-resource",
    },
    "redirecting": {"on_refusal": redirecting},
    "bound": {"bindings": [BOUND_CLIENT], "excluded_paths": [*PUBLIC, "/outlive-public/*"]},
    "unbound": {"bindings": []},
    "letting-pass": {"on_refusal": letting_pass},
}


async def asynchronous(request: Request) -> tuple[str, str] | None:
    """A wrong extractor: it is async."""
    return None


# Wrong options, each with a part of the error text that says what to write instead.
WRONG: Mapping[str, tuple[Options, str]] = {
    "a bare string": ({"excluded_paths": "/health"}, "write {'/health'}"),
    "no slash in front": ({"excluded_paths": ["health"]}, "needs a leading slash: '/health'"),
    "a dot segment": ({"excluded_paths": ["/public/../x"]}, "as your router sees it"),
    "two slashes": ({"excluded_paths": ["/public//x"]}, "as your router sees it"),
    "a query": ({"excluded_paths": ["/health?x"]}, "without query string"),
    "a control character": ({"excluded_paths": ["/heal\nth"]}, "as your router sees it"),
    "a star within": ({"excluded_paths": ["/*/x"]}, "give a compiled pattern"),
    "an async extractor": ({"header_extractors": [cast("Any", asynchronous)]}, "a plain `def`"),
}


def options(name: str) -> Options:
    """The options of that name, with the public paths of the conformance app."""
    chosen = WRONG[name][0] if name in WRONG else OPTIONS[name]
    return {"excluded_paths": PUBLIC, **chosen}
