"""Bodies that are produced after the handler has returned."""

import asyncio
import contextvars
import gc
import threading
from contextlib import suppress

import pytest
from tests.core.test_context import ALICE, BOB, Recorder, caller

from passthrough_auth.core import (
    AsyncBodyInContext,
    BodyInContext,
    Credentials,
    Hold,
    auth_metadata,
)


def body_of(body, hold):
    """The body, run in a context in which the hold is current, as an adapter would."""
    context = contextvars.copy_context()
    context.run(hold.active().__enter__)
    return BodyInContext(body, context.run, hold.close)


class Body:
    """A body that notes who its pieces, and its end, were for."""

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


def test_each_piece_is_produced_for_the_caller_and_nothing_in_between():
    body = body_of(Body(), Hold(ALICE))

    assert next(body) == ALICE
    assert caller() == "outside"
    assert list(body) == [ALICE]
    assert caller() == "outside"


def test_any_thread_may_ask_for_a_piece_and_for_the_end():
    inner = Body()
    body = body_of(inner, Hold(ALICE))
    found = []
    for step in (lambda: found.append(next(body)), lambda: found.append(next(body)), body.close):
        thread = threading.Thread(target=step)
        thread.start()
        thread.join()

    assert found == [*inner.closed_for, ALICE] == [ALICE, ALICE]


def test_closing_reaches_the_body_in_its_context_once_and_ends_the_hold():
    inner, hold = Body(), Hold(ALICE)
    body = body_of(inner, hold)
    next(body)

    body.close()
    body.close()

    assert inner.closed_for == [ALICE]
    with hold.active():
        assert caller() == "ended"


def test_a_body_that_fails_to_close_has_ended_all_the_same():
    hold = Hold(ALICE)

    with pytest.raises(RuntimeError, match="close"):
        body_of(Body(fails_to_close=True), hold).close()
    with hold.active():
        assert caller() == "ended"


def test_a_body_without_close_is_just_left():
    hold = Hold(ALICE)
    body = body_of([b"whole"], hold)

    assert list(body) == [b"whole"]
    body.close()
    with hold.active():
        assert caller() == "ended"


def test_an_exception_in_a_body_comes_out_where_the_piece_was_asked_for():
    def broken():
        yield 1
        raise KeyError

    body = body_of(broken(), Hold(ALICE))
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


def test_each_async_piece_is_produced_for_the_caller_and_nothing_in_between():
    async def ask():
        body = AsyncBodyInContext(pieces([]), Hold(ALICE))
        found = [await anext(body), caller()]
        found += [piece async for piece in body]
        return [*found, caller()]

    assert asyncio.run(ask()) == [ALICE, "outside", ALICE, "outside"]


def test_each_async_piece_may_be_asked_for_by_another_task():
    async def ask():
        body = AsyncBodyInContext(pieces([]), Hold(ALICE))
        return [await asyncio.create_task(anext(body)) for _ in range(2)]

    assert asyncio.run(ask()) == [ALICE, ALICE]


def test_a_block_across_async_pieces_is_in_force_in_all_of_them():
    async def pieces():
        yield caller()
        with auth_metadata(("authorization", "Bearer bob"), bindings=()):
            yield caller()
            yield caller()
        yield caller()

    async def ask():
        body = AsyncBodyInContext(pieces(), Hold(ALICE))
        return [(piece, caller()) async for piece in body]

    assert asyncio.run(ask()) == [(each, "outside") for each in (ALICE, BOB, BOB, ALICE)]


async def failing():
    yield 1
    raise KeyError


@pytest.mark.parametrize("all_of", [pieces([]), failing()])
def test_an_async_body_that_has_no_more_pieces_has_ended(all_of):
    hold = Hold(ALICE)

    async def ask():
        body = AsyncBodyInContext(all_of, hold)
        with suppress(KeyError):
            async for _ in body:
                pass
        with hold.active():
            return caller()

    assert asyncio.run(ask()) == "ended"


@pytest.mark.parametrize(
    "begin", [lambda hold: AsyncBodyInContext(pieces([]), hold), lambda hold: body_of(Body(), hold)]
)
def test_a_body_that_nobody_closes_has_ended_when_it_is_gone(begin):
    """Whoever answers in place of the response doesn't close it."""
    hold = Hold(ALICE)
    body = begin(hold)
    with hold.active():
        assert caller() == ALICE
    del body
    gc.collect()
    with hold.active():
        assert caller() == "ended"


def test_bindings_are_entered_for_each_async_piece():
    binding = Recorder()

    async def ask():
        body = AsyncBodyInContext(pieces([]), Hold(ALICE, bindings=(binding,)))
        return [piece async for piece in body]

    asyncio.run(ask())

    assert binding.seen == [ALICE, "left"] * 3


def test_closing_reaches_an_async_body_on_behalf_of_its_caller():
    async def ask():
        closed_for, hold = [], Hold(ALICE)
        body = AsyncBodyInContext(pieces(closed_for), hold)
        await anext(body)
        await body.aclose()
        with hold.active():
            return [*closed_for, caller()]

    assert asyncio.run(ask()) == [ALICE, "ended"]


def test_an_async_body_never_asked_for_ends_as_well():
    async def ask():
        closed_for, hold = [], Hold(ALICE)
        await AsyncBodyInContext(pieces(closed_for), hold).aclose()
        with hold.active():
            return [*closed_for, caller()]

    assert asyncio.run(ask()) == ["ended"]


def test_a_plain_close_ends_the_hold_of_an_async_body():
    async def ask():
        binding = Recorder()
        body = AsyncBodyInContext(pieces([]), Hold(ALICE, bindings=(binding,)))
        body.close()
        return await anext(body), binding.seen

    assert asyncio.run(ask()) == ("ended", [Credentials(), "left"])


def test_cancelling_a_piece_leaves_nothing_behind():
    async def endless():
        await asyncio.sleep(3600)
        yield

    async def ask():
        task = asyncio.create_task(anext(AsyncBodyInContext(endless(), Hold(ALICE))))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return task.cancelled(), caller()

    assert asyncio.run(ask()) == (True, "outside")
