"""What the users of Flyte's own middleware write, as they write it, with our middleware."""

from contextlib import asynccontextmanager

import flyte
from fastapi import FastAPI
from flyte import remote

from passthrough_auth.frameworks.fastapi import FastAPIPassthroughAuthMiddleware


@asynccontextmanager
async def lifespan(app: FastAPI):
    await flyte.init_passthrough.aio(
        project=flyte.current_project(),
        domain=flyte.current_domain(),
    )
    yield


app = FastAPI(lifespan=lifespan)
app.add_middleware(FastAPIPassthroughAuthMiddleware, excluded_paths={"/health"})


@app.get("/me")
async def me():
    user = await remote.User.get.aio()
    return {"subject": user.subject()}
