"""The conformance app's handlers, as functions that depend on no framework.

All answers are JSON: `{"caller": {header: value} or null, "absence": the reason of NoCaller or
null}`. Some routes add further keys. The table in `routes` maps paths to these functions.
"""

import asyncio
import contextvars
import json
import logging
import os
import pickle
import signal
import time
import traceback
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from passthrough_auth.core import (
    CallerDenied,
    CallerThreadPoolExecutor,
    CallerUnauthenticated,
    Credential,
    Destinations,
    NoCaller,
    Snapshot,
    acting_as,
    current_credentials,
    snapshot,
    without_caller,
)
from passthrough_auth.core.caller import Binding, current_scope

CHUNKS = 3
LONG = 1000  # chunks; a case can wait for their end on a server that doesn't notice who left
LARGE_CHUNKS = 32
LARGE_CHUNK = 64 * 1024  # bytes; all chunks together are more than a socket buffers unread
PAUSE = 0.02  # seconds that a slow handler takes, while others are served
_FORK_SECONDS = 5  # after which a forked process ends itself, if it still runs

Answer = dict[str, Any]


class Deliberate(Exception):
    """Raised by a handler. The app's own error handler answers it: 418 with `whoami()`."""


def whoami() -> Answer:
    """Who the caller is here, or why there is none."""
    try:
        return {"caller": current_credentials().headers(), "absence": None}
    except NoCaller as absent:
        return {"caller": None, "absence": absent.reason}


def anything(rest: str = "") -> Answer:
    """`whoami()`, for any path."""
    return whoami()


def saw() -> str:
    """`whoami()` as a header value, for middleware to set on a response as `x-middleware-saw`."""
    return json.dumps(whoami())


class _BoundClient(Binding):
    """A client that acts as the caller by itself. The handlers here stand for its calls."""

    def install(self) -> None:
        pass


BOUND_CLIENT = _BoundClient()


def bound_caller() -> dict[str, str] | str:
    """The caller's headers for a call of `BOUND_CLIENT`, {} for no caller, or why it can't call."""
    try:
        return BOUND_CLIENT.credentials().headers()
    except NoCaller as absent:
        return absent.reason


def bound() -> Answer:
    """Who the caller is, and as whom a bound client acts."""
    return {**whoami(), "bound": bound_caller()}


def fail() -> None:
    """Raise an error that the app handles."""
    raise Deliberate


def crash() -> None:
    """Raise an error that the app doesn't handle."""
    raise RuntimeError("the conformance app crashed, as it was asked to")


def upstream_refuses() -> None:
    """Raise an error with upstream's refusal of the caller among its causes."""
    call = _because(ConnectionError("the call failed"), CallerUnauthenticated("s3cret"))
    raise RuntimeError("the job could not be started") from call


def upstream_denies() -> None:
    """The same for a caller who is known but not permitted, in nested exception groups."""
    call = _because(ConnectionError("the call failed"), CallerDenied("s3cret"))
    tasks = ExceptionGroup("a task failed", [ExceptionGroup("its own tasks failed", [call, call])])
    raise RuntimeError("the job could not be started") from tasks


def upstream_denies_and_more() -> None:
    """The same, in a group with an unrelated failure."""
    raise ExceptionGroup("two tasks failed", [CallerDenied("s3cret"), RuntimeError("no memory")])


def _because(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def uploaded(body: bytes) -> Answer:
    """Who sent this body, and its length."""
    return {**whoami(), "length": len(body)}


def _line() -> bytes:
    return json.dumps(whoami()).encode() + b"\n"


def stream() -> Iterator[bytes]:
    """A body of several chunks. Each says who the caller was when it was produced."""
    for _ in range(CHUNKS):
        yield _line()


async def astream() -> AsyncIterator[bytes]:
    """The same, with a turn of the event loop before each chunk."""
    for _ in range(CHUNKS):
        await asyncio.sleep(0)
        yield _line()


def stream_crash() -> Iterator[bytes]:
    """A body that fails after its first chunk."""
    yield _line()
    crash()


async def astream_crash() -> AsyncIterator[bytes]:
    """The same, asynchronously."""
    yield _line()
    crash()


def acting() -> Iterator[bytes]:
    """A body whose first chunks are produced as a caller that the app itself names."""
    with acting_as(("authorization", "Bearer service")):
        yield from stream()
    yield _line()


async def aacting() -> AsyncIterator[bytes]:
    """The same, with a turn of the event loop before each chunk."""
    with acting_as(("authorization", "Bearer service")):
        async for chunk in astream():
            yield chunk
    yield _line()


def endless(chunks: int = 5000) -> Iterator[bytes]:
    """A body that ends only when its client leaves, or after some thousand chunks."""
    for _ in range(chunks):
        yield _line()
        time.sleep(0.001)


async def aendless(chunks: int = 5000) -> AsyncIterator[bytes]:
    """The same, asynchronously."""
    for _ in range(chunks):
        yield _line()
        await asyncio.sleep(0.001)


def large() -> Iterator[bytes]:
    """A body too large for any buffer. Each line says who the caller was when it was produced."""
    for _ in range(LARGE_CHUNKS):
        yield _line().rstrip().ljust(LARGE_CHUNK - 1) + b"\n"


async def alarge() -> AsyncIterator[bytes]:
    """The same, asynchronously."""
    for chunk in large():
        yield chunk


def slow() -> Answer:
    """Who the caller is, twice, with time between for other requests."""
    before = whoami()
    time.sleep(PAUSE)
    return {**whoami(), "before": before}


async def aslow() -> Answer:
    """The same, while the event loop serves others."""
    before = whoami()
    await asyncio.sleep(PAUSE)
    return {**whoami(), "before": before}


async def greet(
    accept: Callable[[], Awaitable[object]],
    send: Callable[[str], Awaitable[object]],
    receive: Callable[[], Awaitable[object]],
) -> None:
    """Accept a WebSocket, and say who the caller is: at once, and after each message."""
    await accept()
    await send(saw())
    with suppress(Exception):  # each framework has its own error for a client that has left
        while True:
            await receive()
            await send(saw())


async def refuse(*socket: Callable[..., Awaitable[object]]) -> None:
    """Fail before the handshake is answered, because upstream refuses the caller."""
    upstream_refuses()


def threads() -> Answer:
    """The caller in threads: with the context, without, with a snapshot, and of our pool."""
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
    """The same in async code, where `to_thread` and tasks copy the context by themselves."""
    # Starlette, Django and async views on Flask bring these two.
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
            "task": await asyncio.create_task(awhoami()),
            "without": await loop.run_in_executor(None, whoami),
            "with_snapshot": await loop.run_in_executor(None, caller.run, whoami),
            "caller_pool": await loop.run_in_executor(caller_pool, whoami),
        }


