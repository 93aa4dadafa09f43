"""What every client says, and alike, of destinations and URLs that can't be right."""

import asyncio

import grpc
import pytest

from passthrough_auth.clients import aiohttp as for_aiohttp
from passthrough_auth.clients import grpc as for_grpc
from passthrough_auth.clients import httpx as for_httpx
from passthrough_auth.clients import httpx2 as for_httpx2
from passthrough_auth.clients import requests as for_requests
from passthrough_auth.core import (
    ConfigurationError,
    Destination,
    DestinationNotAllowed,
    Destinations,
)

TARGET = "localhost:8443"


def secured(channel):
    credentials = grpc.ssl_channel_credentials()
    return lambda given: channel(TARGET, credentials, destinations=given)


def unsecured(channel):
    return lambda given: channel(TARGET, destinations=given)


MADE = {
    "httpx client": for_httpx.caller_client,
    "httpx async client": for_httpx.async_caller_client,
    "httpx transport": for_httpx.CallerTransport,
    "httpx async transport": for_httpx.AsyncCallerTransport,
    "httpx2 client": for_httpx2.caller_client,
    "httpx2 async client": for_httpx2.async_caller_client,
    "httpx2 transport": for_httpx2.CallerTransport,
    "httpx2 async transport": for_httpx2.AsyncCallerTransport,
    "requests": for_requests.CallerSession,
    "aiohttp session": for_aiohttp.caller_session,
    "grpc": secured(for_grpc.secure_channel),
    "grpc, insecure": unsecured(for_grpc.insecure_channel),
    "grpc.aio": secured(for_grpc.aio_secure_channel),
    "grpc.aio, insecure": unsecured(for_grpc.aio_insecure_channel),
}


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
@pytest.mark.parametrize(
    "given",
    [
        "https://localhost:8443",
        ["https://localhost:8443"],
        None,
        Destination("https://localhost:8443"),
    ],
    ids=lambda given: type(given).__name__,
)
def test_anything_but_destinations_is_refused_when_the_client_is_made(make, given):
    with pytest.raises(ConfigurationError) as caught:
        make(given)

    assert str(caught.value) == (
        "destinations takes Destinations: write Destinations('https://api.example.com')"
    )


@pytest.mark.parametrize(
    ("made", "make"),
    [
        ("caller_session", lambda: for_aiohttp.caller_session(Destinations(f"https://{TARGET}"))),
        (
            "aio_secure_channel",
            lambda: secured(for_grpc.aio_secure_channel)(Destinations(f"https://{TARGET}")),
        ),
        (
            "aio_insecure_channel",
            lambda: unsecured(for_grpc.aio_insecure_channel)(Destinations(f"http://{TARGET}")),
        ),
    ],
    ids=["aiohttp", "grpc.aio", "grpc.aio, insecure"],
)
def test_what_belongs_to_an_event_loop_is_made_in_one(made, make):
    """With none, the libraries name no place for it, and gRPC may take a loop that never runs."""
    with pytest.raises(RuntimeError) as caught:
        make()

    assert str(caught.value) == (
        f"{made}(...) is made where an event loop runs: in the app's lifespan, with `async with`"
    )


async def with_aiohttp(destinations):
    async with for_aiohttp.caller_session(destinations) as session:
        await session.get("/reports")


def test_a_path_alone_is_refused_with_what_to_write():
    destinations = Destinations("https://localhost:8443")
    calls = [
        lambda: for_httpx.caller_client(destinations).get("/reports"),
        lambda: for_httpx2.caller_client(destinations).get("/reports"),
        lambda: asyncio.run(with_aiohttp(destinations)),
    ]
    for call in calls:
        with pytest.raises(DestinationNotAllowed, match="base_url="):
            call()
