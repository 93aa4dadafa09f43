"""Who the caller is, as verified by Flyte."""

import math
import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING, NoReturn, final
from weakref import WeakKeyDictionary

from connectrpc.errors import ConnectError
from flyte import remote
from flyte.errors import InitializationError

from passthrough_auth.core.caller import (
    CallerScope,
    Credentials,
    checked_bindings,
    current_credentials,
)
from passthrough_auth.core.errors import ConfigurationError

from .binding import bind_flyte, refusal_in
from .sdk import acts_as_callers, check_not_forked, current_client

if TYPE_CHECKING:
    from flyte.remote._client.controlplane import ClientSet

_MOST_REMEMBERED = 1024


@final
@dataclass(frozen=True, slots=True)
class User:
    """A caller as Flyte knows them. `subject` is the identifier, `name` what to call them."""

    subject: str
    name: str


@final
class _CurrentUser:
    """The caller of the current request, verified by Flyte with `remote.User.get`.

        user = current_user()               # in sync code
        user = await current_user.aio()     # in async code

    Flyte is asked each time, unless `max_age` allows an answer that Flyte gave for the very same
    credentials, in this process, at most so many seconds ago.

    Raises `CallerUnauthenticated` or `CallerDenied`, which the adapters answer with 401 and 403;
    `NoCaller` where there is no caller; flyte's `InitializationError` before `init_passthrough`;
    other errors of the SDK as they are.
    """

    def __call__(self, *, max_age: float = 0) -> User:
        credentials = current_credentials()
        _check_age(max_age)
        client = _client()
        user = _verified.recall(client, credentials, max_age)
        if user is None:
            with _acting_as(credentials).active():
                try:
                    user = _as_user(remote.User.get())
                except ConnectError as error:
                    _raise(error)
            _verified.remember(client, credentials, user, max_age)
        return user

    async def aio(self, *, max_age: float = 0) -> User:
        """The same in async code."""
        credentials = current_credentials()
        _check_age(max_age)
        client = _client()
        user = _verified.recall(client, credentials, max_age)
        if user is None:
            with _acting_as(credentials).active():
                try:
                    user = _as_user(await remote.User.get.aio())
                except ConnectError as error:
                    _raise(error)
            _verified.remember(client, credentials, user, max_age)
        return user


# Digest to the time of verification, the time to forget it, and the user; oldest first.
_Known = OrderedDict[bytes, tuple[float, float, User]]
_NEVER = (-math.inf, -math.inf, None)


@final
class _Verified:
    """The identities verified lately, by a salted hash of the credentials: no secret is kept.

    Each client of the SDK has its own: the endpoint of another may know its callers by other names.
    """

    def __init__(self) -> None:
        self._salt = os.urandom(32)
        self._lock = threading.Lock()
        self._by_client: WeakKeyDictionary[ClientSet, _Known] = WeakKeyDictionary()

    def recall(self, client: "ClientSet", credentials: Credentials, max_age: float) -> User | None:
        """Who these credentials were found to stand for within the last `max_age` seconds."""
        if not max_age:
            return None
        with self._lock:
            known = self._by_client.get(client, _Known())
            verified_at, _, user = known.get(self._digest(credentials), _NEVER)
        return user if monotonic() - verified_at < max_age else None

    def remember(
        self, client: "ClientSet", credentials: Credentials, user: User, max_age: float
    ) -> None:
        """Keep a user for `max_age` seconds, or until more than enough others have come."""
        if not max_age:
            return
        now = monotonic()
        digest = self._digest(credentials)
        with self._lock:
            known = self._by_client.setdefault(client, _Known())
            known[digest] = (now, now + max_age, user)
            known.move_to_end(digest)
            while len(known) > _MOST_REMEMBERED or _oldest_is_over(known, now):
                known.popitem(last=False)

    def _digest(self, credentials: Credentials) -> bytes:
        digest = blake2b(key=self._salt, digest_size=32)
        for pair in credentials.pairs():
            for part in pair:
                encoded = part.encode("utf-8", "surrogatepass")
                # With its length in front, no two lists of credentials are written the same.
                digest.update(len(encoded).to_bytes(8) + encoded)
        return digest.digest()


def _oldest_is_over(known: _Known, now: float) -> bool:
    return any(over < now for _, over, _ in islice(known.values(), 1))


_verified = _Verified()

current_user = _CurrentUser()


def _acting_as(credentials: Credentials) -> CallerScope:
    """The scope of one question to Flyte, also where the app has named no binding."""
    return CallerScope(credentials, bindings=(bind_flyte,))


def _client() -> "ClientSet":
    check_not_forked()
    checked_bindings([bind_flyte])
    client = current_client()
    # In a cluster, the SDK has been initialised with the identity of the app itself.
    if client is None or not acts_as_callers(client.session_config):
        raise InitializationError(
            "ClientNotInitializedError",
            "user",
            "The Flyte SDK is not initialised to act as callers, so it would say who the app is, "
            "or nobody. Call "
            "init_passthrough(endpoint, project=..., domain=...) of passthrough_auth.clients.flyte "
            "once, at start-up, in the process that serves",
        )
    return client


def _as_user(found: remote.User) -> User:
    return User(found.subject(), found.name())


def _raise(error: ConnectError) -> NoReturn:
    refusal = refusal_in(error)
    if refusal is None:
        raise error
    raise refusal from error


def _check_age(max_age: float) -> None:
    if not 0 <= max_age < math.inf:
        raise ConfigurationError(f"max_age is a number of seconds from 0 on, not {max_age!r}")
