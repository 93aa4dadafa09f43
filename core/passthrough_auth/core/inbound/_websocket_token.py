"""The token of a WebSocket that a browser opens: its API can set no header but the subprotocols."""

import re
from functools import cache

from passthrough_auth.core._credential_rules import is_token
from passthrough_auth.core._log import logger
from passthrough_auth.core.errors import ConfigurationError, MalformedCredential

from ._extraction import HeaderExtractor, built_in, makes_extractors
from ._request import Request

# RFC 4648 section 5, without padding: "=" can't be in the name of a subprotocol.
_BASE64URL = re.compile(r"(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2,3})?")


@makes_extractors("extract_websocket_token()")
def extract_websocket_token(prefix: str = "bearer.") -> HeaderExtractor:
    """Make an extractor that reads a bearer token among the subprotocols of a WebSocket.

        new WebSocket(url, ["app.v1", "bearer." + base64url(token)])

    The handler sees and selects the other subprotocol; without another one a browser would fail
    the connection, so the handshake is refused as malformed. So is one with two tokens. The token
    is forwarded as `authorization: Bearer ...`, and is not ambient. The Kubernetes API server reads
    its tokens so, with the prefix `base64url.bearer.authorization.k8s.io.`.

    Raises `ConfigurationError` for a prefix that no subprotocol can have (RFC 6455 section 4.1).
    """
    if not isinstance(prefix, str) or not is_token(prefix):
        raise ConfigurationError(
            f"{prefix!r} is not the beginning of a subprotocol: write extract_websocket_token()"
        )

    @built_in("sec-websocket-protocol", prefix)
    def extract_token_among_subprotocols(request: Request) -> tuple[str, str] | None:
        offered = request.subprotocols()
        tokens = [name[len(prefix) :] for name in offered if name.startswith(prefix)]
        if not tokens:
            return None
        others = [name for name in offered if not name.startswith(prefix)]
        request.show_subprotocols(others)
        if not others:
            _warn_of_a_token_alone()
        if not others or len(tokens) > 1 or not _BASE64URL.fullmatch(tokens[0]):
            raise MalformedCredential("the token isn't offered as it should", name="authorization")
        return "authorization", f"Bearer {_decoded(tokens[0])}"

    return extract_token_among_subprotocols


def _decoded(token: str) -> str:
    from base64 import urlsafe_b64decode

    return urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode("latin-1")


@cache
def _warn_of_a_token_alone() -> None:
    logger().warning(
        "A WebSocket handshake was refused, as it offered a token and no other subprotocol: "
        "browsers close a connection whose subprotocol isn't selected. Offer one for the handler "
        "to select: new WebSocket(url, ['app.v1', 'bearer.' + token])"
    )
