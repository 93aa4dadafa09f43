"""Serves the apps, and sends them requests with all the planted credentials."""

import http.client
from contextlib import closing, contextmanager
from pathlib import Path

from tests.secrets.planted import PAIRS

from passthrough_auth.testing.servers import server, serving

ROOT = Path(__file__).parents[2]
APPS = {
    "on_fastapi": "uvicorn-h11-asyncio",
    "on_flask": "waitress",
    "on_django": "waitress",
    "on_django_asgi": "uvicorn-h11-asyncio",
}


@contextmanager
def serving_app(name, on=None, options=(), **environment):
    """Serve one of the apps, with `SECRETS_<name>=<value>` in its environment."""
    env = {f"SECRETS_{key.upper()}": value for key, value in environment.items()}
    env["SECRETS_APP"] = name
    chosen = server(on or APPS[name])
    with serving(chosen, "tests.secrets.apps:app", cwd=ROOT, env=env, options=options) as running:
        yield running


def ask(running, path, headers=PAIRS, method="GET"):
    """The status and the body of the answer, asked as the one whose secrets were planted."""
    with closing(http.client.HTTPConnection(running.host, running.port, timeout=60)) as connection:
        connection.request(method, path, headers=dict(headers))
        response = connection.getresponse()
        return response.status, response.read().decode()
