"""The app on Flask."""

import shared
from flask import Flask, Response, request

from passthrough_auth.clients.flyte import init_passthrough
from passthrough_auth.frameworks.flask import PassthroughAuth

init_passthrough(**shared.PLACE)
app = Flask(__name__)
PassthroughAuth(app, excluded_paths=shared.PUBLIC)


@app.get("/health")
def health():
    return {"ok": True}


@app.get("/public/sdk")
def anybody():
    return shared.anybody()


@app.get("/sync/me")
def me():
    return shared.me()


@app.get("/async/me")
async def ame():
    return await shared.ame()


@app.post("/sync/trigger-job")
def trigger():
    return shared.trigger()


@app.post("/async/trigger-job")
async def atrigger():
    return await shared.atrigger()


@app.get("/sync/stream")
def stream():
    return Response(shared.chunks())


@app.post("/body")
def body():
    return {"bytes": len(request.get_data())}
