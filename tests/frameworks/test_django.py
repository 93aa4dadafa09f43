"""The Django middleware."""

import ast
import asyncio
import contextvars
import gc
import io
import re
import sys
import threading
import warnings
from types import SimpleNamespace

import pytest
from asgiref.sync import iscoroutinefunction
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client
from django.test.utils import override_settings
from django.urls import path
from tests.frameworks.asgi_server import (
    ALICE,
    Answer,
    Exchange,
    ask,
    body_of,
    caller,
    environ_of,
    http_scope,
    websocket_scope,
)

from passthrough_auth.core import (
    CallerDenied,
    CallerUnauthenticated,
    ConfigurationError,
    Refusal,
    extract_custom_header,
)
from passthrough_auth.core.caller import current_scope
from passthrough_auth.frameworks import asgi as asgi_middleware
from passthrough_auth.frameworks.django import PassthroughAuthMiddleware
from passthrough_auth.frameworks.django.checks import check_settings

OURS = "passthrough_auth.frameworks.django.PassthroughAuthMiddleware"
HEADERS = dict([ALICE])
SEEN = []
GIVEN = SimpleNamespace(error=None)


@pytest.fixture(autouse=True)
def _no_caller_is_left_behind():
    SEEN.clear()
    yield
    assert current_scope() is None


# --- The project --------------------------------------------------------------------------------


def me(request):
    return HttpResponse(caller())


async def async_me(request):
    await asyncio.sleep(0)
    return HttpResponse(caller())


def where(request):
    """The thread of a sync view."""
    return HttpResponse(threading.current_thread().name)


def keep(request):
    SEEN.append(contextvars.copy_context())
    return HttpResponse("kept")


def stream(request):
    def pieces():
        try:
            while True:
                yield caller()
        finally:
            SEEN.append(f"closed for {caller()}")

    return StreamingHttpResponse(pieces())


def short_stream(request):
    return StreamingHttpResponse(caller() for _ in range(2))


async def async_stream(request):
    async def pieces():
        for _ in range(2):
            yield caller()
            await asyncio.sleep(0)

    return StreamingHttpResponse(pieces())


def file(request):
    return FileResponse(io.BytesIO(b"data"), content_type="text/plain")


def fail(request):
    raise RuntimeError("the job could not be started") from GIVEN.error


async def async_fail(request):
    raise RuntimeError("the job could not be started") from GIVEN.error


urlpatterns = [
    path("me", me),
    path("health", me),
    path("async-me", async_me),
    path("where", where),
    path("keep", keep),
    path("stream", stream),
    path("short-stream", short_stream),
    path("async-stream", async_stream),
    path("file", file),
    path("fail", fail),
    path("async-fail", async_fail),
]


def project(middleware=(OURS,), **options):
    """The settings of a project with these views."""
    more = options.pop("more", {})
    return override_settings(
        ROOT_URLCONF=__name__, MIDDLEWARE=list(middleware), PASSTHROUGH_AUTH=options, **more
    )


@pytest.fixture
def served():
    with project(excluded_paths=["/health"]):
        yield


def wsgi(where, *headers, **more):
    return Answer(WSGIHandler(), environ_of(where, *headers, **more))


def asgi(where, *headers, **more):
    """Status and body of the response of Django's ASGI handler."""
    sent = ask(ASGIHandler(), http_scope(where, *headers, **more))
    return sent[0]["status"], body_of(sent)


def extract_token(request):
    """An extractor that a project names by its dotted path."""
    token = request.native.GET.get("token")
    return ("x-token", token) if token else None


extract_header = extract_custom_header("x-token")


# --- Settings -----------------------------------------------------------------------------------


def test_extractors_may_be_dotted_paths_and_use_django_s_own_request():
    with project(header_extractors=[f"{__name__}.extract_token"]):
        assert Client().get("/me?token=t").status_code == 200
        assert Client().get("/me", headers=HEADERS).status_code == 401
        assert asgi("/me", query_string=b"token=t")[0] == 200


def test_without_the_setting_every_path_is_protected():
    with project():
        del settings.PASSTHROUGH_AUTH
        assert Client().get("/health").status_code == 401
        assert Client().get("/health", headers=HEADERS).content == b"Bearer alice"


WRONG = [
    ({"exclude_paths": []}, r"settings\.PASSTHROUGH_AUTH has no option .* 'excluded_paths'"),
    ({"excluded_paths": "/health"}, r"write \{'/health'\}"),
    ({"header_extractors": ["no.such.function"]}, "dotted path"),
    (["excluded_paths"], r"settings\.PASSTHROUGH_AUTH is a dict"),
    ({"allow_preflight": True}, "CORS middleware before this one"),
]


