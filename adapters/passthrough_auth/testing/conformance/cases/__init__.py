"""The cases: one for every sentence of the semantics that can be tested."""

from passthrough_auth.testing.conformance.model import Case

from .answers import answer_cases
from .credentials import credential_cases
from .cross_site import cross_site_cases
from .lifetime import binding_cases, isolation_cases, visibility_cases
from .paths import path_cases
from .secrecy import secret_cases
from .start import start_cases
from .websocket import websocket_cases

__all__ = ["CASES"]

CASES: tuple[Case, ...] = (
    *path_cases(),
    *credential_cases(),
    *answer_cases(),
    *cross_site_cases(),
    *visibility_cases(),
    *binding_cases(),
    *isolation_cases(),
    *websocket_cases(),
    *secret_cases(),
    *start_cases(),
)
