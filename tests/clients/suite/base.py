"""The common part of the drivers of synchronous clients, and of asynchronous ones."""

import asyncio
import contextvars
from abc import abstractmethod
from collections.abc import Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from passthrough_auth.core import Destinations

from .model import As, Call, Driver, Reply, World

T = TypeVar("T")


class SyncDriver(Driver):
    """Many calls at once are made by threads."""

    def fetch_many(self, client: Any, calls: list[As], workers: int) -> list[Reply]:
        def fetch(each: As) -> Reply:
            with each.serving():
                return self.fetch(client, each.call)

        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(fetch, calls))


@dataclass(frozen=True, slots=True)
class Opened:
    """An asynchronous client, and the loop that it belongs to."""

    runner: asyncio.Runner
    client: Any

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it in a copy of the current context, as a handler's own call would be."""
        return self.runner.run(coroutine, context=contextvars.copy_context())


class AsyncDriver(Driver):
    """Many calls at once are made by tasks. One call is run to its end on the client's loop."""

    features = Driver.features | {"cancellation"}

    @abstractmethod
    def connect(
        self, world: World, destinations: Destinations, base_url: str | None, **options: bool
    ) -> AbstractAsyncContextManager[Any]:
        """The caller's client. Called on its loop."""

    @abstractmethod
    async def call(self, client: Any, call: Call) -> Reply:
        """Make a call, following redirects."""

    @contextmanager
    def open(
        self,
        world: World,
        destinations: Destinations,
        base_url: str | None = None,
        **options: bool,
    ) -> Generator[Opened]:
        with asyncio.Runner() as runner:
            stack = AsyncExitStack()

            async def enter() -> Any:
                connecting = self.connect(world, destinations, base_url, **options)
                return await stack.enter_async_context(connecting)

            try:
                yield Opened(runner, runner.run(enter()))
            finally:
                runner.run(stack.aclose())

    def fetch(self, client: Opened, call: Call) -> Reply:
        return client.run(self.call(client.client, call))

    def fetch_many(self, client: Opened, calls: list[As], workers: int) -> list[Reply]:
        async def every() -> list[Reply]:
            free = asyncio.Semaphore(workers)

            async def fetch(each: As) -> Reply:
                async with free:
                    with each.serving():
                        return await self.call(client.client, each.call)

            return await asyncio.gather(*map(fetch, calls))

        return client.run(every())

    def cancel(self, client: Opened, call: Call) -> BaseException:
        async def cancelled() -> BaseException:
            task = asyncio.ensure_future(self.call(client.client, call))
            await asyncio.sleep(0.2)
            task.cancel()
            (outcome,) = await asyncio.gather(task, return_exceptions=True)
            assert isinstance(outcome, BaseException), outcome
            return outcome

        return client.run(cancelled())
