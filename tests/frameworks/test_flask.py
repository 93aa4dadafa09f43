"""The Flask extension."""

import asyncio
import contextvars
import gc
import io
import threading
import time
from wsgiref.util import FileWrapper

import pytest
from flask import Blueprint, Flask, Response, g, request, send_file, stream_with_context
from flask import Request as FlaskNativeRequest
from flask.sessions import SecureCookieSessionInterface
from tests.frameworks.asgi_server import ALICE, Answer, caller, environ_of
from werkzeug.debug import DebuggedApplication
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from passthrough_auth.core import (
    CallerDenied,
    CallerUnauthenticated,
    ConfigurationError,
    Refusal,
    acting_as,
)
from passthrough_auth.core.caller import current_scope
from passthrough_auth.frameworks.flask import PassthroughAuth

HEADERS = dict([ALICE])
BOB = {"authorization": "Bearer bob"}


@pytest.fixture(autouse=True)
def _no_caller_is_left_behind():
    """After each test, its own context must not have a caller."""
    yield
    assert current_scope() is None


def app_with(name="app", **options):
    """An app with a view that returns the caller."""
    app = Flask(name)
    app.add_url_rule("/me", "me", caller)
    app.add_url_rule("/health", "health", caller)
    PassthroughAuth(app, **options)
    return app


# --- Setting it up ------------------------------------------------------------------------------


def test_one_extension_serves_the_apps_of_a_factory():
    auth = PassthroughAuth(excluded_paths={"/health"})

    def create_app():
        app = Flask("made")
        app.add_url_rule("/me", "me", caller)
        app.add_url_rule("/health", "health", caller)
        auth.init_app(app)
        return app

    for app in (create_app(), create_app()):
        assert app.test_client().get("/me", headers=HEADERS).text == "Bearer alice"
        assert app.test_client().get("/me").status_code == 401
        assert app.test_client().get("/health").text == "public"


def test_an_unknown_option_is_an_error_before_there_is_an_app():
    with pytest.raises(
        ConfigurationError, match="PassthroughAuth has no option 'exclude_paths'; did"
    ):
        PassthroughAuth(exclude_paths=["/health"])


def test_an_iterator_gives_its_options_to_each_app():
    auth = PassthroughAuth(excluded_paths=iter(["/health"]))

    for name in ("one", "two"):
        app = Flask(name)
        auth.init_app(app)
        assert app.test_client().get("/health").status_code == 404


def test_the_extension_is_registered_with_the_app():
    app = app_with()

    assert "passthrough_auth" in app.extensions


def test_a_second_extension_on_one_app_is_an_error():
    app = app_with()

    with pytest.raises(ConfigurationError, match="'app' has passthrough-auth already"):
        PassthroughAuth(app)


def test_options_come_from_the_config_too():
    app = Flask("configured")
    app.config["PASSTHROUGH_AUTH_EXCLUDED_PATHS"] = ["/health"]
    app.config["PASSTHROUGH_AUTH_REALM"] = "config"
    app.config["PASSTHROUGH_AUTH_HEADER_EXTRACTORS"] = [
        "passthrough_auth.core.extract_cookie_header"
    ]
    app.config["UNRELATED"] = "PASSTHROUGH_AUTH_"
    PassthroughAuth(realm="constructor").init_app(app)
    client = app.test_client(use_cookies=False)

    assert client.get("/health").status_code == 404
    assert client.get("/me", headers=HEADERS).headers["www-authenticate"] == (
        'Bearer realm="constructor"'
    )
    assert client.get("/me", headers={"Cookie": "a=b"}).status_code == 404


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("PASSTHROUGH_AUTH_EXCLUDE_PATHS", ["/health"], "did you mean 'excluded_paths'"),
        ("PASSTHROUGH_AUTH_", [], "no option ''"),
        ("PASSTHROUGH_AUTH", {"excluded_paths": ["/health"]}, "write an entry for each option"),
        ("PASSTHROUGH_AUTH_EXCLUDED_PATHS", "/health", r"write \{'/health'\}"),
        ("PASSTHROUGH_AUTH_HEADER_EXTRACTORS", ["no.such.function"], "dotted path"),
    ],
)
def test_a_wrong_option_in_the_config_says_what_to_write(key, value, said):
    app = Flask("mistaken")
    app.config[key] = value

    with pytest.raises(ConfigurationError, match=said):
        PassthroughAuth(app)
    assert "passthrough_auth" not in app.extensions


