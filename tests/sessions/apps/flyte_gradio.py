"""Gradio, whose handlers run tasks on Flyte."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import flyte
import gradio as gr
from fastapi import FastAPI
from flyte import remote
from who import OPTIONS

from passthrough_auth.clients.flyte import init_passthrough
from passthrough_auth.frameworks.fastapi import FastAPIPassthroughAuthMiddleware


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
    await init_passthrough.aio(project="demo", domain="development")
    yield


def whoami() -> str:
    return remote.User.get().subject()


def train() -> str:
    return flyte.run(remote.Task.get(name="train", auto_version="latest")).name


async def train_async() -> str:
    task = remote.Task.get(name="train", auto_version="latest")
    return (await flyte.run.aio(task)).name


with gr.Blocks() as demo:
    shown = gr.Textbox()
    for handler in (whoami, train, train_async):
        name = handler.__name__
        gr.Button(name).click(handler, None, shown, api_name=name)

api = FastAPI(lifespan=lifespan)
api.add_middleware(FastAPIPassthroughAuthMiddleware, **OPTIONS)
app = gr.mount_gradio_app(api, demo, path="/ui")
