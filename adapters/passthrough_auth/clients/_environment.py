"""Proxies that the environment names. A company's machines often reach the world by no other way.

The libraries read them together with what would stand for every caller, such as the passwords of a
netrc file, and send plain http through them too. So their own switch, `trust_env`, stays off.
"""

import logging
from functools import cache
from typing import final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from passthrough_auth.core.errors import ConfigurationError

logger = logging.getLogger("passthrough_auth")


@final
class EnvironmentProxy:
    """The proxy that the environment names for https: `HTTPS_PROXY`, or else `ALL_PROXY`.

    It is read once, when the client is made. `NO_PROXY` is read at each call, as urllib reads it:
    names of hosts, each for its sub-domains too, with or without a port, or `*`.

    Raises `ConfigurationError` for a `used` that is neither True nor False.
    """

    __slots__ = ("url", "used")

    def __init__(self, *, used: bool) -> None:
        if not isinstance(used, bool):
            raise ConfigurationError(f"environment_proxies is True or False, not {used!r}")
        named = getproxies()
        url = named.get("https") or named.get("all") or ""
        self.url = url if "://" in url or not url else f"http://{url}"
        self.used = used

    def leads_to(self, url: str) -> bool:
        """Whether a call to this URL goes through the proxy: only if it then sees a tunnel."""
        if not self.url:
            return False
        scheme, host = urlsplit(url)[:2]
        if scheme not in ("https", "wss") or proxy_bypass(host.rpartition("@")[2]):
            return False
        if not self.used:
            _say_that_it_is_not_used()
        return self.used


@cache  # once in a process: each further client would say the same
def _say_that_it_is_not_used() -> None:
    logger.warning(
        "The environment names a proxy for https, and a caller's client made a call without it. "
        "Write environment_proxies=True where the client is made, or add the host to NO_PROXY"
    )
