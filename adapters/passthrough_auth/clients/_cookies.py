"""A cookie jar that stays empty: what one caller was given must not travel with the next."""

from http.client import HTTPResponse
from http.cookiejar import Cookie, CookieJar
from typing import Any
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
