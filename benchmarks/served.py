"""The applications that real servers serve: one function makes each."""

from collections.abc import Callable

from fastapi import FastAPI

from .subjects import asgi
from .subjects.asgi import App


def plain() -> App:
    return asgi.plain


def plain_hand_written() -> App:
    return asgi.LAYERS["hand-written floor"](asgi.plain)


def plain_ours() -> App:
    return asgi.LAYERS["passthrough-auth"](asgi.plain)


def plain_ours_bound() -> App:
    from .subjects.flyte_bound import LAYERS

    return LAYERS["passthrough-auth, Flyte bound"](asgi.plain)


def plain_flytes() -> App:
    from .subjects.flytes_own import LAYERS

    return LAYERS["flyte.app.extras"](asgi.plain)


def fastapi() -> FastAPI:
    return asgi.fastapi()


def fastapi_hand_written() -> App:
    return asgi.behind(asgi.LAYERS["hand-written floor"], asgi.fastapi())


def fastapi_ours() -> App:
    return asgi.behind(asgi.LAYERS["passthrough-auth"], asgi.fastapi())


def fastapi_ours_bound() -> App:
    from .subjects.flyte_bound import LAYERS

    return asgi.behind(LAYERS["passthrough-auth, Flyte bound"], asgi.fastapi())


def fastapi_flytes() -> App:
    from .subjects.flytes_own import LAYERS

    return asgi.behind(LAYERS["flyte.app.extras"], asgi.fastapi())


def flask() -> Callable[..., object]:
    from .subjects.flask import app_with, no_hooks

    return app_with(no_hooks)


def flask_ours() -> Callable[..., object]:
    from .subjects.flask import app_with, ours

    return app_with(ours)


def django() -> Callable[..., object]:
    from .subjects.django import wsgi

    return wsgi("no middleware")


def django_ours() -> Callable[..., object]:
    from .subjects.django import wsgi

    return wsgi("passthrough-auth")
