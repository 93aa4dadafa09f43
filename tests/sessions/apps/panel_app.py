"""Panel in FastAPI, whose own middleware stands outside of one that was added before."""

from fastapi import FastAPI
from panel.io.fastapi import add_application
from who import OPTIONS, who

from passthrough_auth.frameworks.asgi import PassthroughAuthMiddleware

api = FastAPI()
api.add_middleware(PassthroughAuthMiddleware, **OPTIONS)


@add_application("/panel", app=api, title="who")
def view() -> str:
    return who()


app = api
