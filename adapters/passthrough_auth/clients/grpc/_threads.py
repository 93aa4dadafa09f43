"""Calls of channels that threads share."""

from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from typing import Any, NamedTuple, cast

import grpc

from passthrough_auth.core.caller import BodyInContext, mark_answer, without_caller
from passthrough_auth.core.origin import Origin
from passthrough_auth.core.outbound import Destinations

from ._metadata import CallerMetadata, status_of

Continuation = Callable[..., Any]


def calling_as_the_caller(
    channel: grpc.Channel, destinations: Destinations, origin: Origin
) -> grpc.Channel:
    """This channel, with each call made as its caller, and nothing else done as one."""
    watched = cast("grpc.Channel", _WatchedByNobody(channel))
    return grpc.intercept_channel(watched, _Interceptor(CallerMetadata(destinations, origin)))


class _WatchedByNobody:
    """A channel that calls its watchers without a caller, as they share a thread."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel

    def subscribe(self, *args: Any, **options: Any) -> None:
        with without_caller():
            self._channel.subscribe(*args, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)


class _Details(NamedTuple):
    """The details of a call."""

    method: Any
    timeout: float | None
    metadata: Any
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: Any


class _CallDetails(_Details, grpc.ClientCallDetails):
    """The same, in the class that gRPC wants."""


class _Interceptor(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Adds the caller to each call, in the thread and context that makes it."""

    def __init__(self, metadata: CallerMetadata) -> None:
        self._metadata = metadata

    def intercept_unary_unary(
        self, continuation: Continuation, client_call_details: Any, request: Any
    ) -> Any:
        return self._call(continuation, client_call_details, request)

    def intercept_unary_stream(
        self, continuation: Continuation, client_call_details: Any, request: Any
    ) -> Any:
        return self._call(continuation, client_call_details, request)

    def intercept_stream_unary(
        self, continuation: Continuation, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return self._call(continuation, client_call_details, _in_context(request_iterator))

    def intercept_stream_stream(
        self, continuation: Continuation, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return self._call(continuation, client_call_details, _in_context(request_iterator))

    def _call(self, continuation: Continuation, details: Any, request: Any) -> Any:
        metadata, credentials, as_caller = self._metadata.of(details)
        carrying = _CallDetails(
            details.method,
            details.timeout,
            metadata,
            credentials,
            details.wait_for_ready,
            details.compression,
        )
        # A thread that gRPC starts for one call serves all calls of the channel: it runs their
        # callbacks, in a copy of the context that it was started in.
        with without_caller():
            call = continuation(carrying, request)
        if as_caller:
            # It is also the error that is raised if it fails.
            mark_answer(call, status_of)
        return call


def _in_context(requests: Iterable[Any]) -> Iterator[Any]:
    """These requests, each produced in the context of the call, in any thread that asks for it."""
    return BodyInContext(requests, copy_context().run, on_close=lambda: None)
