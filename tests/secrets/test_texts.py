"""No text, pickle or copy of an object that an app gets contains a secret or a part of it."""

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

from passthrough_auth import core
from passthrough_auth.clients.flyte import bind_flyte
from passthrough_auth.core import (
    CallerThreadPoolExecutor,
    Credentials,
    Destinations,
    acting_as,
    caller,
    extract_authorization_header,
    extract_cookie_header,
    extract_custom_header,
    inbound,
    outbound,
    snapshot,
)
from passthrough_auth.core.caller import CallerScope, current_scope
from passthrough_auth.core.inbound import AsgiRequest, Gate, WsgiRequest
from passthrough_auth.frameworks.fastapi import FastAPIRequest
from passthrough_auth.frameworks.flask import FlaskRequest
from passthrough_auth.sessions import Session, Sessions

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
    """All objects that this library passes out or keeps during one request, by name."""
    admission = GATE.admit(AsgiRequest(SCOPE))
    credentials = admission.credentials()
    assert leaked(repr(credentials.headers())) == {"tok-", "ses-", "cus-"}
    destinations = Destinations("https://api.example.com")
    scope = CallerScope(credentials)
    with scope.active():
        taken = snapshot(expires_in=600)
        narrowed = snapshot(destinations=destinations)
        redirects = destinations.carry("https://api.example.com/", {})
        with taken.active():
            lease = current_scope()
        within = taken.run(snapshot)
        pool = CallerThreadPoolExecutor(1)
        future = pool.submit(gc.isenabled)
        future.result()
        pool.shutdown()
    return {
        "admission": admission,
        "credentials": credentials,
        "credential": next(iter(credentials)),
        "scope": scope,
        "active": scope.active(),
        "lease": lease,
        "session": Session(credentials, "undecided", (), Sessions()),
        "snapshot": taken,
        "snapshot, narrowed": narrowed,
        "snapshot within": within,
        "snapshot's run": taken.run,
        "destinations": destinations,
        "redirects": redirects,
        "gate": GATE,
        "AsgiRequest": AsgiRequest(SCOPE),
        "FastAPIRequest": FastAPIRequest(SCOPE),
        "WsgiRequest": WsgiRequest(ENVIRON),
        "FlaskRequest": FlaskRequest(ENVIRON),
        "headers": AsgiRequest(SCOPE).headers,
        "acting_as": acting_as(*PAIRS, bindings=[]),
        "flyte's binding": bind_flyte,
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
        written = str(error)  # some objects don't support that way
    assert leaked(written) == set()


@pytest.mark.parametrize(
    "name",
    ["credentials", "credential", "admission", "snapshot", "snapshot's run", "AsgiRequest"],
)
def test_it_can_t_be_pickled(name):
    with pytest.raises(TypeError, match="can't be pickled"):
        pickle.dumps(HELD[name])


def test_every_public_class_is_tested_or_contains_no_credential():
    """Add a new class above, or to the list here if it contains no credential."""
    holds_none = {
        "BodyInContext",  # in tests/core/test_no_secret.py, as is the next
        "AsyncBodyInContext",
        "Binding",
        "Destination",
        "GateOptions",
        "HeaderExtractor",
        "Headers",
        "Host",
        "LostHost",
        "NamedOrigins",
        "OnMissing",
        "OnRefusal",
        "Origin",
        "PathRule",
        "PathRules",
        "PolicyOptions",
        "Refusal",
        "Request",
        "Runner",
        "Redirects",
        "Sessions",
        "without_caller",
    }
    looked_at = {each.__name__ for held in HELD.values() for each in type(held).__mro__}
    classes = {
        given.__name__
        for face in (core, inbound, caller, outbound)
        for name in face.__all__
        if isinstance(given := getattr(face, name), type) and not issubclass(given, Exception)
    }
    assert classes - looked_at - holds_none == set()


def test_what_is_shown_tells_callers_apart():
    """Each credential has its own fingerprint, so a log can tell callers apart."""
    one, same, other = Credentials(PAIRS[0]), Credentials(PAIRS[0]), Credentials(PAIRS[1])

    assert repr(one) == repr(same) != repr(other)


def test_no_secret_is_left_in_what_the_library_keeps():
    """After a request, only its own objects refer to its credentials."""
    pair = ("authorization", f"Bearer {len(PAIRS)}")
    scope = CallerScope(Credentials(pair))
    with scope.active(), contextlib.closing(snapshot()):
        pass
    scope.close()
    del scope
    gc.collect()
    holders = [each for each in gc.get_referrers(pair) if isinstance(each, tuple | dict | list)]
    assert holders == []
