"""Checks for a user's own tests: is work done as the caller whom it is for?"""

import asyncio
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, cast
from unittest.mock import patch

from passthrough_auth.core.caller import CallerScope, caller_var, without_caller

__all__ = ["eager_tasks_without_caller", "no_shared_workers"]


@contextmanager
def no_shared_workers() -> Generator[None]:
    """Fail if a request in this block starts an asyncio task that goes on after it, as its caller.

        with no_shared_workers():
            client.get("/jobs", headers={"authorization": "Bearer alice"})

    Such a task does the work of all later requests as the one that happened to start it, for as
    long as that one lasts. `with without_caller():` around its start makes it nobody's.

    Raises `AssertionError` at the end of the block, with the names of the tasks, and `RuntimeError`
    before Python 3.12, in which a task doesn't tell its context.
    """
    if not hasattr(asyncio.Task, "get_context"):
        raise RuntimeError("no_shared_workers needs Python 3.12 or newer: tasks tell their context")
    found: dict[str, None] = {}
    close = CallerScope.close

    def closing(scope: CallerScope) -> None:
        found.update(dict.fromkeys(_left_by(scope)))
        close(scope)

    with patch.object(CallerScope, "close", closing):
        yield
    assert not found, (
        f"these tasks were started in a request, and go on after it as its caller: "
        f"{', '.join(found)}. Start them with `with without_caller():` around, and hand each job "
        "its caller: `snapshot()`"
    )


def _left_by(scope: CallerScope) -> Iterator[str]:
    try:
        tasks, own = asyncio.all_tasks(), asyncio.current_task()
    except RuntimeError:
        return  # no loop runs here
    for task in tasks:
        context = cast("Any", task).get_context()
        if task is not own and context.get(caller_var) is scope:
            yield getattr(task.get_coro(), "__qualname__", task.get_name())


@contextmanager
def eager_tasks_without_caller() -> Generator[None]:
    """Run eager tasks as a worker does: without the caller of the request that enqueues them.

    An eager Celery (`task_always_eager`) and the immediate backends of `django.tasks` and of
    django-tasks run a task in the request. There it sees the caller, whom no real worker sees. In
    this block a task that asks for the caller raises `NoCaller`, as it will in production. Covers
    those of the three that are installed.
    """
    with ExitStack() as stack:
        for module, name, method in _EAGER:
            try:
                found = __import__(module, fromlist=[name])
            except ImportError:
                continue
            owner = getattr(found, name)
            stack.enter_context(patch.object(owner, method, _as_nobody(getattr(owner, method))))
        yield


# The function of each library that runs a task where it was enqueued.
_EAGER = (
    ("celery.app.task", "Task", "apply"),
    ("django.tasks.backends.immediate", "ImmediateBackend", "_execute_task"),
    ("django_tasks.backends.immediate", "ImmediateBackend", "_execute_task"),
)


def _as_nobody(run: Callable[..., Any]) -> Callable[..., Any]:
    def without(*arguments: Any, **options: Any) -> Any:
        with without_caller():
            return run(*arguments, **options)

    return without
