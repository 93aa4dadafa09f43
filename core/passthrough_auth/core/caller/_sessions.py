"""The caller of a screen, where a UI framework runs handlers outside their requests.

Such a framework, a *host*, runs an event handler in a queue, a thread or another visitor's task. It
always knows whose screen the handler updates. So the gate leaves a handle with each request that it
admits, in the scope or environ and, for hosts that keep no more than headers, in a header of its
own. A host is asked where the session is whose screen the running code serves, and the handle found
there is the caller. Only handles are resolved: headers are not judged a second time.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from contextvars import Context, copy_context
from functools import cache
from math import inf
from time import monotonic, time
from typing import Any, ClassVar, Literal, final
from weakref import WeakValueDictionary

from passthrough_auth.core._checking import checked_collection
from passthrough_auth.core._log import logger
from passthrough_auth.core.errors import Absence, ConfigurationError, NoCaller

from ._context import CallerScope, caller_var, current_scope, look_up_screens
from ._credentials import Credentials
from ._discovery import INSTALLING, Discovery

HANDLE = "passthrough_auth.session"
"""The key of the handle in an ASGI scope or a WSGI environ."""
HEADER = "passthrough-auth-session"
"""The header that is the handle. One that a client sends is removed."""

OnCrossing = Literal["refuse", "session"]
Place = Mapping[str, Any]
"""The scope or environ in which a session began, or its headers. An empty one is nobody's."""

_ON_CROSSING = ("refuse", "session")
_EIGHT_HOURS = 8 * 3600.0


class Host(ABC):
    """A UI framework that knows whose screen the running code serves.

    With an entry point in the group `passthrough_auth.sessions`, named like the framework's module,
    it is found automatically once the app has imported the framework.
    """

    by_header: ClassVar[bool] = False
    """Whether it keeps a session's headers, and not its scope."""
    named_by_client: ClassVar[bool] = False
    """Whether a client can address a session that it didn't open."""
    outlives_request: ClassVar[bool] = False
    """Whether its handlers may run after the HTTP request that they belong to."""

    @abstractmethod
    def locate(self) -> Place | None:
        """Where the session began that the running code serves; None where there is none.

        An empty mapping stands for a session that is over, or for several at once: nobody's.
        """


@final
class Sessions:
    """How long a page's handlers act as its visitor, and what happens between visitors.

    Args:
        hosts: The UI frameworks to ask. None stands for each supported one that the app has
            imported; with an empty list, handlers have the caller of their request alone.
        max_age: Seconds after which an open page's caller ends, however active it is. The default
            of 8 hours is the upper end of what OWASP's Session Management Cheat Sheet gives as an
            absolute limit for office applications. The token's own `exp` (RFC 7519) may shorten it.
        on_crossing: What to do if one visitor's request runs a handler of another's page, in a
            framework in which clients can name a page that they didn't open: "refuse", so that
            there is no caller, or act as the visitor whose "session" it is.

    Raises `ConfigurationError` for an invalid option.
    """

    __slots__ = ("hosts", "max_age", "on_crossing")

    def __init__(
        self,
        hosts: Iterable[Host] | None = None,
        *,
        max_age: float = _EIGHT_HOURS,
        on_crossing: OnCrossing = "refuse",
    ) -> None:
        self.hosts = None if hosts is None else checked_hosts(hosts)
        if isinstance(max_age, bool) or not isinstance(max_age, int | float) or not max_age > 0:
            raise ConfigurationError(f"max_age is a positive number of seconds, not {max_age!r}")
        self.max_age = max_age
        if on_crossing not in _ON_CROSSING:
            raise ConfigurationError(f"on_crossing is 'refuse' or 'session', not {on_crossing!r}")
        self.on_crossing: OnCrossing = on_crossing


def checked_sessions(given: object) -> Sessions:
    """The sessions of an app that may have said nothing. Raises `ConfigurationError`."""
    if given is None:
        return Sessions()
    if not isinstance(given, Sessions):
        raise ConfigurationError(
            f"sessions takes Sessions(max_age=...) of passthrough_auth.sessions, not {given!r}"
        )
    return given


