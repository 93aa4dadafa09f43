"""Streamlit as an ASGI app."""

from starlette.middleware import Middleware
from streamlit.starlette import App
from who import OPTIONS

from passthrough_auth.frameworks.asgi import PassthroughAuthMiddleware

app = App("streamlit_page.py", middleware=[Middleware(PassthroughAuthMiddleware, **OPTIONS)])
