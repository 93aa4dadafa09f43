"""The caller of a screen: the session that a UI framework finds, and who it is."""

import asyncio
import json
import threading
from base64 import urlsafe_b64encode

import pytest
from tests.core.builders import asgi, on_both_interfaces

from passthrough_auth.core import (
    ConfigurationError,
    Destinations,
    NoCaller,
    acting_as,
    current_credentials,
    snapshot,
)
from passthrough_auth.core.caller import (
    HANDLE,
    HEADER,
    _context,
    _sessions,
    context_of_screen,
)
from passthrough_auth.core.inbound import Gate
from passthrough_auth.sessions import Host, Sessions, caller_of, current_session

ALICE = [("Authorization", "Bearer alice")]
BOB = [("Authorization", "Bearer bob")]


class Screens(Host):
    """A framework whose handlers serve the screen that is named here."""

    def __init__(self):
        self.place = None

    def locate(self):
        if isinstance(self.place, Exception):
            raise self.place
        return self.place


class Queue(Screens):
    outlives_request = True


class Named(Screens):
    named_by_client = True


class ByHeader(Screens):
    by_header = True


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """A process that has asked no host yet."""
    monkeypatch.setattr(_sessions, "_hosts", ())
    monkeypatch.setattr(_sessions, "_said", set())
    monkeypatch.setattr(_context, "_caller_of_screen", None)


@pytest.fixture
def screens():
    return Screens()


def gate_for(host, **options):
    return Gate(bindings=[], sessions=Sessions([host], **options), excluded_paths={"/public"})


def admitted(gate, headers, make=asgi, path="/", **options):
    request = make(path, headers, **options)
    admission = gate.admit(request)
    assert admission.refusal is None
    return request.native, admission


def who():
    try:
        credentials = current_credentials()
    except NoCaller as absent:
        return absent.reason
    return credentials.headers()["authorization"].removeprefix("Bearer ")


# --- Whose screen ---------------------------------------------------------------------------------


@on_both_interfaces
def test_a_handler_acts_as_the_visitor_whose_screen_it_serves(make):
    screens = Queue()
    gate = gate_for(screens)
    for headers, name in ((ALICE, "alice"), (BOB, "bob")):
        screens.place, admission = admitted(gate, headers, make)
        admission.close()
        assert who() == name
    screens.place = None
    assert who() == "outside"


def test_it_is_asked_in_threads_and_in_tasks_of_others(screens):
    gate = gate_for(screens)
    screens.place, _ = admitted(gate, ALICE)
    _, of_bob = admitted(gate, BOB)
    heard = []
    with of_bob.active():
        heard.append(who())
        thread = threading.Thread(target=lambda: heard.append(who()))
        thread.start()
        thread.join()
        heard.append(asyncio.run(asyncio.wait_for(_soon(), 5)))
    assert heard == ["alice"] * 3


async def _soon():
    return who()


def test_calls_are_made_as_that_visitor(screens):
    gate = gate_for(screens)
    screens.place, _ = admitted(gate, ALICE)
    destinations = Destinations("https://api.example.com")
    assert destinations.headers_for("https://api.example.com/") == {"authorization": "Bearer alice"}
    with snapshot().active():
        screens.place = None
        assert who() == "alice"


def test_an_explicit_block_comes_first(screens):
    gate = gate_for(screens)
    screens.place, _ = admitted(gate, ALICE)
    with acting_as(("authorization", "Bearer carol"), bindings=()):
        assert who() == "carol"


def test_without_a_screen_the_request_is_the_caller(screens):
    _, admission = admitted(gate_for(screens), ALICE)
    with admission.active():
        assert who() == "alice"
        assert current_session() is None


@pytest.mark.parametrize("place", [{}, {HANDLE: "alice"}, {HEADER: "alice"}, {HEADER: ""}])
def test_a_screen_of_no_admitted_request_is_nobodys(place, screens):
    """Not even of the request that happens to run its handler."""
    _, admission = admitted(gate_for(screens), ALICE)
    screens.place = place
    with admission.active():
        assert who() == "outside"


def test_a_host_that_fails_makes_nobody_the_caller_and_says_so_once(screens, caplog):
    _, admission = admitted(gate_for(screens), ALICE)
    screens.place = LookupError("Bearer alice")
    with admission.active():
        assert [who(), who()] == ["outside", "outside"]
    (record,) = caplog.records
    assert "The session host tests.core.test_sessions raised LookupError" in record.getMessage()
    assert "alice" not in record.getMessage()


