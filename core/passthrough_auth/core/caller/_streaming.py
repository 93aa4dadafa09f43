"""Streamed bodies: they are produced after the handler has returned, still as its caller."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from ._context import CallerScope, current_scope

T = TypeVar("T")
R = TypeVar("R")


class Runner(Protocol):
    """Calls a function in some context, like `Context.run`."""

    def __call__(self, function: Callable[..., R], /, *args: Any) -> R: ...


class BodyInContext(Generic[T]):
    """A body whose pieces are all produced in the context of its request, through `run`.

    The server may ask for the pieces from any thread. `on_close` ends the scope. It is called once
    when the body is closed, even if the body was never exhausted, or if closing it raises.
    """

    def __init__(self, body: Iterable[T], run: Runner, on_close: Callable[[], object]) -> None:
        self._body = body
        self._run = run
        self._on_close = on_close
        self._pieces: Iterator[T] | None = None
        self._closed = False

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._pieces is None:
            self._pieces = self._run(iter, self._body)
        piece: T = self._run(next, self._pieces)
        return piece

    def close(self) -> None:
        """Close the body in its context, and end the scope."""
        if self._closed:
            return
        self._closed = True
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                self._run(close)
        finally:
            self._on_close()

    def __del__(self) -> None:
        # If something replaces the response, nobody may ever close its body.
        if not self._closed:
            self._on_close()


class AsyncBodyInContext(Generic[T]):
    """An async body. The scope is current while each piece is produced, and not in between.

    An async generator runs in the context of the code that asks for the next piece. Its own context
    would not reach it, and a value set across its `yield` would remain in the other context.
    """

    def __init__(self, body: AsyncIterable[T], scope: CallerScope) -> None:
        self._body = body
        self._scope = scope
        # The scope that a block in the body has made current, if it lasts across a `yield`.
        self._current = scope
        self._pieces: AsyncIterator[T] | None = None

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        try:
            with self._current.active():
                if self._pieces is None:
                    self._pieces = aiter(self._body)
                piece = await anext(self._pieces)
                self._current = current_scope() or self._scope
                return piece
        except BaseException:
            self._scope.close()  # a body that has ended, or failed, has no more pieces
            raise

    async def aclose(self) -> None:
        """Close the body on behalf of its caller, and end the scope."""
        try:
            close = getattr(self._pieces, "aclose", None)
            if close is not None:
                with self._current.active():
                    await close()
        finally:
            self._scope.close()

    def close(self) -> None:
        """End the scope, if only a plain call is possible."""
        self._scope.close()

    def __del__(self) -> None:
        # If something replaces the response, nobody may ever close its body.
        self._scope.close()
