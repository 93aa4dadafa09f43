"""`current_user`: the caller as Flyte verified them."""

import asyncio
import gc
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any

import flyte
import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyte._initialize import get_client
from flyte.errors import InitializationError

from passthrough_auth.clients.flyte import User, current_user, init_passthrough
from passthrough_auth.clients.flyte import user as module
from passthrough_auth.core import (
    CallerDenied,
    CallerUnauthenticated,
    ConfigurationError,
    NoCaller,
    acting_as,
)
from passthrough_auth.testing.flyte import Caller, FlyteEndpoint

pytest_plugins = ["passthrough_auth.testing.pytest_plugin"]

ALICE = ("authorization", "Bearer alice-token")
BOB = ("authorization", "Bearer bob-token")
MALLORY = ("authorization", "Bearer mallory-token")

Ask = Callable[..., User]


@pytest.fixture(scope="module")
def flyte_endpoint_options() -> dict[str, Any]:
    return {"callers": ["alice", Caller(subject="bob", name="Bob B.")]}


def ask_async(**options: Any) -> User:
    async def ask() -> User:
        return await current_user.aio(**options)

    return asyncio.run(ask())


either = pytest.mark.parametrize("ask", [current_user, ask_async], ids=["sync", "async"])


@either
def test_it_names_the_caller_as_flyte_does(ask: Ask, endpoint: FlyteEndpoint) -> None:
    with acting_as(BOB):
        assert ask() == User(subject="bob", name="Bob B.")
    with acting_as(ALICE):
        assert ask() == User(subject="alice", name="Alice")


@either
def test_it_needs_no_binding_around_the_request(ask: Ask, endpoint: FlyteEndpoint) -> None:
    with acting_as(ALICE, bindings=[]):
        assert ask().subject == "alice"


@either
@pytest.mark.parametrize(
    ("caller", "fault", "raised", "code"),
    [
        (MALLORY, None, CallerUnauthenticated, Code.UNAUTHENTICATED),
        (ALICE, "unauthenticated", CallerUnauthenticated, Code.UNAUTHENTICATED),
        (ALICE, "denied", CallerDenied, Code.PERMISSION_DENIED),
    ],
)
def test_upstreams_refusal_is_named(
    ask: Ask,
    caller: tuple[str, str],
    fault: Any,
    raised: type[Exception],
    code: Code,
    endpoint: FlyteEndpoint,
) -> None:
    if fault:
        endpoint.fail("UserInfo", fault)
    with acting_as(caller), pytest.raises(raised) as caught:
        ask()
    assert isinstance(caught.value.__cause__, ConnectError)
    assert caught.value.__cause__.code is code
    assert "token" not in str(caught.value)


@either
def test_another_error_stays_what_it_is(ask: Ask, endpoint: FlyteEndpoint) -> None:
    endpoint.fail("UserInfo", "unavailable")
    with acting_as(ALICE), pytest.raises(ConnectError) as caught:
        ask()
    assert caught.value.code is Code.UNAVAILABLE


@either
def test_without_a_caller_it_raises_no_caller(ask: Ask, endpoint: FlyteEndpoint) -> None:
    with pytest.raises(NoCaller):
        ask()
    assert not endpoint.calls


@either
def test_before_init_it_names_the_missing_call(ask: Ask, flyte_endpoint: FlyteEndpoint) -> None:
    """The SDK's own text names other functions, with which calls would act as the app."""
    flyte.init()  # the SDK has no client
    with acting_as(ALICE), pytest.raises(InitializationError) as caught:
        ask(max_age=60)
    assert "Call init_passthrough(endpoint, project=..., domain=...)" in str(caught.value)
    assert "flyte.init()" not in str(caught.value)


def test_a_user_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        User("alice", "Alice").subject = "bob"  # type: ignore[misc]  # on purpose


# Remembering


@either
def test_it_asks_each_time_by_default(ask: Ask, endpoint: FlyteEndpoint) -> None:
    for _ in range(3):
        with acting_as(ALICE):
            ask()
    assert len(endpoint.calls) == 3


