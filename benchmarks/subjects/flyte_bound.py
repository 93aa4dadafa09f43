"""Our middleware in a process that has imported the Flyte SDK, which asks it for the caller."""

from collections.abc import Mapping

import flyte.remote  # noqa: F401 - having it imported is what binds it

from benchmarks.contest import Batch

from . import asgi

LAYERS: Mapping[str, asgi.Layer] = {
    "no middleware": asgi.LAYERS["no middleware"],
    "passthrough-auth, Flyte bound": asgi.LAYERS["passthrough-auth"],
}


def subjects() -> dict[str, Batch]:
    return asgi.subjects(LAYERS)