def test_a_public_page_is_nobodys(screens):
    gate = gate_for(screens)
    screens.place, _ = admitted(gate, ALICE, path="/public")
    assert who() == "public"


def test_several_hosts_are_asked_in_turn(screens):
    other = Screens()
    gate = Gate(bindings=[], sessions=Sessions([screens, other]))
    other.place, _ = admitted(gate, ALICE)
    assert who() == "alice"


# --- The handle -----------------------------------------------------------------------------------


@on_both_interfaces
def test_a_host_that_keeps_headers_has_the_handle_there(make):
    host = ByHeader()
    gate = gate_for(host)
    native, admission = admitted(gate, ALICE, make)
    if make is asgi:
        host.place = {name.decode(): value.decode() for name, value in native["headers"]}
    else:
        host.place = {HEADER: native["HTTP_PASSTHROUGH_AUTH_SESSION"]}
    assert who() == "alice"
    assert host.place[HEADER] not in repr(admission.session)
    del native, admission
    assert who() == "outside"


@on_both_interfaces
@pytest.mark.parametrize("host", [ByHeader, Screens])
def test_a_header_of_that_name_from_outside_is_removed(make, host):
    gate = gate_for(host())
    native, alices = admitted(gate, ALICE, make)
    token = alices.session.token
    native, _ = admitted(gate, [*BOB, (HEADER, token)], make)
    assert token not in repr(native)
    assert native[HANDLE] is not alices.session


def test_other_headers_stay_as_they_were():
    request = asgi("/", [*ALICE, ("x-other", "1"), ("x-other", "2"), (HEADER, "mine")])
    gate_for(ByHeader()).admit(request)
    names = [name.decode() for name, _ in request.scope["headers"]]
    assert names == ["authorization", "x-other", "x-other", HEADER]
    assert request.lines("x-other") == ["1", "2"]


def test_a_refused_request_leaves_no_handle(screens):
    request = asgi("/")
    assert gate_for(screens).admit(request).refusal is not None
    assert HANDLE not in request.scope


def test_an_app_without_a_host_has_no_handles():
    request = asgi("/", ALICE)
    admission = Gate(bindings=[]).admit(request)
    assert HANDLE not in request.scope
    assert admission.session is None
    admission.close()


def test_the_handle_of_an_inner_gate_is_the_one_that_counts(screens):
    outer, inner = gate_for(screens), gate_for(screens)
    request = asgi("/", ALICE)
    outer.admit(request)
    inner.admit(type(request)({**request.scope, "path": "/public"}))
    screens.place = request.scope
    assert who() == "alice"


def test_switched_off_a_screen_has_the_caller_of_its_request_alone(screens):
    gate_for(screens)
    screens.place, admission = admitted(Gate(bindings=[], sessions=Sessions([])), ALICE)
    assert who() == "outside"
    with admission.active():
        assert who() == "alice"


@on_both_interfaces
def test_the_caller_of_a_request_can_be_asked_for(make):
    """For a framework whose handlers don't know their session, such as python-socketio."""
    place, admission = admitted(gate_for(Queue()), ALICE, make)
    admission.close()
    with caller_of(place).active():
        assert who() == "alice"
    for nobodys in ({}, {HANDLE: _sessions.NOT_LOOKED_UP}):
        with pytest.raises(NoCaller, match="No request is being served"):
            caller_of(nobodys)


def test_a_client_s_own_thread_can_be_handed_the_caller(screens):
    assert context_of_screen() is None
    gate = gate_for(screens)
    screens.place, _ = admitted(gate, ALICE)
    _, of_bob = admitted(gate, BOB)
    with of_bob.active():
        context = context_of_screen()
    screens.place = None
    assert context.run(who) == "alice"
    with of_bob.active():
        assert context_of_screen() is None


def test_asking_for_another_visitor_s_is_a_crossing(screens):
    gate = gate_for(screens)
    place, _ = admitted(gate, ALICE)
    _, of_bob = admitted(gate, BOB)
    with of_bob.active():
        of_bob.close()
        with pytest.raises(NoCaller, match="One visitor's request runs a handler of another"):
            caller_of(place)
    place, _ = admitted(gate_for(screens, on_crossing="session"), ALICE)
    with of_bob.active():
        assert caller_of(place).credentials()


