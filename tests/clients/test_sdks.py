"""Real SDKs with a caller's client in place of their own: each always sets a key of the app's."""

import asyncio
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anthropic
import gitlab
import openai
import pytest
import trino.auth
import trino.dbapi

from passthrough_auth.clients.httpx2 import async_caller_client, caller_client
from passthrough_auth.clients.requests import CallerSession
from passthrough_auth.core import ConfigurationError, Destination, Destinations, acting_as
from passthrough_auth.core.inbound import AsgiRequest, Gate

TOKEN = ("authorization", "Bearer alice")
COOKIE = ("cookie", "sso=alice")
CALLERS = {"token": [TOKEN], "cookie": [COOKIE], "both": [TOKEN, COOKIE]}
IDENTITY = {"authorization", "cookie", "x-api-key", "private-token", "api-key"}
MESSAGE = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
ANSWERS = {
    "/v1/models": {"object": "list", "data": [], "has_more": False},
    "/v1/messages": MESSAGE,
    "/api/v4/projects/1": {"id": 1},
    "/v1/statement": {
        "id": "q",
        "infoUri": "",
        "columns": [],
        "data": [],
        "stats": {"state": "FINISHED"},
    },
}


class Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        identity = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append({name: identity[name] for name in IDENTITY & identity.keys()})
        if self.server.refuses:
            self.send_response(self.server.refuses)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")
            return
        body = json.dumps(ANSWERS[self.path.partition("?")[0]]).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def upstream():
    with ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as server:
        server.seen, server.refuses = [], None
        server.root = f"http://127.0.0.1:{server.server_port}"
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        yield server
        server.shutdown()
        serving.join()


@contextmanager
def openai_sdk(upstream, destinations):
    with caller_client(destinations) as client:
        sdk = openai.OpenAI(
            api_key="app-own", base_url=f"{upstream.root}/v1", http_client=client, max_retries=0
        )
        yield sdk.models.list


@contextmanager
def anthropic_sdk(upstream, destinations):
    with caller_client(destinations) as client:
        sdk = anthropic.Anthropic(
            api_key="app-own", base_url=upstream.root, http_client=client, max_retries=0
        )
        message = {"role": "user", "content": "hello"}
        yield lambda: sdk.messages.create(model="m", max_tokens=1, messages=[message])


@contextmanager
def gitlab_sdk(upstream, destinations):
    with CallerSession(destinations) as session:
        sdk = gitlab.Gitlab(upstream.root, private_token="app-own", session=session)
        yield lambda: sdk.projects.get(1)


@contextmanager
def trino_sdk(upstream, destinations):
    with CallerSession(destinations) as session:

        def query():
            connection = trino.dbapi.connect(
                host="127.0.0.1",
                port=upstream.server_port,
                user="alice",
                http_scheme="http",
                http_session=session,
                http_headers={"Authorization": "Bearer app-own"},
            )
            connection.cursor().execute("select 1")

        yield query


SDKS = [openai_sdk, anthropic_sdk, gitlab_sdk, trino_sdk]
APPS = {
    openai_sdk: {"authorization": "Bearer app-own"},
    anthropic_sdk: {"authorization": "Bearer app-own"},
    gitlab_sdk: {"private-token": "app-own"},
    trino_sdk: {"authorization": "Bearer app-own"},
}
each_sdk = pytest.mark.parametrize("sdk", SDKS, ids=lambda sdk: sdk.__name__)
each_caller = pytest.mark.parametrize("pairs", CALLERS.values(), ids=CALLERS)


def arrived(sdk, upstream, pairs, **options):
    """The identities with which the SDK's call arrived."""
    destinations = Destinations(Destination(upstream.root, **options))
    with sdk(upstream, destinations) as call, acting_as(*pairs, bindings=()):
        call()
    return upstream.seen


