"""A GET to a served app, with or without a caller's token."""

import http.client
from contextlib import closing


def ask(running, path, token=None):
    """The status and the body of the answer to a GET."""
    with closing(http.client.HTTPConnection(running.host, running.port, timeout=60)) as connection:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()