def test_an_extractor_may_use_flask_s_own_request():
    natives = []

    def extract_token(request):
        natives.append(request.native)
        return "x-token", request.native.args["token"]

    app = app_with(header_extractors=[extract_token])

    assert app.test_client().get("/nothing?token=t").status_code == 404
    assert type(natives[0]) is FlaskNativeRequest


# --- The order among the app's own functions ----------------------------------------------------


def test_no_before_request_function_runs_for_a_refused_request():
    """Functions that were registered before the extension don't run either."""
    app, ran = Flask("first"), []
    app.before_request(lambda: ran.append("before"))
    blueprint = Blueprint("blue", __name__, url_prefix="/blue")
    blueprint.before_app_request(lambda: ran.append("blueprint"))
    blueprint.add_url_rule("/me", "me", caller)
    app.register_blueprint(blueprint)
    PassthroughAuth(app)

    assert app.test_client().get("/blue/me").status_code == 401
    assert ran == []
    assert app.test_client().get("/blue/me", headers=HEADERS).text == "Bearer alice"
    assert ran == ["before", "blueprint"]


def test_after_request_functions_can_change_a_refusal():
    """Flask's CORS layers are such functions."""
    app = app_with()

    @app.after_request
    def allow_origin(response):
        response.headers["access-control-allow-origin"] = "*"
        return response

    assert app.test_client().get("/me").headers["access-control-allow-origin"] == "*"


@pytest.fixture
def timed_app():
    """An app that times each request. This fails after it if no before-request function has run."""
    app, logged = app_with(excluded_paths=["/health"]), []
    app.before_request(lambda: setattr(g, "start", time.monotonic()))

    @app.after_request
    def took(response):
        response.headers["x-took"] = str(time.monotonic() - g.start)
        return response

    @app.after_request
    def halfway(response):
        response.headers["content-encoding"] = "halfway"
        return response

    app.log_exception = lambda *context_and_info: logged.append(context_and_info[-1][0])
    app.logged = logged
    return app


@pytest.mark.parametrize("testing", [False, True])
def test_a_refusal_is_sent_although_after_request_functions_fail(timed_app, testing):
    """They rely on before-request functions, which did not run. Flask still logs their error."""
    timed_app.testing = testing

    answer = timed_app.test_client().get("/me")

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "content-encoding" not in answer.headers
    assert timed_app.logged == [AttributeError]


@pytest.mark.parametrize(("path", "headers"), [("/me", HEADERS), ("/health", {}), ("/no", HEADERS)])
def test_for_other_requests_errors_of_after_request_functions_pass(timed_app, path, headers):
    assert "x-took" in timed_app.test_client().get(path, headers=headers).headers

    timed_app.before_request_funcs.clear()
    assert timed_app.test_client().get(path, headers=headers).status_code == 500

    timed_app.testing = True
    with pytest.raises(AttributeError, match="start"):
        timed_app.test_client().get(path, headers=headers)


def test_outside_of_served_requests_errors_of_after_request_functions_pass():
    """This happens in a test that only has a request context."""
    app = app_with()
    app.after_request(lambda response: 1 / 0)

    with app.test_request_context("/me"), pytest.raises(ZeroDivisionError):
        app.process_response(Response())


def test_a_request_stays_refused_if_saving_its_session_fails(caplog):
    class Failing(SecureCookieSessionInterface):
        def save_session(self, *session_and_response):
            raise ZeroDivisionError

    app = app_with()
    app.secret_key = "not needed"
    app.session_interface = Failing()

    assert app.test_client().get("/me").status_code == 401
    assert "Exception on /me [GET]" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_an_app_s_own_401_handler_can_t_turn_a_refusal_into_a_200():
    app = app_with()
    app.register_error_handler(401, lambda error: ("fine", 200))

    assert app.test_client().get("/me").status_code == 401


def test_an_unknown_path_or_method_is_refused_first():
    client = app_with().test_client()

    assert (client.get("/none").status_code, client.post("/me").status_code) == (401, 401)
    assert client.get("/none", headers=HEADERS).status_code == 404
    assert client.post("/me", headers=HEADERS).status_code == 405


def test_the_answer_to_head_has_no_body():
    answer = Answer(app_with(), environ_of("/me", method="HEAD"))

    assert (answer.status, answer.read()) == (401, b"")


