"""Streamlit, whose script runs tasks on Flyte. Its visitors have their token in a cookie."""

from starlette.middleware import Middleware
from streamlit.starlette import App

from passthrough_auth.core import extract_bearer_from_cookie
from passthrough_auth.frameworks.asgi import PassthroughAuthMiddleware

EXTRACTORS = [extract_bearer_from_cookie("sso")]
app = App(
    "flyte_page.py",
    middleware=[Middleware(PassthroughAuthMiddleware, header_extractors=EXTRACTORS)],
)
