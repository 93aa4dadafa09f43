"""Some configurations of a gate, for the model and for the package."""

import re
from dataclasses import replace

from tests.fuzz.model import Policy, Reads

from passthrough_auth.core import (
    HeaderExtractor,
    Request,
    extract_authorization_header,
    extract_bearer_from_cookie,
    extract_cookies,
    extract_custom_header,
    extract_schemes,
)
from passthrough_auth.core.inbound import Admission, Gate, GateOptions

POLICIES = (
    Policy(rules=("/health", "/public/*")),
    Policy(
        reads=(
            Reads("authorization"),
            Reads("cookie", ("session", "csrf")),
            Reads("x-token"),
            Reads("x-forwarded-access-token"),
        ),
        rules=("/", "/public/*", "/items/a/*", re.compile("/a.*")),
        trusted_origins=frozenset({"https://admin.example", "app://shell"}),
        allow_preflight=True,
    ),
    Policy(
        reads=(
            Reads("x-forwarded-access-token"),
            Reads("cookie", ("session",)),
            Reads("cookie"),
            Reads("authorization"),
        ),
        comma_schemes=frozenset({"digest"}),
    ),
    Policy(
        reads=(Reads("authorization"), Reads("cookie", ("session",)), Reads("x-token")),
        rules=("/health", "/items/*"),
        trusted_origins=frozenset({"https://admin.example:443"}),
    ),
    Policy(
        reads=(
            Reads("authorization", schemes=("bearer", "token")),
            Reads("authorization", cookies=("session",)),
            Reads("cookie", ("cs*", "session")),
        ),
    ),
    Policy(rules=("/*", re.compile(".*", re.DOTALL)), trusted_origins=frozenset({"http://[::1]"})),
)


def without_preflights(policy: Policy) -> Policy:
    """The same for a framework without the option allow_preflight: its CORS layer is in front."""
    return replace(policy, allow_preflight=False)


def options_of(policy: Policy) -> GateOptions:
    """The gate's options for this policy."""
    return {
        "header_extractors": [_extractor(reads) for reads in policy.reads],
        "excluded_paths": list(policy.rules),
        "trusted_origins": policy.trusted_origins,
        "comma_schemes": policy.comma_schemes,
        "bindings": (),
    }


def _extractor(reads: Reads) -> HeaderExtractor:
    if reads.header == "authorization":
        if reads.cookies:
            return extract_bearer_from_cookie(*reads.cookies)
        return extract_schemes(*reads.schemes) if reads.schemes else extract_authorization_header
    if reads.cookies:
        return extract_cookies(*reads.cookies)
    return extract_custom_header(reads.header)


GATES = tuple(Gate(**options_of(policy)) for policy in POLICIES)


def admit(which: int, request: Request) -> Admission:
    """The decision of the gate with that policy about a request."""
    return GATES[which].admit(request, preflights=POLICIES[which].allow_preflight)