def checked_hosts(given: Iterable[object]) -> tuple[Host, ...]:
    """The hosts of a list. Raises `ConfigurationError` for anything that is no host."""
    hosts = checked_collection("hosts", given, "[] for none, or leave it out")
    for host in hosts:
        if not isinstance(host, Host):
            raise ConfigurationError(
                "hosts takes objects of classes derived from passthrough_auth.sessions.Host, not "
                f"{host!r}"
            )
    return tuple(host for host in hosts if isinstance(host, Host))


@final
class Session(CallerScope):
    """The visitor of one open page or event, from the request that began it to its own end.

    It ends with its connection or event, `max_age` seconds after it began, and at the `exp` of a
    token that is a JWT. Nothing has verified that one, so it can only shorten the time.
    """

    __slots__ = (
        "__weakref__",
        "_deadline",
        "_fingerprints",
        "_token",
        "options",
    )

    def __init__(
        self,
        credentials: Credentials | None,
        absence: Absence,
        bindings: tuple[object, ...] | None,
        options: Sessions,
    ) -> None:
        super().__init__(credentials, absence, bindings)
        self.options = options
        self._deadline = monotonic() + options.max_age
        self._fingerprints: tuple[str, ...] | None = None
        self._token = ""

    def credentials(self) -> Credentials:
        credentials = super().credentials()
        if self._fingerprints is None:
            self._look_at(credentials)
        if monotonic() >= self._deadline:
            raise NoCaller("expired")
        return credentials

    @property
    def expires_at(self) -> float:
        """When it ends at the latest, in seconds since the epoch, as `time.time()` counts them."""
        self._begun_with()
        return time() + self._deadline - monotonic()

    @property
    def token(self) -> str:
        """What stands for it in a header. It means nothing in a request from outside."""
        if not self._token:
            import secrets  # imported here: it takes as long as much of core

            self._token = secrets.token_urlsafe()
            _by_token[self._token] = self
        return self._token

    def may_be_served_by(self, other: object) -> bool:
        """Whether a request that began the other session is this visitor's, even if it has ended.

        That takes exactly the same credentials. Claims of a token don't count: nothing has verified
        them. A session that began without a caller is nobody's, whoever serves it.
        """
        begun = self._begun_with()
        return not begun or (isinstance(other, Session) and begun == other._begun_with())  # noqa: SLF001 - one of this class

    def close(self) -> None:
        self._begun_with()  # whose it was can still be compared
        super().close()

    def _begun_with(self) -> tuple[str, ...]:
        if self._fingerprints is None and self._credentials is not None:
            self._look_at(self._credentials)
        return self._fingerprints or ()

    def _look_at(self, credentials: Credentials) -> None:
        """Done when first needed: of most requests, no handler ever asks for the session."""
        self._fingerprints = tuple(sorted(each.name + each.fingerprint for each in credentials))
        self._deadline = min(self._deadline, monotonic() + _seconds_left(credentials))


@final
class NotLookedUp:
    """The handle of a gate whose sessions are switched off: its requests alone have callers."""

    __slots__ = ()
    token = ""


Handle = Session | NotLookedUp
NOT_LOOKED_UP = NotLookedUp()
_by_token: WeakValueDictionary[str, Session] = WeakValueDictionary()
_NOBODY = CallerScope(None, "outside")
_CROSSED = CallerScope(None, "crossed")
_PAGES_CROSSED = (
    "A request of one visitor ran a handler of another's page, which therefore has no caller. If "
    "pages update each other on purpose, write sessions=Sessions(on_crossing='session')"
)
_hosts: tuple[Host, ...] = ()
_said: set[str] = set()


@cache
def host_discovery() -> Discovery[Host]:
    """The discovery of hosts, of this process. It may raise what a host's module raises."""
    return Discovery("passthrough_auth.sessions", installed_host)


