"""Properties of every framework's adapter: for every request, it does what core decides."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.fuzz import model
from tests.fuzz.apps import (
    ASGI_APPS,
    WSGI_APPS,
    Answer,
    call_asgi,
    call_mounted,
    call_wsgi,
    django_asgi_app,
    django_wsgi_app,
    flask_app,
)
from tests.fuzz.choices import Choices
from tests.fuzz.core_properties import logged, outcome
from tests.fuzz.model import Seen
from tests.fuzz.policies import GATES, POLICIES, without_preflights
from tests.fuzz.sent import SECRET, Sent, any_sent

from passthrough_auth.core import Refusal, Request
from passthrough_auth.core.inbound import AsgiRequest, WsgiRequest

_OTHERS = tuple(map(without_preflights, POLICIES))


def asgi_adapters_follow_core(choices: Choices) -> None:
    """Starlette, FastAPI and Django under ASGI; the first two over WebSocket too."""
    make_app = choices.pick(ASGI_APPS)
    sent = any_sent(choices, websockets=make_app is not django_asgi_app)
    _check(choices, make_app, call_asgi, sent, AsgiRequest(sent.scope()), sent.seen_by_asgi())


def wsgi_adapters_follow_core(choices: Choices) -> None:
    """Flask, and Django under WSGI."""
    make_app = choices.pick(WSGI_APPS)
    sent = any_sent(choices, websockets=False)
    if make_app is django_wsgi_app and not sent.path:
        # Django's router also takes an empty path for "/". Afterwards they can't be told apart.
        sent = replace(sent, path=b"/")
    _check(choices, make_app, call_wsgi, sent, WsgiRequest(sent.environ()), sent.seen_by_wsgi())


def _check(
    choices: Choices,
    make_app: Callable[[int], Any],
    call: Callable[[Any, Sent], Answer],
    sent: Sent,
    request: Request,
    seen: Seen,
) -> None:
    which = choices.integer(0, len(POLICIES) - 1)
    on_flask = make_app is flask_app
    policy = (POLICIES if on_flask else _OTHERS)[which]
    admission = GATES[which].admit(request, preflights=policy.allow_preflight)
    expected = model.decide(policy, seen)
    context = f"{make_app.__name__}({which}): {sent}"
    with logged() as log:
        answer = call(make_app(which), sent)

    assert outcome(admission) == expected, context
    assert answer.status < 500, f"{answer} to {context}"
    if admission.refusal is not None:
        _expect_refusal(admission.refusal, answer, sent, context)
    else:
        # Most routers have no handler for a path without a leading slash, and Flask answers a
        # preflight itself.
        unhandled = not sent.path.startswith(b"/") or expected.outcome == "preflight"
        seen_by_app = answer.seen or ([expected] if unhandled else [])
        assert seen_by_app == [expected], f"{answer.seen} in {context}"
    for text in (answer.body.decode(), repr(answer.headers), *log):
        assert SECRET not in text, f"{text} for {context}"


def _expect_refusal(refusal: Refusal, answer: Answer, sent: Sent, context: str) -> None:
    assert answer.seen == [], f"the app ran in {context}"
    assert answer.status == refusal.status, f"{answer} to {context}"
    assert answer.body == (b"" if sent.method == "HEAD" and not sent.websocket else refusal.body), (
        f"{answer} to {context}"
    )
    headers = {name.lower(): value for name, value in answer.headers}
    for name, value in refusal.headers:
        assert headers.get(name) == value, f"{answer} to {context}"


def a_public_path_runs_the_handler_of_its_rule(choices: Choices) -> None:
    """With mounts below, and for any root path, in front of the path or not."""
    root, path = choices.text(MOUNTED_WORDS, 4), choices.text(MOUNTED_WORDS, 5)
    in_front = choices.flag()
    scope = {
        "type": "http",
        "method": "GET",
        "path": root + path if in_front else path,
        "root_path": root,
        "query_string": b"",
        "headers": [],
    }
    ran = call_mounted(scope)
    assert ran in (None, "named"), (scope, ran)


MOUNTED_WORDS = ("/", "/health", "/public", "/sub", "/x", "/x/health", "..", "//", "heal", "sub")
PROPERTIES = (
    asgi_adapters_follow_core,
    wsgi_adapters_follow_core,
    a_public_path_runs_the_handler_of_its_rule,
)
