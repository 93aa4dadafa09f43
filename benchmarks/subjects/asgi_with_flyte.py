"""The same in a process that has imported the Flyte SDK, as its own middleware does.

Ours then makes the SDK act as the caller, which is what the SDK's own does.
"""

import logging
from collections.abc import Mapping

from flyte.app.extras import FastAPIPassthroughAuthMiddleware

from benchmarks.contest import Batch

from . import asgi

LAYERS: Mapping[str, asgi.Layer] = {
    "no middleware": asgi.LAYERS["no middleware"],
    "flyte.app.extras": lambda app: FastAPIPassthroughAuthMiddleware(
        app, excluded_paths=set(asgi.PUBLIC)
    ),
    "passthrough-auth, Flyte bound": asgi.LAYERS["passthrough-auth"],
}


def subjects() -> dict[str, Batch]:
    # That Flyte's own set-up was never called, which no request here needs.
    logging.getLogger("passthrough_auth").setLevel(logging.CRITICAL)
    return asgi.subjects(LAYERS)
