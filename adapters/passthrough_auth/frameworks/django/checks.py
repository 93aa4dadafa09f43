"""System checks of the settings, with stable ids.

- `passthrough_auth.E001`: PASSTHROUGH_AUTH is invalid.
- `passthrough_auth.W001`: the middleware is not in MIDDLEWARE, so nothing is protected.
- `passthrough_auth.W002`: a CORS middleware comes after ours, so preflights are refused.
- `passthrough_auth.W003`: Channels routes WebSockets, so they bypass MIDDLEWARE.
- `passthrough_auth.W004`: Django's own cookies count as the caller's credentials.
- `passthrough_auth.E002`: the middleware is in MIDDLEWARE more than once.
"""

from collections.abc import Mapping, Sequence
from typing import cast

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.utils.module_loading import import_string

from passthrough_auth.core.errors import ConfigurationError
from passthrough_auth.core.inbound import OPTION_NAMES

from .conf import SETTING, gate_from_settings

MIDDLEWARE = "passthrough_auth.frameworks.django.PassthroughAuthMiddleware"
_CORS = "corsheaders.middleware.CorsMiddleware"
_SETTING_COOKIES = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
)


def check_settings(**_: object) -> list[CheckMessage]:
    """All problems with the settings."""
    return [
        *_check_options(),
        *_check_middleware(settings.MIDDLEWARE),
        *_check_channels(),
        *_check_cookies(settings.MIDDLEWARE),
    ]


def _check_options() -> list[CheckMessage]:
    try:
        gate_from_settings()
    except ConfigurationError as error:
        names = ", ".join(OPTION_NAMES)
        hint = f"The options are {names}; see help(passthrough_auth.core.inbound.Gate)."
        return [Error(str(error), hint=hint, id="passthrough_auth.E001")]
    return []


def _check_middleware(middleware: Sequence[str]) -> list[CheckMessage]:
    ours = _positions(MIDDLEWARE, middleware)
    if not ours:
        return [
            CheckWarning(
                "passthrough-auth is installed but protects nothing.",
                hint=f"Add {MIDDLEWARE!r} to MIDDLEWARE.",
                id="passthrough_auth.W001",
            )
        ]
    found: list[CheckMessage] = []
    if len(ours) > 1:
        hint = "Keep the first one."
        message = "The passthrough-auth middleware is listed more than once."
        found.append(Error(message, hint=hint, id="passthrough_auth.E002"))
    cors = _positions(_CORS, middleware)
    if cors and cors[0] > ours[0]:
        found.append(
            CheckWarning(
                "CORS preflights will be refused: they carry no credentials.",
                hint=f"Put {middleware[cors[0]]!r} before {middleware[ours[0]]!r}.",
                id="passthrough_auth.W002",
            )
        )
    return found


def _check_channels() -> list[CheckMessage]:
    if not apps.is_installed("channels"):
        return []
    return [
        CheckWarning(
            "WebSockets that Channels routes are not protected: they don't pass MIDDLEWARE.",
            hint=(
                "Wrap their router in the middleware of passthrough_auth.frameworks.asgi, "
                "'websocket': PassthroughAuthMiddleware(URLRouter([...])), and add "
                "'passthrough_auth.W003' to SILENCED_SYSTEM_CHECKS."
            ),
            id="passthrough_auth.W003",
        )
    ]


def _check_cookies(middleware: Sequence[str]) -> list[CheckMessage]:
    given = getattr(settings, SETTING, {})
    chosen = not isinstance(given, Mapping) or "header_extractors" in given
    if chosen or not any(_positions(path, middleware) for path in _SETTING_COOKIES):
        return []
    return [
        CheckWarning(
            "Django's session and CSRF cookies count as the caller's credentials and are sent to "
            "every named destination, because by default the whole Cookie header is.",
            hint=(
                f"Choose the credentials in {SETTING}. If callers send a token: "
                '"header_extractors": ["passthrough_auth.core.extract_authorization_header"]. '
                'If they have a single sign-on cookie: extract_cookies("its name"). With any '
                "header_extractors, this warning goes away."
            ),
            id="passthrough_auth.W004",
        )
    ]


def _positions(path: str, middleware: Sequence[str]) -> list[int]:
    """The positions of that class, under any path, and of classes derived from it."""
    wanted = _imported(path)
    return [
        position
        for position, each in enumerate(map(_imported, middleware))
        if isinstance(wanted, type) and isinstance(each, type) and issubclass(each, wanted)
    ]


def _imported(path: str) -> object:
    """The object at a path in MIDDLEWARE; None if its import fails, which Django itself reports."""
    try:
        return cast("object", import_string(path))
    except Exception:  # noqa: BLE001 - the project's modules may raise any error
        return None
