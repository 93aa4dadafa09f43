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
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from passthrough_auth.core import (
    CallerDenied,
    CallerThreadPoolExecutor,
    CallerUnauthenticated,
    NoCaller,
    Snapshot,
    current_credentials,
    snapshot,
)

CHUNKS = 3
LARGE_CHUNKS = 32
LARGE_CHUNK = 64 * 1024  # bytes; all of them together are more than a socket takes unread
PAUSE = 0.02  # seconds that a slow handler takes, in which others are served
PATIENCE = 5.0  # seconds that anything here waits for a request to end before it gives up
_POLL = 0.005
_SOON = 0.02

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


def upstream_refuses() -> None:
    """Raise what a failed call to upstream ends as: its refusal of the caller, as the cause."""
    raise RuntimeError("the job could not be started") from CallerUnauthenticated("s3cret")


def upstream_denies() -> None:
    """The same of a caller whom upstream knows and does not permit this, as a task group has it."""
    raise ExceptionGroup("a task failed", [CallerDenied("s3cret")])


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
    """What threads see: one with the context, one without, one with a snapshot, one of our pool."""
    caller = snapshot()
    with ThreadPoolExecutor(1) as pool, CallerThreadPoolExecutor(1) as caller_pool:
        return {
            **whoami(),
            "with_context": pool.submit(contextvars.copy_context().run, whoami).result(),
            "without": pool.submit(whoami).result(),
            "with_snapshot": pool.submit(caller.run, whoami).result(),
            "caller_pool": caller_pool.submit(whoami).result(),
        }


async def athreads() -> Answer:
    """The same from async code, where `to_thread` and tasks carry the context by themselves."""
    # What Starlette and Django bring, and async views on Flask.
    from anyio import to_thread
    from asgiref.sync import sync_to_async

    caller = snapshot()
    loop = asyncio.get_running_loop()
    with CallerThreadPoolExecutor(1) as caller_pool:
        return {
            **whoami(),
            "to_thread": await asyncio.to_thread(whoami),
            "anyio_to_thread": await to_thread.run_sync(whoami),
            "sync_to_async": await sync_to_async(whoami)(),
            "task": await asyncio.create_task(_in_task()),
            "without": await loop.run_in_executor(None, whoami),
            "with_snapshot": await loop.run_in_executor(None, caller.run, whoami),
            "caller_pool": await loop.run_in_executor(caller_pool, whoami),
        }


async def _in_task() -> Answer:
    return whoami()


def record(key: str, **more: Answer) -> None:
    """Note under that key who the caller is here. For work that runs after the response."""
    _recorded[key] = {**whoami(), **more}


def recorded(key: str) -> Answer:
    """What was noted under that key, once it is there."""
    deadline = time.monotonic() + PATIENCE
    while key not in _recorded and time.monotonic() < deadline:
        time.sleep(_POLL)
    return _recorded.get(key, {"caller": None, "absence": "nothing was recorded"})


async def arecorded(key: str) -> Answer:
    """The same, without blocking the event loop."""
    deadline = time.monotonic() + PATIENCE
    while key not in _recorded and time.monotonic() < deadline:  # noqa: ASYNC110 - a thread may
        await asyncio.sleep(_POLL)
    return _recorded.get(key, {"caller": None, "absence": "nothing was recorded"})


def drain() -> dict[str, Answer]:
    """All that was noted so far, taken out, so that a long run doesn't pile it up."""
    return {key: _recorded.pop(key) for key in list(_recorded)}


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


@dataclass(frozen=True, slots=True)
class _Taken:
    """The caller, taken along in every way there is."""

    lasting: Snapshot
    expiring: Snapshot
    within_it: Snapshot
    closed: Snapshot
    pool: CallerThreadPoolExecutor
    submitted: "Future[Answer]"


def take_along(key: str) -> Answer:
    """Start a thread that notes, at the end, whom it finds by what it was given of the caller."""
    taken = _take(contextvars.copy_context())
    threading.Thread(target=_note_taken, args=(key, taken), daemon=True).start()
    return whoami()


async def atake_along(key: str) -> Answer:
    """Start a task that does the same."""
    taken = _take(contextvars.copy_context())
    task = asyncio.create_task(_anote_taken(key, taken))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return whoami()


def _take(request: contextvars.Context) -> _Taken:
    expiring, closed = snapshot(expires_in=_SOON), snapshot()
    within_it = expiring.run(snapshot, expires_in=PATIENCE)
    pool = CallerThreadPoolExecutor(1)
    submitted = pool.submit(_whoami_after, request)
    closed.close()
    return _Taken(snapshot(), expiring, within_it, closed, pool, submitted)


def _whoami_after(request: contextvars.Context) -> Answer:
    """Who the caller is here once that request has ended."""
    deadline = time.monotonic() + PATIENCE
    while request.run(whoami)["caller"] is not None and time.monotonic() < deadline:
        time.sleep(_POLL)
    time.sleep(_SOON)
    return whoami()


def _note_taken(key: str, taken: _Taken) -> None:
    taken.pool.shutdown()  # waits for its work, which waits for the end
    record(key, **_found_by(taken), snapshot_in_task=_finish(taken.lasting.arun(_in_task)))


def _finish(work: Coroutine[Any, Any, Answer]) -> Answer:
    """What it returns. It has nothing to wait for, and greenlets can't have an event loop each."""
    try:
        work.send(None)
    except StopIteration as done:
        answer: Answer = done.value
        return answer
    raise AssertionError("it waits for something")


async def _anote_taken(key: str, taken: _Taken) -> None:
    try:
        await asyncio.to_thread(taken.pool.shutdown)
    except asyncio.CancelledError:
        threading.Thread(target=_note_taken, args=(key, taken), daemon=True).start()  # as above
        raise
    in_task = await taken.lasting.arun(_in_task)
    record(key, **_found_by(taken), snapshot_in_task=in_task)


def _found_by(taken: _Taken) -> dict[str, Answer]:
    return {
        "snapshot": _whoami_by(taken.lasting),
        "expired": _whoami_by(taken.expiring),
        "within_expired": _whoami_by(taken.within_it),
        "closed": _whoami_by(taken.closed),
        "caller_pool": taken.submitted.result(),
    }


def _whoami_by(taken: Snapshot) -> Answer:
    try:
        return taken.run(whoami)
    except NoCaller as absent:
        return {"caller": None, "absence": absent.reason}


def stream_crash() -> Iterator[bytes]:
    """A body that fails after its first chunk."""
    yield json.dumps(whoami()).encode() + b"\n"
    crash()


async def astream_crash() -> AsyncIterator[bytes]:
    """The same, asynchronously."""
    yield json.dumps(whoami()).encode() + b"\n"
    crash()
