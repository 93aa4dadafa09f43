"""No text, pickle or copy of anything that an app is handed holds a secret, or a piece of one."""

import contextlib
import copy
import dataclasses
import gc
import json
import logging
import pickle
import pprint
import string
import traceback
from types import SimpleNamespace

import pytest
from rich.pretty import pretty_repr
from tests.secrets.planted import PAIRS, leaked

import passthrough_auth.core
from passthrough_auth.clients.flyte import bind_flyte
from passthrough_auth.clients.flyte.sdk import holding
from passthrough_auth.core import (
    Admitted,
    AsgiRequest,
    CallerThreadPoolExecutor,
    Credentials,
    Destinations,
    Gate,
    Hold,
    WsgiRequest,
    auth_metadata,
    current_hold,
    extract_authorization_header,
    extract_cookie_header,
    extract_custom_header,
    snapshot,
)
from passthrough_auth.frameworks.fastapi import FastAPIRequest
from passthrough_auth.frameworks.flask import FlaskRequest

LINES = [(name.encode(), value.encode()) for name, value in PAIRS]
SCOPE = {"type": "http", "method": "GET", "path": "/", "headers": LINES}
ENVIRON = {
    "REQUEST_METHOD": "GET",
    "PATH_INFO": "/",
    **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in PAIRS},
}
GATE = Gate(
    header_extractors=[
        extract_authorization_header,
        extract_cookie_header,
        extract_custom_header("x-sso", ambient=False),
    ],
    bindings=[],
)


def _held():
    """All that this library hands out or holds while one request is served, by name."""
    decision = GATE.decide(AsgiRequest(SCOPE))
    assert isinstance(decision, Admitted)
    assert leaked(repr(decision.credentials.headers())) == {"tok-", "ses-", "cus-"}
    destinations = Destinations("https://api.example.com")
    hold = Hold(decision.credentials)
    with hold.active():
        taken = snapshot(expires_in=600)
        narrowed = snapshot(destinations=destinations)
        hop = destinations.hop("https://api.example.com/")
        with taken.active():
            lease = current_hold()
        within = taken.run(snapshot)
        flyte = bind_flyte(decision.credentials)
        pool = CallerThreadPoolExecutor(1)
        future = pool.submit(gc.isenabled)
        future.result()
        pool.shutdown()
    return {
        "decision": decision,
        "credentials": decision.credentials,
        "credential": next(iter(decision.credentials)),
        "hold": hold,
        "active": hold.active(),
        "lease": lease,
        "snapshot": taken,
        "snapshot, narrowed": narrowed,
        "snapshot within": within,
        "snapshot's run": taken.run,
        "destinations": destinations,
        "hop": hop,
        "gate": GATE,
        "AsgiRequest": AsgiRequest(SCOPE),
        "FastAPIRequest": FastAPIRequest(SCOPE),
        "WsgiRequest": WsgiRequest(ENVIRON),
        "FlaskRequest": FlaskRequest(ENVIRON),
        "headers": AsgiRequest(SCOPE).headers,
        "auth_metadata": auth_metadata(*PAIRS, bindings=[]),
        "flyte's binding": flyte,
        "flyte's block": holding(),
        "pool": pool,
        "future": future,
    }


HELD = _held()
each_held = pytest.mark.parametrize("held", HELD.values(), ids=HELD)

WAYS = {
    "repr": repr,
    "str": str,
    "ascii": ascii,
    "format": format,
    "format, padded": lambda held: f"{held!s:>500}",
    "percent": lambda held: "%s %r" % (held, held),  # noqa: UP031 - one of the ways
    "Formatter": lambda held: string.Formatter().format("{0} {0!r} {0!s:^9}", held),
    "Template": lambda held: string.Template("$it").substitute(it=held),
    "pprint": pprint.pformat,
    "rich": lambda held: pretty_repr(held, expand_all=True),
    "in a dict": lambda held: repr({"it": [held]}),
    "SimpleNamespace": lambda held: repr(SimpleNamespace(it=held)),
    "exception": lambda held: "".join(traceback.format_exception(RuntimeError(held))),
    "log": lambda held: logging.Formatter().format(logging.makeLogRecord({"msg": held})),
    "json, by str": lambda held: json.dumps(held, default=str),
    "vars": lambda held: repr(vars(held)),
    "asdict": lambda held: repr(dataclasses.asdict(held)),
    "astuple": lambda held: repr(dataclasses.astuple(held)),
    "copy": lambda held: repr(copy.copy(held)),
    "deepcopy": lambda held: repr(copy.deepcopy(held)),
    **{
        f"pickle, {protocol}": lambda held, protocol=protocol: pickle.dumps(held, protocol)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    },
}


@each_held
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_no_way_to_write_it_shows_a_secret(held, way):
    try:
        written = way(held)
    except (TypeError, AttributeError, ValueError, pickle.PicklingError) as error:
        written = str(error)  # some can't be written in that way at all
    assert leaked(written) == set()


@pytest.mark.parametrize(
    "name",
    ["credentials", "credential", "decision", "snapshot", "snapshot's run", "AsgiRequest", "hop"],
)
def test_it_can_t_be_pickled(name):
    with pytest.raises(TypeError, match="can't be pickled"):
        pickle.dumps(HELD[name])


def test_every_public_class_is_looked_at_or_holds_none():
    """A new one has to be added above, or here, where it is said that it holds no credential."""
    holds_none = {
        "BodyInContext",  # in tests/core/test_no_secret.py, as is the next
        "AsyncBodyInContext",
        "Binding",
        "Destination",
        "GateOptions",
        "HeaderExtractor",
        "Headers",
        "OnMissing",
        "OnRefusal",
        "Origin",
        "PathRule",
        "PathRules",
        "PolicyOptions",
        "Public",
        "RecognisesRefusals",
        "Refusal",
        "Refused",
        "Request",
        "Runner",
        "Trail",
        "requires_extra",
        "without_caller",
    }
    looked_at = {each.__name__ for held in HELD.values() for each in type(held).__mro__}
    classes = {
        name
        for name in passthrough_auth.core.__all__
        if isinstance(given := getattr(passthrough_auth.core, name), type)
        and not issubclass(given, Exception)
    }
    assert classes - looked_at - holds_none == set()


def test_what_is_shown_tells_callers_apart():
    """Or else nobody could read a log: the fingerprint is another one for another credential."""
    one, same, other = Credentials(PAIRS[0]), Credentials(PAIRS[0]), Credentials(PAIRS[1])

    assert repr(one) == repr(same) != repr(other)


def test_no_secret_is_left_in_what_the_library_keeps():
    """Nothing but the request's own objects refers to its credentials once it has ended."""
    pair = ("authorization", f"Bearer {len(PAIRS)}")
    hold = Hold(Credentials(pair))
    with hold.active(), contextlib.closing(snapshot()):
        pass
    hold.close()
    del hold
    gc.collect()
    holders = [each for each in gc.get_referrers(pair) if isinstance(each, tuple | dict | list)]
    assert holders == []
