"""Local HTTP servers on several origins, TLS included, that record every request.

Two hosts and several ports, because clients tell origins apart by less than all of scheme, host and
port: cookies ignore ports, and some compare the host alone.
"""

import asyncio
import gc
import json
import ssl
import tempfile
import warnings
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

from passthrough_auth.core import Destination, Destinations
from passthrough_auth.testing._local_server import LocalServer, bound_socket, write_certificate

from .model import Arrival

# name -> scheme, host. Only NAMED are destinations.
ORIGINS = {
    "named": ("https", "localhost"),
    "second": ("https", "127.0.0.1"),
    "plain": ("http", "localhost"),
    "stranger": ("https", "127.0.0.1"),
    "neighbour": ("https", "localhost"),
    "plain-stranger": ("http", "127.0.0.1"),
    "plain-neighbour": ("http", "localhost"),
}
NAMED = ("named", "second", "plain")
STRANGERS = tuple(name for name in ORIGINS if name not in NAMED)
# The answer of "/asks-for/..." to any other Authorization.
_CHALLENGE = ("www-authenticate", 'Digest realm="world", nonce="0", qop="auth"')

_Send = Callable[[dict[str, Any]], Awaitable[None]]
_Receive = Callable[[], Awaitable[Any]]


class LocalWorld:
    """Origins on this machine, the requests that arrived there, and a certificate for them."""

    def __init__(self, directory: Path) -> None:
        self._arrivals: list[Arrival] = []
        self._origins: dict[str, str] = {}
        self.requests_at_strangers = 0
        self.credentials_at_strangers = 0
        self.ca_file, self.certificate = write_certificate(directory)

    def url(self, origin: str, path: str = "/whoami") -> str:
        """The URL of a path at an origin, by the origin's name."""
        return self._origins[origin] + path

    def redirect(self, origin: str, *targets: str, status: int = 302) -> str:
        """A URL at `origin` that redirects from one target URL to the next."""
        *before, last = targets
        for target in reversed(before):
            # Each but the last is itself one that redirects.
            last = f"{target}/to/{status}?url={quote(last, safe='')}"
        return self.url(origin, f"/to/{status}?url={quote(last, safe='')}")

    def root(self, origin: str) -> str:
        """The origin itself, as it is named to `Destinations`."""
        return self._origins[origin]

    def destinations(self, **options: Any) -> Destinations:
        """The named origins, all with these options."""
        return Destinations(*(Destination(self._origins[name], **options) for name in NAMED))

    def arrivals(self) -> list[Arrival]:
        """The requests that arrived since `clear`, in order."""
        return list(self._arrivals)

    def verify(self) -> ssl.SSLContext:
        """A TLS context that trusts these servers, and no others."""
        return ssl.create_default_context(cafile=self.ca_file)

    def clear(self) -> None:
        """Forget the requests that arrived. The counts of those at strangers stay."""
        self._arrivals.clear()

    def record(self, arrival: Arrival) -> None:
        """Note a request, and whether it took credentials where none may travel."""
        self._arrivals.append(arrival)
        if arrival.origin in STRANGERS:
            self.requests_at_strangers += 1
            self.credentials_at_strangers += len(arrival.credentials())


class HttpWorld(LocalWorld):
    """HTTP servers, from `start` to `stop`. Use `http_world()`."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._ports: dict[int, str] = {}
        self._flaky: set[str] = set()
        self._servers: list[LocalServer] = []

    def start(self) -> None:
        """Open free ports and serve."""
        for scheme, certificate in (("https", self.certificate), ("http", None)):
            bound = {name: bound_socket() for name in ORIGINS if ORIGINS[name][0] == scheme}
            for name, listener in bound.items():
                port: int = listener.getsockname()[1]
                self._ports[port] = name
                self._origins[name] = f"{scheme}://{ORIGINS[name][1]}:{port}"
            # A connection is kept for longer than any client waits to use it again.
            options = {"interface": "asgi3", "http": "h11", "timeout_keep_alive": 60}
            served = LocalServer(self._app, [*bound.values()], certificate, **options)
            self._servers.append(served)
            self._servers[-1].start()

    def stop(self) -> None:
        """Stop serving and close every connection."""
        for server in self._servers:
            server.stop()
        with warnings.catch_warnings():
            # uvicorn ends its loop before the TLS connections of clients that left are closed, and
            # asyncio warns of each of them at the time that it is collected.
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()

    async def _app(self, scope: Mapping[str, Any], receive: _Receive, send: _Send) -> None:
        origin = self._ports[scope["server"][1]]
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        arrival = Arrival(origin, scope["path"], headers, tuple(scope["client"]))
        self.record(arrival)
        while (await receive()).get("more_body"):
            pass
        query = parse_qs(scope["query_string"].decode("ascii"))
        if arrival.path.startswith("/slow/"):
            with suppress(TimeoutError):
                async with asyncio.timeout(float(arrival.path.rpartition("/")[2])):
                    await receive()  # nothing comes but that the client has left
        await self._answer(arrival, query, send)

    async def _answer(self, arrival: Arrival, query: Mapping[str, list[str]], send: _Send) -> None:
        # As upstream services keep a session: a later request with this cookie counts as theirs.
        caller = arrival.headers.get("authorization", "nobody").replace(" ", "-")
        cookie = ("set-cookie", f"session=given-to-{caller}; Path=/")
        _, action, *rest = arrival.path.split("/")
        if action == "to" and rest[0].isdigit():  # some clients mangle where they are led
            await _respond(send, int(rest[0]), [cookie, ("location", query["url"][0])])
            return
        if action == "asks-for" and not arrival.headers.get("authorization", "").startswith(
            rest[0]
        ):
            await _respond(send, 401, [cookie, _CHALLENGE])
            return
        status = int(rest[0]) if action == "status" else 200
        if action == "flaky" and rest[0] not in self._flaky:
            self._flaky.add(rest[0])
            status = 503
        body = json.dumps({"origin": arrival.origin, "headers": arrival.headers}).encode()
        lines = [cookie, ("content-type", "application/json")]
        if action == "cacheable":
            # No cache keeps a cookie's setting.
            lines = [("cache-control", rest[0]), lines[1]]
        await _respond(send, status, lines, body)


@contextmanager
def http_world() -> Generator[HttpWorld]:
    """The servers, running."""
    with tempfile.TemporaryDirectory(prefix="passthrough-auth-clients-") as directory:
        world = HttpWorld(Path(directory))
        try:
            world.start()
            yield world
        finally:
            world.stop()


async def _respond(
    send: _Send, status: int, headers: Sequence[tuple[str, str]], body: bytes = b""
) -> None:
    lines = [(name.encode(), value.encode()) for name, value in headers]
    lines.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})
