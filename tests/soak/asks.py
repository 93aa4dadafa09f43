"""The requests that are mixed, and the caller that the answer to each must show."""

from dataclasses import dataclass
from typing import Literal

from passthrough_auth.testing.conformance import handlers
from passthrough_auth.testing.conformance.model import Feature

_UPLOAD = b"x" * 70_000  # enough for uvicorn on asyncio to leave a context behind
_LARGE_UPLOAD = b"x" * 1_000_000

Later = Literal["caller", "ended", "either"]
"""The note that work after a response must leave: its caller, or that the request has ended."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One kind of request.

    Attributes:
        path: Its target. One that ends in / is completed with the request's own mark.
        weight: How often it is made, compared with the others.
        sends: It carries credentials.
        public: Its path is public, so that no caller may be seen even then.
        status: The status to expect; None where it is up to the server.
        lines: How many lines a streamed body has at least; 0 for a plain JSON answer.
        later: The note that work after the response must leave.
        needs: The feature that a column must offer to be asked this.
        pipelined: It may stand among pipelined requests: its answer never ends the connection.
    """

    path: str
    weight: int = 1
    method: str = "GET"
    body: bytes = b""
    sends: bool = True
    public: bool = False
    status: int | None = 200
    lines: int = 0
    later: Later | None = None
    needs: Feature | None = None
    websocket: bool = False
    pipelined: bool = False

    @property
    def admitted(self) -> bool:
        """Whether it is served on behalf of a caller."""
        return self.sends and not self.public


ASKS = (
    # Ordinary ones, sync and async.
    Ask("/whoami", 30, pipelined=True),
    Ask("/slow", 8, pipelined=True),
    Ask("/aslow", 8, needs="async", pipelined=True),
    Ask("/upload", 6, "POST", _UPLOAD, pipelined=True),
    Ask("/upload", 1, "POST", _LARGE_UPLOAD),
    Ask("/threads", 2),
    Ask("/athreads", 2, needs="async"),
    # No caller may be seen here.
    Ask("/public/x", 12, public=True, pipelined=True),
    Ask("/health", 8, sends=False, public=True, pipelined=True),
    Ask("/public/upload", 3, "POST", _UPLOAD, public=True, pipelined=True),
    Ask("/public/stream", 2, public=True, lines=handlers.CHUNKS),
    Ask("/whoami", 10, sends=False, status=401, pipelined=True),
    Ask("/slow", 2, sends=False, status=401, pipelined=True),
    # Streams.
    Ask("/stream", 6, lines=handlers.CHUNKS, needs="sync-stream"),
    Ask("/astream", 6, lines=handlers.CHUNKS, needs="async-stream"),
    Ask("/large", 1, lines=handlers.LARGE_CHUNKS, needs="sync-stream"),
    Ask("/alarge", 1, lines=handlers.LARGE_CHUNKS, needs="async-stream"),
    # Work after the response.
    Ask("/background/", 4, later="caller", needs="background"),
    Ask("/outlive/", 3, later="ended"),
    Ask("/outlive-stream/", 3, lines=handlers.CHUNKS, later="ended"),
    # Handlers, bodies and teardowns that raise.
    Ask("/raise", 3, status=418),
    Ask("/crash", 3, status=500),
    Ask("/teardown-crash", 2, status=None),
    Ask("/stream-crash", 2, status=None, lines=1),
    # WebSockets.
    Ask("/ws", 6, lines=2, websocket=True, needs="websocket"),
    Ask("/public/ws", 3, public=True, lines=2, websocket=True, needs="websocket"),
    Ask("/ws", 2, sends=False, status=None, websocket=True, needs="websocket"),
)

NOT_ASKED = {
    # After an exception in a body it has begun to send, daphne (4.2.3) never ends the response, and
    # stops to clear up after any request: its application_checker() dies of the first.
    ("daphne", "/stream-crash"),
}


def asks(server: str, offers: frozenset[Feature]) -> list[Ask]:
    """The requests for that server, and for a column with these features."""
    return [
        ask
        for ask in ASKS
        if (server, ask.path) not in NOT_ASKED and (ask.needs is None or ask.needs in offers)
    ]
