"""Acts in Flyte as the person who calls it. Run it with `uvicorn fastapi_app:app`."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import flyte
from fastapi import FastAPI
from flyte import remote

from passthrough_auth.clients.flyte import current_user, init_passthrough
from passthrough_auth.frameworks.fastapi import FastAPIPassthroughAuthMiddleware


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    await init_passthrough.aio(project="demo", domain="development")
    yield


app = FastAPI(lifespan=lifespan)
app.add_middleware(FastAPIPassthroughAuthMiddleware, excluded_paths={"/health"})


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/me")
async def me() -> dict[str, str]:
    user = await current_user.aio()
    return {"subject": user.subject, "name": user.name}


@app.post("/trigger-job")
def trigger_job() -> dict[str, str]:
    run = flyte.run(remote.Task.get(name="train", auto_version="latest"))
    return {"run": run.name, "url": run.url}