def installed_host(host: object) -> Host:
    """Ask this host, from now on, whenever code of this process asks for the caller."""
    global _hosts  # noqa: PLW0603 - a process has one list
    (checked,) = checked_hosts([host])
    with INSTALLING:
        if checked not in _hosts:
            _hosts = (*_hosts, checked)
        look_up_screens(_caller_of_screen)
    return checked


class LostHost(Host):
    """Stands for a framework whose sessions can't be found: all that may be its is nobody's."""

    def locate(self) -> Place:
        return {}


def current_session() -> Session | None:
    """The session whose screen the running code serves; None where there is none.

    Its `expires_at` says how long it lasts.
    """
    scope = current_scope()
    return scope if isinstance(scope, Session) else None


def caller_of(place: Place) -> Session:
    """The session that began with this request: its ASGI scope, its WSGI environ or its headers.

        with caller_of(sio.get_environ(sid)["asgi.scope"]).active():
            ...

    For code that a framework runs outside the request, and that knows the request. Raises
    `NoCaller("outside")` if no gate of this process admitted that request, and
    `NoCaller("crossed")` if another visitor's request runs this code, unless
    `Sessions(on_crossing="session")` permits it.
    """
    session = _session_at(place)
    if not isinstance(session, Session):
        raise NoCaller("outside")
    if _is_crossed(session, caller_var.get()):
        raise NoCaller("crossed")
    return session


def _caller_of_screen(scope: CallerScope | None) -> CallerScope | None:
    """The caller where `scope` is current: that of the screen which the running code serves."""
    if scope is not None and not scope.of_request:
        return scope  # an explicit block
    for host in _hosts:
        place = _located(host)
        if place is not None:
            session = _session_at(place)
            if isinstance(session, NotLookedUp):
                return scope
            if session is None:
                return _NOBODY
            if host.named_by_client and _is_crossed(session, scope):
                _say_once(_PAGES_CROSSED)
                return _CROSSED
            return session
    return scope


def _located(host: Host) -> Place | None:
    try:
        return host.locate()
    except Exception as error:  # noqa: BLE001 - whatever fails there, nobody is the caller
        _say_once(
            f"The session host {type(host).__module__} raised {type(error).__name__} when it was "
            "asked for the page: its handlers have no caller"
        )
        return {}


def _session_at(place: Place) -> Handle | None:
    handle = place.get(HANDLE)
    if isinstance(handle, Handle):
        return handle
    return _by_token.get(str(place.get(HEADER)))


def context_of_screen() -> Context | None:
    """A context that has the caller of the screen which this thread or task serves.

    For a client that makes a call in a thread of its own: some hosts know the screen by the thread
    or the task, and not by the context. None where the context has the caller already.
    """
    scope = current_scope()
    if scope is caller_var.get():
        return None
    context = copy_context()
    context.run(caller_var.set, scope)
    return context


def _is_crossed(session: Session, scope: CallerScope | None) -> bool:
    """Whether another visitor's request, ended or not, runs code for this session."""
    if scope is None or not scope.of_request or session.options.on_crossing == "session":
        return False
    return not session.may_be_served_by(scope.session)


def _say_once(text: str) -> None:
    if text not in _said:
        _said.add(text)
        logger().warning("%s", text)


def _seconds_left(credentials: Credentials) -> float:
    """The seconds until the first of the tokens in headers expires; infinite if none says so."""
    left = inf
    for each in credentials:
        if each.name != "cookie":  # one cookie of many is not the visitor's log-in
            expires = _expiry(each.value.rpartition(" ")[2])
            if expires is not None:
                left = min(left, expires - time())
    return left


def _expiry(token: str) -> float | None:
    """The `exp` of a JSON Web Token (RFC 7519 section 4.1.4), unverified; None if it has none."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    # Imported here: few callers have such a token and a page.
    import json
    from base64 import urlsafe_b64decode

    try:
        claims = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return float(claims["exp"])
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
