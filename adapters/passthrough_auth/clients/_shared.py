"""Settings that clients refuse because many callers share them.

Cookies that one caller was given must not travel with the next, and credentials of the app's own
must not silently take the place of each caller's.
"""

from collections.abc import Iterable, Mapping
from http.client import HTTPResponse
from http.cookiejar import Cookie, CookieJar
from typing import TYPE_CHECKING, Any
from urllib.request import Request

from passthrough_auth.core.errors import ConfigurationError
from passthrough_auth.core.outbound import Destinations

REFUSED_OPTIONS = {
    "cookies": "keeps no cookies; send one with headers={'Cookie': ...} on the request",
    "auth": "sends the caller's credentials; to call as the app itself, use a client of its own",
    "trust_env": "takes no passwords from the environment; for its proxies, write "
    "environment_proxies=True",
}
"""Options that would act in place of a caller, each with the behaviour of a caller's client."""


class NoCookies(CookieJar):
    """A jar that stays empty. Set-Cookie can still be read from each response."""

    def extract_cookies(self, response: HTTPResponse | Any, request: Request | Any) -> None:
        pass

    def set_cookie(self, cookie: Cookie) -> None:
        raise ConfigurationError(
            f"A client shared by many callers keeps no cookies, so {cookie.name!r} can't be set on "
            "it. Send a cookie of the app's own with the request: headers={'Cookie': ...}"
        )


class SharedClient:
    """Mixed into a client, so that the refused options can't be set on it later either.

    Setting one raises `ConfigurationError`.
    """

    if not TYPE_CHECKING:  # type checkers would then let any name be set

        def __setattr__(self, name: str, value: object) -> None:
            harmless = isinstance(value, NoCookies) if name == "cookies" else not value
            # The first value is the one that the client's own class sets on construction.
            if name in REFUSED_OPTIONS and not harmless and hasattr(self, name):
                raise ConfigurationError(
                    f"{name} can't be set: a caller's client {REFUSED_OPTIONS[name]}"
                )
            super().__setattr__(name, value)


def refuse_options(options: Iterable[str], refused: Mapping[str, str]) -> None:
    """Raise `ConfigurationError` for an option that would lead around the boundary."""
    for name in options:
        if name in refused:
            raise ConfigurationError(
                f"{name} can't be given here: a caller's client {refused[name]}"
            )


def check_common_settings(
    options: Mapping[str, Any], headers: Iterable[str], destinations: Destinations
) -> None:
    """Check the settings that all calls of a client have in common: headers and `base_url`.

    Raises `ConfigurationError` for a header that would stand for every caller, and
    `DestinationNotAllowed` for a `base_url` that isn't named.
    """
    for name in headers:
        if name.lower() in destinations.sensitive_names() - destinations.apps_names():
            raise ConfigurationError(
                f"the header {name!r} of a caller's client would take the place of each caller's "
                "own. To call as the app itself, use a plain client"
            )
    if options.get("base_url"):
        destinations.check(str(options["base_url"]))
