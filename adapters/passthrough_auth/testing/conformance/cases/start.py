"""What is no request, and what is no configuration."""

from collections.abc import Iterable

from passthrough_auth.core import ConfigurationError
from passthrough_auth.testing.conformance.model import Call, Case, json_lines, raises
from passthrough_auth.testing.conformance.options import WRONG

from .common import ALICE


def start_cases() -> Iterable[Case]:
    """Scopes that are no request, and options that can't be right."""
    yield Case(
        "lifespan passes through",
        "It is no request, so it is the app's own.",
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
        "What nobody knew of here is the app's own too, and has no caller.",
        (
            Call(headers=ALICE, scope=(("type", "conformance"),)),
            json_lines({"type": "conformance.seen", "caller": None, "absence": "outside"}),
        ),
        needs=["raw-asgi"],
        mountable=False,
    )
    for name, (_, instead) in WRONG.items():
        yield Case(
            f"misconfigured: {name}",
            "What can't be right is an error at start-up that says what to write instead.",
            (Call(b"/health"), raises(ConfigurationError, instead)),
            (Call(headers=ALICE), raises(ConfigurationError, instead)),
            options=name,
        )
    yield Case(
        "misconfigured: the app doesn't start",
        "A server that starts apps learns of it before there is any request.",
        (
            Call(scope=(("type", "lifespan"),)),
            raises(ConfigurationError, WRONG["a bare string"][1]),
        ),
        options="a bare string",
        needs=["raw-asgi"],
        mountable=False,
    )
