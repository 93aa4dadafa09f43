"""A public path runs the handler that its rule names, whatever prefix the server believes in."""

import http.client
from contextlib import closing
from pathlib import Path

import pytest

from passthrough_auth.testing.servers import SERVERS, server, serving

HERE = Path(__file__).parent
HEALTH = (200, b'"health public"')


def get(running, path, **headers):
    with closing(http.client.HTTPConnection(running.host, running.port, timeout=60)) as connection:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()


@pytest.mark.parametrize("name", [each.name for each in SERVERS if each.interface == "asgi"])
def test_with_a_root_path_of_the_app_s_own(name):
    """After a proxy that strips the prefix, paths come without it."""
    with serving(server(name), "mounting:prefixed", cwd=HERE) as running:
        assert get(running, "/tools/health") == HEALTH
        assert get(running, "/api/tools/health") == HEALTH
        assert get(running, "/tools/secret/x")[0] == 401


def test_with_a_root_path_that_the_client_chooses():
    """Daphne believes this header of anybody."""
    with serving(server("daphne"), "mounting:plain", cwd=HERE) as running:
        for root in ("/x", "/tools", "/x/", "//", "/tools/health", "x"):
            chosen = {"Daphne-Root-Path": root}
            assert get(running, "/tools/health", **chosen) in (HEALTH, get(running, "/refused"))
            assert get(running, "/tools/secret/x", **chosen)[0] == 401
