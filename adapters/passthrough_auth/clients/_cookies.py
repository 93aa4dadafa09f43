"""A cookie jar that stays empty: what one caller was given must not travel with the next."""

from http.client import HTTPResponse
from http.cookiejar import Cookie, CookieJar
from typing import TYPE_CHECKING, Any
from urllib.request import Request

from passthrough_auth.core import ConfigurationError


class NoCookies(CookieJar):
    """Takes nothing from responses. Set-Cookie can still be read off each response."""

    def extract_cookies(self, response: HTTPResponse | Any, request: Request | Any) -> None:
        pass

    def set_cookie(self, cookie: Cookie) -> None:
        raise ConfigurationError(
            f"A client shared by many callers keeps no cookies, so {cookie.name!r} can't be set on "
            "it. Send a cookie of the app's own with the request: headers={'Cookie': ...}"
        )


class FixedJar:
    """A client whose cookie jar can't be replaced, except by another that stays empty.

    Raises `ConfigurationError` for any other: the cookies that one caller was given would travel
    with the next, and the app's own in place of a caller's.
    """

    if not TYPE_CHECKING:  # to type checkers, it would permit to set any name at all

        def __setattr__(self, name: str, value: object) -> None:
            if name == "cookies" and hasattr(self, name) and not isinstance(value, NoCookies):
                raise ConfigurationError(
                    "A client shared by many callers keeps no cookies, so it can't be given any. "
                    "Send a cookie of the app's own with the request: headers={'Cookie': ...}"
                )
            super().__setattr__(name, value)