@each_sdk
@each_caller
def test_an_sdk_s_own_key_beside_a_caller_is_refused(sdk, pairs, upstream):
    """Some wrap the error in one of theirs, whose cause it is."""
    with pytest.raises(Exception, match=r".") as caught:
        arrived(sdk, upstream, pairs)

    causes = []
    error = caught.value
    while error is not None:
        causes.append(error)
        error = error.__cause__ or error.__context__
    (conflict,) = [each for each in causes if isinstance(each, ConfigurationError)]
    assert "on_conflict='caller'" in str(conflict)
    assert upstream.seen == []


@each_sdk
@each_caller
def test_the_caller_takes_the_place_of_an_sdk_s_own_key(sdk, pairs, upstream):
    assert arrived(sdk, upstream, pairs, on_conflict="caller") == [dict(pairs)]


@each_sdk
@each_caller
def test_an_sdk_s_own_key_may_call_alone(sdk, pairs, upstream):
    assert arrived(sdk, upstream, pairs, on_conflict="app") == [APPS[sdk]]


@each_sdk
def test_an_sdk_s_own_key_may_travel_beside_the_caller(sdk, upstream):
    beside = list(APPS[sdk])
    assert arrived(sdk, upstream, [COOKIE], beside=beside) == [{**dict([COOKIE]), **APPS[sdk]}]


@pytest.mark.parametrize("pairs", [[TOKEN], [COOKIE]])
def test_an_asynchronous_sdk_too(pairs, upstream):
    async def work():
        destinations = Destinations(Destination(upstream.root, on_conflict="caller"))
        async with async_caller_client(destinations) as client:
            sdk = openai.AsyncOpenAI(
                api_key="app-own",
                base_url=f"{upstream.root}/v1",
                http_client=client,
                max_retries=0,
            )
            with acting_as(*pairs, bindings=()):
                await sdk.models.list()

    asyncio.run(work())
    assert upstream.seen == [dict(pairs)]


@pytest.mark.parametrize(("status", "detail"), [(401, "not accepted"), (403, "Permission denied")])
@pytest.mark.parametrize("sdk", [openai_sdk, anthropic_sdk])
def test_what_an_sdk_raises_for_a_refused_caller_is_the_answer(sdk, status, detail, upstream):
    """Neither shows the response of the call as a cause."""
    upstream.refuses = status
    named = "AuthenticationError" if status == 401 else "PermissionDeniedError"
    errors = getattr(openai, named), getattr(anthropic, named)
    request = AsgiRequest({"type": "http", "method": "GET", "path": "/", "headers": []})
    for who, answer in (("caller", status), ("app", None)):
        with pytest.raises(errors) as caught:
            arrived(sdk, upstream, [TOKEN], on_conflict=who)
        refusal = Gate(bindings=()).refusal_for(request, caught.value)
        assert (refusal and refusal.status) == answer
        assert refusal is None or detail in refusal.body.decode()


@each_caller
@pytest.mark.parametrize("name", ["openai", "anthropic", "gitlab", "trino"])
def test_each_line_of_the_page_calls_as_the_caller(name, pairs, upstream):
    """python-gitlab and trino send no key of their own unless they are given one."""
    conflicting = name in ("openai", "anthropic")
    destination = Destination(upstream.root, on_conflict="caller" if conflicting else "raise")
    destinations = Destinations(destination)
    with (
        caller_client(destinations) as client,
        CallerSession(destinations) as session,
        acting_as(*pairs, bindings=()),
    ):
        if name == "openai":
            openai.OpenAI(
                api_key="unused", base_url=f"{upstream.root}/v1", http_client=client
            ).models.list()
        elif name == "anthropic":
            anthropic.Anthropic(
                api_key="unused", base_url=upstream.root, http_client=client
            ).models.list()
        elif name == "gitlab":
            gitlab.Gitlab(upstream.root, session=session).projects.get(1)
        else:
            trino.dbapi.connect(
                host="127.0.0.1",
                port=upstream.server_port,
                user="alice",
                http_scheme="http",
                http_session=session,
            ).cursor().execute("select 1")
    assert upstream.seen == [dict(pairs)]
