"""What every handler reports: whom an upstream service sees, or why there is nobody."""

import json
import os

from passthrough_auth.clients.httpx import caller_client
from passthrough_auth.core import Destinations, NoCaller, extract_bearer_token, extract_cookies
from passthrough_auth.sessions import Sessions

UPSTREAM = os.environ["UPSTREAM"]
# As JSON: the arguments of `Sessions`.
_said = os.environ.get("SESSIONS")
OPTIONS = {
    "header_extractors": [extract_cookies("sso"), extract_bearer_token],
    "sessions": Sessions(**json.loads(_said)) if _said else None,
}
client = caller_client(Destinations(UPSTREAM))


def who() -> str:
    """The caller that a call from here is made as."""
    try:
        return client.get(UPSTREAM).text
    except NoCaller as absent:
        return absent.reason
