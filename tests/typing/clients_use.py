"""User code over the clients, as it must check, and as it must not. No line of this runs."""

from typing import assert_type

import aiohttp
import grpc
import grpc.aio
import httpx
import httpx2
import requests

from passthrough_auth.clients import aiohttp as our_aiohttp
from passthrough_auth.clients import grpc as our_grpc
from passthrough_auth.clients import httpx as our_httpx
from passthrough_auth.clients import httpx2 as our_httpx2
from passthrough_auth.clients.requests import CallerSession
from passthrough_auth.core import Destination, Destinations, Snapshot, snapshot

DESTINATIONS = Destinations(
    "https://a.example",
    Destination("https://b.example", send=["authorization"], on_missing="anonymous"),
    Destination("http://c.example", send={"x-token": "Authorization: Bearer {value}"}),
    Destination("http://d.example", plain_http=True),
)

assert_type(DESTINATIONS.headers_for("https://a.example/"), dict[str, str])
assert_type(snapshot(expires_in=60, destinations=DESTINATIONS), Snapshot)

Destinations(["https://a.example"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Destination("https://a.example", on_missing="skip")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
snapshot(destinations="https://a.example")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

# --- Each client is what its library calls one ----------------------------------------------------

assert_type(our_httpx.caller_client(DESTINATIONS, retries=2), httpx.Client)
assert_type(our_httpx.async_caller_client(DESTINATIONS), httpx.AsyncClient)
assert_type(our_httpx2.caller_client(DESTINATIONS), httpx2.Client)
assert_type(our_httpx2.async_caller_client(DESTINATIONS), httpx2.AsyncClient)
httpx.Client(transport=our_httpx.CallerTransport(DESTINATIONS))
httpx.AsyncClient(transport=our_httpx.AsyncCallerTransport(DESTINATIONS))
httpx2.Client(transport=our_httpx.CallerTransport(DESTINATIONS))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

assert_type(
    our_httpx.CallerTransport(DESTINATIONS).handle_request(httpx.Request("GET", "")), httpx.Response
)
our_httpx2.caller_client(DESTINATIONS, transport=httpx2.HTTPTransport(), proxied=False)
our_httpx.caller_client(DESTINATIONS, transport=httpx.AsyncHTTPTransport())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
our_httpx.caller_client(DESTINATIONS, proxied="no")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
our_httpx2.async_caller_client(DESTINATIONS, transport=httpx.AsyncHTTPTransport())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
our_httpx2.AsyncCallerTransport(DESTINATIONS, httpx.AsyncHTTPTransport())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

session: requests.Session = CallerSession(DESTINATIONS)
CallerSession()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

assert_type(our_aiohttp.caller_session(DESTINATIONS), aiohttp.ClientSession)


def channels(credentials: grpc.ChannelCredentials) -> None:
    made = our_grpc.secure_channel("a.example:443", credentials, destinations=DESTINATIONS)
    assert_type(made, grpc.Channel)
    awaited = our_grpc.aio_secure_channel("a.example", credentials, destinations=DESTINATIONS)
    assert_type(awaited, grpc.aio.Channel)
    our_grpc.secure_channel("a.example:443", credentials)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
