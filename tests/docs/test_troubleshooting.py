"""docs/troubleshooting.md is right: the requests it names are refused for its reasons."""

import pytest
from tests.docs.blocks import ROOT, blocks, table
from tests.docs.http_client import ask
from tests.docs.test_semantics import asgi, headers_in

from passthrough_auth.core import DestinationNotAllowed, Destinations, acting_as
from passthrough_auth.core.inbound import Gate
from passthrough_auth.testing.servers import server, serving

PAGE = ROOT / "docs" / "troubleshooting.md"
MALFORMED = '401 "Authentication credentials malformed", with a token that works elsewhere'
DESTINATIONS = table(PAGE, "`DestinationNotAllowed` on localhost, or on http")

PROVIDER = """
from fastapi import FastAPI, Request, Response

app = FastAPI()


@app.get("/userinfo")
def userinfo(request: Request, response: Response) -> dict[str, str]:
    known = request.headers["authorization"] == "Bearer alice"
    response.status_code = 200 if known else 401
    return {"sub": "alice"} if known else {}
"""


@pytest.mark.parametrize("sent", [sent for sent, *_ in table(PAGE, MALFORMED)])
def test_which_credentials_are_malformed(sent):
    refusal = Gate().admit(asgi(headers_in(sent))).refusal
    assert refusal.body == b'{"detail": "Authentication credentials malformed"}'


@pytest.mark.parametrize(("named", "called", "_instead"), DESTINATIONS)
def test_which_origins_are_not_one(named, called, _instead):
    with (
        acting_as(("authorization", "Bearer abc")),
        pytest.raises(DestinationNotAllowed),
    ):
        Destinations(named).headers_for(called)


def test_the_identity_provider_says_who_the_caller_is(tmp_path):
    (block,) = (b for b in blocks("python", page="docs/troubleshooting.md"))
    (tmp_path / "provider.py").write_text(PROVIDER)
    uvicorn = server("uvicorn-h11-asyncio")
    with serving(uvicorn, "provider:app", cwd=tmp_path) as provider:
        here = f"http://{provider.host}:{provider.port}"
        (tmp_path / "app.py").write_text(block.source.replace("https://login.example.com", here))
        with serving(uvicorn, "app:app", cwd=tmp_path) as running:
            assert ask(running, "/whoami", "alice") == (200, b'{"sub":"alice"}')
            assert ask(running, "/whoami", "mallory")[0] == 401
            assert ask(running, "/whoami")[0] == 401
