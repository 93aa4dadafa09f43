"""The checks for a user's own tests: shared workers, and tasks that run eagerly."""

import asyncio
import sys
from importlib import import_module
from types import ModuleType

import celery
import django
import pytest
from django.conf import settings
from django.test.utils import override_settings
from tests.frameworks.asgi_server import ALICE, ask, caller, http_scope

from passthrough_auth.core import acting_as, without_caller
from passthrough_auth.frameworks.asgi import PassthroughAuthMiddleware
from passthrough_auth.testing.callers import eager_tasks_without_caller, no_shared_workers

TASKS_TELL = sys.version_info >= (3, 12)


def serving(start):
    """An app whose first request starts a worker with this function."""

    async def work_for_all():
        await asyncio.sleep(3600)

    workers = []

    async def app(scope, receive, send):
        if not workers:
            workers.append(start(work_for_all))
        await asyncio.create_task(asyncio.sleep(0))  # one that ends with the request is all right
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return PassthroughAuthMiddleware(app, bindings=[])


def started(work):
    return asyncio.create_task(work())


def started_without_caller(work):
    with without_caller():
        return asyncio.create_task(work())


@pytest.mark.skipif(not TASKS_TELL, reason="tasks tell their context from Python 3.12 on")
def test_a_worker_that_a_request_starts_for_all_is_found():
    with pytest.raises(AssertionError, match=r"work_for_all.*without_caller"), no_shared_workers():
        ask(serving(started), http_scope("/", ALICE))


@pytest.mark.skipif(not TASKS_TELL, reason="tasks tell their context from Python 3.12 on")
def test_one_that_is_started_without_caller_is_not():
    with no_shared_workers():
        ask(serving(started_without_caller), http_scope("/", ALICE))
        with acting_as(ALICE, bindings=[]):
            pass  # ends where no loop runs


@pytest.mark.skipif(TASKS_TELL, reason="they do")
def test_where_tasks_don_t_tell_their_context_the_check_says_so():
    with pytest.raises(RuntimeError, match=r"Python 3\.12"), no_shared_workers():
        pass


def seen_by_eager(enqueue):
    """What a task sees in a request, and what it sees in the block."""
    with acting_as(ALICE, bindings=[]):
        eager = enqueue()
        with eager_tasks_without_caller():
            return eager, enqueue()


def test_an_eager_celery_task_is_nobody_s():
    app = celery.Celery("eager", broker="memory://", backend="cache+memory://")
    app.conf.task_always_eager = True
    task = app.task(caller)

    assert seen_by_eager(lambda: task.delay().get()) == (ALICE[1], "outside")
    assert seen_by_eager(lambda: task.apply().get()) == (ALICE[1], "outside")


# Django has its own from 6.0 on.
@pytest.mark.parametrize(
    "library", ["django_tasks", *(["django.tasks"] if django.VERSION >= (6,) else [])]
)
def test_an_immediate_task_of_django_is_nobody_s(library, monkeypatch):
    tasks = import_module(library)
    module = ModuleType("eager_tasks")
    module.who = lambda: caller()  # noqa: PLW0108 - its names are changed
    module.who.__module__, module.who.__qualname__ = "eager_tasks", "who"
    monkeypatch.setitem(sys.modules, "eager_tasks", module)
    if not settings.configured:
        settings.configure()
    backend = f"{library}.backends.immediate.ImmediateBackend"
    with override_settings(TASKS={"default": {"BACKEND": backend}}, USE_TZ=True):
        task = tasks.task(module.who)
        module.who = task

        found = seen_by_eager(lambda: task.enqueue().return_value)

    assert found == (ALICE[1], "outside")
