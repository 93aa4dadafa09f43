"""The framework-agnostic core of passthrough-auth: extraction, exclusion, decision, context.

It imports only the standard library.
"""

from typing import TYPE_CHECKING

from .bindings import Binding, RecognisesRefusals
from .context import Hold, auth_metadata, current_credentials, current_hold, without_caller
from .credentials import Credential, Credentials
from .destination import Destination, OnMissing
from .destinations import Destinations, check_destinations
from .errors import (
    CallerDenied,
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
from .exclusion import PathRule, PathRules
from .extraction import (
    HeaderExtractor,
    extract_authorization_header,
    extract_cookie_header,
    extract_cookies,
    extract_custom_header,
    header_extractor,
)
from .extras import requires_extra
from .gate import Admitted, Decision, Gate, GateOptions, OnRefusal, PolicyOptions, Public, Refused
from .hops import Hop, Trail, keep_first_cookie
from .options import OPTION_NAMES, check_option_names, options_from, refuse_preflight_option
from .origin import Origin, origin_of
from .refusal import Refusal
from .request import AsgiRequest, Headers, Request, Transport, WsgiRequest
from .snapshot import Snapshot, snapshot
from .streaming import AsyncBodyInContext, BodyInContext, Runner

if TYPE_CHECKING:
    from .executor import CallerThreadPoolExecutor

__all__ = [
    "OPTION_NAMES",
    "Admitted",
    "AsgiRequest",
    "AsyncBodyInContext",
    "Binding",
    "BodyInContext",
    "CallerDenied",
    "CallerRefused",
    "CallerThreadPoolExecutor",
    "CallerUnauthenticated",
    "ConfigurationError",
    "Credential",
    "CredentialMissing",
    "CredentialUnusable",
    "Credentials",
    "Decision",
    "Destination",
    "DestinationNotAllowed",
    "Destinations",
    "Gate",
    "GateOptions",
    "HeaderExtractor",
    "Headers",
    "Hold",
    "Hop",
    "MalformedCredential",
    "NoCaller",
    "OnMissing",
    "OnRefusal",
    "Origin",
    "PassthroughAuthError",
    "PathRule",
    "PathRules",
    "PolicyOptions",
    "Public",
    "RecognisesRefusals",
    "Refusal",
    "Refused",
    "Request",
    "Runner",
    "Snapshot",
    "Trail",
    "Transport",
    "WsgiRequest",
    "auth_metadata",
    "check_destinations",
    "check_option_names",
    "current_credentials",
    "current_hold",
    "extract_authorization_header",
    "extract_cookie_header",
    "extract_cookies",
    "extract_custom_header",
    "header_extractor",
    "keep_first_cookie",
    "options_from",
    "origin_of",
    "refuse_preflight_option",
    "requires_extra",
    "snapshot",
    "without_caller",
]


def __getattr__(name: str) -> object:
    # Imported on first use (PEP 562): importing thread pools takes as long as the rest of core.
    if name == "CallerThreadPoolExecutor":
        from .executor import CallerThreadPoolExecutor

        return CallerThreadPoolExecutor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