@pytest.mark.parametrize("error", [ConfigurationError, ImproperlyConfigured, ValueError])
@pytest.mark.parametrize(("setting", "said"), WRONG)
@pytest.mark.parametrize("handler", [WSGIHandler, ASGIHandler])
def test_a_wrong_setting_fails_at_start_up_with_django_s_error_and_ours(
    handler, setting, said, error
):
    with (
        override_settings(MIDDLEWARE=[OURS], PASSTHROUGH_AUTH=setting),
        pytest.raises(error, match=said),
    ):
        handler()


def test_a_setting_for_one_option_is_an_error():
    with (
        override_settings(MIDDLEWARE=[OURS], PASSTHROUGH_AUTH_EXCLUDED_PATHS=["/health"]),
        pytest.raises(ImproperlyConfigured, match=r"write PASSTHROUGH_AUTH = \{'excluded_paths': "),
    ):
        WSGIHandler()


@pytest.mark.parametrize(("setting", "said"), WRONG)
def test_a_wrong_setting_is_a_system_check(setting, said):
    with override_settings(MIDDLEWARE=[OURS], PASSTHROUGH_AUTH=setting):
        (found,) = check_settings()

    assert found.id == "passthrough_auth.E001"
    assert found.is_serious()
    assert found.hint.startswith("The options are bindings, ")
    assert re.search(said, found.msg)


class Derived(PassthroughAuthMiddleware):
    """A project's own middleware, derived from ours."""


class DerivedCors(CorsMiddleware):
    """A project's own middleware, derived from that of django-cors-headers."""


def factory(get_response):
    """In Django, a middleware may be a function that returns one."""
    return get_response


CLASS = "passthrough_auth.frameworks.django.middleware.PassthroughAuthMiddleware"
DERIVED = f"{__name__}.Derived"
CORS = "corsheaders.middleware.CorsMiddleware"
DERIVED_CORS = f"{__name__}.DerivedCors"


@pytest.mark.parametrize(
    ("middleware", "ids", "hint"),
    [
        ([OURS], [], ""),
        ([CORS, OURS], [], ""),
        ([], ["W001"], OURS),
        ([CORS], ["W001"], OURS),
        ([OURS, CORS], ["W002"], "before"),
        ([OURS, OURS], ["E002"], "first one"),
        ([OURS, CORS, OURS], ["E002", "W002"], "first one"),
        ([CLASS], [], ""),
        ([OURS, CLASS], ["E002"], "first one"),
        ([DERIVED], [], ""),
        ([CLASS, DERIVED], ["E002"], "first one"),
        ([DERIVED, DERIVED_CORS], ["W002"], f"Put '{DERIVED_CORS}' before '{DERIVED}'"),
        ([DERIVED_CORS, CLASS, CORS], [], ""),
        (["no.such.Middleware", f"{__name__}.factory", OURS], [], ""),
        (["no.such.Middleware", f"{__name__}.factory"], ["W001"], OURS),
    ],
)
def test_the_position_in_middleware_is_checked(middleware, ids, hint):
    with project(middleware):
        found = check_settings()

    assert [check.id for check in found] == [f"passthrough_auth.{each}" for each in ids]
    assert all(check.hint for check in found)
    assert hint in "".join(check.hint for check in found)


def test_without_django_cors_headers_its_position_is_not_checked(monkeypatch):
    monkeypatch.setitem(sys.modules, "corsheaders.middleware", None)  # as if not installed

    with project([OURS, CORS]):
        assert check_settings() == []


class Consumer(AsyncWebsocketConsumer):
    """Says who the caller is when it is connected, and for each message."""

    async def connect(self):
        await self.accept()
        await self.send(caller())

    async def receive(self, text_data=None, bytes_data=None):
        await self.send(caller())


def channels_app(around_websockets):
    """A project's asgi.py, in which Channels routes the WebSockets."""
    websockets = URLRouter([path("ws", Consumer.as_asgi())])
    return ProtocolTypeRouter({"http": ASGIHandler(), "websocket": around_websockets(websockets)})


def texts(app, *headers):
    """The messages of a WebSocket that is opened, used once and closed."""
    given = [
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "text": "again"},
        {"type": "websocket.disconnect", "code": 1000},
    ]
    sent = ask(app, websocket_scope("/ws", *headers), *given)
    return [message.get("text") for message in sent]


