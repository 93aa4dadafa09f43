"""An app that imports and initialises flyte without this library's client, and is then forked."""

import flyte
from flask import Flask
from flyte import remote

from passthrough_auth.frameworks.flask import PassthroughAuth

flyte.init_passthrough(project="demo", domain="development")
app = Flask(__name__)
PassthroughAuth(app, excluded_paths=["/health", "/public"])


@app.get("/health")
def health():
    return {"ok": True}


@app.get("/me")
def me():
    return {"subject": remote.User.get().subject()}


@app.get("/public")
def public():
    return {"subject": remote.User.get().subject()}
