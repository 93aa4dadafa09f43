"""The names for an app that acts as the user who called it. Imports only the standard library.

The names for authors of adapters are in `inbound` (requests), `caller` (the caller), `outbound`
(calls to other services), `errors` and `origin`.
"""

from typing import TYPE_CHECKING

from .caller import (
    Credential,
    Credentials,
    Snapshot,
    acting_as,
    current_credentials,
    snapshot,
    without_caller,
)
from .caller import acting_as as auth_metadata  # the Flyte SDK's name for the same
from .errors import (
    CallerDenied,
    CallerError,
    CallerRefused,
    CallerUnauthenticated,
    ConfigurationError,
    CredentialMissing,
    CredentialUnusable,
    DestinationNotAllowed,
    MalformedCredential,
    NoCaller,
    PassthroughAuthError,
)
from .inbound import (
    HeaderExtractor,
    PathRules,
    Refusal,
    Request,
    extract_authorization_header,
    extract_bare_authorization,
    extract_bearer_from_cookie,
    extract_bearer_token,
    extract_cookie_header,
    extract_cookies,
    extract_custom_header,
    extract_schemes,
    extract_websocket_token,
    header_extractor,
)
from .outbound import Destination, Destinations

if TYPE_CHECKING:
    from .caller import CallerThreadPoolExecutor

__all__ = [
    "CallerDenied",
    "CallerError",
    "CallerRefused",
    "CallerThreadPoolExecutor",
    "CallerUnauthenticated",
    "ConfigurationError",
    "Credential",
    "CredentialMissing",
    "CredentialUnusable",
    "Credentials",
    "Destination",
    "DestinationNotAllowed",
    "Destinations",
    "HeaderExtractor",
    "MalformedCredential",
    "NoCaller",
    "PassthroughAuthError",
    "PathRules",
    "Refusal",
    "Request",
    "Snapshot",
    "acting_as",
    "auth_metadata",
    "current_credentials",
    "extract_authorization_header",
    "extract_bare_authorization",
    "extract_bearer_from_cookie",
    "extract_bearer_token",
    "extract_cookie_header",
    "extract_cookies",
    "extract_custom_header",
    "extract_schemes",
    "extract_websocket_token",
    "header_extractor",
    "snapshot",
    "without_caller",
]


def __getattr__(name: str) -> object:
    # Imported on first use (PEP 562): importing thread pools takes as long as the rest of core.
    if name == "CallerThreadPoolExecutor":
        from .caller import CallerThreadPoolExecutor

        return CallerThreadPoolExecutor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
