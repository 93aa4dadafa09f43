"""One call to a server on loopback: each client library bare, with a hook of its own, and ours.

The first two are given the headers by hand. The hooks do nothing.
"""

import atexit
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import grpc
import grpc.aio
import httpx
import httpx2
import requests
from requests.adapters import HTTPAdapter

from benchmarks import sample
from benchmarks.contest import Batch
from passthrough_auth.clients import aiohttp as our_aiohttp
from passthrough_auth.clients import grpc as our_grpc
from passthrough_auth.clients import httpx as our_httpx
from passthrough_auth.clients import httpx2 as our_httpx2
from passthrough_auth.clients import requests as our_requests
from passthrough_auth.core import Destinations, acting_as

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
    async def do_nothing(request: httpx.Request) -> None:
        pass

    bare, ours = httpx.Client(trust_env=False), our_httpx.caller_client(destinations)
    hooked = httpx.Client(trust_env=False, event_hooks={"request": [lambda request: None]})
    abare = httpx.AsyncClient(trust_env=False)
    ahooked = httpx.AsyncClient(trust_env=False, event_hooks={"request": [do_nothing]})
    aours = our_httpx.async_caller_client(destinations)
    return {
        "httpx, bare": _calling(lambda: bare.get(url, headers=HEADERS)),
        "httpx, hook": _calling(lambda: hooked.get(url, headers=HEADERS)),
        "httpx, ours": _calling(lambda: ours.get(url)),
        "httpx async, bare": _awaiting(lambda: abare.get(url, headers=HEADERS)),
        "httpx async, hook": _awaiting(lambda: ahooked.get(url, headers=HEADERS)),
        "httpx async, ours": _awaiting(lambda: aours.get(url)),
    }


def _httpx2(url: str, destinations: Destinations) -> dict[str, Batch]:
    bare, ours = httpx2.Client(trust_env=False), our_httpx2.caller_client(destinations)
    hooked = httpx2.Client(trust_env=False, event_hooks={"request": [lambda request: None]})
    return {
        "httpx2, bare": _calling(lambda: bare.get(url, headers=HEADERS)),
        "httpx2, hook": _calling(lambda: hooked.get(url, headers=HEADERS)),
        "httpx2, ours": _calling(lambda: ours.get(url)),
    }


class _Adapter(HTTPAdapter):
    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        return super().send(*args, **kwargs)


def _requests(url: str, destinations: Destinations) -> dict[str, Batch]:
    bare, hooked = requests.Session(), requests.Session()
    bare.trust_env = hooked.trust_env = False
    hooked.mount("http://", _Adapter())
    ours = our_requests.CallerSession(destinations)
    return {
        "requests, bare": _calling(lambda: bare.get(url, headers=HEADERS)),
        "requests, hook": _calling(lambda: hooked.get(url, headers=HEADERS)),
        "requests, ours": _calling(lambda: ours.get(url)),
    }


def _trace() -> aiohttp.TraceConfig:
    async def do_nothing(session: object, context: object, params: object) -> None:
        pass

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(do_nothing)
    trace.on_request_end.append(do_nothing)
    trace.on_request_exception.append(do_nothing)
    return trace


def _aiohttp(url: str, destinations: Destinations) -> dict[str, Batch]:
    async def open_all() -> None:
        jar = aiohttp.DummyCookieJar()
        sessions["bare"] = aiohttp.ClientSession(cookie_jar=jar)
        sessions["hook"] = aiohttp.ClientSession(cookie_jar=jar, trace_configs=[_trace()])
        sessions["ours"] = our_aiohttp.caller_session(destinations)

    async def close_all() -> None:
        for session in sessions.values():
            await session.close()

    async def get(session: aiohttp.ClientSession, **options: Any) -> None:
        async with session.get(url, **options) as response:
            await response.read()

    sessions: dict[str, aiohttp.ClientSession] = {}
    run(open_all())
    atexit.register(lambda: run(close_all()))
    return {
        "aiohttp, bare": _awaiting(lambda: get(sessions["bare"], headers=HEADERS)),
        "aiohttp, hook": _awaiting(lambda: get(sessions["hook"], headers=HEADERS)),
        "aiohttp, ours": _awaiting(lambda: get(sessions["ours"])),
    }


class _Interceptor(grpc.UnaryUnaryClientInterceptor):
    def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        return continuation(client_call_details, request)


class _AioInterceptor(grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        return await continuation(client_call_details, request)


def _grpc(target: str, destinations: Destinations) -> dict[str, Batch]:
    bare = _method(grpc.insecure_channel(target))
    hooked = _method(grpc.intercept_channel(grpc.insecure_channel(target), _Interceptor()))
    ours = _method(our_grpc.insecure_channel(target, destinations=destinations))
    return {
        "grpc, bare": _calling(lambda: bare(b"", metadata=PAIRS)),
        "grpc, hook": _calling(lambda: hooked(b"", metadata=PAIRS)),
        "grpc, ours": _calling(lambda: ours(b"")),
    }


def _grpc_aio(target: str, destinations: Destinations) -> dict[str, Batch]:
    async def open_all() -> None:
        hook = [_AioInterceptor()]
        calls["bare"] = _method(grpc.aio.insecure_channel(target))
        calls["hook"] = _method(grpc.aio.insecure_channel(target, interceptors=hook))
        calls["ours"] = _method(our_grpc.aio_insecure_channel(target, destinations=destinations))

    calls: dict[str, Callable[..., Awaitable[object]]] = {}
    run(open_all())
    return {
        "grpc.aio, bare": _awaiting(lambda: calls["bare"](b"", metadata=PAIRS)),
        "grpc.aio, hook": _awaiting(lambda: calls["hook"](b"", metadata=PAIRS)),
        "grpc.aio, ours": _awaiting(lambda: calls["ours"](b"")),
    }


def _method(channel: Any) -> Callable[..., Any]:
    method: Callable[..., Any] = channel.unary_unary(f"/{upstream.SERVICE}/{upstream.METHOD}")
    return method


def _calling(call: Call) -> Batch:
    def repeat(count: int) -> None:
        with acting_as(*PAIRS):
            for _ in range(count):
                call()

    return repeat


def _awaiting(call: AsyncCall) -> Batch:
    async def repeat(count: int) -> None:
        with acting_as(*PAIRS):
            for _ in range(count):
                await call()

    return lambda count: run(repeat(count))
