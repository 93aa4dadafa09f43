"""No credential in any text: repr, str, format, pickle, asdict, vars, exceptions, logs."""

import contextlib
import copy
import dataclasses
import json
import logging
import pickle
import pprint
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.builders import asgi, wsgi

from passthrough_auth.core import (
    Credential,
    Credentials,
    Destinations,
    MalformedCredential,
    acting_as,
    extract_cookies,
    snapshot,
)
from passthrough_auth.core.caller import AsyncBodyInContext, BodyInContext, CallerScope
from passthrough_auth.core.inbound import Gate

SECRET = "s3cret-of-alice"
PAIR = ("authorization", f"Bearer {SECRET}")
CREDENTIALS = Credentials(PAIR)
HEADERS = [PAIR, ("Cookie", f"session={SECRET}")]


def _snapshot():
    with CallerScope(CREDENTIALS).active():
        return snapshot()


def _acting_as():
    return acting_as(PAIR)


HOLDERS = {
    "Credential": Credential(*PAIR),
    "Credentials": CREDENTIALS,
    "Admission": Gate().admit(asgi("/", HEADERS)),
    "Refused": Gate().admit(asgi("/", [("Authorization", SECRET)])),
    "AsgiRequest": asgi("/", HEADERS),
    "WsgiRequest": wsgi("/", HEADERS),
    "Headers": asgi("/", HEADERS).headers,
    "CallerScope": CallerScope(CREDENTIALS),
    "active": CallerScope(CREDENTIALS).active(),
    "acting_as": _acting_as(),
    "Snapshot": _snapshot(),
    "BodyInContext": BodyInContext([], print, CallerScope(CREDENTIALS).close),
    "AsyncBodyInContext": AsyncBodyInContext([], CallerScope(CREDENTIALS)),
}
each_holder = pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)


@each_holder
@pytest.mark.parametrize(
    "text",
    [
        repr,
        str,
        ascii,
        "{}".format,
        "{:>200}".format,
        "{!r:^50}".format,
        "%s".__mod__,
        pprint.pformat,
        lambda holder: repr([holder, {"in": holder}]),
        lambda holder: repr(copy.copy(holder)),
    ],
)
def test_no_text_of_it_holds_the_secret(holder, text):
    with contextlib.suppress(TypeError):  # not every one can be copied or padded
        assert SECRET not in text(holder)


@each_holder
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_no_pickle_holds_it(holder, protocol):
    try:
        written = pickle.dumps(holder, protocol)
    except (TypeError, AttributeError, pickle.PicklingError) as error:
        written = str(error).encode()
    assert SECRET.encode() not in written


@pytest.mark.parametrize(
    "name", ["Credential", "Credentials", "AsgiRequest", "WsgiRequest", "Snapshot", "Admission"]
)
def test_objects_that_an_app_gets_can_t_be_pickled(name):
    with pytest.raises(TypeError, match="can't be pickled"):
        pickle.dumps(HOLDERS[name])


@each_holder
def test_vars_asdict_and_json_don_t_hold_it(holder):
    if hasattr(holder, "__dict__"):
        assert SECRET not in repr(vars(holder))
    if dataclasses.is_dataclass(holder):
        assert SECRET not in repr(dataclasses.asdict(holder))
        assert SECRET not in repr(dataclasses.astuple(holder))
    with pytest.raises(TypeError, match="not JSON serializable") as caught:
        json.dumps(holder)
    assert SECRET not in str(caught.value)


def test_the_redirect_history_doesn_t_hold_it():
    headers = {}
    with CallerScope(CREDENTIALS).active():
        redirects = Destinations("https://a.example").carry("https://a.example/", headers)

    assert SECRET in headers["authorization"]
    assert SECRET not in repr(redirects)
    assert SECRET.encode() not in pickle.dumps(redirects)


def test_the_objects_do_have_the_secret():
    """Without it, the other tests would prove nothing."""
    assert SECRET in CREDENTIALS.headers()["authorization"]
    assert SECRET in HOLDERS["Admission"].credentials().headers()["cookie"]
    assert SECRET in HOLDERS["AsgiRequest"].headers["authorization"]


class Interrupt(BaseException):
    """Like KeyboardInterrupt, or a timeout of gevent."""


def interrupted(request):
    raise Interrupt


def test_an_interrupt_passes_and_does_not_keep_the_request():
    gate = Gate(header_extractors=[extract_cookies("session"), interrupted], bindings=[])

    with pytest.raises(Interrupt) as caught:
        gate.admit(asgi("/", HEADERS))

    frames = traceback.StackSummary.extract(traceback.walk_tb(caught.tb), capture_locals=True)
    shown = [
        (frame.name, frame.locals) for frame in frames if "/inbound/_gate.py" in frame.filename
    ]
    assert [name for name, _ in shown] == [
        "admit",
        "_decide",
        "_judge",
        "_credentials_in",
        "_extract",
    ]
    assert SECRET not in str(shown)


# --- For any secret -----------------------------------------------------------------------------

visible = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20)
anything = st.text(st.characters(max_codepoint=0xFF), max_size=20)


@given(tail=visible | anything, name=st.sampled_from(["authorization", "cookie", "x-token"]))
def test_no_text_holds_any_value(tail, name):
    value = f"{SECRET}={tail}"
    credential = Credential(name, value)

    for text in (repr(credential), str(Credentials((name, value))), f"{credential}"):
        assert SECRET not in text
    with pytest.raises(MalformedCredential) as caught:
        acting_as((name, f"{value}\n{tail}x"))
    assert SECRET not in "".join(traceback.format_exception(caught.value, limit=0))


class _Texts(logging.Handler):
    """Keeps the log as text, with tracebacks."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.texts = []

    def emit(self, record):
        self.texts.append(self.format(record) + repr(record.args))


@pytest.fixture(scope="module")
def logged():
    handler = _Texts()
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler.texts
    root.setLevel(level)
    root.removeHandler(handler)


def raising_with_what_it_read(request):
    raise ValueError(request.headers["cookie"])


def malformed_with_what_it_read(request):
    raise MalformedCredential(request.headers["cookie"])


@given(
    cookie=visible | anything,
    answer=st.sampled_from(
        [
            lambda text: (text, "x-token"),
            lambda text: (text,),
            lambda text: [text],
            lambda text: text,
            lambda text: (text.encode(), text),
            lambda text: ("x-token", text),
        ]
    ),
)
def test_whatever_extractors_do_with_it_neither_log_nor_answer_holds_it(logged, cookie, answer):
    def answering_with_what_it_read(request):
        return answer(request.headers["cookie"])

    def on_refusal(request, refusal):
        raise ValueError(request.headers["cookie"])

    gate = Gate(
        header_extractors=[
            raising_with_what_it_read,
            malformed_with_what_it_read,
            extract_cookies("session"),
            answering_with_what_it_read,
        ],
        on_refusal=on_refusal,
    )
    logged.clear()

    decision = gate.admit(asgi("/", [("Cookie", f"session={SECRET}; session={cookie}{SECRET}")]))

    assert any("raised ValueError" in text for text in logged)
    assert not [text for text in logged if SECRET in text]
    assert SECRET not in repr(decision)
