"""The app on FastAPI."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import shared
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from passthrough_auth.clients.flyte import init_passthrough
from passthrough_auth.frameworks.fastapi import FastAPIPassthroughAuthMiddleware


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    await init_passthrough.aio(**shared.PLACE)
    yield


app = FastAPI(lifespan=lifespan)
app.add_middleware(FastAPIPassthroughAuthMiddleware, excluded_paths=shared.PUBLIC)


@app.get("/health")
async def health() -> dict[str, bool]:
    return {"ok": True}


@app.get("/public/sdk")
def anybody() -> dict[str, str | None]:
    return shared.anybody()


@app.get("/sync/me")
def me() -> dict[str, str]:
    return shared.me()


@app.get("/async/me")
async def ame() -> dict[str, str]:
    return await shared.ame()


@app.post("/sync/trigger-job")
def trigger() -> dict[str, str]:
    return shared.trigger()


@app.post("/async/trigger-job")
async def atrigger() -> dict[str, str]:
    return await shared.atrigger()


@app.get("/sync/stream")
def stream() -> StreamingResponse:
    return StreamingResponse(shared.chunks())


@app.get("/async/stream")
async def astream() -> StreamingResponse:
    return StreamingResponse(shared.achunks())


@app.post("/body")
async def body(request: Request) -> dict[str, int]:
    return {"bytes": len(await request.body())}