# --- How long -------------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1000.0

    monkeypatch.setattr(_sessions, "monotonic", lambda: Clock.now)
    monkeypatch.setattr(_sessions, "time", lambda: 5_000_000 + Clock.now)
    return Clock


def test_a_connection_that_is_over_has_no_visitor(screens):
    gate = gate_for(screens)
    screens.place, admission = admitted(gate, ALICE, kind="websocket")
    assert who() == "alice"
    admission.close()
    assert who() == "ended"


@on_both_interfaces
def test_a_request_that_is_over_has_none_unless_handlers_run_after_it(make, screens):
    screens.place, admission = admitted(gate_for(screens), ALICE, make)
    assert who() == "alice"
    admission.close()
    assert who() == "ended"


def test_a_page_is_its_visitors_for_eight_hours(screens, clock):
    screens.place, _ = admitted(gate_for(screens), ALICE)
    assert current_session().expires_at == 5_000_000 + 1000 + 8 * 3600
    clock.now += 8 * 3600 - 1
    assert who() == "alice"
    clock.now += 1
    assert who() == "expired"


def test_the_time_can_be_set(screens, clock):
    screens.place, _ = admitted(gate_for(screens, max_age=60), ALICE)
    clock.now += 60
    assert who() == "expired"


def token(claims):
    part = urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{part}.c2ln"


@pytest.mark.parametrize("prefix", ["Bearer ", "bearer "])
def test_a_token_that_says_when_it_expires_ends_it(prefix, screens, clock):
    expires = 5_000_000 + 1000 + 90
    headers = [("Authorization", prefix + token({"exp": expires}))]
    screens.place, _ = admitted(gate_for(screens), headers)
    assert current_session().expires_at == expires
    clock.now += 89
    assert who() not in ("expired", "outside")
    clock.now += 1
    assert who() == "expired"


@pytest.mark.parametrize(
    "value",
    [
        "opaque",
        "a.b.c",
        token({"exp": "soon"}),
        token({"exp": 9e18}),
        token({"exp": 10**400}),
        token({}),
        token([1]),
        token({"exp": float("nan")}),
        "e30." + "W1tb" * 20_00 + ".c2ln",
    ],
)
def test_any_other_token_lasts_as_long_as_the_page(value, screens, clock):
    """Nothing verifies it, so it can only shorten the time."""
    screens.place, _ = admitted(
        gate_for(screens, max_age=60), [("Authorization", f"Bearer {value}")]
    )
    assert current_session().expires_at == 5_000_000 + 1000 + 60


def test_the_tokens_in_cookies_are_not_looked_at(screens, clock):
    headers = [*ALICE, ("Cookie", "other=" + token({"exp": 1}))]
    screens.place, _ = admitted(gate_for(screens, max_age=60), headers)
    assert who() == "alice"


def test_a_fork_has_no_sessions(screens, monkeypatch):
    screens.place, _ = admitted(gate_for(screens), ALICE)
    monkeypatch.setattr(_context.CallerScope, "this_process", object())
    assert who() == "forked"


# --- Between visitors -----------------------------------------------------------------------------


def crossing(host, gate, headers=BOB):
    """Whom Alice's screen acts as while it is redrawn by this caller's request, ended or not."""
    host.place, _ = admitted(gate, ALICE, kind="websocket")
    _, admission = admitted(gate, headers, kind="websocket")
    with admission.active():
        during = who()
        admission.close()
        return during, who()


def test_a_screen_that_another_visitor_redraws_is_still_its_own_visitors(screens):
    assert crossing(screens, gate_for(screens)) == ("alice", "alice")


def test_where_a_client_can_name_another_s_screen_nobody_is_the_caller(caplog):
    host = Named()
    assert crossing(host, gate_for(host)) == ("crossed", "crossed")
    (record,) = caplog.records
    assert "write sessions=Sessions(on_crossing='session')" in record.getMessage()


def test_the_app_may_decide_that_the_screen_counts():
    host = Named()
    assert crossing(host, gate_for(host, on_crossing="session")) == ("alice", "alice")


def test_another_request_of_the_same_visitor_is_no_crossing():
    host = Named()
    assert crossing(host, gate_for(host), ALICE) == ("alice", "alice")


