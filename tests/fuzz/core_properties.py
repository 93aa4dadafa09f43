"""Properties of core for every input. Each function builds its input from `Choices`."""

import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.fuzz import model
from tests.fuzz.choices import HIGHEST_CHARACTER, Choices
from tests.fuzz.model import Expected
from tests.fuzz.policies import POLICIES, admit
from tests.fuzz.sent import (
    METHODS,
    NAME_WORDS,
    ORIGINS,
    PATH_WORDS,
    QUERY_SECRET,
    SECRET,
    VALUE_WORDS,
    Sent,
    any_line,
    any_sent,
)

from passthrough_auth.core import (
    ConfigurationError,
    MalformedCredential,
    PathRules,
    Refusal,
    Request,
    acting_as,
)
from passthrough_auth.core._credential_rules import rule_for
from passthrough_auth.core.inbound import (
    Admission,
    AsgiRequest,
    Gate,
    WsgiRequest,
)

_DETAILS = {
    "Authentication credentials required": "missing",
    "Authentication credentials malformed": "malformed",
    "Cross-site request with ambient credentials refused": "cross-site",
}
_CHALLENGES = {"missing": "Bearer", "malformed": 'Bearer error="invalid_token"'}
_STATUSES = {"missing": 401, "malformed": 401, "cross-site": 403}


# --- Paths ----------------------------------------------------------------------------------------


def path_rules_follow_the_semantics(choices: Choices) -> None:
    """A rule set accepts the valid rules, and matches the paths that they name."""
    rules = choices.many(lambda: _any_rule(choices), 4)
    kept = []
    for rule in rules:
        if model.is_rule(rule):
            kept.append(rule)
            continue
        try:
            PathRules([rule])
        except ConfigurationError:
            continue
        raise AssertionError(f"{rule!r} is a wrong rule, but was accepted")
    path = choices.text(PATH_WORDS, 6, HIGHEST_CHARACTER)
    if kept and choices.flag():
        # A path for one of the rules, so that not every path is protected.
        rule = choices.pick(kept)
        literal = rule.pattern.replace("\\", "") if isinstance(rule, re.Pattern) else rule
        path = literal.removesuffix("*") + path.lstrip("/")
        # Or a path that almost matches.
        path = choices.pick((path, path.swapcase(), path + "/", path[:-1], path.rstrip("/")))
    expected = model.is_canonical(path) and any(model.names(rule, path) for rule in kept)

    matched = PathRules(kept).match(path)

    assert matched is expected, f"{kept} and {path!r}"


def _any_rule(choices: Choices) -> "str | re.Pattern[str]":
    path = choices.text(PATH_WORDS, 5, HIGHEST_CHARACTER)
    if choices.integer(0, 7) < 7:
        path = "/" + path
    kind = choices.integer(0, 2)
    if kind == 1:
        return path.rstrip("/") + "/*"
    return re.compile(re.escape(path)) if kind == 2 else path


# --- Values ---------------------------------------------------------------------------------------


def a_value_is_valid_exactly_when_the_grammar_allows_it(choices: Choices) -> None:
    """A value is forwarded, trimmed, exactly if it is one credential of its kind."""
    name = choices.pick(("authorization", "cookie", "x-token"))
    value = choices.text(VALUE_WORDS, 7, HIGHEST_CHARACTER)
    schemes = choices.pick((frozenset[str](), frozenset({"digest"})))

    assert rule_for(name, schemes)(value) == model.valid(name, value, schemes), repr(value)


def headers_that_may_not_travel_are_refused(choices: Choices) -> None:
    """`acting_as` takes the pairs that a gate would admit. Its errors for others show no secret."""
    pairs = choices.many(lambda: _any_pair(choices), 3)
    if not pairs:
        return
    names = [name.lower() for name, _ in pairs]
    right = len(set(names)) == len(names) and all(
        _may_travel(name) and model.valid(name, value)
        for name, (_, value) in zip(names, pairs, strict=True)
    )
    try:
        with acting_as(*pairs, bindings=()) as credentials:
            text = repr(credentials)
    except MalformedCredential as refused:
        assert not right, pairs
        text = str(refused)
    else:
        assert right, pairs
    assert SECRET not in text


