"""Calls upstream with a client, with the planted credentials, and logs everything.

Runs in its own process. The argument is the name of the client. It exits with 0 if upstream got the
secret.
"""

import asyncio
import logging
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.secrets.planted import PAIRS, TOKEN

from passthrough_auth.core import Destinations, acting_as

sent = []


class Upstream(BaseHTTPRequestHandler):
    """Keeps the Authorization header of each request, and doesn't show it."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        sent.append(self.headers["authorization"])
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *arguments):
        """Log nothing: the server isn't under test."""


def _httpx(destinations, url):
    from passthrough_auth.clients.httpx import caller_client

    with caller_client(destinations) as client:
        assert client.get(url).text == "ok"


def _httpx_async(destinations, url):
    from passthrough_auth.clients.httpx import async_caller_client

    async def call():
        async with async_caller_client(destinations) as client:
            assert (await client.get(url)).text == "ok"

    asyncio.run(call(), debug=True)


def _httpx2(destinations, url):
    from passthrough_auth.clients.httpx2 import caller_client

    with caller_client(destinations) as client:
        assert client.get(url).text == "ok"


def _requests(destinations, url):
    from passthrough_auth.clients.requests import CallerSession

    with CallerSession(destinations) as session:
        assert session.get(url, timeout=60).text == "ok"


def _aiohttp(destinations, url):
    from passthrough_auth.clients.aiohttp import caller_session

    async def call():
        async with caller_session(destinations) as session, session.get(url) as response:
            assert await response.text() == "ok"

    asyncio.run(call(), debug=True)


def over_http(call):
    with ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        with acting_as(*PAIRS, bindings=[]):
            call(Destinations(url), url + "/")
        server.shutdown()


def over_grpc():
    import grpc

    from passthrough_auth.clients.grpc import insecure_channel

    class Echo(grpc.GenericRpcHandler):
        def service(self, details):
            sent.append(dict(details.invocation_metadata)["authorization"])
            return grpc.unary_unary_rpc_method_handler(lambda request, context: request)

    server = grpc.server(ThreadPoolExecutor(1), handlers=(Echo(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    destinations = Destinations(f"http://127.0.0.1:{port}")
    with (
        acting_as(*PAIRS, bindings=[]),
        insecure_channel(f"127.0.0.1:{port}", destinations=destinations) as channel,
    ):
        assert channel.unary_unary("/service/method")(b"ok", timeout=60) == b"ok"
    server.stop(None).wait()


def with_flyte():
    import flyte
    from flyte import remote

    from passthrough_auth.clients.flyte import bind_flyte, init_passthrough
    from passthrough_auth.testing.flyte import Caller, FlyteEndpoint

    with FlyteEndpoint([Caller(subject="alice", token=TOKEN)], ["train"]) as endpoint:
        os.environ.update(endpoint.environment())
        init_passthrough(project="demo", domain="development")
        with acting_as(*PAIRS[:1], bindings=[bind_flyte]):
            assert remote.User.get().subject() == "alice"
            run = flyte.run(remote.Task.get(name="train", auto_version="latest"))
            logging.getLogger("app").debug("run %r of %r", run, flyte)
        sent.append(PAIRS[0][1])


HTTP = {
    "httpx": _httpx,
    "httpx-async": _httpx_async,
    "httpx2": _httpx2,
    "requests": _requests,
    "aiohttp": _aiohttp,
}


def main(name):
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    if "SECRETS_DEBUG_LEVEL" in os.environ:
        HTTPConnection.debuglevel = 1
    if name == "grpc":
        over_grpc()
    elif name == "flyte":
        with_flyte()
    else:
        over_http(HTTP[name])
    assert sent == [f"Bearer {TOKEN}"], "upstream was not sent the secret"


if __name__ == "__main__":
    main(sys.argv[1])