@pytest.mark.usefixtures("served")
def test_websockets_of_channels_don_t_pass_the_middleware_and_a_check_says_so():
    with override_settings(INSTALLED_APPS=["channels"]):
        (found,) = check_settings()

    assert found.id == "passthrough_auth.W003"
    assert "'websocket': PassthroughAuthMiddleware(URLRouter([...]))" in found.hint
    assert texts(channels_app(lambda app: app)) == [None, "outside", "outside"]


@pytest.mark.usefixtures("served")
def test_websockets_of_channels_are_protected_as_the_check_says():
    app = channels_app(asgi_middleware.PassthroughAuthMiddleware)

    assert texts(app, ALICE) == [None, "Bearer alice", "Bearer alice"]
    (sent,) = ask(app, websocket_scope("/ws"))
    assert sent["type"] == "websocket.close"
    assert asgi("/me", ALICE) == (200, b"Bearer alice")


SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
CSRF = "django.middleware.csrf.CsrfViewMiddleware"


@pytest.mark.parametrize("theirs", [[SESSIONS], [CSRF], [SESSIONS, CSRF]])
def test_django_s_own_cookies_that_count_as_credentials_are_reported(theirs):
    with project([OURS, *theirs]):
        (found,) = check_settings()
        del settings.PASSTHROUGH_AUTH
        assert check_settings() == [found]

    assert found.id == "passthrough_auth.W004"
    written = re.search(r'"header_extractors": \[".*?"\]', found.hint)[0]
    with project([OURS, *theirs], **ast.literal_eval(f"{{{written}}}")):
        assert check_settings() == []


@pytest.mark.parametrize("extractors", [None, ["passthrough_auth.core.extract_cookie_header"]])
def test_cookies_that_a_project_chose_are_not_reported(extractors):
    with project([OURS, SESSIONS, CSRF], header_extractors=extractors):
        assert check_settings() == []


def test_cookies_are_not_reported_if_the_setting_is_wrong():
    with override_settings(MIDDLEWARE=[OURS, SESSIONS], PASSTHROUGH_AUTH=["excluded_paths"]):
        assert [check.id for check in check_settings()] == ["passthrough_auth.E001"]


def test_manage_py_check_reports_them_for_an_installed_app():
    installed = {"INSTALLED_APPS": ["passthrough_auth.frameworks.django"]}

    with project(excluded_paths=["/health"], more=installed):
        call_command("check", verbosity=0)
    with (
        project(excluded_paths="/health", more=installed),
        pytest.raises(SystemCheckError, match=r"passthrough_auth\.E001"),
    ):
        call_command("check")


# --- Sync and async -----------------------------------------------------------------------------


@pytest.mark.usefixtures("served")
def test_both_modes_serve_sync_and_async_views_for_the_caller():
    async def ask_both():
        client = AsyncClient()
        return [(await client.get(where, headers=HEADERS)).content for where in paths]

    paths = ["/me", "/async-me"]

    assert [Client().get(where, headers=HEADERS).content for where in paths] == [
        b"Bearer alice",
        b"Bearer alice",
    ]
    assert asyncio.run(ask_both()) == [b"Bearer alice", b"Bearer alice"]


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("serve", [lambda where: (wsgi(where).status,), asgi])
def test_both_modes_refuse_and_let_public_paths_through(serve):
    assert serve("/health")[0] == 200
    assert serve("/me")[0] == 401
    assert serve("/no-such-path")[0] == 401


@pytest.mark.usefixtures("served")
def test_the_middleware_is_sync_or_async_like_the_wrapped_handler():
    async def get_response(request): ...

    assert iscoroutinefunction(PassthroughAuthMiddleware(get_response))
    assert not iscoroutinefunction(PassthroughAuthMiddleware(lambda request: None))
    assert PassthroughAuthMiddleware.sync_capable
    assert PassthroughAuthMiddleware.async_capable


@pytest.mark.usefixtures("served")
def test_neither_mode_runs_the_other_in_a_thread():
    """Under WSGI a view has no event loop, and under ASGI it runs in the loop's thread."""
    threads = []

    async def get_async(request):
        threads.append(threading.current_thread())
        return HttpResponse()

    def get_sync(request):
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        threads.append(threading.current_thread())
        return HttpResponse()

    request = WSGIRequest(environ_of("/me", ALICE))
    PassthroughAuthMiddleware(get_sync)(request)
    asyncio.run(PassthroughAuthMiddleware(get_async)(request))

    assert threads == [threading.current_thread()] * 2
    assert wsgi("/where", ALICE).read().decode() == threading.current_thread().name


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.usefixtures("served")
def test_an_error_that_passes_leaves_no_caller_behind(mode):
    """Django turns most errors into responses, but lets those pass that stop the process."""

    def get_sync(request):
        SEEN.append(contextvars.copy_context())
        raise SystemExit

    async def get_async(request):
        get_sync(request)

    request = WSGIRequest(environ_of("/me", ALICE))
    serve = {
        "sync": PassthroughAuthMiddleware(get_sync),
        "async": lambda request: PassthroughAuthMiddleware(get_async)(request).send(None),
    }
    with pytest.raises(SystemExit):
        serve[mode](request)

    assert SEEN[0].run(caller) == "ended"


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("serve", [wsgi, asgi])
def test_work_that_outlives_a_request_has_no_caller_for_the_reason_ended(serve):
    serve("/keep", ALICE)

    assert SEEN[0].run(caller) == "ended"


