"""docs/deployment.md is right: its extractors read the proxies' headers, as ambient ones."""

import re

import pytest
from fastapi.testclient import TestClient
from tests.docs.blocks import ROOT, blocks, table

from passthrough_auth import core
from passthrough_auth.core.inbound import AsgiRequest, Gate

PAGE = ROOT / "docs" / "deployment.md"
EXTRACTORS = sorted({extractor for _, _, extractor in table(PAGE, "Authenticating proxies")})


def app_with(text):
    """The app from the only block of the page that contains this text."""
    (block,) = (each for each in blocks("python", page="docs/deployment.md") if text in each.source)
    made = {}
    exec(compile(block.source, str(block), "exec"), made)  # noqa: S102 - it is the page's own code
    return made["app"]


@pytest.mark.parametrize("written", EXTRACTORS)
def test_an_extractor_reads_the_proxy_s_header_as_ambient(written):
    gate = Gate(header_extractors=[eval(written, vars(core))])  # noqa: S307 - the page's own
    (name,) = re.findall(r'"(.+)"', written)
    value = "Bearer abc" if name == "authorization" else "abc"

    def decided(**more):
        headers = {name: value, **more}
        lines = [(key.encode(), each.encode()) for key, each in headers.items()]
        scope = {"type": "http", "method": "POST", "path": "/", "headers": lines}
        return gate.admit(AsgiRequest(scope))

    assert decided().credentials().headers() == {name: value}
    assert decided(origin="https://elsewhere.example").refusal is not None


def test_a_proxy_s_token_is_forwarded_as_a_bearer_token():
    token = {"x-forwarded-access-token": "abc"}
    with TestClient(app_with("extract_access_token")) as client:
        assert "<Credentials authorization " in client.get("/whoami", headers=token).text
        assert client.get("/whoami", headers={"authorization": "Bearer abc"}).status_code == 401
        elsewhere = token | {"sec-fetch-site": "cross-site"}
        assert client.post("/whoami", headers=elsewhere).status_code == 403


def test_a_websocket_may_have_its_token_in_the_query():
    with (
        TestClient(app_with("extract_query_token")) as client,
        client.websocket_connect(
            "/events?access_token=abc", headers={"origin": "https://elsewhere.example"}
        ) as websocket,
    ):
        assert websocket.receive_json()["caller"].startswith("<Credentials authorization ")
