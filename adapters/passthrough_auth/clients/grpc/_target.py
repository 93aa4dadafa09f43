"""Where a channel leads, and whether that may be shown the caller's credentials."""

import re
from collections.abc import Sequence
from typing import Any

import grpc

from passthrough_auth.core.errors import ConfigurationError
from passthrough_auth.core.origin import Origin
from passthrough_auth.core.outbound import Destinations, check_destinations

from ._metadata import check_names

Options = Sequence[tuple[str, Any]]

_DNS = re.compile(r"dns:(?:///)?")
_PORT = re.compile(r".*:[0-9]+")
# A socket in the file system, by its full path: `unix:443` may be meant as a host.
_SOCKET = re.compile(r"unix:(?://)?/[^/].*")
# What gRPC sends as the authority to a socket.
_ORIGIN_OF_SOCKETS = "http://localhost"
# The kinds of channel credentials that always encrypt, by the class that gRPC makes: there is no
# other way to tell. Seen of the others, with gRPC 1.66 to 1.85: those of local connections and of
# xDS send in the clear, the former also inside composite ones (1.66).
_ENCRYPTING = frozenset({"SSLChannelCredentials", "ALTSChannelCredentials"})
# Proxies that the environment names, and those that options do. They could read plain text.
_NO_PROXY = (("grpc.enable_http_proxy", 0), ("grpc.address_http_proxy_enabled_addresses", ""))


def secure_origin(
    target: str, credentials: grpc.ChannelCredentials, destinations: Destinations
) -> Origin:
    """The origin of an encrypted channel.

    Raises `DestinationNotAllowed` for a target that isn't named, and `ConfigurationError` for
    credentials that don't encrypt.
    """
    kind = type(getattr(credentials, "_credentials", None)).__name__
    if kind == "CompositeChannelCredentials":
        raise ConfigurationError(
            "these credentials carry call credentials of the app's, for every call. Write "
            "grpc.ssl_channel_credentials() here; to call as the app itself, use a plain channel"
        )
    if kind not in _ENCRYPTING:
        raise ConfigurationError(
            f"channel credentials of this kind ({kind}) don't encrypt, or not always. Write "
            "grpc.ssl_channel_credentials(), and give call credentials of the app's own to the "
            "call; or insecure_channel(...) for a loopback address, or in a mesh that encrypts"
        )
    return _named_origin(_url("https", target), destinations)


def insecure_origin(target: str, destinations: Destinations) -> Origin:
    """The origin of a channel without encryption.

    Raises `DestinationNotAllowed` for a target that isn't named. A destination on another machine
    is named with plain_http=True, and a socket of this one as http://localhost.
    """
    if _SOCKET.fullmatch(target):
        return _named_origin(_ORIGIN_OF_SOCKETS, destinations)
    return _named_origin(_url("http", target), destinations)


def target_of(origin: Origin, written: str) -> str:
    """A target that gRPC reads as this origin, and never as a path: `unix:443` is one to it."""
    if _SOCKET.fullmatch(written):
        return written
    return f"dns:///{origin.host}:{origin.port}"


def without_proxy(options: Options | None) -> Options:
    """These options, and no proxy. Of two options with one name, gRPC takes the first."""
    return [*_NO_PROXY, *(options or ())]


def _named_origin(url: str, destinations: Destinations) -> Origin:
    origin = check_destinations(destinations).check(url)
    check_names(destinations.sent_names(origin))
    return origin


def _url(scheme: str, target: str) -> str:
    """The URL with the origin that this target stands for, or "" if it stands for none."""
    if target.lower().startswith(("https://", "http://")):
        raise ConfigurationError("a gRPC target has no scheme: write 'api.example.com:443'")
    host = _DNS.sub("", target, count=1) if _DNS.match(target) else target
    if any(mark in host for mark in "/?#"):
        return ""  # for a resolver of another kind, which may lead anywhere
    # 443 is gRPC's default port, encrypted or not.
    return f"{scheme}://{host}" if _PORT.fullmatch(host) else f"{scheme}://{host}:443"
