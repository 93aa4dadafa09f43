"""What the conformance app does, in functions that know no framework.

A column maps them to routes in its framework's idiom, one line each; see `columns`. All answers
are JSON: `{"caller": {header: value} or null, "absence": the reason of NoCaller or null}`, with
more beside it where a route says more.
"""

import asyncio
import contextvars
import json
import logging
import os
import pickle
import signal
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from passthrough_auth.core import (
    CallerDenied,
    CallerThreadPoolExecutor,
    CallerUnauthenticated,
    Credential,
    Credentials,
    Destinations,
    NoCaller,
    Snapshot,
    auth_metadata,
    current_credentials,
    current_hold,
    snapshot,
)

CHUNKS = 3
LONG = 1000  # chunks, which are over within a case's patience where no server notices who left
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
    """Raise what a failed call to upstream ends as: its refusal of the caller, deep inside."""
    call = _because(ConnectionError("the call failed"), CallerUnauthenticated("s3cret"))
    raise RuntimeError("the job could not be started") from call


def upstream_denies() -> None:
    """The same of a caller whom upstream knows and does not permit this, as task groups have it."""
    call = _because(ConnectionError("the call failed"), CallerDenied("s3cret"))
    tasks = ExceptionGroup("a task failed", [ExceptionGroup("its own tasks failed", [call, call])])
    raise RuntimeError("the job could not be started") from tasks


def upstream_denies_and_more() -> None:
    """The same beside a failure that has nothing to do with it."""
    raise ExceptionGroup("two tasks failed", [CallerDenied("s3cret"), RuntimeError("no memory")])


def _because(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def stream() -> Iterator[bytes]:
    """A body of several chunks, each of which says whose it is."""
    for _ in range(CHUNKS):
        yield json.dumps(whoami()).encode() + b"\n"


async def astream() -> AsyncIterator[bytes]:
    """The same, with a turn of the event loop before each chunk."""
    for _ in range(CHUNKS):
        await asyncio.sleep(0)
        yield json.dumps(whoami()).encode() + b"\n"


def acting() -> Iterator[bytes]:
    """A body most of which is produced by someone whom the app names itself."""
    with auth_metadata(("authorization", "Bearer service")):
        for _ in range(CHUNKS):
            yield json.dumps(whoami()).encode() + b"\n"
    yield json.dumps(whoami()).encode() + b"\n"


async def aacting() -> AsyncIterator[bytes]:
    """The same, with a turn of the event loop before each chunk."""
    with auth_metadata(("authorization", "Bearer service")):
        for _ in range(CHUNKS):
            await asyncio.sleep(0)
            yield json.dumps(whoami()).encode() + b"\n"
    yield json.dumps(whoami()).encode() + b"\n"


def closing(key: str) -> Iterator[bytes]:
    """A long body that notes who the caller is when it is closed."""
    try:
        yield from endless(LONG)
    finally:
        record(key)


def endless(chunks: int = 5000) -> Iterator[bytes]:
    """A body that only ends when its client goes away, or after some thousand chunks."""
    for _ in range(chunks):
        yield json.dumps(whoami()).encode() + b"\n"
        time.sleep(0.001)


async def aendless(chunks: int = 5000) -> AsyncIterator[bytes]:
    """The same, asynchronously."""
    for _ in range(chunks):
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


def forked() -> Answer:
    """What a process sees that was forked from here: by itself, and by what it was given."""
    request, caller = contextvars.copy_context(), snapshot()
    named = Credential("authorization", "Bearer alice")
    fingerprint = named.fingerprint

    def look() -> Answer:
        return {
            "alone": whoami(),
            "with_context": request.run(whoami),
            "with_snapshot": _whoami_by(caller),
            "same_fingerprint": named.fingerprint == fingerprint,
        }

    return {**whoami(), **_in_fork(look)}


def _in_fork(look: Callable[[], Answer]) -> Answer:
    reader, writer = os.pipe()
    leave, dismiss = os.pipe()
    with warnings.catch_warnings():
        # Of the locks that other threads hold: this child takes none.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        signal.alarm(int(PATIENCE))
        try:
            os.write(writer, json.dumps(look()).encode())
            # gevent never hears of a child that ends before its first fork returns in the parent.
            os.read(leave, 1)
        finally:
            os._exit(0)
    os.close(writer)
    seen: Answer = json.loads(os.read(reader, 65536))
    os.write(dismiss, b".")
    os.waitpid(child, 0)
    for end in (reader, leave, dismiss):
        os.close(end)
    return seen


class _Log(logging.Handler):
    """Keeps what the library logs, for cases to read over any server."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


_log = _Log()
logging.getLogger("passthrough_auth").addHandler(_log)
logging.getLogger("passthrough_auth").setLevel(logging.DEBUG)


def logged() -> Answer:
    """What the library has logged in this process: each text with how often, and whole records."""
    records = list(_log.records)
    return {
        **whoami(),
        "log": Counter(record.getMessage() for record in records),
        "records": [repr(vars(record)) for record in records],
    }


def texts() -> Answer:
    """Every text that the caller becomes, and every one that is raised about the caller."""
    caller, hold, taken = current_credentials(), current_hold(), snapshot()
    value = caller.headers()["authorization"]
    shown = [caller, *caller, hold, taken]
    return {
        "texts": [form(each) for form in (repr, str, "{}".format) for each in shown],
        "raised": [
            *(_raised_by(pickle.dumps, each) for each in shown),
            _raised_by(json.dumps, caller),
            _raised_by(setattr, caller, "_pairs", ()),
            _raised_by(auth_metadata, (value, "authorization")),
            _raised_by(auth_metadata, ("authorization", f"{value}, {value}")),
            _raised_by(Destinations("https://a.example").headers_for, f"https://b.example/{value}"),
        ],
    }


def _raised_by(act: Callable[..., object], *given: object) -> str:
    """The report of what this raises."""
    try:
        act(*given)
    except Exception as error:
        return "".join(traceback.format_exception(error))
    raise AssertionError(f"{act.__name__} raised nothing")


def record(key: str, **more: Answer) -> None:
    """Note under that key who the caller is here. For work that runs after the response."""
    _recorded[key] = {**whoami(), **more}


def background(key: str) -> None:
    """Take time, in which the next request is served, and note who the caller is at the end."""
    time.sleep(PAUSE)
    record(key)


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


_in_force: set["Recording"] = set()


class Recording:
    """A binding that is in force from when it is entered to when it is left.

    A class, because of a generator that nobody left, garbage collection would run the rest.
    """

    def __init__(self, credentials: Credentials) -> None:
        pass  # whose it is makes no difference

    def __enter__(self) -> None:
        _in_force.add(self)

    def __exit__(self, *raised: object) -> None:
        _in_force.discard(self)


def neighbour() -> Answer:
    """Who the caller is beside the app, and how many bindings its requests have not left."""
    deadline = time.monotonic() + PATIENCE
    while _in_force and time.monotonic() < deadline:
        time.sleep(_POLL)
    return _neighbour()


async def aneighbour() -> Answer:
    """The same, without blocking the event loop."""
    deadline = time.monotonic() + PATIENCE
    while _in_force and time.monotonic() < deadline:  # noqa: ASYNC110 - a thread may
        await asyncio.sleep(_POLL)
    return _neighbour()


def _neighbour() -> Answer:
    answer = {**whoami(), "in_force": len(_in_force)}
    _in_force.clear()  # for those who ask next
    return answer


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