def _any_pair(choices: Choices) -> tuple[str, str]:
    name = choices.pick((*NAME_WORDS, "X-Token", "te", "Upgrade", "x token", "x-é", "", "x\n"))
    return name, choices.text(VALUE_WORDS, 3, HIGHEST_CHARACTER)


def _may_travel(name: str) -> bool:
    if not name or any(each not in model.TOKEN for each in name):
        return False
    browser_only = name.startswith(("sec-", "access-control-"))
    return name not in model.NEVER_FORWARDED and not browser_only


# --- Decisions ------------------------------------------------------------------------------------


# What the gate says of refused requests: once of each kind, and each time at DEBUG.
SAID = (
    "A CORS preflight was refused",
    "A cross-site request had a token",
    "A cross-site request was refused",
    "A request was refused whose path differs",
    "A request with an Authorization header was refused",
)
SAID_AT_DEBUG = " was refused with 40"


def the_gate_follows_the_semantics(choices: Choices) -> None:
    """On both interfaces, the outcome and the caller are right, and no text shows a secret."""
    sent = any_sent(choices)
    which = choices.integer(0, len(POLICIES) - 1)
    policy = POLICIES[which]
    with logged() as log:
        for request, seen in (
            (AsgiRequest(sent.scope()), sent.seen_by_asgi()),
            (WsgiRequest(sent.environ()), sent.seen_by_wsgi()),
        ):
            if sent.websocket and isinstance(request, WsgiRequest):
                continue
            admission = admit(which, request)
            assert outcome(admission) == model.decide(policy, seen), (sent, policy)
            for text in (repr(request), *texts_of(admission)):
                assert SECRET not in text, text
                assert QUERY_SECRET not in text, text
    assert not [text for text in log if not (text.startswith(SAID) or SAID_AT_DEBUG in text)], log


def cookies_are_refused_across_sites(choices: Choices) -> None:
    """With only a cookie, Sec-Fetch-Site, Origin and Host decide."""
    own = (("cookie", f"session={SECRET}"),)
    names = ("origin", "host", "sec-fetch-site", "upgrade", "x-forwarded-proto", "forwarded")
    origin = choices.pick(ORIGINS)
    lines = (("origin", origin), ("host", origin.partition("://")[2])) if choices.flag() else ()
    sent = Sent(
        choices.pick(METHODS),
        b"/me",
        own + lines + tuple(choices.many(lambda: any_line(choices, names), 3)),
        websocket=choices.flag(),
        encrypted=choices.flag(),
    )
    which = choices.integer(0, len(POLICIES) - 1)

    admission = admit(which, AsgiRequest(sent.scope()))

    assert outcome(admission) == model.decide(POLICIES[which], sent.seen_by_asgi()), sent


def asgi_and_wsgi_give_the_same_decision(choices: Choices) -> None:
    """The decision doesn't depend on whether a server joins header lines or decodes paths."""
    sent = any_sent(choices, websockets=False)
    which = choices.integer(0, len(POLICIES) - 1)

    asgi = admit(which, AsgiRequest(sent.scope()))
    wsgi = admit(which, WsgiRequest(sent.environ()))

    assert outcome(asgi) == outcome(wsgi), sent


def an_ambiguous_path_is_never_public(choices: Choices) -> None:
    """For any text as path on an ASGI server, and for any mount."""
    path = choices.text(PATH_WORDS, 6, HIGHEST_CHARACTER)
    root = choices.text(PATH_WORDS, 3, HIGHEST_CHARACTER)
    # Most servers leave the root in the path. Some remove it.
    path = choices.pick((root + path, path))
    scope = {"type": "http", "method": "GET", "path": path, "root_path": root, "headers": []}
    within = model.within(path, root)
    expected = within is not None and model.is_canonical(within)

    admission = admit(len(POLICIES) - 1, AsgiRequest(scope))

    assert (admission.absence == "public") is expected, (root, path)