# --- The path -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script_name", "path_info", "status"),
    [("", "/health", 200), ("/health", "/me", 401), ("/me", "/health", 200), ("", "/he\xe9", 401)],
)
def test_the_script_name_that_a_proxy_sends_changes_no_path(script_name, path_info, status):
    with project(excluded_paths=["/health"]):
        assert wsgi(path_info, SCRIPT_NAME=script_name).status == status


@pytest.mark.parametrize(
    ("where", "status"), [("/app/health", 200), ("/app/me", 401), ("/apphealth", 401)]
)
def test_under_asgi_the_path_is_that_of_django_s_router(where, status):
    """FORCE_SCRIPT_NAME replaces the server's root_path."""
    with project(excluded_paths=["/health"], more={"FORCE_SCRIPT_NAME": "/app"}):
        assert asgi(where)[0] == status
    with project(excluded_paths=["/health"]):
        assert asgi(where, root_path="/app")[0] == status


def test_under_wsgi_force_script_name_changes_no_path():
    with project(excluded_paths=["/health"], more={"FORCE_SCRIPT_NAME": "/me"}):
        assert wsgi("/health").status == 200
        assert wsgi("/me").status == 401


def test_under_asgi_each_line_of_a_header_is_seen():
    """Django's own META joins them, so it can't tell two lines from one."""
    with project(header_extractors=[f"{__name__}.extract_header"]):
        assert asgi("/me", ("x-token", "a"))[0] == 200
        assert asgi("/me", ("x-token", "a"), ("x-token", "b"))[0] == 401


# --- Refusals -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("served")
def test_the_answer_to_head_has_no_body():
    answer = wsgi("/me", method="HEAD")

    assert (answer.status, answer.read()) == (401, b"")
    assert asgi("/me", method="HEAD") == (401, b"")


def refuse_with_two_challenges(request, refusal):
    challenges = [("www-authenticate", "Bearer"), ("www-authenticate", 'Basic realm="x"')]
    cookies = [("set-cookie", "a=; Max-Age=0; Path=/"), ("set-cookie", "b=2; HttpOnly")]
    return Refusal(401, (*challenges, *cookies, ("content-type", "text/plain")), b"no")


def test_an_app_s_own_refusal_is_sent_with_all_its_headers():
    """Django has one value for each name, so two values become a list."""
    with project(on_refusal=f"{__name__}.refuse_with_two_challenges"):
        answer = wsgi("/me")
        cookies = Client().get("/me").cookies

    assert [cookies["a"]["max-age"], cookies["b"].value, cookies["b"]["httponly"]] == [
        "0",
        "2",
        True,
    ]
    assert answer.headers["www-authenticate"] == 'Bearer, Basic realm="x"'
    assert answer.headers["content-type"] == "text/plain"
    assert answer.read() == b"no"


LOG_OUT = [
    "sid=; Max-Age=0; Path=/",
    "sid=; Max-Age=0; Path=/admin",
    "sid=; Path=/; Secure; Partitioned; Priority=High",
    "an odd name=1",
]


def refuse_with_cookies(request, refusal):
    return Refusal(401, tuple(("set-cookie", line) for line in LOG_OUT))


def test_an_app_s_own_refusal_sets_each_cookie_unchanged():
    with project(on_refusal=f"{__name__}.refuse_with_cookies"):
        start, *_ = ask(ASGIHandler(), http_scope("/me"))
        cookies = Client().get("/me").cookies

    sent = [value.decode() for name, value in start["headers"] if name.lower() == b"set-cookie"]
    assert sent == LOG_OUT
    assert cookies["sid"]["path"] == "/"


