"""The served app: one of the conformance apps, and answers about its process.

The environment names the column and, for a process that must be caught, one of the `BREAKS`.
"""

import ctypes
import gc
import json
import os
from collections.abc import Iterable
from typing import Any

from tests.soak.broken import BREAKS

from passthrough_auth.core import Credentials
from passthrough_auth.testing.conformance import outliving, serving

COLUMN = "PASSTHROUGH_AUTH_SOAK_COLUMN"
BREAK = "PASSTHROUGH_AUTH_SOAK_BREAK"
READY = "/-/ready"
RECORDS = "/-/records"  # the notes of background work since the last question
KEPT = "/-/kept"  # how many callers are still in memory, after tidying that up

# Has glibc give free memory back to the system, so that the rest is in use.
_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)

if os.environ.get(BREAK):
    BREAKS[os.environ[BREAK]].apply()
if os.environ.get(COLUMN):
    # Before there are requests: building it changes settings that are global to the process.
    interface, _, name = os.environ[COLUMN].partition(":")
    serving.columns("asgi" if interface == "asgi" else "wsgi")[name].app("default")


def _told(path: str) -> bytes | None:
    if path == READY:
        return b"{}"
    if path == RECORDS:
        return json.dumps(outliving.drain()).encode()
    if path == KEPT:
        return json.dumps(_kept()).encode()
    return None


def _kept() -> dict[str, int]:
    """The number of callers in this process, after a collection of garbage and of free memory."""
    gc.collect()
    if _trim is not None:
        _trim(0)
    # By type(), because isinstance() resolves proxies.
    return {"callers": sum(type(each) is Credentials and bool(each) for each in gc.get_objects())}


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """The ASGI columns."""
    told = _told(scope["path"]) if scope["type"] == "http" else None
    if told is None:
        await serving.asgi(scope, receive, send)
        return
    headers = [(b"content-length", b"%d" % len(told))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": told})


def wsgi(environ: Any, start_response: Any) -> Iterable[bytes]:
    """The WSGI columns."""
    told = _told(environ["PATH_INFO"])
    if told is None:
        return serving.wsgi(environ, start_response)
    start_response("200 OK", [("Content-Length", str(len(told)))])
    return [told]
