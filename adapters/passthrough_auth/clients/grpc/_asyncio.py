"""Calls of channels that belong to an event loop."""

from collections.abc import Callable
from typing import Any

import grpc.aio

from passthrough_auth.core.caller import mark_answer
from passthrough_auth.core.origin import Origin
from passthrough_auth.core.outbound import Destinations

from ._metadata import CallerMetadata, status_of

Continuation = Callable[..., Any]


def caller_interceptors(
    destinations: Destinations, origin: Origin
) -> list[grpc.aio.ClientInterceptor]:
    """One interceptor for each kind of call, as grpc.aio uses each for one kind only."""
    metadata = CallerMetadata(destinations, origin)
    kinds = (_UnaryUnary, _UnaryStream, _StreamUnary, _StreamStream)
    return [kind(metadata) for kind in kinds]


class _Interceptor:
    """Adds the caller to each call, in the context of the task that makes it."""

    def __init__(self, metadata: CallerMetadata) -> None:
        self._metadata = metadata

    async def call(self, continuation: Continuation, details: Any, request: Any) -> Any:
        """Make the call, with the caller's metadata."""
        metadata, credentials, as_caller = self._metadata.of(details)
        carrying = grpc.aio.ClientCallDetails(
            details.method,
            details.timeout,
            grpc.aio.Metadata(*metadata),
            credentials,
            details.wait_for_ready,
        )
        call: Any = await continuation(carrying, request)
        del carrying, metadata, credentials  # a traceback with locals would show them
        if as_caller and _is_unary(call):
            await _marking_its_error(call)
        return call


def _is_unary(call: object) -> bool:
    return isinstance(call, grpc.aio.UnaryUnaryCall)


async def _marking_its_error(call: Any) -> None:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        mark_answer(error, status_of)
        raise


class _UnaryUnary(_Interceptor, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self, continuation: Continuation, client_call_details: Any, request: Any
    ) -> Any:
        return await self.call(continuation, client_call_details, request)


class _UnaryStream(_Interceptor, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(
        self, continuation: Continuation, client_call_details: Any, request: Any
    ) -> Any:
        return await self.call(continuation, client_call_details, request)


class _StreamUnary(_Interceptor, grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self, continuation: Continuation, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await self.call(continuation, client_call_details, request_iterator)


class _StreamStream(_Interceptor, grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(
        self, continuation: Continuation, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await self.call(continuation, client_call_details, request_iterator)
