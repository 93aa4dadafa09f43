"""Bodies that are produced after the handler has returned."""

import asyncio
import contextvars
import gc
import threading
from contextlib import suppress

import pytest
from tests.core.test_context import ALICE, BOB, caller

from passthrough_auth.core import acting_as
from passthrough_auth.core.caller import AsyncBodyInContext, BodyInContext, CallerScope


def body_of(body, scope):
    """The body, run in a context in which the scope is current, as an adapter would."""
    context = contextvars.copy_context()
    context.run(scope.active().__enter__)
    return BodyInContext(body, context.run, scope.close)


class Body:
    """A body that notes the caller of its pieces and of its end."""

    def __init__(self, *, fails_to_close=False):
        self.closed_for = []
        self._fails = fails_to_close

    def __iter__(self):
        yield caller()
        yield caller()

    def close(self):
        self.closed_for.append(caller())
        if self._fails:
            raise RuntimeError("close")


def test_each_piece_has_the_caller_and_code_in_between_has_none():
    body = body_of(Body(), CallerScope(ALICE))

    assert next(body) == ALICE
    assert caller() == "outside"
    assert list(body) == [ALICE]
    assert caller() == "outside"


def test_any_thread_can_get_a_piece_and_close_the_body():
    inner = Body()
    body = body_of(inner, CallerScope(ALICE))
    found = []
    for step in (lambda: found.append(next(body)), lambda: found.append(next(body)), body.close):
        thread = threading.Thread(target=step)
        thread.start()
        thread.join()

    assert found == [*inner.closed_for, ALICE] == [ALICE, ALICE]


def test_closing_closes_the_body_once_in_its_context_and_ends_the_scope():
    inner, scope = Body(), CallerScope(ALICE)
    body = body_of(inner, scope)
    next(body)

    body.close()
    body.close()

    assert inner.closed_for == [ALICE]
    with scope.active():
        assert caller() == "ended"


def test_the_scope_ends_even_if_the_body_fails_to_close():
    scope = CallerScope(ALICE)

    with pytest.raises(RuntimeError, match="close"):
        body_of(Body(fails_to_close=True), scope).close()
    with scope.active():
        assert caller() == "ended"


def test_a_body_without_close_ends_too():
    scope = CallerScope(ALICE)
    body = body_of([b"whole"], scope)

    assert list(body) == [b"whole"]
    body.close()
    with scope.active():
        assert caller() == "ended"


def test_an_exception_in_a_body_reaches_the_code_that_iterates():
    def broken():
        yield 1
        raise KeyError

    body = body_of(broken(), CallerScope(ALICE))
    next(body)

    with pytest.raises(KeyError):
        next(body)
    assert caller() == "outside"


# --- Async --------------------------------------------------------------------------------------


async def pieces(closed_for):
    try:
        yield caller()
        await asyncio.sleep(0)
        yield caller()
    finally:
        closed_for.append(caller())


def test_each_async_piece_has_the_caller_and_code_in_between_has_none():
    async def ask():
        body = AsyncBodyInContext(pieces([]), CallerScope(ALICE))
        found = [await anext(body), caller()]
        found += [piece async for piece in body]
        return [*found, caller()]

    assert asyncio.run(ask()) == [ALICE, "outside", ALICE, "outside"]


def test_any_task_can_get_an_async_piece():
    async def ask():
        body = AsyncBodyInContext(pieces([]), CallerScope(ALICE))
        return [await asyncio.create_task(anext(body)) for _ in range(2)]

    assert asyncio.run(ask()) == [ALICE, ALICE]


def test_a_block_across_async_pieces_is_in_force_in_all_of_them():
    async def pieces():
        yield caller()
        with acting_as(("authorization", "Bearer bob"), bindings=()):
            yield caller()
            yield caller()
        yield caller()

    async def ask():
        body = AsyncBodyInContext(pieces(), CallerScope(ALICE))
        return [(piece, caller()) async for piece in body]

    assert asyncio.run(ask()) == [(each, "outside") for each in (ALICE, BOB, BOB, ALICE)]


async def failing():
    yield 1
    raise KeyError


@pytest.mark.parametrize("all_of", [pieces([]), failing()])
def test_an_async_body_that_has_no_more_pieces_has_ended(all_of):
    scope = CallerScope(ALICE)

    async def ask():
        body = AsyncBodyInContext(all_of, scope)
        with suppress(KeyError):
            async for _ in body:
                pass
        with scope.active():
            return caller()

    assert asyncio.run(ask()) == "ended"


@pytest.mark.parametrize(
    "begin",
    [lambda scope: AsyncBodyInContext(pieces([]), scope), lambda scope: body_of(Body(), scope)],
)
def test_a_body_that_is_not_closed_ends_when_it_is_freed(begin):
    """An error handler that answers instead doesn't close the response's body."""
    scope = CallerScope(ALICE)
    body = begin(scope)
    with scope.active():
        assert caller() == ALICE
    del body
    gc.collect()
    with scope.active():
        assert caller() == "ended"


def test_closing_closes_an_async_body_as_its_caller():
    async def ask():
        closed_for, scope = [], CallerScope(ALICE)
        body = AsyncBodyInContext(pieces(closed_for), scope)
        await anext(body)
        await body.aclose()
        with scope.active():
            return [*closed_for, caller()]

    assert asyncio.run(ask()) == [ALICE, "ended"]


def test_an_async_body_that_was_never_started_ends_too():
    async def ask():
        closed_for, scope = [], CallerScope(ALICE)
        await AsyncBodyInContext(pieces(closed_for), scope).aclose()
        with scope.active():
            return [*closed_for, caller()]

    assert asyncio.run(ask()) == ["ended"]


def test_a_plain_close_ends_the_scope_of_an_async_body():
    async def ask():
        body = AsyncBodyInContext(pieces([]), CallerScope(ALICE))
        body.close()
        return await anext(body)

    assert asyncio.run(ask()) == "ended"


def test_cancelling_a_piece_leaves_no_caller_behind():
    async def endless():
        await asyncio.sleep(3600)
        yield

    async def ask():
        task = asyncio.create_task(anext(AsyncBodyInContext(endless(), CallerScope(ALICE))))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return task.cancelled(), caller()

    assert asyncio.run(ask()) == (True, "outside")
