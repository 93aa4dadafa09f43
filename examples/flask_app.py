"""Acts in Flyte as the person who calls it. Run it with `waitress-serve flask_app:app`."""

import flyte
from flask import Flask
from flyte import remote

from passthrough_auth.clients.flyte import current_user, init_passthrough
from passthrough_auth.frameworks.flask import PassthroughAuth

init_passthrough(project="demo", domain="development")
app = Flask(__name__)
PassthroughAuth(app, excluded_paths={"/health"})


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/me")
def me() -> dict[str, str]:
    user = current_user()
    return {"subject": user.subject, "name": user.name}


@app.post("/trigger-job")
async def trigger_job() -> dict[str, str]:
    task = remote.Task.get(name="train", auto_version="latest")
    run = await flyte.run.aio(task)
    return {"run": run.name, "url": run.url}
