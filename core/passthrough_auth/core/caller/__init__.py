"""The caller of a request, of a block, or of work that outlives both.

For authors of adapters, and of clients that ask for the caller. This package depends on neither
requests nor destinations. An app's own names are in `passthrough_auth.core`.
"""

from typing import TYPE_CHECKING

from ._acting_as import acting_as
from ._answers import hand_on_mark, mark_answer
from ._bindings import Binding, Bindings, checked_bindings, discovery, find_refusal
from ._context import (
    CallerScope,
    caller_var,
    current_credentials,
    current_scope,
    reset_caller,
    without_caller,
)
from ._credentials import NOBODY, Credential, Credentials
from ._sessions import (
    HANDLE,
    HEADER,
    NOT_LOOKED_UP,
    Handle,
    Host,
    LostHost,
    Place,
    Session,
    Sessions,
    caller_of,
    checked_sessions,
    context_of_screen,
    current_session,
    host_discovery,
    installed_host,
)
from ._snapshot import NamedOrigins, Snapshot, snapshot
from ._streaming import AsyncBodyInContext, BodyInContext, Runner

if TYPE_CHECKING:
    from ._executor import CallerThreadPoolExecutor

__all__ = [
    "HANDLE",
    "HEADER",
    "NOBODY",
    "NOT_LOOKED_UP",
    "AsyncBodyInContext",
    "Binding",
    "Bindings",
    "BodyInContext",
    "CallerScope",
    "CallerThreadPoolExecutor",
    "Credential",
    "Credentials",
    "Handle",
    "Host",
    "LostHost",
    "NamedOrigins",
    "Place",
    "Runner",
    "Session",
    "Sessions",
    "Snapshot",
    "acting_as",
    "caller_of",
    "caller_var",
    "checked_bindings",
    "checked_sessions",
    "context_of_screen",
    "current_credentials",
    "current_scope",
    "current_session",
    "discovery",
    "find_refusal",
    "hand_on_mark",
    "host_discovery",
    "installed_host",
    "mark_answer",
    "reset_caller",
    "snapshot",
    "without_caller",
]


def __getattr__(name: str) -> object:
    # Imported on first use (PEP 562): importing thread pools takes as long as the rest of core.
    if name == "CallerThreadPoolExecutor":
        from ._executor import CallerThreadPoolExecutor

        return CallerThreadPoolExecutor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
