"""Incoming requests: their credentials, the decision about them, and the answer to refused ones.

For authors of adapters for frameworks. An app's own names are in `passthrough_auth.core`.
"""

from ._exclusion import PathRule, PathRules
from ._extraction import (
    HeaderExtractor,
    extract_authorization_header,
    extract_bare_authorization,
    extract_bearer_from_cookie,
    extract_bearer_token,
    extract_cookie_header,
    extract_cookies,
    extract_custom_header,
    extract_schemes,
    header_extractor,
)
from ._gate import Admission, Gate, GateOptions, OnRefusal, PolicyOptions
from ._options import OPTION_NAMES, check_option_names, options_from
from ._refusal import Refusal
from ._request import AsgiRequest, Headers, Request, Transport, WsgiRequest
from ._websocket_token import extract_websocket_token

__all__ = [
    "OPTION_NAMES",
    "Admission",
    "AsgiRequest",
    "Gate",
    "GateOptions",
    "HeaderExtractor",
    "Headers",
    "OnRefusal",
    "PathRule",
    "PathRules",
    "PolicyOptions",
    "Refusal",
    "Request",
    "Transport",
    "WsgiRequest",
    "check_option_names",
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
    "options_from",
]
