"""The framework-agnostic heart of passthrough-auth: extraction, exclusion, decision, context.

It imports the standard library only.
"""

from .bindings import Binding
from .context import Hold, auth_metadata, current_credentials, current_hold
from .credentials import Credential, Credentials
from .errors import (
    CallerDenied,
    CallerRefused,
    CallerUnauthenticated,
    ConfigurationError,
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
from .options import OPTION_NAMES, options_from
from .refusal import Refusal
from .request import AsgiRequest, Headers, Request, Transport, WsgiRequest
from .snapshot import Snapshot, snapshot
from .streaming import AsyncBodyInContext, BodyInContext, Runner

__all__ = [
    "OPTION_NAMES",
    "Admitted",
    "AsgiRequest",
    "AsyncBodyInContext",
    "Binding",
    "BodyInContext",
    "CallerDenied",
    "CallerRefused",
    "CallerUnauthenticated",
    "ConfigurationError",
    "Credential",
    "Credentials",
    "Decision",
    "Gate",
    "GateOptions",
    "HeaderExtractor",
    "Headers",
    "Hold",
    "MalformedCredential",
    "NoCaller",
    "OnRefusal",
    "PassthroughAuthError",
    "PathRule",
    "PathRules",
    "PolicyOptions",
    "Public",
    "Refusal",
    "Refused",
    "Request",
    "Runner",
    "Snapshot",
    "Transport",
    "WsgiRequest",
    "auth_metadata",
    "current_credentials",
    "current_hold",
    "extract_authorization_header",
    "extract_cookie_header",
    "extract_cookies",
    "extract_custom_header",
    "header_extractor",
    "options_from",
    "requires_extra",
    "snapshot",
]
