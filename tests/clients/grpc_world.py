"""Local gRPC servers on the same origins as the HTTP ones, which record every call's metadata."""

import json
import tempfile
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from tests.clients.suite import Arrival, LocalWorld
from tests.clients.suite.world import ORIGINS

from passthrough_auth.testing._local_server import LOOPBACK

KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
_CODES = {
    "401": grpc.StatusCode.UNAUTHENTICATED,
    "403": grpc.StatusCode.PERMISSION_DENIED,
    "404": grpc.StatusCode.NOT_FOUND,
}
_SERVICE = "passthrough.Echo"


def method(kind: str) -> str:
    """The full name of the method of that kind."""
    return f"/{_SERVICE}/{kind}"


class GrpcWorld(LocalWorld):
    """One server for each origin. A request is the path of a URL.

    `/slow/2` takes two seconds, unless its call ends before; `/held` until `let_go` is set.
    `/status/401` is answered with the status code of that meaning.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._servers: list[grpc.Server] = []
        self.let_go = threading.Event()

    def start(self) -> None:
        """Open free ports and serve."""
        pem = Path(self.certificate).read_bytes()
        secure = grpc.ssl_server_credentials([(pem, pem)])
        for name, (scheme, host) in ORIGINS.items():
            server = self._server(name)
            address = f"{LOOPBACK}:0"
            if scheme == "https":
                port = server.add_secure_port(address, secure)
            else:
                port = server.add_insecure_port(address)
            server.start()
            self._origins[name] = f"{scheme}://{host}:{port}"

    def listen(self, target: str) -> None:
        """Serve at one more place, such as a socket of this machine."""
        server = self._server("socket")
        server.add_insecure_port(target)
        server.start()

    def stop(self) -> None:
        """Stop serving, calls under way included."""
        for stopped in [server.stop(grace=None) for server in self._servers]:
            stopped.wait()

    def _server(self, name: str) -> grpc.Server:
        server = grpc.server(ThreadPoolExecutor(16))
        handlers = {kind: self._handler(kind, name) for kind in KINDS}
        generic = grpc.method_handlers_generic_handler(_SERVICE, handlers)
        server.add_generic_rpc_handlers((generic,))
        self._servers.append(server)
        return server

    def _handler(self, kind: str, origin: str) -> Any:
        streams = kind.startswith("stream"), kind.endswith("stream")

        def answer(request: Any, context: grpc.ServicerContext) -> bytes:
            path = b"".join(request) if streams[0] else request
            # None of these is binary, which a name that ends in -bin would be.
            metadata = {name: str(value) for name, value in context.invocation_metadata()}
            self.record(Arrival(origin, path.decode(), metadata))
            _, action, *rest = path.decode().split("/")
            if action == "slow":
                over = threading.Event()
                if context.add_callback(over.set):
                    over.wait(float(rest[0]))
            if action == "status":
                context.abort(_CODES[rest[0]], "refused")
            if action == "held":
                self.let_go.wait(60)
            return json.dumps({"headers": metadata}).encode()

        def pieces(request: Any, context: grpc.ServicerContext) -> Iterator[bytes]:
            whole = answer(request, context)
            yield whole[:10]
            yield whole[10:]

        make = getattr(grpc, f"{kind}_rpc_method_handler")
        return make(pieces if streams[1] else answer)


@contextmanager
def grpc_world() -> Generator[GrpcWorld]:
    """The servers, running."""
    with tempfile.TemporaryDirectory(prefix="passthrough-auth-grpc-") as directory:
        world = GrpcWorld(Path(directory))
        try:
            world.start()
            yield world
        finally:
            world.stop()
