"""One small app on each framework, to be served with an option that shows too much.

Environment variables control it: SECRETS_APP names the app to serve, as `app`; SECRETS_LOG=1 logs
everything at DEBUG; SECRETS_DSN reports to Sentry, with those of `sentry_options` that
SECRETS_SENTRY names; SECRETS_SPANS=1 prints OpenTelemetry's spans, with the request's headers that
SECRETS_CAPTURE and SECRETS_SANITIZE select; SECRETS_DEBUG=1 switches on the framework's debug page;
SECRETS_REPORT is the file of `reports.Reporter`; SECRETS_UPSTREAM is the URL for `/call`; with
SECRETS_FILTER=1 Django uses the filter of the docs; with SECRETS_PROPAGATE=1 Flask leaves errors to
the server.
"""

import asyncio
import logging
import os
import sys
import time

from passthrough_auth.core import (
    Destinations,
    current_credentials,
    extract_authorization_header,
    extract_cookie_header,
    extract_custom_header,
    snapshot,
)
from passthrough_auth.core.caller import current_scope

ENVIRONMENT = os.environ.get
DEBUG = "SECRETS_DEBUG" in os.environ

if "SECRETS_LOG" in os.environ:
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, force=True)

if "SECRETS_REPORT" in os.environ:
    from tests.secrets.reports import Reporter

    for name in (None, "uvicorn.error"):
        logging.getLogger(name).addHandler(Reporter(os.environ["SECRETS_REPORT"]))

if "SECRETS_DSN" in os.environ:
    import sentry_sdk
    from tests.secrets import sentry_options

    chosen = getattr(sentry_options, ENVIRONMENT("SECRETS_SENTRY", "BY_DEFAULT"))
    sentry_sdk.init(ENVIRONMENT("SECRETS_DSN"), **chosen)

OPTIONS = {
    "header_extractors": [
        extract_authorization_header,
        extract_cookie_header,
        extract_custom_header("x-sso", ambient=False),
    ],
    "excluded_paths": ["/health"],
}
UPSTREAM = Destinations(ENVIRONMENT("SECRETS_UPSTREAM", "http://127.0.0.1:9"))


if "SECRETS_SPANS" in os.environ:
    for name, option in (("SERVER_REQUEST", "CAPTURE"), ("SANITIZE_FIELDS", "SANITIZE")):
        value = ENVIRONMENT(f"SECRETS_{option}", "")
        os.environ[f"OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_{name}"] = value


def spans():
    """Where the spans go: the console."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=sys.stderr)))
    return provider


class Crash(Exception):
    """Raised by the handlers here."""


def whoami():
    return {"caller": str(current_credentials())}


def health():
    return {}


def crash():
    """Fails with every object of this library in its locals that a handler can get."""
    credentials = current_credentials()
    scope = current_scope()
    taken = snapshot()
    each = list(credentials)
    raise Crash(f"as {credentials} {scope} {taken} {each}")


def crash_with_headers():
    """Fails with the plain headers in its locals, which no library can hide."""
    headers = current_credentials().headers()
    raise Crash(f"with {len(headers)} headers")


def log():
    logger = logging.getLogger("app")
    credentials = current_credentials()
    logger.info("as %s %r", credentials, snapshot(), extra={"credentials": credentials})
    logger.error("as %s", credentials, stack_info=True)
    return whoami()


def call():
    """Calls upstream with each client, and lets errors pass."""
    from passthrough_auth.clients import httpx as caller_httpx
    from passthrough_auth.clients import requests as caller_requests

    url = ENVIRONMENT("SECRETS_UPSTREAM") + "/"
    with caller_httpx.caller_client(UPSTREAM) as client:
        client.get(url)
    with caller_requests.caller_session(UPSTREAM) as session:
        session.get(url, timeout=60)
    return whoami()


def slow():
    """Sleeps; there is no event loop to block."""
    return whoami()


async def block():
    """Blocks its event loop, which asyncio logs in debug mode."""
    # uvicorn switches it off under Python 3.11, also in dev mode. This applies to later callbacks.
    asyncio.get_running_loop().set_debug(sys.flags.dev_mode)
    await asyncio.sleep(0)
    time.sleep(0.15)  # noqa: ASYNC251 - on purpose
    return whoami()


def flush():
    """Has Sentry's SDK send all that it has to send."""
    import sentry_sdk

    sentry_sdk.flush(timeout=60)
    return whoami()


