"""Apps with a mounted app that has two handlers; a rule names one of them."""

from fastapi import FastAPI

from passthrough_auth.core import NoCaller, current_credentials
from passthrough_auth.frameworks.fastapi import FastAPIPassthroughAuthMiddleware


def caller():
    try:
        return str(current_credentials())
    except NoCaller as absent:
        return absent.reason


def made(**options):
    app, tools = FastAPI(openapi_url=None, **options), FastAPI(openapi_url=None)
    tools.get("/health")(lambda: f"health {caller()}")
    tools.get("/{project}/{path:path}")(lambda project, path: f"another {caller()}")
    app.mount("/tools", tools)
    app.add_middleware(
        FastAPIPassthroughAuthMiddleware, excluded_paths={"/tools/health"}, bindings=[]
    )
    return app


plain, prefixed = made(), made(root_path="/api")