@either
def test_an_answer_of_that_age_is_taken_for_the_same_credentials_only(
    ask: Ask, endpoint: FlyteEndpoint
) -> None:
    pairs = [[ALICE], [BOB], [ALICE, ("x-flyte-token", "alice-token")], [MALLORY]]
    for _ in range(3):
        for caller in pairs[:3]:
            with acting_as(*caller):
                assert ask(max_age=60).subject == ("bob" if caller == [BOB] else "alice")
        with acting_as(MALLORY), pytest.raises(CallerUnauthenticated):
            ask(max_age=60)
    callers = [call.caller for call in endpoint.calls if call.outcome == "ok"]
    assert callers == ["alice", "bob", "alice"]


def test_credentials_that_only_look_alike_when_joined_are_told_apart(
    endpoint: FlyteEndpoint,
) -> None:
    with acting_as(("x-a", "bx-c"), ("x-flyte-token", "alice-token")):
        current_user(max_age=60)
    with acting_as(("x-ab", "x-c"), ("x-flyte-token", "alice-token")):
        current_user(max_age=60)
    assert len(endpoint.calls) == 2


def test_an_older_answer_is_not_taken(
    endpoint: FlyteEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(module, "monotonic", lambda: now)  # not the SDK's clock: it sleeps by it
    with acting_as(ALICE):
        current_user(max_age=60)
        now = 1059.0
        current_user(max_age=60)
        assert len(endpoint.calls) == 1
        current_user(max_age=30)  # needs a newer answer, so it asks again
        assert len(endpoint.calls) == 2
        now = 1089.0
        current_user(max_age=60)
        assert len(endpoint.calls) == 2
        current_user()
        assert len(endpoint.calls) == 3


def test_it_remembers_a_limited_number_and_no_secret(
    endpoint: FlyteEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_REMEMBERED", 2)
    for extra in "abcabc":
        with acting_as(ALICE, ("x-extra", extra)):
            current_user(max_age=60)
    assert len(endpoint.calls) == 6
    known = module._verified._by_client[get_client()]
    assert len(known) == 2
    assert "alice-token" not in repr([*gc.get_referents(module._verified), *known.items()])
    assert b"alice-token" not in b"".join(known)


def test_an_old_answer_is_forgotten(
    endpoint: FlyteEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(module, "monotonic", lambda: now)  # not the SDK's clock: it sleeps by it
    with acting_as(ALICE):
        current_user(max_age=60)
    now = 1061.0
    with acting_as(BOB):
        current_user(max_age=60)
    known = module._verified._by_client[get_client()]
    assert [user.subject for _, _, user in known.values()] == ["bob"]


@either
@pytest.mark.parametrize("init", [init_passthrough, flyte.init_passthrough])
def test_another_endpoint_is_asked_anew(
    init: Callable[..., object],
    ask: Ask,
    endpoint: FlyteEndpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may know these callers by other names. Any way to initialise for it counts."""
    with acting_as(ALICE):
        assert ask(max_age=60).subject == "alice"
    with FlyteEndpoint([Caller(subject="mallory", token="alice-token")]) as other:
        monkeypatch.setenv("SSL_CERT_FILE", other.ca_file)
        init(other.endpoint, project="demo", domain="development")
        with acting_as(ALICE):
            assert ask(max_age=60).subject == "mallory"
        assert len(other.calls) == 1


def test_remembered_answers_end_with_their_client(endpoint: FlyteEndpoint) -> None:
    with acting_as(ALICE):
        current_user(max_age=60)
    remembered = len(module._verified._by_client)
    flyte.init()
    gc.collect()
    assert len(module._verified._by_client) < remembered


@pytest.mark.parametrize("age", [-1, float("inf"), float("nan")])
def test_an_invalid_age_is_refused(age: float) -> None:
    with acting_as(ALICE), pytest.raises(ConfigurationError, match="max_age is a number"):
        current_user(max_age=age)
