"""The README's promises: its two commands, and its app on three frameworks."""

import json
import os
import re
import shlex
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.docs.blocks import ROOT, blocks
from tests.docs.http_client import ask
from tests.docs.readme import EXAMPLES

from passthrough_auth.testing.servers import server, serving

DEMO = blocks("sh", page="README.md")[0].source
(TRIED,) = blocks("console", page="README.md")
(CALLS,) = (b for b in blocks("python", page="README.md") if "caller_client" in b.source)

UPSTREAM = """
from fastapi import FastAPI, Request

app = FastAPI()


@app.get("/reports")
def reports(request: Request) -> list[str]:
    return request.headers.getlist("authorization")
"""


@pytest.fixture(params=EXAMPLES, ids=lambda example: example.framework, scope="module")
def app(request, tmp_path_factory):
    """Each app, in its own file, served as in the README."""
    directory = tmp_path_factory.mktemp(request.param.framework)
    with request.param.served(directory) as running:
        yield running


def test_two_callers_interleaved_each_see_themselves_and_nobody_gets_a_401(app):
    def whoami(caller):
        status, body = ask(app, "/whoami", caller and f"{caller}-token")
        return status, json.loads(body)

    (_, alice), (_, bob) = (whoami(caller) for caller in ("alice", "bob"))
    expected = {
        "alice": (200, alice),
        "bob": (200, bob),
        None: (401, {"detail": "Authentication credentials required"}),
    }
    assert alice != bob

    callers = ["alice", "bob", None] * 100
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(whoami, callers))
    assert answers == [expected[caller] for caller in callers]


def test_what_the_readme_excludes_is_public_and_nothing_else(app):
    assert ask(app, "/static/missing")[0] == 404 or ask(app, "/docs")[0] == 200
    assert ask(app, "/missing")[0] == 401


def test_the_curl_lines_print_what_the_readme_shows(app):
    lines = TRIED.source.splitlines()
    for command, shown in zip(lines[::2], lines[1::2], strict=True):
        here = command.removeprefix("$ ").replace("127.0.0.1:8000", f"{app.host}:{app.port}")
        printed = subprocess.run(shlex.split(here), capture_output=True, text=True, check=True)
        assert without_fingerprint(printed.stdout) == without_fingerprint(shown)


def without_fingerprint(answer):
    return json.loads(re.sub(r"\b[0-9a-f]{16}\b", "...", answer))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.framework)
def test_an_example_is_short(example):
    lines = [line for line in example.source.splitlines() if line]
    assert len(lines) <= 13


def test_the_app_that_calls_another_service_calls_it_as_each_caller(tmp_path):
    (tmp_path / "upstream.py").write_text(UPSTREAM)
    uvicorn = server("uvicorn-h11-asyncio")
    with serving(uvicorn, "upstream:app", cwd=tmp_path) as upstream:
        here = f"http://{upstream.host}:{upstream.port}"
        (tmp_path / "app.py").write_text(CALLS.source.replace("https://api.example.com", here))
        with serving(uvicorn, "app:app", cwd=tmp_path) as running:
            for token in ["alice", "bob"] * 3:
                status, body = ask(running, "/reports", token)
                assert (status, json.loads(body)) == (200, [f"Bearer {token}"])


def test_the_first_command_works_in_a_clean_checkout(tmp_path):
    """It runs in its own new environment. The demo prints its table and ends."""
    checkout = tmp_path / "checkout"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "tests")
    shutil.copytree(ROOT, checkout, ignore=ignored)
    # Like a new shell: without the environment of these tests.
    env = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH")}
    finished = subprocess.run(
        ["bash", "-c", DEMO],
        check=False,
        cwd=checkout,
        env=env | {"COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "Every answer was right." in finished.stdout
