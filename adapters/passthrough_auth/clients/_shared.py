"""Clients that many callers share: what is set on one would travel with each of them.

Cookies that one caller was given must not travel with the next, and credentials of the app's own
must not silently take the place of each caller's.
"""

from collections.abc import Iterable, Mapping
from http.client import HTTPResponse
from http.cookiejar import Cookie, CookieJar
from typing import TYPE_CHECKING, Any
from urllib.request import Request

from passthrough_auth.core import ConfigurationError, Destinations


class NoCookies(CookieJar):
    """Takes nothing from responses. Set-Cookie can still be read off each response."""

    def extract_cookies(self, response: HTTPResponse | Any, request: Request | Any) -> None:
        pass

    def set_cookie(self, cookie: Cookie) -> None:
        raise ConfigurationError(
            f"A client shared by many callers keeps no cookies, so {cookie.name!r} can't be set on "
            "it. Send a cookie of the app's own with the request: headers={'Cookie': ...}"
        )


INSTEAD = {
    "cookies": "keeps no cookies; send one with headers={'Cookie': ...} on the request",
    "auth": "sends the caller's credentials; to call as the app itself, use a client of its own",
    "trust_env": "takes neither proxies nor passwords from the environment; name them in code",
}
"""What a caller's client does in place of what these would make it do."""


class Shared:
    """A client on which nothing can be set that would act in place of a caller, or lead elsewhere.

    Raises `ConfigurationError`.
    """

    if not TYPE_CHECKING:  # to type checkers, it would permit to set any name at all

        def __setattr__(self, name: str, value: object) -> None:
            harmless = isinstance(value, NoCookies) if name == "cookies" else not value
            # Not yet there, it is what the client's own class begins with.
            if name in INSTEAD and not harmless and hasattr(self, name):
                raise ConfigurationError(f"{name} can't be set: a caller's client {INSTEAD[name]}")
            super().__setattr__(name, value)


def refuse_options(options: Iterable[str], instead: dict[str, str]) -> None:
    """Raise `ConfigurationError` for an option that would lead around the boundary."""
    for name in options:
        if name in instead:
            raise ConfigurationError(
                f"{name} can't be given here: a caller's client {instead[name]}"
            )


def check_shared(
    options: Mapping[str, Any], headers: Iterable[str], destinations: Destinations
) -> None:
    """Check what the calls of a client have in common: where they go, and the names of headers.

    Raises `ConfigurationError` for a header that would stand for every caller, and
    `DestinationNotAllowed` for a `base_url` that isn't named.
    """
    for name in headers:
        if name.lower() in destinations.confined_headers():
            raise ConfigurationError(
                f"the header {name!r} of a caller's client would take the place of each caller's "
                "own. To call as the app itself, use a plain client"
            )
    if options.get("base_url"):
        destinations.check(str(options["base_url"]))