def _cookies(request: Request) -> dict[str, str] | str:
    try:
        return request.cookies
    except MalformedCredential as error:
        return str(error)


def headers_read_the_same_under_asgi_and_wsgi(choices: Choices) -> None:
    """`request.headers` and `request.cookies`, as extractors use them."""
    sent = any_sent(choices, websockets=False)
    asgi, wsgi = AsgiRequest(sent.scope()), WsgiRequest(sent.environ())
    names = {name for name, _ in sent.lines}
    dashed = {name for name in names if "_" not in name}

    assert _cookies(asgi) == _cookies(wsgi), sent
    assert set(asgi.headers) == names, sent
    assert set(wsgi.headers) == dashed, sent
    for name in {*names, *NAME_WORDS}:
        joint = "; " if name == "cookie" else ","
        lines = [value for own, value in sent.lines if own == name]
        expected = joint.join(lines) if lines else None
        assert asgi.headers.get(name.title()) == expected, f"{name} of {sent}"
        assert wsgi.headers.get(name.title()) == (expected if name in dashed else None), sent
    stranger = choices.text(NAME_WORDS, 3, HIGHEST_CHARACTER)
    assert (stranger in asgi.headers) is (asgi.headers.get(stranger) is not None), stranger
    assert (stranger in wsgi.headers) is (wsgi.headers.get(stranger) is not None), stranger
    # The model reads the first of two cookies with one name.
    text = "; ".join(value for name, value in sent.lines if name == "cookie")
    if len(text) <= model.LONGEST:
        assert asgi.cookies == dict(reversed(model.cookies_in(text))), sent


# --- Extractors -----------------------------------------------------------------------------------


def no_extractor_lets_another_caller_through(choices: Choices) -> None:
    """If one raises or yields nonsense, there is no exception, no logged secret, no wrong name."""
    results = choices.many(lambda: _any_answer(choices), 3)
    if not results:
        return
    gate = Gate(header_extractors=[_answering(answer) for answer in results], bindings=())
    lines = choices.many(lambda: any_line(choices), 2)
    request = AsgiRequest(
        {
            "type": "http",
            "method": "GET",
            "path": "/me",
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in lines],
        }
    )
    with logged() as log:
        admission = gate.admit(request)

    assert not [text for text in texts_of(admission) if SECRET in text]
    assert not [text for text in log if SECRET in text], log
    if admission.refusal is None:
        for name, value in admission.credentials().pairs():
            assert name == name.lower()
            assert _may_travel(name), name
            assert model.valid(name, value) == value, repr(value)
    else:
        assert outcome(admission).outcome in _STATUSES, admission


def _any_answer(choices: Choices) -> Callable[[], Any]:
    name, value = _any_pair(choices)
    answers: tuple[Callable[[], Any], ...] = (
        lambda: (name, value),
        lambda: None,
        # Swapped: the value isn't a valid header name, so it must not be shown.
        lambda: (f"{value}=", name),
        lambda: [name, value],
        lambda: (name, value, value),
        lambda: (name, value.encode("utf-8", "surrogatepass")),
        lambda: value,
        lambda: {name: value},
        lambda: _raise(ValueError(value)),
        lambda: _raise(KeyError(name, value)),
        lambda: _raise(MalformedCredential(value)),
        lambda: _raise(StopIteration(value)),
        lambda: _raise(RecursionError(value)),
    )
    return choices.pick(answers)


def _answering(answer: Callable[[], Any]) -> Callable[[Request], Any]:
    def extractor(request: Request) -> Any:
        return answer()

    return extractor


def _raise(error: Exception) -> None:
    raise error


