"""Two callers at once on one connection of HTTP/2 to a real server: each is themselves."""

import asyncio
import json
import socket
import ssl
import threading

import pytest
import trustme
from hypercorn.asyncio import serve
from hypercorn.config import Config

from passthrough_auth.clients import httpx, httpx2
from passthrough_auth.core import Destinations, acting_as


async def whoami(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    seen = {
        "caller": headers.get("authorization"),
        "version": scope["http_version"],
        "peer": scope["client"],
    }
    await asyncio.sleep(0.01)  # so that the calls of both callers are under way at once
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(seen).encode()})


@pytest.fixture
def upstream(tmp_path):
    """The server's origin, and a TLS context that trusts it."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    listening = socket.create_server(("127.0.0.1", 0))
    config = Config()
    port = listening.getsockname()[1]
    config.bind = [f"fd://{listening.detach()}"]  # the server closes it
    config.certfile, config.keyfile = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    config.alpn_protocols = ["h2"]
    config.errorlog = None
    stop, loop = asyncio.Event(), asyncio.new_event_loop()
    serving = threading.Thread(
        target=loop.run_until_complete, args=(serve(whoami, config, shutdown_trigger=stop.wait),)
    )
    serving.start()
    trusted = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    yield f"https://localhost:{port}", trusted
    loop.call_soon_threadsafe(stop.set)
    serving.join()
    loop.close()


@pytest.mark.parametrize("ours", [httpx, httpx2], ids=["httpx", "httpx2"])
def test_callers_who_share_a_connection_are_told_apart(ours, upstream):
    root, trusted = upstream

    async def call(client, name):
        with acting_as(("authorization", f"Bearer {name}"), bindings=()):
            return name, (await client.get(f"{root}/me")).json()

    async def work():
        async with ours.async_caller_client(
            Destinations(root), http2=True, verify=trusted
        ) as client:
            await call(client, "first")  # opens the connection
            return await asyncio.gather(*(call(client, f"c{n % 7}") for n in range(60)))

    answers = asyncio.run(work())
    assert all(seen["caller"] == f"Bearer {name}" for name, seen in answers)
    assert {seen["version"] for _, seen in answers} == {"2"}
    assert len({tuple(seen["peer"]) for _, seen in answers}) == 1
