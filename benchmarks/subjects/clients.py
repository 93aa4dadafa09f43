"""One call to a server on loopback: each client library bare, given the headers, and ours."""

import atexit
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import grpc
import grpc.aio
import httpx
import httpx2
import requests

from benchmarks import sample
from benchmarks.contest import Batch
from passthrough_auth.clients import aiohttp as our_aiohttp
from passthrough_auth.clients import grpc as our_grpc
from passthrough_auth.clients import httpx as our_httpx
from passthrough_auth.clients import httpx2 as our_httpx2
from passthrough_auth.clients import requests as our_requests
from passthrough_auth.core import Destinations, auth_metadata

from . import upstream
from .asgi import run

PAIRS = tuple(
    (name.decode(), value.decode()) for name, value in (sample.AUTHORIZATION, sample.COOKIE)
)
HEADERS = dict(PAIRS)

Call = Callable[[], object]
AsyncCall = Callable[[], Awaitable[object]]


def subjects() -> dict[str, Batch]:
    ports = upstream.start()
    url = f"http://127.0.0.1:{ports.http}"
    target = f"127.0.0.1:{ports.grpc}"
    destinations = Destinations(url, f"http://{target}")
    return {
        **_httpx(url, destinations),
        **_httpx2(url, destinations),
        **_requests(url, destinations),
        **_aiohttp(url, destinations),
        **_grpc(target, destinations),
        **_grpc_aio(target, destinations),
    }


def _httpx(url: str, destinations: Destinations) -> dict[str, Batch]:
    bare, ours = httpx.Client(trust_env=False), our_httpx.caller_client(destinations)
    abare = httpx.AsyncClient(trust_env=False)
    aours = our_httpx.async_caller_client(destinations)
    return {
        "httpx, bare": _calling(lambda: bare.get(url, headers=HEADERS)),
        "httpx, ours": _calling(lambda: ours.get(url)),
        "httpx async, bare": _awaiting(lambda: abare.get(url, headers=HEADERS)),
        "httpx async, ours": _awaiting(lambda: aours.get(url)),
    }


def _httpx2(url: str, destinations: Destinations) -> dict[str, Batch]:
    bare, ours = httpx2.Client(trust_env=False), our_httpx2.caller_client(destinations)
    return {
        "httpx2, bare": _calling(lambda: bare.get(url, headers=HEADERS)),
        "httpx2, ours": _calling(lambda: ours.get(url)),
    }


def _requests(url: str, destinations: Destinations) -> dict[str, Batch]:
    bare, ours = requests.Session(), our_requests.CallerSession(destinations)
    bare.trust_env = False
    return {
        "requests, bare": _calling(lambda: bare.get(url, headers=HEADERS)),
        "requests, ours": _calling(lambda: ours.get(url)),
    }


def _aiohttp(url: str, destinations: Destinations) -> dict[str, Batch]:
    async def open_both() -> None:
        jar = aiohttp.DummyCookieJar()
        sessions["bare"] = aiohttp.ClientSession(cookie_jar=jar)
        sessions["ours"] = our_aiohttp.caller_session(destinations)

    async def close_both() -> None:
        for session in sessions.values():
            await session.close()

    async def get(session: aiohttp.ClientSession, **options: Any) -> None:
        async with session.get(url, **options) as response:
            await response.read()

    sessions: dict[str, aiohttp.ClientSession] = {}
    run(open_both())
    atexit.register(lambda: run(close_both()))
    return {
        "aiohttp, bare": _awaiting(lambda: get(sessions["bare"], headers=HEADERS)),
        "aiohttp, ours": _awaiting(lambda: get(sessions["ours"])),
    }


def _grpc(target: str, destinations: Destinations) -> dict[str, Batch]:
    bare = _method(grpc.insecure_channel(target))
    ours = _method(our_grpc.insecure_channel(target, destinations=destinations))
    return {
        "grpc, bare": _calling(lambda: bare(b"", metadata=PAIRS)),
        "grpc, ours": _calling(lambda: ours(b"")),
    }


def _grpc_aio(target: str, destinations: Destinations) -> dict[str, Batch]:
    async def open_both() -> None:
        calls["bare"] = _method(grpc.aio.insecure_channel(target))
        calls["ours"] = _method(our_grpc.aio_insecure_channel(target, destinations=destinations))

    calls: dict[str, Callable[..., Awaitable[object]]] = {}
    run(open_both())
    return {
        "grpc.aio, bare": _awaiting(lambda: calls["bare"](b"", metadata=PAIRS)),
        "grpc.aio, ours": _awaiting(lambda: calls["ours"](b"")),
    }


def _method(channel: Any) -> Callable[..., Any]:
    method: Callable[..., Any] = channel.unary_unary(f"/{upstream.SERVICE}/{upstream.METHOD}")
    return method


def _calling(call: Call) -> Batch:
    def repeat(count: int) -> None:
        with auth_metadata(*PAIRS):
            for _ in range(count):
                call()

    return repeat


def _awaiting(call: AsyncCall) -> Batch:
    async def repeat(count: int) -> None:
        with auth_metadata(*PAIRS):
            for _ in range(count):
                await call()

    return lambda count: run(repeat(count))
