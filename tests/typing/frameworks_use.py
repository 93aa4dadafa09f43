"""User code over the adapters, as it must check, and as it must not.

No line of this runs. What must not check carries an ignore for mypy and one for pyright, and each
of them reports an ignore that suppresses nothing.
"""

from django.http import HttpRequest, HttpResponse
from fastapi import FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.middleware import Middleware

from passthrough_auth.core import Request
from passthrough_auth.core.inbound import AsgiRequest
from passthrough_auth.frameworks.asgi import PassthroughAuthMiddleware
from passthrough_auth.frameworks.django import (
    PassthroughAuthMiddleware as DjangoPassthroughAuthMiddleware,
)
from passthrough_auth.frameworks.fastapi import FastAPIPassthroughAuthMiddleware, FastAPIRequest
from passthrough_auth.frameworks.flask import FlaskRequest, PassthroughAuth
from passthrough_auth.sessions import Sessions

# --- ASGI and FastAPI ---------------------------------------------------------------------------

api = FastAPI()
api.add_middleware(FastAPIPassthroughAuthMiddleware)
api.add_middleware(
    FastAPIPassthroughAuthMiddleware,
    header_extractors=[
        FastAPIPassthroughAuthMiddleware.extract_authorization_header,
        FastAPIPassthroughAuthMiddleware.extract_cookie_header,
        FastAPIPassthroughAuthMiddleware.extract_custom_header("x-flyte-token"),
        lambda request: ("x-token", request.headers["x-token"]),
    ],
    excluded_paths={"/health", "/docs", "/openapi.json"},
    realm="app",
)
app = Starlette(middleware=[Middleware(PassthroughAuthMiddleware, excluded_paths=["/health"])])
wrapped = PassthroughAuthMiddleware(app, None, {"/health"}, trusted_origins=["https://a.example"])
PassthroughAuthMiddleware(app, sessions=Sessions(max_age=3600, on_crossing="session"))
Sessions(on_crossing="allow")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

api.add_middleware(FastAPIPassthroughAuthMiddleware, exclude_paths=[])  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
api.add_middleware(FastAPIPassthroughAuthMiddleware, header_extractors=[7])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
PassthroughAuthMiddleware(app, realm=7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
PassthroughAuthMiddleware(app, None, None, "app")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def from_query(request: Request) -> tuple[str, str] | None:
    if isinstance(request, FastAPIRequest):
        return "x-token", request.native.query_params["token"]
    if isinstance(request, FlaskRequest):
        return "x-token", request.native.args["token"]
    if isinstance(request, AsgiRequest):
        return "x-token", request.scope["query_string"].decode()
    return None


# --- Flask --------------------------------------------------------------------------------------

flask_app = Flask(__name__)
PassthroughAuth(flask_app)
auth = PassthroughAuth(excluded_paths=["/health"], header_extractors=[from_query])
auth.init_app(flask_app)

PassthroughAuth(api)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
PassthroughAuth(flask_app, exclude_paths=[])  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
PassthroughAuth(flask_app, allow_preflight="yes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
auth.init_app()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

# --- Django -------------------------------------------------------------------------------------


def sync_view(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


async def async_view(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


DjangoPassthroughAuthMiddleware(sync_view)
DjangoPassthroughAuthMiddleware(async_view)

DjangoPassthroughAuthMiddleware()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
DjangoPassthroughAuthMiddleware(from_query)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