# --- Refusals -------------------------------------------------------------------------------------


def every_custom_refusal_can_be_sent(choices: Choices) -> None:
    """Even if `on_refusal` returns nonsense, the answer has no success status and valid headers."""
    answer = _any_refusal(choices)
    gate = Gate(on_refusal=lambda request, refusal: answer, bindings=())
    with logged() as log:
        sent = gate.admit(AsgiRequest({"type": "http", "path": "/me", "headers": []})).refusal

    assert sent is not None
    assert 300 <= sent.status <= 599, answer
    lengths = [value for name, value in sent.headers if name == "content-length"]
    assert lengths == [str(len(sent.body))], answer
    for name, value in sent.headers:
        assert name
        assert all(each in model.TOKEN for each in name), answer
        assert all(each == "\t" or (each.isprintable() or each in "\xa0\xad") for each in value)
        assert value.encode("latin-1").strip(b" \t") == value.encode("latin-1"), answer
    assert not [text for text in log if SECRET in text], log


def _any_refusal(choices: Choices) -> Any:
    words = ("x-a", "Content-Length", "content-type", "\r\n", ":", " ", "\t", "é", "\x00", SECRET)
    headers: list[Any] = choices.many(
        lambda: (choices.text(words, 2, 0x200), choices.text(words, 4, 0x200)), 3
    )
    if choices.integer(0, 7) == 7:
        headers.append(choices.pick((None, "x", ("x",), ("x", 1), (b"x", b"y"))))
    status = choices.pick((401, 403, 200, 302, 299, 599, 600, 0, -1, 99, True, "401", None, 503.0))
    body = choices.pick((b"", b"no", "no", None, bytearray(b"no"), b"x" * 300))
    made: Any = Refusal(status, tuple(headers), body)
    return made if choices.integer(0, 15) < 15 else choices.pick((None, 401, "no", {}))


# --- Helpers --------------------------------------------------------------------------------------


def texts_of(admission: Admission) -> list[str]:
    """The texts that a log or a debugger shows of an admission and of its parts."""
    return [repr(admission), *(repr(getattr(admission, name)) for name in _PARTS)]


_PARTS = [name for kind in Admission.__mro__ for name in getattr(kind, "__slots__", ())]


def outcome(admission: Admission) -> Expected:
    """An admission as the model's `Expected`. Fails for an unknown refusal."""
    refusal = admission.refusal
    if refusal is None and admission.absence in ("public", "preflight"):
        return Expected(admission.absence)
    if refusal is None:
        return Expected("admitted", admission.credentials().pairs())
    what = _DETAILS[json.loads(refusal.body)["detail"]]
    headers = dict(refusal.headers)
    assert refusal.status == _STATUSES[what]
    assert headers.pop("content-length") == str(len(refusal.body))
    assert headers.pop("content-type") == "application/json"
    assert headers.pop("cache-control") == "no-store"
    challenge = _CHALLENGES.get(what)
    assert headers == ({} if challenge is None else {"www-authenticate": challenge})
    return Expected(what)


@contextmanager
def logged() -> Iterator[list[str]]:
    """The log during the block, at every level, as text with all attributes of the records."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    texts: list[str] = []
    handler.emit = lambda record: texts.append(  # type: ignore[method-assign]  # on this handler alone
        f"{handler.format(record)} {record.__dict__!r}"
    )
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield texts
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


PROPERTIES = (
    path_rules_follow_the_semantics,
    a_value_is_valid_exactly_when_the_grammar_allows_it,
    headers_that_may_not_travel_are_refused,
    the_gate_follows_the_semantics,
    cookies_are_refused_across_sites,
    asgi_and_wsgi_give_the_same_decision,
    an_ambiguous_path_is_never_public,
    headers_read_the_same_under_asgi_and_wsgi,
    no_extractor_lets_another_caller_through,
    every_custom_refusal_can_be_sent,
)