def test_an_allowed_preflight_reaches_the_app_s_cors_layer():
    headers = {"Origin": "https://ui.example", "Access-Control-Request-Method": "PUT"}

    assert app_with().test_client().options("/me", headers=headers).status_code == 401
    allowed = app_with(allow_preflight=True).test_client()
    assert allowed.options("/me", headers=headers).status_code == 200
    assert allowed.options("/me").status_code == 401


PREFLIGHT = {"Origin": "https://ui.example", "Access-Control-Request-Method": "PUT"}


@pytest.mark.parametrize("given", ["yes", 1, None])
def test_allow_preflight_is_true_or_false(given):
    with pytest.raises(ConfigurationError, match="allow_preflight is True or False, not"):
        app_with(allow_preflight=given)


def test_no_view_runs_for_a_preflight():
    """Many views list OPTIONS for CORS, and any client can send a request like a preflight."""
    app, ran = app_with(allow_preflight=True), []
    app.add_url_rule("/wipe", "wipe", lambda: ran.append("wipe") or "", methods=["GET", "OPTIONS"])
    app.after_request(lambda response: response.headers.set("x-cors", "yes") or response)

    answer = app.test_client().options("/wipe", headers=PREFLIGHT)

    assert (answer.status_code, answer.headers["x-cors"], ran) == (200, "yes", [])
    assert set(answer.allow) == {"GET", "HEAD", "OPTIONS"}
    assert app.test_client().options("/nowhere", headers=PREFLIGHT).status_code == 200


def test_a_view_that_says_it_answers_preflights_runs():
    """flask_cors.cross_origin makes such views."""
    app = app_with(allow_preflight=True)

    def view():
        return caller()

    view.provide_automatic_options = False
    view.required_methods = {"OPTIONS"}
    app.add_url_rule("/decorated", "decorated", view)

    assert app.test_client().options("/decorated", headers=PREFLIGHT).text == "preflight"


def test_no_code_of_the_app_runs_before_the_gate():
    """URL preprocessors run earlier, and could show strangers which paths exist."""
    app, seen = app_with(), []
    app.url_value_preprocessor(lambda endpoint, values: seen.append(caller()))

    assert app.test_client().get("/me").status_code == 401
    assert seen == []
    app.test_client().get("/me", headers=HEADERS)
    assert seen == ["Bearer alice"]


@pytest.mark.parametrize(("site", "status"), [("cross-site", 403), ("same-origin", 200)])
def test_a_cross_site_websocket_handshake_is_refused(site, status):
    """It is a GET, and extensions such as flask-sock take over its connection."""
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Cookie": "session=victim"}

    app = app_with()
    app.add_url_rule("/ws", "ws", caller, websocket=True)
    client = app.test_client(use_cookies=False)

    answer = client.get("/ws", headers={**headers, "Sec-Fetch-Site": site})

    assert answer.status_code == status


def test_every_function_of_the_app_has_the_caller():
    app, seen = app_with(), {}

    def note(where, result=None):
        seen[where] = caller()
        return result

    app.before_request(lambda: note("before"))
    app.after_request(lambda response: note("after", response))
    app.teardown_request(lambda error: note("teardown"))
    app.teardown_appcontext(lambda error: note("teardown app"))
    app.register_error_handler(KeyError, lambda error: note("error", "handled"))

    @app.get("/raise")
    def fail():
        raise KeyError

    assert app.test_client().get("/raise", headers=HEADERS).text == "handled"
    assert set(seen) == {"before", "after", "teardown", "teardown app", "error"}
    assert set(seen.values()) == {"Bearer alice"}


def test_async_views_have_the_caller():
    app = app_with()

    @app.get("/async")
    async def view():
        await asyncio.sleep(0)
        return caller()

    assert app.test_client().get("/async", headers=HEADERS).text == "Bearer alice"
    assert app.test_client().get("/async").status_code == 401


def test_an_app_s_own_refusal_is_sent_unchanged():
    login = Refusal(303, (("location", "/in"), ("set-cookie", "a=1"), ("set-cookie", "b=2")), b"")
    app = app_with(on_refusal=lambda request, refusal: login)

    answer = app.test_client().get("/me")

    assert (answer.status_code, answer.headers["location"]) == (303, "/in")
    assert answer.headers.getlist("set-cookie") == ["a=1", "b=2"]


# --- Several apps -------------------------------------------------------------------------------


def mounted(outer, inner):
    """One WSGI app mounted within another, with Werkzeug's dispatcher."""
    return DispatcherMiddleware(outer, {"/inner": inner})


def get(app, path, **headers):
    return Answer(app, environ_of(path, *headers.items()))


