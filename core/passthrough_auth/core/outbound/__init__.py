"""Outgoing calls: the origins to which the caller's credentials may travel, on every hop.

For authors of adapters for clients. An app's own names are in `passthrough_auth.core`.
"""

from ._destination import Destination, OnMissing
from ._destinations import Destinations, check_destinations
from ._redirects import Redirects, keep_first_cookie

__all__ = [
    "Destination",
    "Destinations",
    "OnMissing",
    "Redirects",
    "check_destinations",
    "keep_first_cookie",
]
