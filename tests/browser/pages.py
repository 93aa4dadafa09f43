"""An app with a session cookie, and a page of another origin that tries what pages can try."""

import json
import os
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute

from passthrough_auth.core import (
    current_credentials,
    extract_bearer_token,
    extract_cookies,
    extract_websocket_token,
)
from passthrough_auth.frameworks.asgi import PassthroughAuthMiddleware

REPORT = Path(os.environ["PAGES_REPORT"])


async def login(request):
    answer = RedirectResponse(request.query_params["next"], status_code=303)
    answer.set_cookie("session", "victim")
    return answer


async def act(request):
    return JSONResponse(current_credentials().headers())


async def talk(websocket):
    await websocket.accept(subprotocol="app.v1")
    await websocket.send_json(current_credentials().headers())
    await websocket.close()


app = Starlette(
    routes=[
        Route("/login", login),
        Route("/act", act, methods=["GET", "POST"]),
        WebSocketRoute("/ws", talk),
    ],
    middleware=[
        # Pages of the other origin may read answers, but it is not in trusted_origins.
        Middleware(
            CORSMiddleware,
            allow_origin_regex="http://localhost:[0-9]+",
            allow_credentials=True,
            allow_methods=["POST"],
            allow_headers=["authorization"],
        ),
        Middleware(
            PassthroughAuthMiddleware,
            header_extractors=[
                extract_bearer_token,
                extract_websocket_token(),
                extract_cookies("session"),
            ],
            excluded_paths={"/login", "/page", "/report"},
            on_refusal=lambda request, refusal: refusal._replace(close_code=4000 + refusal.status),
        ),
    ],
)

# What docs/deployment.md tells a page to write.
WRITTEN = (
    (Path(__file__).parents[2] / "docs" / "deployment.md")
    .read_text(encoding="utf-8")
    .partition("```text\nconst token")[2]
    .partition("```")[0]
    .replace('"wss://app.example.com/events"', 'app.replace("http", "ws") + "/ws"')
)

PAGE = """
<script>
const app = new URLSearchParams(location.search).get("app");
const own = app === location.origin;
async function fetched(options) {
    const response = await fetch(app + "/act", {credentials: "include", ...options});
    return [response.status, await response.json()];
}
function talked(...subprotocols) {
    return new Promise((resolve) => {
        const socket = new WebSocket(app.replace("http", "ws") + "/ws", subprotocols);
        const heard = [];
        socket.onmessage = (event) => heard.push(JSON.parse(event.data));
        socket.onclose = (event) => resolve([event.code, socket.protocol, ...heard]);
    });
}
function documented(accessToken) {
    return new Promise((resolve) => {
        const logIn = () => resolve("log in");
        const token WRITTEN
        socket.onmessage = (event) => resolve(JSON.parse(event.data));
    });
}
const bearer = {authorization: "Bearer junk"};
const token = "bearer." + btoa("tok-alice").replace(/=/g, "");
async function all() {
    return {
        "GET with the cookie": await fetched({}),
        "POST with the cookie": await fetched({method: "POST"}),
        "POST with the cookie and a token": await fetched({method: "POST", headers: bearer}),
        "POST with a token alone":
            await fetched({method: "POST", headers: bearer, credentials: "omit"}),
        "WebSocket with the cookie": await talked("app.v1"),
        "WebSocket with the cookie and a token": await talked("app.v1", token),
        "WebSocket as documented": own && await documented("tok~?>"),
        "WebSocket as documented, with a malformed token": own && await documented("two words"),
    };
}
all().catch(String).then(
    (seen) => fetch("/report", {method: "POST", body: JSON.stringify(seen)}));
</script>
"""


async def page(request):
    return HTMLResponse(PAGE.replace("WRITTEN", WRITTEN))


async def report(request):
    written = REPORT.with_suffix(".part")
    written.write_text(json.dumps(await request.json()))
    written.rename(REPORT)
    return Response()


# The app serves the page too, for what its own origin may do.
routes = [Route("/page", page), Route("/report", report, methods=["POST"])]
other = Starlette(routes=routes)
app.router.routes[:0] = routes
