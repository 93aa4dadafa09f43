"""Gradio, mounted in FastAPI."""

import asyncio
import time

import gradio as gr
from fastapi import FastAPI
from who import OPTIONS, who

from passthrough_auth.frameworks.fastapi import FastAPIPassthroughAuthMiddleware

left_behind: list[str] = []
tasks = set()


async def asynchronous() -> str:
    return who()


def stream():
    for _ in range(3):
        time.sleep(0.05)
        yield who()


async def astream():
    for _ in range(3):
        await asyncio.sleep(0.05)
        yield who()


def batched(texts: list[str]):
    return ([who() for _ in texts],)


async def leave_behind() -> str:
    async def later():
        await asyncio.sleep(0.5)
        left_behind.append(who())

    tasks.add(asyncio.create_task(later()))
    return who()


def what_was_left() -> str:
    return " ".join(left_behind)


with gr.Blocks() as demo:
    text = gr.Textbox(elem_id="out")
    loaded = gr.Textbox(elem_id="loaded")
    ticked = gr.Textbox(elem_id="ticked")
    given = gr.Textbox("x")
    for name, handler in {
        "sync": who,
        "async": asynchronous,
        "stream": stream,
        "astream": astream,
        "leave": leave_behind,
        "left": what_was_left,
    }.items():
        button = gr.Button(name, elem_id=name)
        button.click(handler, None, text, api_name=name)
    gr.Button("unqueued").click(who, None, text, api_name="unqueued", queue=False)
    gr.Button("batched").click(
        batched, given, text, api_name="batched", batch=True, max_batch_size=8
    )
    demo.load(who, None, loaded)
    gr.Timer(0.5).tick(who, None, ticked)
    gr.ChatInterface(lambda message, history: who(), api_name="chat")

api = FastAPI()
api.add_middleware(FastAPIPassthroughAuthMiddleware, **OPTIONS)
app = gr.mount_gradio_app(api, demo, path="/ui")
