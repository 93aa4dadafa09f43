"""The gate options that cases are run with, by name."""

import re
from collections.abc import Mapping

from passthrough_auth.core import (
    GateOptions,
    Refusal,
    Request,
    extract_authorization_header,
    extract_cookie_header,
    extract_cookies,
    extract_custom_header,
    header_extractor,
)

from .handlers import Recording

PUBLIC = ("/health", "/public/*", re.compile(r"/api/v[0-9]+/status"))


def written_for_flyte(request: Request) -> tuple[str, str] | None:
    """An extractor as users of the Flyte SDK write them."""
    token = request.headers.get("x-token")
    return ("authorization", f"Bearer {token}") if token else None


@header_extractor(ambient=False)
def from_cookie_mapping(request: Request) -> tuple[str, str] | None:
    """An extractor that reads one cookie through the mapping."""
    session = request.cookies.get("session")
    return ("x-session", session) if session else None


def raising(request: Request) -> tuple[str, str] | None:
    """An extractor with a fault, whose exception holds the secret."""
    raise ValueError(request.headers.get("authorization"))


def yielding_host(request: Request) -> tuple[str, str] | None:
    """An extractor that yields a name which steers the connection instead of naming a caller."""
    return ("Host", "evil.example")


def redirecting(request: Request, refusal: Refusal) -> Refusal:
    """A refusal of an app's own: to the login page."""
    return Refusal(303, (("location", "/login"), ("content-length", "0")), b"")


def letting_pass(request: Request, refusal: Refusal) -> Refusal:
    """A wrong one: it would answer with a success."""
    return Refusal(200, (("content-length", "2"),), b"ok")


OPTIONS: Mapping[str, GateOptions] = {
    "default": {},
    "custom-header": {"header_extractors": [extract_custom_header("X-Flyte-Token")]},
    "named-cookies": {"header_extractors": [extract_cookies("session", "sso")]},
    "three": {
        "header_extractors": [
            extract_authorization_header,
            extract_cookie_header,
            extract_custom_header("x-flyte-token"),
        ]
    },
    "flyte-extractor": {"header_extractors": [written_for_flyte, extract_authorization_header]},
    "cookie-mapping": {"header_extractors": [from_cookie_mapping]},
    "faulty": {"header_extractors": [raising, yielding_host, extract_cookie_header]},
    "behind-proxy": {"header_extractors": [extract_custom_header("x-forwarded-access-token")]},
    "trusting": {"trusted_origins": ["https://admin.example.com"]},
    "preflight": {"allow_preflight": True},
    "digest": {"comma_schemes": ["Digest"]},
    "challenge": {
        "realm": "jobs",
        "resource_metadata": "https://api.example.com/.well-known/oauth-protected-resource",
    },
    "redirecting": {"on_refusal": redirecting},
    "recording": {"bindings": [Recording]},
    "letting-pass": {"on_refusal": letting_pass},
}


def options(name: str) -> GateOptions:
    """The options of that name, with the public paths of the conformance app."""
    return {"excluded_paths": PUBLIC, **OPTIONS[name]}
