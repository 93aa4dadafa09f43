"""What the conformance app does, in functions that know no framework.

A column maps them to routes in its framework's idiom, one line each; see `columns`. All answers
are JSON: `{"caller": {header: value} or null, "absence": the reason of NoCaller or null}`, with
more beside it where a route says more.
"""

import asyncio
import contextvars
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from passthrough_auth.core import NoCaller, current_credentials, snapshot

CHUNKS = 3
LARGE_CHUNKS = 32
LARGE_CHUNK = 64 * 1024  # bytes; all of them together are more than a socket takes unread
PAUSE = 0.02  # seconds that a slow handler takes, in which others are served
PATIENCE = 5.0  # seconds that anything here waits for a request to end before it gives up
_POLL = 0.005

Answer = dict[str, Any]


class Deliberate(Exception):
    """Raised by a handler for the app's own error handler, which answers with `whoami()`."""


_recorded: dict[str, Answer] = {}


def whoami() -> Answer:
    """Who the caller is here, or why there is none."""
    try:
        return {"caller": current_credentials().headers(), "absence": None}
    except NoCaller as absent:
        return {"caller": None, "absence": absent.reason}


def saw() -> str:
    """`whoami()` as a header value, for middleware to set on a response as `x-middleware-saw`."""
    return json.dumps(whoami())


def fail() -> None:
    """Raise what the app handles."""
    raise Deliberate


def crash() -> None:
    """Raise what nobody handles."""
    raise RuntimeError("the conformance app crashed, as it was asked to")


def stream() -> Iterator[bytes]:
    """A body of several chunks, each of which says whose it is."""
    for _ in range(CHUNKS):
        yield json.dumps(whoami()).encode() + b"\n"


async def astream() -> AsyncIterator[bytes]:
    """The same, with a turn of the event loop before each chunk."""
    for _ in range(CHUNKS):
        await asyncio.sleep(0)
        yield json.dumps(whoami()).encode() + b"\n"


def endless() -> Iterator[bytes]:
    """A body that only ends when its client goes away, or after some thousand chunks."""
    for _ in range(5000):
        yield json.dumps(whoami()).encode() + b"\n"
        time.sleep(0.001)


async def aendless() -> AsyncIterator[bytes]:
    """The same, asynchronously."""
    for _ in range(5000):
        yield json.dumps(whoami()).encode() + b"\n"
        await asyncio.sleep(0.001)


def large() -> Iterator[bytes]:
    """A body too large for any buffer, each line of which says whose it is."""
    for _ in range(LARGE_CHUNKS):
        yield json.dumps(whoami()).encode().ljust(LARGE_CHUNK - 1) + b"\n"


async def alarge() -> AsyncIterator[bytes]:
    """The same, asynchronously."""
    for chunk in large():
        yield chunk


def slow() -> Answer:
    """Who the caller is, asked twice with time for others between."""
    before = whoami()
    time.sleep(PAUSE)
    return {**whoami(), "before": before}


async def aslow() -> Answer:
    """The same, letting the event loop serve others."""
    before = whoami()
    await asyncio.sleep(PAUSE)
    return {**whoami(), "before": before}


def abandoned(key: str) -> Answer:
    """Take time, and note at the end who the caller is, whether or not anyone still listens."""
    try:
        return slow()
    finally:
        record(key)


async def aabandoned(key: str) -> Answer:
    """The same; many a server cancels it when its client leaves."""
    try:
        return await aslow()
    finally:
        record(key)


def uploaded(body: bytes) -> Answer:
    """Who sent this body, and how long it was."""
    return {**whoami(), "length": len(body)}


def threads() -> Answer:
    """What threads see: one with the context, one without, one with a snapshot."""
    caller = snapshot()
    with ThreadPoolExecutor(1) as pool:
        return {
            **whoami(),
            "with_context": pool.submit(contextvars.copy_context().run, whoami).result(),
            "without": pool.submit(whoami).result(),
            "with_snapshot": pool.submit(caller.run, whoami).result(),
        }


async def athreads() -> Answer:
    """The same from async code, where `to_thread` and tasks carry the context by themselves."""
    caller = snapshot()
    loop = asyncio.get_running_loop()
    return {
        **whoami(),
        "to_thread": await asyncio.to_thread(whoami),
        "task": await asyncio.create_task(_in_task()),
        "without": await loop.run_in_executor(None, whoami),
        "with_snapshot": await loop.run_in_executor(None, caller.run, whoami),
    }


async def _in_task() -> Answer:
    return whoami()


def record(key: str) -> None:
    """Note under that key who the caller is here. For work that runs after the response."""
    _recorded[key] = whoami()


def recorded(key: str) -> Answer:
    """What was noted under that key, once it is there. It is told once."""
    deadline = time.monotonic() + PATIENCE
    while key not in _recorded and time.monotonic() < deadline:
        time.sleep(_POLL)
    return _recorded.pop(key, {"caller": None, "absence": "nothing was recorded"})


async def arecorded(key: str) -> Answer:
    """The same, without blocking the event loop."""
    deadline = time.monotonic() + PATIENCE
    while key not in _recorded and time.monotonic() < deadline:  # noqa: ASYNC110 - a thread may
        await asyncio.sleep(_POLL)
    return _recorded.pop(key, {"caller": None, "absence": "nothing was recorded"})


def outlive(key: str) -> Answer:
    """Start a thread in a copy of this context that notes who the caller is at the end."""
    run = contextvars.copy_context().run
    work: Callable[[], None] = lambda: run(_note_the_end, key)  # noqa: E731 - a thread's target
    threading.Thread(target=work, daemon=True).start()
    return whoami()


def _note_the_end(key: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while whoami()["caller"] is not None and time.monotonic() < deadline:
        time.sleep(_POLL)
    record(key)


_tasks: set[asyncio.Task[None]] = set()


async def aoutlive(key: str) -> Answer:
    """Start a task, which has a copy of this context, that does the same."""
    task = asyncio.create_task(_anote_the_end(key))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return whoami()


async def _anote_the_end(key: str) -> None:
    deadline = time.monotonic() + PATIENCE
    try:
        while whoami()["caller"] is not None and time.monotonic() < deadline:  # noqa: ASYNC110 - the end has no event
            await asyncio.sleep(_POLL)
    except asyncio.CancelledError:
        # Old asgiref gives some views a loop of their own, which ends with the view.
        outlive(key)
        raise
    record(key)


def stream_crash() -> Iterator[bytes]:
    """A body that fails after its first chunk."""
    yield json.dumps(whoami()).encode() + b"\n"
    crash()


async def astream_crash() -> AsyncIterator[bytes]:
    """The same, asynchronously."""
    yield json.dumps(whoami()).encode() + b"\n"
    crash()