def test_apps_side_by_side_keep_their_own_rules():
    """Both are mounted beside each other, and each one decides about its own paths."""
    outer = app_with("outer", excluded_paths=["/health"])
    inner = app_with("inner", excluded_paths=["/me"])
    both = mounted(outer.wsgi_app, inner.wsgi_app)

    assert get(both, "/health").read() == b"public"
    assert get(both, "/me").status == 401
    assert get(both, "/inner/me").read() == b"public"
    assert get(both, "/inner/health").status == 401
    assert get(both, "/inner/health", **HEADERS).read() == b"Bearer alice"


@pytest.mark.parametrize("protect_first", [True, False])
def test_an_app_mounted_within_another_has_its_own_rules(protect_first):
    """It may be mounted before or after the outer app was protected."""
    outer, inner = Flask("outer"), app_with("inner", excluded_paths=["/health"])
    outer.add_url_rule("/me", "me", caller)
    auth = PassthroughAuth()
    if protect_first:
        auth.init_app(outer)
    outer.wsgi_app = mounted(outer.wsgi_app, inner.wsgi_app)
    if not protect_first:
        auth.init_app(outer)

    assert get(outer, "/me").status == 401
    assert get(outer, "/me", **HEADERS).read() == b"Bearer alice"
    assert get(outer, "/inner/me").status == 401
    assert get(outer, "/inner/me", **HEADERS).read() == b"Bearer alice"
    assert get(outer, "/inner/health", **HEADERS).read() == b"public"


def test_an_app_that_calls_another_keeps_its_own_caller():
    inner = app_with("inner")
    outer = app_with("outer")

    @outer.get("/call")
    def call():
        before = caller()
        return f"{before}, {inner.test_client().get('/me', headers=BOB).text}, {caller()}"

    assert outer.test_client().get("/call", headers=HEADERS).text == (
        "Bearer alice, Bearer bob, Bearer alice"
    )


@pytest.mark.parametrize("protect_first", [True, False])
def test_a_proxy_s_prefix_changes_no_path(protect_first):
    app = Flask("proxied")
    app.add_url_rule("/me", "me", lambda: f"{request.script_root} {caller()}")
    app.add_url_rule("/health", "health", lambda: f"{request.script_root} {caller()}")
    auth = PassthroughAuth(excluded_paths=["/health"])
    if protect_first:
        auth.init_app(app)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_prefix=1)
    if not protect_first:
        auth.init_app(app)
    client = app.test_client()
    prefix = {"X-Forwarded-Prefix": "/health"}

    assert client.get("/health", headers=prefix).text == "/health public"
    assert client.get("/me", headers=prefix).status_code == 401
    assert client.get("/me", headers=prefix | HEADERS).text == "/health Bearer alice"


@pytest.mark.parametrize("given", [{"/health"}, Blueprint("b", __name__), Flask("x").wsgi_app])
def test_another_object_than_a_flask_app_is_an_error(given):
    with pytest.raises(ConfigurationError, match=r"write PassthroughAuth\(app, "):
        PassthroughAuth(given)


def test_a_request_that_bypassed_the_wsgi_app_is_an_error():
    app = Flask("replaced")
    app.add_url_rule("/me", "me", caller)
    untouched = app.wsgi_app
    PassthroughAuth(app)
    app.wsgi_app = untouched
    app.testing = True

    with pytest.raises(
        ConfigurationError, match=r"without passing its wsgi_app.*Wrap app\.wsgi_app"
    ):
        app.test_client().get("/me", headers=HEADERS)


def test_an_app_mounted_before_it_was_protected_is_an_error():
    """The outer app has its old wsgi_app, so only the outer app's middleware runs."""
    outer, inner = Flask("outer"), Flask("inner")
    inner.add_url_rule("/me", "me", caller)
    outer.wsgi_app = mounted(outer.wsgi_app, inner.wsgi_app)
    for app in (outer, inner):
        PassthroughAuth(app)
    inner.testing = True

    with pytest.raises(ConfigurationError, match="'inner' without passing its wsgi_app"):
        get(outer, "/inner/me", **HEADERS)


def test_a_request_within_a_request_has_its_own_caller():
    """Batch views make one from a copied environ. It must not replace the outer caller."""
    app = app_with()

    @app.get("/batch")
    def batch():
        environ = dict(request.environ, HTTP_AUTHORIZATION="Bearer bob", PATH_INFO="/me")
        with app.request_context(environ), pytest.raises(ConfigurationError, match="within a view"):
            app.full_dispatch_request()
        inner = Response.from_app(app.wsgi_app, environ).get_data(as_text=True)
        return f"{inner} within {caller()}"

    assert app.test_client().get("/batch", headers=HEADERS).text == (
        "Bearer bob within Bearer alice"
    )


