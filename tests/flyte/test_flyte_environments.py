"""Apps as Flyte's users write them, the environments that wire its middleware, and deploying."""

import asyncio
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import cloudpickle
import flyte
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from flyte.errors import InitializationError
from starlette.applications import Starlette

from passthrough_auth.clients.flyte import bind_flyte, current_user
from passthrough_auth.core import acting_as, extract_bearer_token, extract_cookies
from passthrough_auth.frameworks.asgi import PassthroughAuthMiddleware
from passthrough_auth.frameworks.fastapi import FastAPIPassthroughAuthMiddleware
from passthrough_auth.frameworks.flask import PassthroughAuth

pytest_plugins = ["passthrough_auth.testing.pytest_plugin"]

APPS = Path(__file__).parent / "apps"
ALICE = {"authorization": "Bearer alice-token"}
REQUIRED = {"detail": "Authentication credentials required"}


def test_the_lifespan_of_flyte_s_users_runs_as_written_in_the_fixture(flyte_endpoint, monkeypatch):
    monkeypatch.syspath_prepend(APPS)
    from seed_app import app

    with TestClient(app) as client:
        assert client.get("/me", headers=ALICE).json() == {"subject": "alice"}
        assert client.get("/me").status_code == 401


def test_it_runs_where_fserve_has_initialised_the_sdk(flyte_endpoint):
    """In a process of its own, as in a cluster."""
    source = """
        import flyte
        flyte.init_in_cluster()
        from fastapi.testclient import TestClient
        from seed_app import app
        with TestClient(app) as client:
            print(client.get("/me", headers={"authorization": "Bearer bob-token"}).json())
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)],
        cwd=APPS,
        env={**os.environ, **flyte_endpoint.environment()},
        check=False,
        capture_output=True,
        text=True,
    )
    assert ran.stdout == "{'subject': 'bob'}\n", ran.stderr


def test_the_identity_of_the_app_is_never_taken_for_the_caller_s(flyte_endpoint):
    """In a cluster the SDK has the app's own before `init_passthrough`."""
    with acting_as(*ALICE.items(), bindings=[bind_flyte]):
        with pytest.raises(InitializationError, match="init_passthrough"):
            current_user()
        with pytest.raises(InitializationError, match="init_passthrough"):
            asyncio.run(current_user.aio())
    assert not flyte_endpoint.calls


@pytest.fixture
def ours(monkeypatch, flyte_endpoint):
    """The one line of the page."""
    import flyte.app.extras

    monkeypatch.setattr(
        flyte.app.extras, "FastAPIPassthroughAuthMiddleware", FastAPIPassthroughAuthMiddleware
    )


# Models of the SDK's and of mcp's warn under today's pydantic.
old_models = pytest.mark.filterwarnings("ignore:.*class-based `config`")


def gates_of(app):
    return [each.cls for each in app.user_middleware]


@old_models
def test_the_webhook_environment_takes_our_middleware(ours):
    from flyte.app.extras import FlyteWebhookAppEnvironment

    app = FlyteWebhookAppEnvironment(name="webhook").app
    assert gates_of(app) == [FastAPIPassthroughAuthMiddleware]
    with TestClient(app) as client:
        assert client.get("/health").status_code == 200
        assert client.get("/me").json() == REQUIRED
        assert "alice" in client.get("/me", headers=ALICE).text


class Agent:
    """An agent that says who asks."""

    async def run(self, *arguments, **options):
        return (await current_user.aio()).subject

    def tool_descriptions(self):
        return [{"name": current_user().subject}]


@old_models
def test_the_chat_environment_takes_our_middleware(ours):
    from flyte.ai.chat import AgentChatAppEnvironment

    app = AgentChatAppEnvironment(
        name="chat",
        agent=Agent(),
        passthrough_auth=True,
        passthrough_auth_excluded_paths=["/health"],
    ).build_fastapi_app()
    assert gates_of(app) == [FastAPIPassthroughAuthMiddleware]
    with TestClient(app) as client:
        assert client.get("/health").status_code == 200
        assert client.get("/api/tools").json() == REQUIRED
        assert client.get("/api/tools", headers=ALICE).json() == [{"name": "alice"}]


@old_models
def test_the_mcp_environment_takes_our_middleware(ours):
    from flyte.ai.mcp import FlyteMCPAppEnvironment

    environment = FlyteMCPAppEnvironment(name="mcp", requires_auth=True)
    app = environment._create_starlette_app()  # as it makes its app
    assert gates_of(app) == [FastAPIPassthroughAuthMiddleware]
    version = {"protocolVersion": "2025-06-18", "capabilities": {}}
    initialise = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {**version, "clientInfo": {"name": "test", "version": "1"}},
    }
    with TestClient(app) as client:
        assert client.get("/health").status_code == 200
        accepted = {"accept": "application/json, text/event-stream"}
        path = f"{environment.mcp_mount_path.rstrip('/')}/mcp"
        assert client.post(path, json=initialise, headers=accepted).json() == REQUIRED
        answer = client.post(path, json=initialise, headers={**accepted, **ALICE})
        assert answer.json()["result"]["serverInfo"]


def whoami(scope, receive, send):
    """An ASGI app as short as can be: those of Starlette 1.10 can't be unpickled by themselves."""

    async def answer():
        body = current_user().subject.encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    return answer()


def test_an_app_that_has_served_can_be_pickled_as_flyte_deploys_it(flyte_endpoint):
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    extractors = [extract_bearer_token, extract_cookies("sso")]
    app = PassthroughAuthMiddleware(
        whoami, header_extractors=extractors, excluded_paths={"/health"}, bindings=[bind_flyte]
    )
    flyte.init_passthrough(project=flyte_endpoint.project, domain=flyte_endpoint.domain)
    client = TestClient(app)
    assert client.get("/me", headers=ALICE).text == "alice"
    assert client.get("/me", headers={"cookie": "sso="}).status_code == 401

    source = """
        import sys, cloudpickle, flyte
        app = cloudpickle.load(sys.stdin.buffer)
        flyte.init_in_cluster()
        flyte.init_passthrough(project=flyte.current_project(), domain=flyte.current_domain())
        from fastapi.testclient import TestClient
        client = TestClient(app)
        print(client.get("/me", headers={"authorization": "Bearer bob-token"}).text)
        print(client.get("/me").status_code)
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)],
        input=cloudpickle.dumps(app),
        env={**os.environ, **flyte_endpoint.environment()},
        check=False,
        capture_output=True,
    )
    assert ran.stdout.decode() == "bob\n401\n", ran.stderr.decode()


def test_an_app_of_starlette_s_own_can_t_be_unpickled():
    """What the page says of it, with any middleware or none."""
    with pytest.raises(RecursionError):
        cloudpickle.loads(cloudpickle.dumps(Starlette()))


def test_the_parts_can_be_pickled(flyte_endpoint):
    assert cloudpickle.loads(cloudpickle.dumps(bind_flyte)) is bind_flyte
    extension = PassthroughAuth(bindings=[bind_flyte], excluded_paths={"/health"})
    assert isinstance(cloudpickle.loads(cloudpickle.dumps(extension)), PassthroughAuth)
    app = FastAPI()
    app.add_middleware(FastAPIPassthroughAuthMiddleware)
    with TestClient(app) as client:
        client.get("/me")
    assert cloudpickle.dumps(app)