@pytest.mark.parametrize("view", ["/fail", "/async-fail"])
@pytest.mark.parametrize(("error", "status"), [(CallerUnauthenticated, 401), (CallerDenied, 403)])
@pytest.mark.usefixtures("served")
def test_an_upstream_refusal_deep_in_the_causes_becomes_the_answer(view, error, status):
    GIVEN.error = ValueError("creating the run failed")
    GIVEN.error.__cause__ = error("s3cret")

    assert wsgi(view, ALICE).status == status
    code, body = asgi(view, ALICE)
    assert code == status
    assert b"s3cret" not in body


@pytest.mark.usefixtures("served")
def test_any_other_error_is_left_to_the_project():
    GIVEN.error = KeyError("no")

    with pytest.raises(RuntimeError, match="could not be started"):
        Client().get("/fail", headers=HEADERS)


# --- Streams and files --------------------------------------------------------------------------


@pytest.mark.usefixtures("served")
def test_each_piece_of_a_sync_stream_has_the_caller_and_code_in_between_has_none():
    answer = wsgi("/stream", ALICE)
    pieces = iter(answer.body)

    assert [next(pieces), caller(), next(pieces), caller()] == [b"Bearer alice", "outside"] * 2
    answer.body.close()
    assert SEEN == ["closed for Bearer alice"]


@pytest.mark.usefixtures("served")
def test_a_stream_may_be_read_and_closed_by_other_threads():
    body, found = wsgi("/stream", ALICE).body, []
    pieces, close = iter(body), body.close
    for step in (lambda: found.append(next(pieces)), close, lambda: found.append(caller())):
        thread = threading.Thread(target=step)
        thread.start()
        thread.join()

    assert found == [b"Bearer alice", "outside"]


@pytest.mark.usefixtures("served")
def test_a_stream_ends_when_another_response_replaces_it():
    """ConditionalGetMiddleware replaces a response and never closes the old one."""
    kept = []

    def view(request):
        kept.append(contextvars.copy_context())
        return StreamingHttpResponse(caller() for _ in range(2))

    middleware = PassthroughAuthMiddleware(view)
    request = WSGIRequest(environ_of("/stream", ALICE) | {"wsgi.input": io.BytesIO()})
    response = middleware(request)
    assert kept[0].run(caller) == "Bearer alice"
    del response
    gc.collect()

    assert kept[0].run(caller) == "ended"


@pytest.mark.usefixtures("served")
def test_a_stream_that_is_never_closed_leaves_no_caller_behind():
    pieces = iter(wsgi("/short-stream", ALICE).body)
    next(pieces)

    assert caller() == "outside"
    assert wsgi("/me").status == 401


@pytest.mark.usefixtures("served")
def test_each_piece_of_an_async_stream_has_the_caller():
    async def serve():
        exchange = Exchange(http_scope("/async-stream", ALICE))
        sent = await exchange.run(ASGIHandler())
        return body_of(sent), caller()

    assert asyncio.run(serve()) == (b"Bearer aliceBearer alice", "outside")


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("serve", [lambda *given: (0, wsgi(*given).read()), asgi])
@pytest.mark.parametrize("view", ["/short-stream", "/async-stream"])
def test_a_stream_of_the_other_kind_has_the_caller_too(serve, view):
    """Django reads the whole stream first and warns. It still runs as its caller."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "StreamingHttpResponse must consume")
        assert serve(view, ALICE)[1] == b"Bearer aliceBearer alice"


@pytest.mark.usefixtures("served")
def test_the_scope_of_a_stream_ends_when_its_response_is_closed():
    """This is so for sync and async streams, also if the body was never read."""

    contexts = []

    def sync_response(request):
        contexts.append(contextvars.copy_context())
        return StreamingHttpResponse(iter([b"piece"]))

    async def async_response(request):
        contexts.append(contextvars.copy_context())
        return await async_stream(request)

    async def serve():
        return await PassthroughAuthMiddleware(async_response)(request)

    request = WSGIRequest(environ_of("/me", ALICE))
    responses = [PassthroughAuthMiddleware(sync_response)(request), asyncio.run(serve())]
    for response, held in zip(responses, contexts, strict=True):
        assert held.run(caller) == "Bearer alice"
        response.close()
        assert held.run(caller) == "ended"


@pytest.mark.usefixtures("served")
def test_a_file_is_passed_to_the_server_unchanged():
    wrapped = []

    class ServersOwn:
        def __init__(self, file, block_size=8192):
            wrapped.append(file)
            self.file = file

        def __iter__(self):
            yield self.file.read()

    answer = wsgi("/file", ALICE, **{"wsgi.file_wrapper": ServersOwn})

    assert isinstance(answer.body, ServersOwn)
    assert answer.read() == b"data"
    assert len(wrapped) == 1
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "StreamingHttpResponse must consume")
        assert asgi("/file", ALICE) == (200, b"data")