def test_a_request_that_another_app_began_is_an_error():
    app, other = app_with(), app_with("other")
    environ = environ_of("/me", *HEADERS.items())
    other(environ, lambda status, headers, exc_info=None: None)

    with (
        app.request_context(environ),
        pytest.raises(ConfigurationError, match="'app' without passing its wsgi_app"),
    ):
        app.preprocess_request()


def test_a_test_request_context_says_to_use_auth_metadata():
    app = app_with()

    with app.test_request_context("/me"):
        with pytest.raises(ConfigurationError, match=r"in a test.*acting_as\(\)"):
            app.preprocess_request()
        with acting_as(ALICE):
            assert caller() == "Bearer alice"


# --- Streams ------------------------------------------------------------------------------------


def streaming_app(**options):
    app = app_with(**options)
    app.seen = []

    def pieces():
        try:
            while True:
                yield caller()
        finally:
            app.seen.append(caller())

    @app.get("/stream")
    def stream():
        return Response(pieces())

    @app.get("/with-context")
    def with_context():
        g.tag = "tag"

        def tagged():
            yield f"{g.tag} {caller()}"

        return Response(stream_with_context(tagged()))

    return app


def test_each_piece_is_for_the_caller_and_nothing_in_between():
    app = streaming_app()
    body = get(app, "/stream", **HEADERS).body

    assert [next(body), caller(), next(body), caller()] == [b"Bearer alice", "outside"] * 2
    body.close()
    assert app.seen == ["Bearer alice"]


def test_a_body_that_is_never_closed_leaves_no_caller_behind():
    app = streaming_app()
    body = get(app, "/stream", **HEADERS).body
    next(body)

    assert caller() == "outside"
    assert app.test_client().get("/me", headers=BOB).text == "Bearer bob"
    assert app.test_client().get("/me").status_code == 401
    del body


def test_a_body_may_be_read_and_closed_by_other_threads():
    app, found = streaming_app(), []
    body = get(app, "/stream", **HEADERS).body
    for step in (lambda: found.append(next(body)), body.close, lambda: found.append(caller())):
        thread = threading.Thread(target=step)
        thread.start()
        thread.join()

    assert found == [b"Bearer alice", "outside"]
    assert app.seen == ["Bearer alice"]


def test_stream_with_context_works_beside_the_caller():
    answer = get(streaming_app(), "/with-context", **HEADERS)

    assert answer.read() == b"tag Bearer alice"


def test_work_that_outlives_a_request_has_no_caller_for_the_reason_ended():
    app, kept = app_with(), []

    @app.get("/keep")
    def keep():
        kept.append(contextvars.copy_context())
        return "kept"

    get(app, "/keep", **HEADERS).read()

    assert kept[0].run(caller) == "ended"


class _FileWrapper(FileWrapper):
    """A server's own class. The server sends the file with sendfile if it gets this object back."""


@pytest.mark.parametrize("wrapper", [_FileWrapper, None])
def test_a_file_is_passed_to_the_server_unchanged(wrapper):
    app = app_with()
    app.add_url_rule("/file", "file", lambda: send_file(io.BytesIO(b"data"), "text/plain"))
    more = {"wsgi.file_wrapper": wrapper} if wrapper else {}

    answer = Answer(app, environ_of("/file", ALICE, **more))

    assert isinstance(answer.body, _FileWrapper) is (wrapper is not None)
    assert answer.read() == b"data"


def test_a_file_that_the_server_sends_has_no_caller():
    app, kept = app_with(), []

    @app.get("/file")
    def file():
        kept.append(contextvars.copy_context())
        return send_file(io.BytesIO(b"data"), "text/plain")

    Answer(app, environ_of("/file", ALICE, **{"wsgi.file_wrapper": _FileWrapper}))

    assert kept[0].run(caller) == "ended"


def test_a_file_wrapper_that_is_a_function_works_too():
    """It is one in uWSGI, where a file's body looks like any other."""
    app = app_with()
    app.add_url_rule("/file", "file", lambda: send_file(io.BytesIO(b"data"), "text/plain"))

    answer = Answer(app, environ_of("/file", ALICE, **{"wsgi.file_wrapper": lambda f, n=0: f}))

    assert answer.read() == b"data"


