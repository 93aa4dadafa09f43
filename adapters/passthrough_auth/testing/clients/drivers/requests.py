"""How the suite uses requests."""

from collections.abc import Generator
from contextlib import contextmanager

import requests
from requests.auth import HTTPDigestAuth

from passthrough_auth.clients.requests import CallerSession
from passthrough_auth.core import Destinations
from passthrough_auth.testing.clients.drivers.base import SyncDriver
from passthrough_auth.testing.clients.model import Call, Reply, World


class Requests(SyncDriver):
    """`requests.Session`."""

    name = "requests"
    features = SyncDriver.features | {"digest"}
    refused = (requests.ConnectionError,)
    timed_out = (requests.ReadTimeout,)

    @contextmanager
    def open(
        self, world: World, destinations: Destinations, base_url: str | None = None
    ) -> Generator[CallerSession]:
        del base_url  # requests has no such thing
        with CallerSession(destinations) as session:
            session.verify = world.ca_file
            yield session

    def fetch(self, client: CallerSession, call: Call) -> Reply:
        response = client.request(
            call.method,
            call.url,
            headers=dict(call.headers),
            data=call.body,
            timeout=call.timeout,
            proxies={"all": call.proxy} if call.proxy else None,
            auth=HTTPDigestAuth(*call.digest) if call.digest else None,
        )
        cookie = response.headers.get("set-cookie")
        return Reply.of(response.status_code, response.content, cookie)