def unawaited():
    """Makes a coroutine with the caller in its arguments, and never awaits it."""

    async def work(credentials):
        return str(credentials)

    work(current_credentials())
    return whoami()


HANDLERS = {
    "/slow": slow,
    "/unawaited": unawaited,
    "/whoami": whoami,
    "/health": health,
    "/crash": crash,
    "/crash-with-headers": crash_with_headers,
    "/log": log,
    "/call": call,
    "/flush": flush,
}


def fastapi_app():
    from fastapi import FastAPI

    from passthrough_auth.frameworks.fastapi import FastAPIPassthroughAuthMiddleware

    app = FastAPI(debug=DEBUG)
    app.add_middleware(FastAPIPassthroughAuthMiddleware, **OPTIONS)

    @app.get("/slow")
    async def async_slow():
        return await block()

    for path, handler in HANDLERS.items():
        app.get(path)(handler)

    @app.get("/async-crash")
    async def async_crash():
        return crash()

    if "SECRETS_SPANS" in os.environ:
        from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

        FastAPIInstrumentor.instrument_app(app, tracer_provider=spans())
    return app


def flask_app():
    from flask import Flask

    from passthrough_auth.frameworks.flask import PassthroughAuth

    app = Flask(__name__)
    app.debug = DEBUG
    if "SECRETS_PROPAGATE" in os.environ:
        app.config["PROPAGATE_EXCEPTIONS"] = True
    PassthroughAuth(app, **OPTIONS)
    for path, handler in HANDLERS.items():
        app.get(path, endpoint=path.strip("/"))(handler)

    @app.get("/async-crash")
    async def async_crash():
        return crash()

    if "SECRETS_SPANS" in os.environ:
        from opentelemetry.instrumentation.flask import FlaskInstrumentor

        FlaskInstrumentor().instrument_app(app, tracer_provider=spans())
    if DEBUG:
        from werkzeug.debug import DebuggedApplication

        app.wsgi_app = DebuggedApplication(app.wsgi_app, evalex=True)
    return app


def configure_django():
    import django
    from django.conf import settings

    if not settings.configured:
        chosen = (
            {"DEFAULT_EXCEPTION_REPORTER_FILTER": "tests.secrets.reporter_filter.CallerFilter"}
            if "SECRETS_FILTER" in os.environ
            else {}
        )
        settings.configure(
            DEBUG=DEBUG,
            ROOT_URLCONF=DjangoUrls,
            ALLOWED_HOSTS=["*"],
            SECRET_KEY="of a test",
            MIDDLEWARE=["passthrough_auth.frameworks.django.PassthroughAuthMiddleware"],
            PASSTHROUGH_AUTH=OPTIONS,
            **chosen,
        )
        django.setup()
        if "SECRETS_SPANS" in os.environ:
            from opentelemetry.instrumentation.django import DjangoInstrumentor

            DjangoInstrumentor().instrument(tracer_provider=spans())


class DjangoUrls:
    """Django's URLs."""

    urlpatterns = ()


def _django_urls():
    from django.http import JsonResponse
    from django.urls import path

    def view(handler):
        return lambda request: JsonResponse(handler())

    async def async_crash(request):
        return JsonResponse(crash())

    async def async_slow(request):
        return JsonResponse(await block())

    found = [path(name.strip("/"), view(handler)) for name, handler in HANDLERS.items()]
    return [path("slow", async_slow), *found, path("async-crash", async_crash)]


def django_app(handler):
    configure_django()
    DjangoUrls.urlpatterns = _django_urls()
    return handler()


def on_fastapi():
    return fastapi_app()


def on_flask():
    return flask_app()


def on_django():
    from django.core.handlers.wsgi import WSGIHandler

    return django_app(WSGIHandler)


def on_django_asgi():
    from django.core.handlers.asgi import ASGIHandler

    return django_app(ASGIHandler)


if "SECRETS_APP" in os.environ:
    app = globals()[os.environ["SECRETS_APP"]]()
