"""How the suite uses requests."""

from contextlib import contextmanager

import requests
from requests.auth import HTTPDigestAuth
from tests.clients.suite import Reply, SyncDriver

from passthrough_auth.clients.requests import CallerSession


class Requests(SyncDriver):
    name = "requests"
    features = SyncDriver.features | {"digest", "environment_proxies"}
    refused = (requests.ConnectionError,)
    timed_out = (requests.ReadTimeout,)

    @contextmanager
    def open(self, world, destinations, base_url=None, **options):  # no base URL
        with CallerSession(destinations, **options) as session:
            session.verify = world.ca_file
            yield session

    def fetch(self, client, call):
        response = client.request(
            call.method,
            call.url,
            headers=dict(call.headers),
            data=call.body,
            timeout=call.timeout,
            proxies={"all": call.proxy} if call.proxy else None,
            auth=HTTPDigestAuth(*call.digest) if call.digest else None,
        )
        if call.raises:
            response.raise_for_status()
        return Reply.of(response.status_code, response.content, response.headers)
