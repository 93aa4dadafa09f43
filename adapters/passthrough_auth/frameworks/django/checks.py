"""System checks of the settings, with stable ids.

- `passthrough_auth.E001`: PASSTHROUGH_AUTH is invalid.
- `passthrough_auth.W001`: the middleware is not in MIDDLEWARE, so nothing is protected.
- `passthrough_auth.W002`: a CORS middleware comes after ours, so preflights are refused.
- `passthrough_auth.E002`: the middleware is in MIDDLEWARE more than once.
"""

from collections.abc import Sequence

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning

from passthrough_auth.core import OPTION_NAMES, ConfigurationError

from .conf import gate_from_settings

MIDDLEWARE = "passthrough_auth.frameworks.django.PassthroughAuthMiddleware"
_CORS = "corsheaders.middleware.CorsMiddleware"


def check_settings(**_: object) -> list[CheckMessage]:
    """Everything that is wrong with the settings."""
    return [*_check_options(), *_check_middleware(settings.MIDDLEWARE)]


def _check_options() -> list[CheckMessage]:
    try:
        gate_from_settings()
    except ConfigurationError as error:
        hint = f"The options are {', '.join(OPTION_NAMES)}; see help(passthrough_auth.core.Gate)."
        return [Error(str(error), hint=hint, id="passthrough_auth.E001")]
    return []


def _check_middleware(middleware: Sequence[str]) -> list[CheckMessage]:
    if MIDDLEWARE not in middleware:
        return [
            CheckWarning(
                "passthrough-auth is installed but protects nothing.",
                hint=f"Add {MIDDLEWARE!r} to MIDDLEWARE.",
                id="passthrough_auth.W001",
            )
        ]
    found: list[CheckMessage] = []
    if list(middleware).count(MIDDLEWARE) > 1:
        hint = "Keep the first one."
        message = "The passthrough-auth middleware is listed more than once."
        found.append(Error(message, hint=hint, id="passthrough_auth.E002"))
    if _CORS in middleware and middleware.index(_CORS) > middleware.index(MIDDLEWARE):
        found.append(
            CheckWarning(
                "CORS preflights will be refused: they carry no credentials.",
                hint=f"Put {_CORS!r} before {MIDDLEWARE!r}.",
                id="passthrough_auth.W002",
            )
        )
    return found
