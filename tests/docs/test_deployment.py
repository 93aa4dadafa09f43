"""docs/deployment.md is right: its extractors read the proxies' headers, as ambient ones."""

import functools
import http.client
import re
from base64 import b64encode
from contextlib import closing, contextmanager

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from flask import Flask
from tests.docs.blocks import ROOT, blocks, table
from tests.docs.nginx import behind_nginx

from passthrough_auth import core
from passthrough_auth.core.inbound import AsgiRequest, Gate
from passthrough_auth.frameworks.fastapi import FastAPIPassthroughAuthMiddleware
from passthrough_auth.frameworks.flask import PassthroughAuth
from passthrough_auth.testing.servers import server, serving

PAGE = ROOT / "docs" / "deployment.md"
EXTRACTORS = sorted({extractor for _, _, extractor in table(PAGE, "Authenticating proxies")})


def block_with(text, language):
    """The only block of the page that contains this text."""
    (block,) = (each for each in blocks(language, page="docs/deployment.md") if text in each.source)
    return block


def app_with(text):
    """The app from the only block of the page that contains this text."""
    block = block_with(text, "python")
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


def test_a_websocket_may_have_its_token_among_the_subprotocols():
    elsewhere = {"origin": "https://elsewhere.example"}
    with TestClient(app_with("extract_websocket_token")) as client:
        with client.websocket_connect(
            "/events", subprotocols=["app.v1", "bearer.YWJj"], headers=elsewhere
        ) as websocket:
            assert websocket.receive_json()["caller"].startswith("<Credentials authorization ")
        with client.websocket_connect("/events", subprotocols=["app.v1"]) as websocket:
            assert websocket.accepted_subprotocol == "app.v1"
            assert websocket.receive()["code"] == 4401


APP = """
from fastapi import FastAPI
from flask import Flask

from passthrough_auth.core import current_credentials
from passthrough_auth.frameworks.fastapi import FastAPIPassthroughAuthMiddleware
from passthrough_auth.frameworks.flask import PassthroughAuth

app = Flask(__name__)
PassthroughAuth(app)


@app.route("/whoami", methods=["GET", "POST"])
def whoami():
    return current_credentials().headers()
"""
# The password of the staging site, in clear: it is known to everybody here.
STAGING = {"authorization": f"Basic {b64encode(b'staging:pw').decode()}"}


@contextmanager
def deployed(location, folder):
    """An app with default options behind nginx: gives a function that asks it."""
    (folder / "behind.py").write_text(APP)
    (folder / "staging.htpasswd").write_text("staging:{PLAIN}pw\n")
    with (
        serving(server("waitress"), "behind:app", cwd=folder) as upstream,
        behind_nginx(location, upstream, folder) as running,
    ):

        def ask(method="GET", **headers):
            at = running.host, running.port
            with closing(http.client.HTTPConnection(*at, timeout=60)) as connection:
                connection.request(method, "/whoami", headers=headers)
                response = connection.getresponse()
                return response.status, response.read().decode()

        yield ask


def test_the_proxy_s_own_password_stays_there(tmp_path):
    block = block_with("auth_basic", "text").source
    with deployed(block, tmp_path) as ask:
        assert ask()[0] == 401
        assert ask(**STAGING) == (401, refused("required"))
        assert ask(**STAGING, cookie="session=a") == (200, '{"cookie":"session=a"}\n')

    removing = '    proxy_set_header Authorization "";\n'
    assert removing in block
    with deployed(block.replace(removing, ""), tmp_path) as ask:
        assert STAGING["authorization"] in ask(**STAGING)[1]


def refused(why):
    with TestClient(app_with("extract_access_token")) as client:
        text = client.get("/whoami").text
    assert why in text
    return text


def test_a_cookie_that_nginx_turns_into_a_token_locks_out_who_has_another(tmp_path):
    line = 'proxy_set_header Authorization "Bearer $cookie_token";'
    (quoted,) = re.findall('`(proxy_set_header Authorization "Bearer.*?)`', PAGE.read_text())
    location = f"location / {{ proxy_pass http://127.0.0.1:8000; {line} }}"
    assert quoted == line
    with deployed(location, tmp_path) as ask:
        assert ask(cookie="token=t; session=a")[0] == 200
        assert ask(cookie="session=a")[0] == 401


