"""The middleware for Starlette and any other ASGI application, for HTTP and WebSockets."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Unpack

from passthrough_auth.core.caller import CallerScope, caller_var
from passthrough_auth.core.inbound import (
    Admission,
    AsgiRequest,
    Gate,
    HeaderExtractor,
    PathRule,
    PolicyOptions,
    Refusal,
    check_option_names,
)

from ._lifespan import fail_startup, misplaced

__all__ = ["App", "Message", "PassthroughAuthMiddleware", "Receive", "Scope", "Send"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_FLASKS_OWN = {
    "allow_preflight": "it would let handlers run without credentials here. Add CORSMiddleware "
    "after this one, which puts it outside, so that it answers preflights itself"
}
_POLICY_VIOLATION = 1008  # RFC 6455 section 7.4.1
# Messages that may be sent before a response and don't start it.
_BEFORE_AN_ANSWER = frozenset({"http.response.early_hint", "http.response.push"})


class PassthroughAuthMiddleware:
    """Serves each request as the caller who sent it, and refuses requests without credentials.

        app.add_middleware(PassthroughAuthMiddleware, excluded_paths={"/health"})

    Takes the options of `passthrough_auth.core.inbound.Gate`, and raises `ConfigurationError` for a
    wrong one. The caller is visible (`current_credentials()`) in all of the app's code until the
    app returns: handlers, dependencies, background tasks, streamed bodies, WebSockets.
    """

    request_class: type[AsgiRequest] = AsgiRequest

    def __init__(
        self,
        app: App,
        header_extractors: Iterable[HeaderExtractor] | None = None,
        excluded_paths: Iterable[PathRule] | None = None,
        **options: Unpack[PolicyOptions],
    ) -> None:
        check_option_names(options, source=type(self).__name__, elsewhere=_FLASKS_OWN)
        self.app = app
        self.gate = Gate(
            header_extractors=header_extractors, excluded_paths=excluded_paths, **options
        )
        self.admit: Callable[[AsgiRequest], Admission] = self.gate.admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            error = misplaced()
            if error is None:
                await self.app(scope, receive, send)
                return
            await fail_startup(error, receive, send)
        request = self.request_class(scope)
        del scope  # a traceback with locals would show the headers in it
        admission = self.admit(request)
        connected = gone = started = False
        # A server starts the next request on the connection from within receive and send, in a copy
        # of the context that it is called in: nobody's, or that request would begin as this caller.
        # A bound client may also hold credentials for the scope that an outer layer was in, so each
        # request has a scope of its own there.
        outside = CallerScope(None, "outside") if self.gate.has_bound_clients else None

        async def receive_noting_state() -> Message:
            nonlocal connected, gone
            token = caller_var.set(outside)
            try:
                message = await receive()
            finally:
                caller_var.reset(token)
            connected = True
            gone = message["type"] == "websocket.disconnect"
            return message

        async def send_noting_start(message: Message) -> None:
            nonlocal started
            started = started or message["type"] not in _BEFORE_AN_ANSWER
            token = caller_var.set(outside)
            try:
                await send(message)
            finally:
                caller_var.reset(token)

        try:
            if admission.refusal is not None:
                await _refuse(request, admission.refusal, receive_noting_state, send_noting_start)
                return
            token = caller_var.set(admission)
            try:
                await self.app(request.scope, receive_noting_state, send_noting_start)
            finally:
                caller_var.reset(token)
        except Exception as error:
            # The error may mean that upstream refuses the caller.
            refusal = None if started or gone else self.gate.refusal_for(request, error)
            if refusal is None:
                raise
            asked = None if connected else receive_noting_state
            await _refuse(request, refusal, asked, send_noting_start)
        finally:
            admission.close()


async def _refuse(
    request: AsgiRequest, refusal: Refusal, receive: Receive | None, send: Send
) -> None:
    """Answer with a refusal. A WebSocket is accepted only to close it, if the refusal says so.

    `receive` gives the websocket.connect message, which must be received before any answer. It is
    None if the app has already received that message.
    """
    prefix = "http"
    if request.transport == "websocket":
        if receive is not None:
            await receive()
        if refusal.close_code is not None:
            # A browser fails a connection that selects none of the subprotocols it has offered.
            selected = next(iter(request.scope.get("subprotocols") or ()), None)
            await send({"type": "websocket.accept", "subprotocol": selected})
            await send({"type": "websocket.close", "code": refusal.close_code, "reason": ""})
            return
        if "websocket.http.response" not in (request.scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": ""})
            return
        prefix = "websocket.http"
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in refusal.headers]
    await send({"type": f"{prefix}.response.start", "status": refusal.status, "headers": headers})
    await send({"type": f"{prefix}.response.body", "body": refusal.body_for(request.method)})
