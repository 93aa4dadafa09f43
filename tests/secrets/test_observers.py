"""What watches calls and requests by its own hooks: traces of clients, OpenTelemetry, VCR.

Each sees the headers at some point. The exceptions are listed here, with the setting that prevents
them: see `docs/secrets.md`.
"""

import asyncio
import contextlib

import aiohttp
import pytest
import vcr
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.secrets.planted import leaked
from tests.secrets.serving_apps import APPS, ask, serving_app
from tests.secrets.test_logs import ALL, logged
from tests.secrets.upstream_calls import HTTP, over_http

from passthrough_auth.clients import httpx as httpx_clients
from passthrough_auth.clients import httpx2 as httpx2_clients
from passthrough_auth.clients.aiohttp import caller_session


@pytest.mark.parametrize("clients", [httpx_clients, httpx2_clients], ids=["httpx", "httpx2"])
def test_the_trace_extension_of_httpx(clients):
    """It gets the request that the connection sends."""
    seen = []

    def call(destinations, url):
        with clients.caller_client(destinations) as client:
            client.get(url, extensions={"trace": lambda name, info: seen.append((name, info))})

    over_http(call)

    shown = [
        {name.lower() for name, value in info["request"].headers if leaked(value)}
        for event, info in seen
        if event.endswith("send_request_headers.started")
    ]
    assert shown == [{b"authorization", b"cookie", b"x-sso"}]


def test_what_httpx_s_event_hooks_see():
    """The request of a hook, and the one of the response, are the app's own."""
    seen = []

    def call(destinations, url):
        hooks = {"request": [seen.append], "response": [seen.append]}
        with httpx_clients.caller_client(destinations, event_hooks=hooks) as client:
            seen.append(client.get(url).request)

    over_http(call)

    assert len(seen) == 3
    for each in seen:
        request = getattr(each, "request", each)
        assert leaked(str(request.headers.raw)) == set()


@pytest.mark.parametrize(
    ("signal", "shown"),
    [
        ("on_request_start", set()),
        ("on_request_headers_sent", ALL),
        ("on_request_end", set()),
    ],
)
def test_the_trace_configs_of_aiohttp(signal, shown):
    seen = []

    async def keep(session, context, parameters):
        seen.append(str(parameters.headers))

    def call(destinations, url):
        async def get():
            trace = aiohttp.TraceConfig()
            getattr(trace, signal).append(keep)
            async with (
                caller_session(destinations, trace_configs=[trace]) as session,
                session.get(url) as response,
            ):
                assert await response.text() == "ok"

        asyncio.run(get())

    over_http(call)

    assert len(seen) == 1
    assert leaked(seen[0]) == shown


# vcrpy replaces a whole call of aiohttp, before the caller's headers are added.
RECORDED = {"httpx": ALL, "httpx-async": ALL, "requests": ALL, "aiohttp": set()}


@pytest.mark.parametrize("client", RECORDED)
def test_a_cassette_of_vcr(client, tmp_path):
    assert leaked(cassette_of(client, tmp_path)) == RECORDED[client]
    assert leaked(cassette_of(client, tmp_path, **FILTERED)) == set()


FILTERED = {"filter_headers": ["authorization", "cookie", "x-sso"]}


def cassette_of(client, folder, **options):
    """What VCR records of a call with that client."""
    cassette = folder / f"{'filtered' if options else 'default'}.yaml"

    def call(destinations, url):
        with vcr.use_cassette(str(cassette), **options):
            HTTP[client](destinations, url)

    over_http(call)
    recorded = cassette.read_text(encoding="utf-8")
    assert "method: GET" in recorded
    return recorded


CAPTURE = "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS"
SANITIZED = "authorization,cookie,x-sso"
INSTRUMENTORS = {
    "httpx": HTTPXClientInstrumentor,
    "requests": RequestsInstrumentor,
    "aiohttp": AioHttpClientInstrumentor,
}
# The instrumentation of httpx is around the transport inside ours; those of the others are around
# the whole call, in which the caller's headers are added.
CAPTURED = {"httpx": ALL, "requests": set(), "aiohttp": set()}


@pytest.mark.parametrize("client", CAPTURED)
def test_opentelemetry_s_headers_of_calls(client, monkeypatch):
    capture = {f"{CAPTURE}_CLIENT_REQUEST": ".*"}
    sanitize = {f"{CAPTURE}_SANITIZE_FIELDS": SANITIZED}

    assert leaked(spans_of_a_call(client, monkeypatch)) == set()
    assert leaked(spans_of_a_call(client, monkeypatch, **capture)) == CAPTURED[client]
    assert leaked(spans_of_a_call(client, monkeypatch, **capture, **sanitize)) == set()


def spans_of_a_call(client, monkeypatch, **environment):
    with spans(monkeypatch, environment) as (provider, exporter):
        instrumentor = INSTRUMENTORS[client]()
        instrumentor.instrument(tracer_provider=provider)
        try:
            over_http(HTTP[client])
        finally:
            instrumentor.uninstrument()
        return written(exporter)


@pytest.mark.parametrize("app", APPS)
def test_opentelemetry_s_headers_of_requests(app):
    assert leaked(spans_of_a_request(app)) == set()
    assert leaked(spans_of_a_request(app, capture=".*")) == ALL
    assert leaked(spans_of_a_request(app, capture=".*", sanitize=SANITIZED)) == set()


def spans_of_a_request(app, **options):
    """What the server's process writes as the spans of one request."""
    with serving_app(app, spans="1", **options) as running:
        assert ask(running, "/whoami")[0] == 200
        return logged(running, "SpanKind.SERVER")


@contextlib.contextmanager
def spans(monkeypatch, environment):
    with monkeypatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        yield provider, exporter


def written(exporter):
    finished = exporter.get_finished_spans()
    assert len(finished) >= 1
    return "".join(span.to_json() for span in finished)
