"""The properties of the frameworks' adapters, and that each of them can fail."""

import pytest
from flask import Response
from tests.fuzz import adapter_properties as properties
from tests.fuzz.apps import close
from tests.fuzz.running import check, is_documented, is_refuted

from passthrough_auth.core import context
from passthrough_auth.frameworks import asgi, fastapi, flask
from passthrough_auth.frameworks.django import middleware, requests

each_property = pytest.mark.parametrize("holds", properties.PROPERTIES, ids=lambda p: p.__name__)


@pytest.fixture(autouse=True, scope="module")
def _loop():
    yield
    close()


@each_property
def test_it_holds(holds):
    check(holds, examples=400)


# --- Faults that are found ------------------------------------------------------------------------

true_read = requests.read
true_response = flask._response
true_django_response = middleware._response
true_exit = context._Active.__exit__


def undecoded(self):
    return self.environ["PATH_INFO"]


def with_the_mount(self):
    return self.native.path


def raw(self):
    return self.scope["raw_path"].decode("latin-1")


def raising_beyond_ascii(native):
    native.path_info.encode("ascii")
    return true_read(native)


def echoing(refusal):
    body = flask.request.headers.get("x-token", "")
    return Response(body, refusal.status, list(refusal.headers))


def without_headers(refusal):
    return Response(refusal.body, refusal.status)


def as_a_success(request, refusal):
    response = true_django_response(request, refusal)
    response.status_code = 200
    return response


async def answering_nothing(request, refusal, receive, send):
    await send({"type": "http.response.start", "status": refusal.status, "headers": []})


def staying(self, *error):
    if error[0] is not None:
        true_exit(self, *error)


FAULTS = {
    properties.asgi_adapters_follow_core: [
        (fastapi.FastAPIRequest, "path", property(raw)),
        (requests.DjangoAsgiRequest, "path", property(with_the_mount)),
        (middleware, "read", raising_beyond_ascii),
        (middleware, "_response", as_a_success),
        (asgi, "_refuse", answering_nothing),
        (context._Active, "__exit__", staying),
    ],
    properties.wsgi_adapters_follow_core: [
        (flask.FlaskRequest, "path", property(undecoded)),
        (requests.DjangoWsgiRequest, "path", property(with_the_mount)),
        (middleware, "read", raising_beyond_ascii),
        (flask, "_response", echoing),
        (flask, "_response", without_headers),
        (middleware, "_response", as_a_success),
    ],
}


@pytest.mark.parametrize(
    ("holds", "place", "name", "fault"),
    [
        pytest.param(holds, *fault, id=f"{holds.__name__}-{fault[1]}-{number}")
        for holds, faults in FAULTS.items()
        for number, fault in enumerate(faults)
    ],
)
# What Django says of a request that makes it fail, as the fault does.
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_it_finds_a_fault(holds, place, name, fault, monkeypatch):
    assert hasattr(place, name)
    monkeypatch.setattr(place, name, fault)

    assert is_refuted(holds, inputs=5_000)


def test_each_property_finds_some():
    assert set(FAULTS) == set(properties.PROPERTIES)


@each_property
def test_it_is_documented(holds):
    assert is_documented(holds)