# --- Errors -------------------------------------------------------------------------------------


def test_a_teardown_that_raises_leaves_no_caller_behind():
    app, kept = app_with(), []

    @app.teardown_request
    def fail(error):
        kept.append(contextvars.copy_context())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        get(app, "/me", **HEADERS)
    assert caller() == "outside"
    assert kept[0].run(caller) == "ended"


def test_a_view_that_raises_leaves_no_caller_behind():
    app = app_with()
    app.testing = True

    @app.get("/raise")
    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        app.test_client().get("/raise", headers=HEADERS)
    assert app.test_client().get("/me").status_code == 401


def refused_upstream(error):
    app = app_with()

    @app.get("/job")
    def job():
        inner = ValueError("creating the run failed")
        inner.__cause__ = error
        raise RuntimeError("the job could not be started") from inner

    return app


@pytest.mark.parametrize(("error", "status"), [(CallerUnauthenticated, 401), (CallerDenied, 403)])
@pytest.mark.parametrize("testing", [False, True])
def test_an_upstream_refusal_deep_in_the_causes_becomes_the_answer(error, status, testing):
    """Also with TESTING, where Flask lets all other errors pass."""
    app = refused_upstream(error("s3cret"))
    app.testing = testing

    answer = app.test_client().get("/job", headers=HEADERS)

    assert answer.status_code == status
    assert answer.headers["cache-control"] == "no-store"
    assert "s3cret" not in answer.text


def test_an_app_s_own_handler_for_the_refusal_is_preferred():
    app = app_with()
    app.register_error_handler(CallerDenied, lambda error: ("ask your admin", 403))

    @app.get("/job")
    def job():
        raise CallerDenied("no")

    assert app.test_client().get("/job", headers=HEADERS).text == "ask your admin"


def test_any_other_error_is_left_to_the_app():
    app = refused_upstream(KeyError("no"))

    assert app.test_client().get("/job", headers=HEADERS).status_code == 500


# --- Flask's test client ------------------------------------------------------------------------


def test_with_a_client_a_test_can_use_the_request_afterwards():
    app = streaming_app()

    with app.test_client() as client:
        assert client.get("/with-context", headers=HEADERS).text == "tag Bearer alice"
        assert (g.tag, request.path) == ("tag", "/with-context")
        assert client.get("/me", headers=BOB).text == "Bearer bob"
        assert request.path == "/me"
        assert client.get("/me").status_code == 401
    assert current_scope() is None


def test_with_a_client_the_caller_stays_until_the_next_request():
    """Also if a test drops the response, and its body is collected."""
    app = app_with(excluded_paths=["/health"])

    with app.test_client() as client:
        client.get("/me", headers=HEADERS)
        gc.collect()
        assert caller() == "Bearer alice"
        with app.test_client() as other:
            other.get("/me", headers=BOB)
            gc.collect()
            assert caller() == "Bearer bob"
        assert caller() == "Bearer alice"
        client.get("/health")
        assert caller() == "public"
    assert caller() == "outside"


def test_with_a_client_the_request_ends_with_the_block():
    app = app_with()

    with app.test_client() as client:
        client.get("/me", headers=HEADERS)
        kept = contextvars.copy_context()
    assert kept.run(caller) == "ended"


def test_werkzeug_s_debugger_keeps_no_caller_of_a_request_without_error():
    """It gets the same context as a test client, and uses it only after an error."""
    app = app_with()
    kept = []
    app.add_url_rule("/keep", "keep", lambda: kept.append(contextvars.copy_context()) or caller())
    debugged = DebuggedApplication(app, evalex=True)

    assert get(debugged, "/keep", **HEADERS).read() == b"Bearer alice"
    assert caller() == "outside"
    assert kept[0].run(caller) == "ended"


def test_with_a_client_a_stream_has_the_caller_too():
    app = streaming_app()

    with app.test_client() as client:
        answer = client.get("/stream", headers=HEADERS)
        pieces = answer.iter_encoded()
        assert [next(pieces), next(pieces)] == [b"Bearer alice"] * 2
        answer.close()
    assert app.seen == ["Bearer alice"]


def test_with_a_client_an_error_leaves_no_caller_behind():
    app = refused_upstream(KeyError("no"))
    app.testing = True

    with app.test_client() as client:
        with pytest.raises(RuntimeError, match="could not be started"):
            client.get("/job", headers=HEADERS)
        assert client.get("/me", headers=BOB).text == "Bearer bob"
