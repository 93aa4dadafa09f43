"""Scopes that aren't requests, and wrong configurations."""

from collections.abc import Iterable

from passthrough_auth.core import ConfigurationError
from passthrough_auth.testing.conformance.model import Call, Case, json_lines, raises
from passthrough_auth.testing.conformance.options import WRONG

from .common import ALICE


def start_cases() -> Iterable[Case]:
    """Scopes that aren't requests, and wrong options."""
    yield Case(
        "lifespan passes through",
        "lifespan isn't a request, so the app gets it unchanged.",
        (
            Call(scope=(("type", "lifespan"),)),
            json_lines(
                {"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"}
            ),
        ),
        needs=["raw-asgi"],
    )
    yield Case(
        "unknown scope types pass through",
        "The app gets a scope of an unknown type unchanged, without a caller.",
        (
            Call(headers=ALICE, scope=(("type", "conformance"),)),
            json_lines({"type": "conformance.seen", "caller": None, "absence": "outside"}),
        ),
        needs=["raw-asgi"],
    )
    for name, (_, instead) in WRONG.items():
        yield Case(
            f"misconfigured: {name}",
            "A wrong option raises an error at start-up that says what to write instead.",
            (Call(b"/health"), raises(ConfigurationError, instead)),
            (Call(headers=ALICE), raises(ConfigurationError, instead)),
            options=name,
        )
    yield Case(
        "misconfigured: the app doesn't start",
        "A server that starts apps with lifespan gets the error before any request.",
        (
            Call(scope=(("type", "lifespan"),)),
            raises(ConfigurationError, WRONG["a bare string"][1]),
        ),
        options="a bare string",
        needs=["raw-asgi"],
    )
