"""An app whose WebSockets have their token among the subprotocols, and say what the app sees."""

import json

from passthrough_auth.core import current_credentials, extract_websocket_token
from passthrough_auth.frameworks.asgi import PassthroughAuthMiddleware


async def greet(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
        return
    await receive()
    await send({"type": "websocket.accept", "subprotocol": scope["subprotocols"][0]})
    seen = {"caller": current_credentials().headers(), "scope": str(scope)}
    await send({"type": "websocket.send", "text": json.dumps(seen)})
    await send({"type": "websocket.close", "code": 1000})


def readable(request, refusal):
    """A refusal that a page can read: 4401 for a 401."""
    return refusal._replace(close_code=4000 + refusal.status)


asgi = PassthroughAuthMiddleware(
    greet,
    header_extractors=[extract_websocket_token()],
    excluded_paths={"/"},
    on_refusal=readable,
)
