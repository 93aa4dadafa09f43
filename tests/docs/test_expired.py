"""Every sample that calls a service does the right thing when the caller's token has expired."""

import json
import re

import pytest
from tests.docs.blocks import blocks
from tests.docs.http_client import ask

from passthrough_auth.testing.servers import server, serving

UPSTREAM = """
from fastapi import FastAPI, Response

app = FastAPI()


@app.get("/{path:path}")
def expired(path: str) -> Response:
    return Response(status_code=401, content=b"{}", media_type="application/json")
"""
HERE = re.compile(r"https://(?:api|accounts|login)\.example\.com")
# In the apps of docs/interactive-apps.md an error is the UI framework's to show, not an answer.
CALLING = [
    each
    for each in blocks("python")
    if each.page != "docs/interactive-apps.md"
    and re.search(r"^app = ", each.source, re.MULTILINE)
    and HERE.search(each.source)
    and re.search(r"caller_client|caller_session|CallerSession", each.source)
]


@pytest.fixture(scope="module")
def upstream(tmp_path_factory):
    folder = tmp_path_factory.mktemp("upstream")
    (folder / "upstream.py").write_text(UPSTREAM)
    with serving(server("uvicorn-h11-asyncio"), "upstream:app", cwd=folder) as running:
        yield f"http://{running.host}:{running.port}"


@pytest.mark.parametrize("block", CALLING, ids=str)
def test_the_app_answers_401(block, upstream, tmp_path):
    (tmp_path / "app.py").write_text(HERE.sub(upstream, block.source))
    on = "waitress" if "flask" in block.source else "uvicorn-h11-asyncio"
    paths = re.findall(r"@app\.get\(\"(/\w+)\"", block.source)
    assert paths
    with serving(server(on), "app:app", cwd=tmp_path) as running:
        for path in paths:
            status, body = ask(running, path, "expired")
            assert status == 401
            detail = json.loads(body)["detail"]
            assert detail == "Authentication credentials not accepted"


def test_there_are_such_samples():
    assert {each.page for each in CALLING} >= {"README.md", "docs/clients.md"}
