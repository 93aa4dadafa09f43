"""The Flyte SDK's own middleware, in a process without ours: ours changes what it calls."""

from collections.abc import Mapping

from flyte.app.extras import FastAPIPassthroughAuthMiddleware

from benchmarks.contest import Batch

from . import asgi

LAYERS: Mapping[str, asgi.Layer] = {
    "no middleware": asgi.LAYERS["no middleware"],
    "flyte.app.extras": lambda app: FastAPIPassthroughAuthMiddleware(
        app, excluded_paths=set(asgi.PUBLIC)
    ),
}


def subjects() -> dict[str, Batch]:
    return asgi.subjects(LAYERS)
