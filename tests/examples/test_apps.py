"""The three example apps, run unchanged under real servers."""

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from passthrough_auth.testing.flyte import FlyteEndpoint
from passthrough_auth.testing.servers import Running, server, serving

EXAMPLES = Path(__file__).parents[2] / "examples"
SERVED = {
    "fastapi_app:app": "uvicorn-h11-asyncio",
    "flask_app:app": "waitress",
    "django_app:application": "gunicorn-gthread",
    "django_app:asgi": "uvicorn-h11-asyncio",
}


def ask(running: Running, method: str, path: str, caller: str | None) -> tuple[int, Any, str]:
    with closing(http.client.HTTPConnection(running.host, running.port, timeout=60)) as connection:
        headers = {"authorization": f"Bearer {caller}-token"} if caller else {}
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        challenge = response.headers.get("www-authenticate", "")
        return response.status, json.loads(response.read()), challenge


@pytest.mark.parametrize("app", SERVED)
def test_an_example_acts_as_its_caller(app: str) -> None:
    """Alice and Bob interleaved each see themselves and run their own jobs; nobody gets a 401."""
    with (
        FlyteEndpoint(["alice", "bob"], ["train"]) as endpoint,
        serving(server(SERVED[app]), app, env=endpoint.environment(), cwd=EXAMPLES) as running,
    ):
        assert ask(running, "GET", "/health", None)[:2] == (200, {"status": "ok"})

        def one(caller: str) -> tuple[str, str, str]:
            status, me, _ = ask(running, "GET", "/me", caller)
            ran, job, _ = ask(running, "POST", "/trigger-job", caller)
            assert (status, ran) == (200, 200)
            assert job["url"].endswith(job["run"])
            return me["subject"], me["name"], job["run"]

        callers = ["alice", "bob"] * 5
        with ThreadPoolExecutor(len(callers)) as pool:
            answers = list(pool.map(one, callers))
        ran_by = {run.name: run.caller for run in endpoint.runs}
        assert [(me, name, ran_by[run]) for me, name, run in answers] == [
            (caller, caller.capitalize(), caller) for caller in callers
        ]
        calls = len(endpoint.calls)
        for method, path in (("GET", "/me"), ("POST", "/trigger-job")):
            detail = {"detail": "Authentication credentials required"}
            assert ask(running, method, path, None) == (401, detail, "Bearer")
        assert len(endpoint.calls) == calls


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*_app.py")), ids=lambda path: path.name)
def test_an_example_is_short_and_is_the_one_that_the_demo_runs(example: Path) -> None:
    text = example.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 40
    assert "async def" in text
    assert "\ndef" in text
    from passthrough_auth.cli import demo

    assert (demo.EXAMPLES / example.name).read_text(encoding="utf-8") == text
