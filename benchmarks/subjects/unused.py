"""Our ASGI middleware with one more feature each, none of which the sample request uses.

In one process, which has imported the Flyte SDK.
"""

from collections.abc import Mapping
from typing import Any

from benchmarks.contest import Batch
from passthrough_auth.clients.flyte import bind_flyte
from passthrough_auth.core import Refusal
from passthrough_auth.core.inbound import Request
from passthrough_auth.frameworks.asgi import PassthroughAuthMiddleware

from .asgi import plain, serving


def on_refusal(request: Request, refusal: Refusal) -> Refusal:
    return refusal


PLAIN, COPY = "no middleware", "no feature, a second copy"
NO_FEATURE = "no feature"
FEATURES: Mapping[str, Mapping[str, Any]] = {
    NO_FEATURE: {},
    COPY: {},
    "trusted_origins": {"trusted_origins": ["https://admin.example.com"]},
    "comma_schemes": {"comma_schemes": ["Digest"]},
    "realm": {"realm": "items"},
    "resource_metadata": {"resource_metadata": "https://app.example.com/metadata"},
    "on_refusal": {"on_refusal": on_refusal},
    "10,000 excluded paths": {"excluded_paths": [f"/public/{number}" for number in range(10_000)]},
    "the Flyte SDK bound": {"bindings": [bind_flyte]},
}


def subjects() -> dict[str, Batch]:
    found = {PLAIN: serving(plain)}
    for name, options in FEATURES.items():
        found[name] = serving(PassthroughAuthMiddleware(plain, **({"bindings": []} | options)))
    return found
