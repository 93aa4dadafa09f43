"""python-socketio beside FastAPI, with the middleware outside of both; INSIDE=1 has it inside."""

import os

import socketio
from fastapi import FastAPI
from who import OPTIONS, who

from passthrough_auth.core import NoCaller
from passthrough_auth.frameworks.asgi import PassthroughAuthMiddleware
from passthrough_auth.sessions import caller_of

api = FastAPI()
sio = socketio.AsyncServer(async_mode="asgi", ping_interval=1)
heard: list[str] = []


@api.get("/heard")
async def last_heard() -> str:
    return heard[-1]


@sio.event
async def whoami(sid: str, _data: object = None) -> str:
    try:
        with caller_of(sio.get_environ(sid)["asgi.scope"]).active():
            heard.append(who())
    except NoCaller as absent:
        heard.append(absent.reason)
    return heard[-1]


if os.environ.get("INSIDE"):
    app = socketio.ASGIApp(sio, PassthroughAuthMiddleware(api, **OPTIONS))
else:
    app = PassthroughAuthMiddleware(socketio.ASGIApp(sio, api), **OPTIONS)
