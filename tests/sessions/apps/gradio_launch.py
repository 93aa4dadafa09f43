"""Gradio with a server of its own."""

import os

import gradio as gr
from starlette.middleware import Middleware
from who import OPTIONS, who

from passthrough_auth.frameworks.asgi import PassthroughAuthMiddleware

gate = Middleware(
    PassthroughAuthMiddleware, excluded_paths={"/gradio_api/startup-events"}, **OPTIONS
)
gr.Interface(who, None, "text", api_name="who").launch(
    server_port=int(os.environ["PORT"]), app_kwargs={"middleware": [gate]}
)
