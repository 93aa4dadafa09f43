"""Identifies the caller, carries out planned faults and records, before every method."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.request import Headers, RequestContext

from passthrough_auth.testing.flyte.backend import Backend
from passthrough_auth.testing.flyte.model import Call, Fault

HangUp = Callable[[str], Awaitable[None]]
"""Close the connection of the client at that "address:port", and return when it is closed."""

_CODES: Mapping[Fault, Code] = {
    "unauthenticated": Code.UNAUTHENTICATED,
    "denied": Code.PERMISSION_DENIED,
    "unavailable": Code.UNAVAILABLE,
}


class _HungUpError(ConnectError):
    """The planned fault "hung up": close the connection without an answer."""

    def __init__(self) -> None:
        super().__init__(Code.UNAVAILABLE, "hung up")


def record(backend: Backend, service: str, method: str, headers: Headers, outcome: str) -> None:
    """Record a call that is about to be answered."""
    lines: dict[str, tuple[str, ...]] = {}
    for name, value in headers.allitems():
        lines[name.lower()] = (*lines.get(name.lower(), ()), value)
    at, caller = time.time(), backend.subject_of(headers)
    backend.record(
        Call(at=at, service=service, method=method, caller=caller, outcome=outcome, headers=lines)
    )


class Guard:
    """An interceptor for every method. It carries out planned faults, identifies and records."""

    def __init__(self, backend: Backend, hang_up: HangUp) -> None:
        self._backend = backend
        self._hang_up = hang_up

    async def intercept_unary(
        self,
        call_next: Callable[[Any, RequestContext[Any, Any]], Awaitable[Any]],
        request: Any,
        ctx: RequestContext[Any, Any],
    ) -> Any:
        """See connectrpc's `UnaryInterceptor`."""
        try:
            await self._admit(ctx)
            response = await call_next(request, ctx)
        except ConnectError as error:
            await self._refuse(error, ctx)
            raise
        self._record(ctx, "ok")
        return response

    async def intercept_server_stream(
        self,
        call_next: Callable[[Any, RequestContext[Any, Any]], AsyncIterator[Any]],
        request: Any,
        ctx: RequestContext[Any, Any],
    ) -> AsyncIterator[Any]:
        """See connectrpc's `ServerStreamInterceptor`."""
        begun = False
        try:
            await self._admit(ctx)
            async for message in call_next(request, ctx):
                if not begun:
                    self._record(ctx, "ok")
                    begun = True
                yield message
        except ConnectError as error:
            if not begun:
                await self._refuse(error, ctx)
            raise

    async def _admit(self, ctx: RequestContext[Any, Any]) -> None:
        """Let the call pass, after a planned delay if any, or raise its ConnectError."""
        headers = ctx.request_headers()
        plan = self._backend.take_plan(ctx.method().name, self._backend.subject_of(headers))
        if plan and plan.fault == "hung up":
            raise _HungUpError
        if plan and plan.fault == "slow":
            await asyncio.sleep(plan.seconds)
        elif plan:
            raise ConnectError(_CODES[plan.fault], f"planned fault: {plan.fault}")
        self._backend.identify(headers)

    async def _refuse(self, error: ConnectError, ctx: RequestContext[Any, Any]) -> None:
        """Record a call that ends with this error, and hang up if that was planned."""
        if isinstance(error, _HungUpError):
            self._record(ctx, "hung up")
            await self._hang_up(ctx.client_address() or "")
        else:
            self._record(ctx, error.code.value)

    def _record(self, ctx: RequestContext[Any, Any], outcome: str) -> None:
        method = ctx.method()
        record(self._backend, method.service_name, method.name, ctx.request_headers(), outcome)
