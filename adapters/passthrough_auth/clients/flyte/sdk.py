"""What the binding has to know of the SDK beyond its documented use. Each fact has a test."""

import inspect
import os
import threading
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AbstractContextManager
from typing import Any, NoReturn, cast, final

from flyte._context import internal_ctx
from flyte.syncify import Syncify, syncify

from passthrough_auth.core import PassthroughAuthError


class ForkedAfterImport(PassthroughAuthError, RuntimeError):
    """This process was forked after flyte was imported, so every call of the SDK would hang."""

    def __init__(self) -> None:
        super().__init__(
            "This process was forked after flyte was imported. The SDK runs on a thread that it "
            "starts on import and that a fork leaves behind, so every call of it would hang. "
            "Import flyte and call init_passthrough in the process that serves: without "
            "gunicorn's --preload (preload_app), or in a post_fork hook. An app that makes no "
            "calls to Flyte can say so with bindings=[]"
        )


def holding(*pairs: Iterable[str]) -> AbstractContextManager[object]:
    """A context manager within which the SDK holds these pairs of metadata, and no others.

    It reaches into the SDK. Its public `flyte.remote.auth_metadata` is the same in
    a generator, and refuses to hold nothing; and a generator that is dropped unfinished, as by a
    test client that doesn't close a response, is resumed by the garbage collector in the context
    of whatever code that happens to interrupt, where the SDK fails to undo it, and says so.
    """
    return cast("AbstractContextManager[object]", internal_ctx().new_metadata(cast("Any", pairs)))


def check_not_forked() -> None:
    """Raise `ForkedAfterImport` where the SDK's thread doesn't run in this process."""
    if os.getpid() != _PROCESS_OF_LOOP:
        raise ForkedAfterImport


@final
class _LoopLeftBehind:
    """Stands in for the SDK's event loop in a process where no thread runs it.

    The SDK reads nothing of a request before it hands a call to its loop, and then waits for ever.
    """

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: object) -> None:
        callback(*args)

    def create_task(self, coroutine: Coroutine[Any, Any, object]) -> NoReturn:
        """What a call handed over comes to: it is not made, and whoever made it is told."""
        coroutine.close()
        raise ForkedAfterImport

    def stop(self) -> None:
        """What the SDK asks for when the process ends."""


def _refuse_calls() -> None:
    cast("Any", syncify)._bg_loop.loop = _LoopLeftBehind()  # noqa: SLF001 - the SDK has no public way to its loop


def _loop_runs_here() -> bool:
    name = inspect.signature(Syncify).parameters["name"].default
    return name in {thread.name for thread in threading.enumerate()}


_PROCESS_OF_LOOP = os.getpid() if _loop_runs_here() else None
if _PROCESS_OF_LOOP is None:
    _refuse_calls()  # this module is itself imported after the fork
elif hasattr(os, "register_at_fork"):  # where it isn't, nothing forks
    os.register_at_fork(after_in_child=_refuse_calls)