def test_claims_of_a_token_make_nobody_the_same_visitor():
    """They aren't verified: anybody can write a token with another's `sub`."""
    host = Named()
    gate = gate_for(host)
    claims = {"iss": "https://id.example.com", "sub": "alice"}
    host.place, _ = admitted(gate, [("Authorization", f"Bearer {token(claims)}")])
    forged = token({**claims, "forged": True})
    _, admission = admitted(gate, [("Authorization", f"Bearer {forged}")])
    with admission.active():
        assert who() == "crossed"


def test_a_page_that_began_without_a_caller_is_nobodys_whoever_serves_it():
    host = Named()
    gate = gate_for(host)
    host.place, public = admitted(gate, [], path="/public")
    _, of_bob = admitted(gate, BOB)
    for admission in (public, of_bob):
        with admission.active():
            assert who() == "public"


def test_somebody_without_a_caller_is_not_the_same_visitor():
    host = Named()
    gate = gate_for(host)
    host.place, _ = admitted(gate, ALICE)
    _, admission = admitted(gate, [], path="/public")
    with admission.active():
        assert who() == "crossed"


def test_what_no_request_started_serves_the_screen():
    host = Named()
    host.place, _ = admitted(gate_for(host), ALICE)
    assert who() == "alice"


def test_a_request_from_before_the_framework_was_imported_is_another_visitors():
    host = Named()
    _, admission = admitted(Gate(bindings=[]), ALICE)
    host.place, _ = admitted(gate_for(host), ALICE)
    with admission.active():
        assert who() == "crossed"


# --- Options --------------------------------------------------------------------------------------


@pytest.mark.parametrize("age", [0, -1, True, "8h", float("nan")])
def test_an_age_is_a_positive_number_of_seconds(age):
    with pytest.raises(ConfigurationError, match="max_age is a positive number of seconds"):
        Sessions(max_age=age)


def test_what_to_do_on_a_crossing_is_one_of_two_words():
    with pytest.raises(ConfigurationError, match="on_crossing is 'refuse' or 'session', not 'no'"):
        Sessions(on_crossing="no")


def test_a_list_of_hosts_has_hosts():
    with pytest.raises(ConfigurationError, match=r"derived from passthrough_auth\.sessions\.Host"):
        Sessions([object()])
    with pytest.raises(ConfigurationError, match="hosts takes a collection"):
        Sessions("gradio")


def test_the_option_takes_sessions():
    with pytest.raises(ConfigurationError, match=r"sessions takes Sessions\(max_age=...\)"):
        Gate(sessions=60)


# --- Discovery ------------------------------------------------------------------------------------


class Found:
    """What the entry points of this process find."""

    def __init__(self, outcome):
        self.outcome = outcome

    def found(self):
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def finding(monkeypatch, outcome):
    from passthrough_auth.core.inbound import _gate

    found = Found(outcome)
    monkeypatch.setattr(_gate, "host_discovery", lambda: found)
    return found


def test_a_framework_that_is_imported_later_is_found(monkeypatch, screens):
    found = finding(monkeypatch, ())
    gate = Gate(bindings=[])
    request = asgi("/", ALICE)
    gate.admit(request)
    assert HANDLE not in request.scope

    found.outcome = (_sessions.installed_host(screens),)
    gate._modules_seen = 0  # as if a module had been imported
    screens.place, _ = admitted(gate, ALICE)
    assert who() == "alice"


MOVED = ConfigurationError("gradio 99 keeps its sessions elsewhere")


def test_a_framework_whose_sessions_moved_stops_the_app(monkeypatch):
    finding(monkeypatch, MOVED)
    with pytest.raises(ConfigurationError, match="gradio 99"):
        Gate()


def test_one_that_is_imported_later_makes_nobody_the_caller(monkeypatch, caplog):
    found = finding(monkeypatch, ())
    gate = Gate(bindings=[])
    found.outcome = MOVED
    gate._modules_seen = 0
    _, admission = admitted(gate, ALICE)
    with admission.active():
        assert who() == "outside"
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "gradio 99 keeps its sessions elsewhere" in record.getMessage()


def test_a_missing_place_is_an_error_that_names_the_release():
    from passthrough_auth.sessions._finding import found_in

    assert found_in("pytest", "pytest:fixture") is pytest.fixture
    with pytest.raises(
        ConfigurationError, match=rf"pytest {pytest.__version__} keeps its sessions"
    ):
        found_in("pytest", "pytest:Moved.away")