def shared_worker() -> Answer:
    """What a worker sees that this request starts for all, and what the job that it is handed."""
    job = snapshot()
    with without_caller(), ThreadPoolExecutor(1) as worker:
        alone = worker.submit(whoami).result()
        return {"alone": alone, "job": worker.submit(job.run, whoami).result()}


async def ashared_worker() -> Answer:
    """The same of a task, which copies the context of whoever starts it."""
    jobs = asyncio.Queue[Callable[[], Answer]]()
    done = asyncio.Queue[Answer]()

    async def work() -> None:
        while True:
            await done.put((await jobs.get())())

    job = snapshot()
    with without_caller():
        worker = asyncio.create_task(work())
    await jobs.put(whoami)
    await jobs.put(partial(job.run, whoami))
    found: Answer = {"alone": await done.get(), "job": await done.get()}
    worker.cancel()
    return found


async def awhoami() -> Answer:
    """`whoami()` for a task."""
    return whoami()


def whoami_by(taken: Snapshot) -> Answer:
    """`whoami()` with that snapshot, or the reason why it has no caller any more."""
    try:
        return taken.run(whoami)
    except NoCaller as absent:
        return {"caller": None, "absence": absent.reason}


def forked() -> Answer:
    """The caller in a forked process: by itself, with the context, and with a snapshot."""
    request, caller = contextvars.copy_context(), snapshot()
    named = Credential("authorization", "Bearer alice")
    fingerprint = named.fingerprint

    def look() -> Answer:
        return {
            "alone": whoami(),
            "with_context": request.run(whoami),
            "with_snapshot": whoami_by(caller),
            "same_fingerprint": named.fingerprint == fingerprint,
        }

    return {**whoami(), **_in_fork(look)}


def _in_fork(look: Callable[[], Answer]) -> Answer:
    reader, writer = os.pipe()
    leave, dismiss = os.pipe()
    with warnings.catch_warnings():
        # The warning is about locks that other threads hold. This child takes none.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        signal.alarm(_FORK_SECONDS)
        try:
            os.write(writer, json.dumps(look()).encode())
            # gevent misses a child that ends before its first fork has returned in the parent.
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


def texts() -> Answer:
    """Every text form of the caller's objects, and every error text about the caller."""
    caller, scope, taken = current_credentials(), current_scope(), snapshot()
    value = caller.headers()["authorization"]
    shown = [caller, *caller, scope, taken]
    return {
        "texts": [form(each) for form in (repr, str, "{}".format) for each in shown],
        "raised": [
            *(_raised_by(pickle.dumps, each) for each in shown),
            _raised_by(json.dumps, caller),
            _raised_by(setattr, caller, "_pairs", ()),
            _raised_by(acting_as, (value, "authorization")),
            _raised_by(acting_as, ("authorization", f"{value}, {value}")),
            _raised_by(Destinations("https://a.example").headers_for, f"https://b.example/{value}"),
        ],
    }


def _raised_by(act: Callable[..., object], *given: object) -> str:
    """The traceback of the error that this raises."""
    try:
        act(*given)
    except Exception as error:
        return "".join(traceback.format_exception(error))
    raise AssertionError(f"{act.__name__} raised nothing")


class _Log(logging.Handler):
    """Keeps the library's log records, for `logged`."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


_log = _Log()


def listen() -> Callable[[], None]:
    """Record everything that the library logs, however logging is configured.

    Returns a function that restores the configuration.
    """
    logger = logging.getLogger("passthrough_auth")
    level, disabled, disabled_below = logger.level, logger.disabled, logger.manager.disable

    def restore() -> None:
        logger.removeHandler(_log)
        logger.disabled = disabled
        logger.setLevel(level)
        logging.disable(disabled_below)

    # logging.config disables existing loggers by default.
    logger.disabled = False
    logger.setLevel(logging.DEBUG)
    logging.disable(logging.NOTSET)
    logger.addHandler(_log)
    return restore


def logged() -> Answer:
    """The library's log in this process: how often each message came, and the whole records."""
    records = list(_log.records)
    return {
        **whoami(),
        "log": Counter(record.getMessage() for record in records),
        "records": [repr(vars(record)) for record in records],
    }
