"""A view for a fragment, with the names that the pages assume."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import flyte
from fastapi import FastAPI, Request
from flyte import remote

from passthrough_auth.clients.flyte import init_passthrough
from passthrough_auth.frameworks.fastapi import FastAPIPassthroughAuthMiddleware


class Awaited(ThreadPoolExecutor):
    """A pool that waits for its work and raises its errors, which a fragment doesn't."""

    def submit(self, work, /, *args, **kwargs):
        future = super().submit(work, *args, **kwargs)
        future.result()
        return future


@asynccontextmanager
async def lifespan(app):
    await init_passthrough.aio(project="demo", domain="development")
    yield


app = FastAPI(lifespan=lifespan)
app.add_middleware(FastAPIPassthroughAuthMiddleware)
executor = Awaited()
task = remote.Task.get(name="train", auto_version="latest")


@app.get("/")
async def view(request: Request):
    # the fragment
    return {"flyte": flyte.__name__}
