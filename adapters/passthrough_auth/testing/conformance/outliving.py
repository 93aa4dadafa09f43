"""The conformance app's work after the response, in functions that depend on no framework.

The work notes its caller under a key. A later request asks for that note: see `recorded`.
"""

import asyncio
import contextvars
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from passthrough_auth.core import CallerThreadPoolExecutor, NoCaller, Snapshot, snapshot

from . import handlers
from .handlers import LONG, PAUSE, Answer, awhoami, bound_caller, whoami, whoami_by

PATIENCE = 30.0  # seconds that this module waits for a request to end before it gives up
_POLL = 0.005
_SOON = 0.02

_recorded: dict[str, Answer] = {}


def record(key: str, **more: Answer) -> None:
    """Note under that key who the caller is here, and as whom a bound client acts."""
    _recorded[key] = {**whoami(), "bound": bound_caller(), **more}


def recorded(key: str) -> Answer:
    """The note under that key. Waits for it up to `PATIENCE`."""
    _wait(lambda: key in _recorded)
    return _recorded.get(key, {"caller": None, "absence": "nothing was recorded"})


async def arecorded(key: str) -> Answer:
    """The same, without blocking the event loop."""
    await _await(lambda: key in _recorded)
    return _recorded.get(key, {"caller": None, "absence": "nothing was recorded"})


def drain() -> dict[str, Answer]:
    """Take out and return all notes, so that they don't pile up in a long run."""
    return {key: _recorded.pop(key) for key in list(_recorded)}


def _wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not until() and time.monotonic() < deadline:
        time.sleep(_POLL)


async def _await(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not until() and time.monotonic() < deadline:  # noqa: ASYNC110 - a thread may write the note
        await asyncio.sleep(_POLL)


def _has_ended() -> bool:
    here = whoami()
    return here["caller"] is None and here["absence"] != "public"


def begun(key: str, body: bytes) -> Answer:
    """Who the caller is. `background` is to run after this answer."""
    return whoami()


def background(key: str) -> None:
    """Take time, while the next request is served, and note at the end who the caller is."""
    time.sleep(PAUSE)
    record(key)


def abandoned(key: str) -> Answer:
    """Take time, and note at the end who the caller is, even if the client has left."""
    try:
        return handlers.slow()
    finally:
        record(key)


async def aabandoned(key: str) -> Answer:
    """The same, asynchronously. Some servers cancel it when the client leaves."""
    try:
        return await handlers.aslow()
    finally:
        record(key)


def closing(key: str) -> Iterator[bytes]:
    """A long body that notes who the caller is when it is closed."""
    try:
        yield from handlers.endless(LONG)
    finally:
        record(key)


def outlive(key: str) -> Answer:
    """Start a thread in a copy of this context. It notes who the caller is after the request."""
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(_note_the_end, key), daemon=True).start()
    return whoami()


def _note_the_end(key: str) -> None:
    _wait(_has_ended)
    record(key)


async def aoutlive(key: str) -> Answer:
    """Start a task, which has a copy of this context, that does the same."""
    _keep(_anote_the_end(key))
    return whoami()


async def _anote_the_end(key: str) -> None:
    try:
        await _await(_has_ended)
    except asyncio.CancelledError:
        # Old versions of asgiref run some views in a loop of their own, which ends with the view.
        outlive(key)
        raise
    record(key)


_tasks: set[asyncio.Task[None]] = set()


def _keep(work: Coroutine[Any, Any, None]) -> None:
    """Run it in a task. The event loop itself keeps only weak references to tasks."""
    task = asyncio.create_task(work)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


def outlive_stream(key: str) -> Iterator[bytes]:
    """The same as `outlive`, and answer with a body of several chunks."""
    outlive(key)
    return handlers.stream()


async def aoutlive_stream(key: str) -> AsyncIterator[bytes]:
    """The same, asynchronously."""
    await aoutlive(key)
    return handlers.astream()


def outlive_crash(key: str) -> None:
    """The same as `outlive`, and fail."""
    outlive(key)
    handlers.crash()


async def aoutlive_crash(key: str) -> None:
    """The same, asynchronously."""
    await aoutlive(key)
    handlers.crash()


def outlive_endless(key: str) -> Iterator[bytes]:
    """The same as `outlive`, and answer with a long body."""
    outlive(key)
    return handlers.endless(LONG)


async def aoutlive_endless(key: str) -> AsyncIterator[bytes]:
    """The same, asynchronously."""
    await aoutlive(key)
    return handlers.aendless(LONG)


@dataclass(frozen=True, slots=True)
class _Taken:
    """Everything that can carry the caller out of a request."""

    lasting: Snapshot
    expiring: Snapshot
    within_it: Snapshot
    closed: Snapshot
    pool: CallerThreadPoolExecutor
    submitted: Future[Answer]


def take_along(key: str) -> Answer:
    """Start a thread that notes, after the request, which caller each of `_Taken` gives."""
    taken = _take(contextvars.copy_context())
    threading.Thread(target=_note_taken, args=(key, taken), daemon=True).start()
    return whoami()


async def atake_along(key: str) -> Answer:
    """Start a task that does the same."""
    _keep(_anote_taken(key, _take(contextvars.copy_context())))
    return whoami()


def _take(request: contextvars.Context) -> _Taken:
    expiring, within_it = _expiring()
    closed = snapshot()
    pool = CallerThreadPoolExecutor(1)
    submitted = pool.submit(_whoami_after, request)
    closed.close()
    return _Taken(snapshot(), expiring, within_it, closed, pool, submitted)


def _whoami_after(request: contextvars.Context) -> Answer:
    """Who the caller is here once that request has ended."""
    _wait(lambda: request.run(_has_ended))
    time.sleep(_SOON)
    return whoami()


def _expiring() -> tuple[Snapshot, Snapshot]:
    """A snapshot that expires soon, and one that was taken within its work."""
    while True:
        expiring = snapshot(expires_in=_SOON)
        with suppress(NoCaller):  # on a busy machine it may have expired already
            return expiring, expiring.run(snapshot, expires_in=PATIENCE)


def _note_taken(key: str, taken: _Taken) -> None:
    taken.pool.shutdown()  # waits for its work, which waits for the request to end
    record(key, **_found_by(taken), snapshot_in_task=_finish(taken.lasting.arun(awhoami)))


def _finish(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Run a coroutine that never waits, without an event loop: greenlets can't have one each."""
    try:
        work.send(None)
    except StopIteration as done:
        answer: Answer = done.value
        return answer
    raise AssertionError("the coroutine waits for something; it must not")


async def _anote_taken(key: str, taken: _Taken) -> None:
    try:
        await asyncio.to_thread(taken.pool.shutdown)
    except asyncio.CancelledError:
        threading.Thread(target=_note_taken, args=(key, taken), daemon=True).start()  # as above
        raise
    record(key, **_found_by(taken), snapshot_in_task=await taken.lasting.arun(awhoami))


def _found_by(taken: _Taken) -> dict[str, Answer]:
    return {
        "snapshot": whoami_by(taken.lasting),
        "expired": whoami_by(taken.expiring),
        "within_expired": whoami_by(taken.within_it),
        "closed": whoami_by(taken.closed),
        "caller_pool": taken.submitted.result(),
    }
