"""The `passthrough-auth` command."""

from passthrough_auth.core import requires_extra

with requires_extra("demo", module="click"):
    from .main import main

__all__ = ["main"]