def test_nginx_keeps_the_host(tmp_path):
    block = block_with("$http_host", "text").source
    site = {"host": "tools.example.com:8080", "cookie": "session=a"}
    origin = "http://tools.example.com:8080"
    with deployed(block, tmp_path) as ask:
        assert ask("POST", **site, origin=origin)[0] == 200
        assert ask("POST", **site, origin="http://elsewhere.example")[0] == 403
    with deployed(block.replace("$http_host", "$host"), tmp_path) as ask:
        assert ask("POST", **site, origin=origin)[0] == 403


def test_each_proxy_s_own_cookies_can_be_left_out():
    line = b"BearerToken=t; IdToken=i; session=a"
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"cookie", line)]}

    def taken(*extractors):
        credentials = Gate(header_extractors=extractors).admit(AsgiRequest(scope)).credentials()
        return credentials.headers()

    assert taken(core.extract_cookies("session")) == {"cookie": "session=a"}
    assert taken(core.extract_cookie_header) == {"cookie": line.decode()}


FASTAPI = """
from fastapi import FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware

from passthrough_auth.frameworks.fastapi import FastAPIPassthroughAuthMiddleware

app = FastAPI()
app.add_middleware(FastAPIPassthroughAuthMiddleware)
{line}
app.get("/whoami")(lambda: {{}})
"""
FLASK = """
from flask import Flask

from passthrough_auth.frameworks.fastapi import FastAPIPassthroughAuthMiddleware
from passthrough_auth.frameworks.flask import PassthroughAuth

app = Flask(__name__)
{line}
PassthroughAuth(app)
app.get("/whoami")(lambda: {{}})
"""
DJANGO = """
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path

{line}
settings.configure(
    ROOT_URLCONF="hosted",
    ALLOWED_HOSTS=ALLOWED_HOSTS,
    MIDDLEWARE=[
        "django.middleware.common.CommonMiddleware",
        "passthrough_auth.frameworks.django.PassthroughAuthMiddleware",
    ],
)
urlpatterns = [path("whoami", lambda request: JsonResponse({{}}))]
app = get_wsgi_application()
"""
HOSTED = {"FastAPI, Starlette": FASTAPI, "Flask 3.1": FLASK, "Django": DJANGO}


@pytest.mark.parametrize("row", table(PAGE, "Which hosts the app answers to"), ids=lambda r: r[0])
def test_another_host_is_refused(row, tmp_path):
    framework, line, _, _ = row
    (tmp_path / "hosted.py").write_text(HOSTED[framework].format(line=line))
    interface = "uvicorn-h11-asyncio" if framework.startswith("FastAPI") else "waitress"
    with serving(server(interface), "hosted:app", cwd=tmp_path) as running:

        def ask(host, **headers):
            at = running.host, running.port
            with closing(http.client.HTTPConnection(*at, timeout=60)) as connection:
                connection.request("GET", "/whoami", headers={"host": host, **headers})
                return connection.getresponse().status

        caller = {"authorization": "Bearer abc"}
        assert ask("tools.example.com", **caller) == 200
        assert ask("tools.example.com") == 401
        assert ask("page.example", **caller) == 400
        assert ask("page.example") == (401 if framework == "Flask 3.1" else 400)


def exchanged(app, key):
    """A layer around an app that turns each GET into a DELETE."""

    def layer(request, *rest):
        if request.get(key) == "GET":
            request[key] = "DELETE"
        return app(request, *rest)

    return layer


@pytest.mark.parametrize(("outside", "status"), [(True, 403), (False, 200)])
def test_a_method_that_is_exchanged_outside_the_gate_is_judged(outside, status):
    app = FastAPI()
    app.delete("/item")(lambda: "gone")
    layers = [FastAPIPassthroughAuthMiddleware, functools.partial(exchanged, key="method")]
    for layer in layers if outside else reversed(layers):
        app.add_middleware(layer)

    with TestClient(app) as client:
        assert client.get("/item", headers=FORM).status_code == status


@pytest.mark.parametrize("later", [True, False])
def test_what_is_around_flask_s_wsgi_app_is_outside_the_gate(later):
    app = Flask(__name__)
    app.delete("/item")(lambda: "gone")
    if later:
        PassthroughAuth(app)
    app.wsgi_app = exchanged(app.wsgi_app, "REQUEST_METHOD")
    if not later:
        PassthroughAuth(app)

    client = app.test_client(use_cookies=False)
    assert client.get("/item", headers=FORM).status_code == 403
    assert client.get("/item", headers={"cookie": "session=a"}).status_code == 200


FORM = {"cookie": "session=a", "sec-fetch-site": "cross-site"}
