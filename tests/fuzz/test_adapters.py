"""The properties of the frameworks' adapters hold, and each of them can fail."""

import pytest
from flask import Response
from tests.fuzz import adapter_properties as properties
from tests.fuzz.apps import close
from tests.fuzz.runner import check, is_documented, is_refuted

from passthrough_auth.core.caller import caller_var
from passthrough_auth.core.inbound import AsgiRequest
from passthrough_auth.frameworks import asgi, fastapi, flask
from passthrough_auth.frameworks.django import middleware, requests

each_property = pytest.mark.parametrize("holds", properties.PROPERTIES, ids=lambda p: p.__name__)


@pytest.fixture(autouse=True, scope="module")
def _loop():
    yield
    close()


@each_property
def test_a_property_holds(holds):
    check(holds, examples=400)


# --- Faults that are found ------------------------------------------------------------------------

true_read = requests.as_request
true_response = flask._response
true_django_response = middleware._response


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


class NeverReset:
    """A wrong context variable, in which each caller stays."""

    def set(self, scope):
        return caller_var.set(scope or caller_var.get())

    def reset(self, token):
        pass


def leaving_it(self):
    pass


FAULTS = {
    properties.asgi_adapters_follow_core: [
        (fastapi.FastAPIRequest, "path", property(raw)),
        (requests.DjangoAsgiRequest, "path", property(with_the_mount)),
        (middleware, "as_request", raising_beyond_ascii),
        (middleware, "_response", as_a_success),
        (asgi, "_refuse", answering_nothing),
        (asgi, "caller_var", NeverReset()),
    ],
    properties.wsgi_adapters_follow_core: [
        (flask.FlaskRequest, "path", property(undecoded)),
        (requests.DjangoWsgiRequest, "path", property(with_the_mount)),
        (middleware, "as_request", raising_beyond_ascii),
        (flask, "_response", echoing),
        (flask, "_response", without_headers),
        (middleware, "_response", as_a_success),
    ],
    properties.a_public_path_runs_the_handler_of_its_rule: [
        (AsgiRequest, "settle_path", leaving_it),
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
# Django warns about a request that fails because of the fault.
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_property_finds_a_fault(holds, place, name, fault, monkeypatch):
    assert hasattr(place, name)
    monkeypatch.setattr(place, name, fault)

    assert is_refuted(holds, inputs=5_000)


def test_each_property_finds_a_fault():
    assert set(FAULTS) == set(properties.PROPERTIES)


@each_property
def test_a_property_is_documented(holds):
    assert is_documented(holds)
