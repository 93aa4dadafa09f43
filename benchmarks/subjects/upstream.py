"""What the clients call: an HTTP and a gRPC server on loopback, in a process of their own."""

import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import NamedTuple

import grpc
import uvicorn

from . import asgi

SERVICE, METHOD = "benchmark.Upstream", "Call"


class Ports(NamedTuple):
    """Where they listen."""

    http: int
    grpc: int


def start() -> Ports:
    """Start both. They end with this process."""
    context = get_context("spawn")
    here, there = context.Pipe()
    context.Process(target=_serve, args=(there,), daemon=True).start()
    ports: Ports = here.recv()
    return ports


def _serve(parent: Connection) -> None:
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(
        lambda request, context: request
    )
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler}),)
    )
    grpc_port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    config = uvicorn.Config(asgi.plain, port=0, log_level="warning", access_log=False)
    serving = uvicorn.Server(config)
    http = threading.Thread(target=serving.run)
    http.start()
    while not serving.started:
        http.join(0.01)
    parent.send(Ports(serving.servers[0].sockets[0].getsockname()[1], grpc_port))
    http.join()
