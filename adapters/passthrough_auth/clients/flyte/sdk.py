"""Every place where the private parts of the Flyte SDK are reached, and nothing else.

The SDK has no public way to be asked whom it acts as, to be told which HTTP client to use, or to
say whether its thread runs. On import this module checks that it finds what it counts on, and when
the SDK makes its first client, the parts that load with that (they take most of a second). If
something has changed, it raises `UnsupportedFlyte` before any call is made.
"""

import inspect
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context, copy_context
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn, final

import flyte
import pyqwest
from flyte.errors import InitializationError

from passthrough_auth.core.caller import CallerScope, context_of_screen, current_scope
from passthrough_auth.core.errors import PassthroughAuthError

if TYPE_CHECKING:
    from flyte.remote._client.auth._session import SessionConfig
    from flyte.remote._client.controlplane import ClientSet

TESTED = "2.6.0 to 2.12.1"
"""The releases of the SDK that the tests of this module run on."""


class UnsupportedFlyte(PassthroughAuthError, ImportError):
    """This release of the Flyte SDK has changed inside: it can't be made to ask for the caller."""

    def __init__(self, changed: str) -> None:
        super().__init__(
            f"flyte {flyte.__version__} has changed in a place that passthrough-auth relies on: "
            f"{changed}. Install a release that it was tested with ({TESTED}), or a newer "
            "passthrough-auth",
            name="flyte",
        )


class ForkedAfterImport(PassthroughAuthError, RuntimeError):
    """This process was forked after flyte was imported, so every call of the SDK would hang."""

    def __init__(self) -> None:
        super().__init__(
            "This process was forked after flyte was imported. The SDK runs on a thread that it "
            "starts on import and that a fork leaves behind, so every call of it would hang. "
            "Import flyte and call init_passthrough in the process that serves: without "
            "gunicorn's --preload (preload_app), or in a post_fork hook. An app that makes no "
            "calls to Flyte can say so with bindings=[]"
        )


def _reach(module: str, *names: str) -> Any:
    """What stands at this place in the SDK."""
    try:
        found: Any = import_module(module)
        for name in names:
            found = getattr(found, name)
    except (ImportError, AttributeError) as error:
        raise UnsupportedFlyte(f"{'.'.join((module, *names))} is not there") from error
    return found


def _expect_parameters(function: Any, name: str, *expected: str) -> None:
    missing = {*expected} - {*inspect.signature(function).parameters}
    if missing:
        raise UnsupportedFlyte(f"{name} takes no {min(missing)!r}")


# --- The credentials of each call -----------------------------------------------------------------

Pairs = tuple[tuple[str, str], ...]

_context: Any = _reach("flyte._context")
_auth_metadata: Any = _reach("flyte.remote._auth_metadata")
_internal_ctx: Any = _reach("flyte._context", "internal_ctx")
_new_metadata: Any = _reach("flyte._context", "Context", "new_metadata")
_expect_parameters(_new_metadata, "flyte._context.Context.new_metadata", "metadata")
_expect_parameters(
    _reach("flyte._context", "ContextData"), "flyte._context.ContextData", "metadata"
)
if inspect.signature(_reach("flyte.remote._auth_metadata", "get_auth_metadata")).parameters:
    raise UnsupportedFlyte("flyte.remote._auth_metadata.get_auth_metadata takes parameters")


class _OwnMetadata(tuple[tuple[str, str], ...]):  # noqa: SLOT001 - a tuple can have no slot
    """What the app holds with `flyte.remote.auth_metadata`, and the scope that it does so in."""

    scope: CallerScope | None


def ask_for_metadata(ask: Callable[[], Pairs]) -> None:
    """Have the SDK ask for its metadata at each call, unless the app itself holds some there.

    The SDK reads `get_auth_metadata` from its module at each call. What the app itself holds counts
    in the scope in which it was entered, and in what copies that context: a server may start
    another request in a copy of it, too.
    """

    def new_metadata(context: object, metadata: Pairs) -> object:
        own = _OwnMetadata(metadata)
        own.scope = current_scope()
        return _new_metadata(context, own)

    def get_auth_metadata() -> Pairs:
        own: Pairs | None = _internal_ctx().data.metadata
        # What was entered before the SDK was made to ask was so outside of every scope.
        if own and getattr(own, "scope", None) is current_scope():
            return own
        return ask()

    _context.Context.new_metadata = new_metadata
    _auth_metadata.get_auth_metadata = get_auth_metadata


# --- The clients that it makes, and where they lead -----------------------------------------------

_initialize: Any = _reach("flyte._initialize")
_get_client: Any = _reach("flyte._initialize", "get_client")
_initialize_client: Any = _reach("flyte._initialize", "_initialize_client")
if not inspect.iscoroutinefunction(_initialize_client):
    raise UnsupportedFlyte("flyte._initialize._initialize_client is no coroutine function")


def current_client() -> "ClientSet | None":
    """The client that the SDK has made, if it has made one."""
    try:
        client: ClientSet = _get_client()
    except InitializationError:
        return None
    return client


def watch_clients(watch: "Callable[[ClientSet], None]") -> None:
    """Have each client that the SDK makes seen, before it is used."""

    async def initialize_client(*args: Any, **options: Any) -> "ClientSet":
        client: ClientSet = await _initialize_client(*args, **options)
        watch(client)
        return client

    _initialize._initialize_client = initialize_client  # noqa: SLF001 - the SDK has no public hook


def watch_sessions(
    option: str, watch: "Callable[[SessionConfig, Any, str], SessionConfig]"
) -> None:
    """Have each session that the SDK makes for a cluster exchanged for what `watch` returns.

    Those are the ones that are given `option`: the SDK makes them with the `auth_kwargs` of the
    session of its client. `watch` gets the session, the option, and the endpoint of that client.
    """
    controlplane = _reach("flyte.remote._client.controlplane")
    create: Any = _reach("flyte.remote._client.controlplane", "create_session_config")
    if isinstance(create, _CreateSession):
        return
    _expect_parameters(create, "flyte.remote._client.controlplane.create_session_config", "kwargs")
    controlplane.create_session_config = _CreateSession(create, option, watch)


@final
class _CreateSession:
    """Does what the SDK's `create_session_config` does, and has what it makes seen."""

    def __init__(
        self,
        create: "Callable[..., Awaitable[SessionConfig]]",
        option: str,
        watch: "Callable[[SessionConfig, Any, str], SessionConfig]",
    ) -> None:
        self._create = create
        self._option = option
        self._watch = watch

    async def __call__(self, *args: Any, **options: Any) -> "SessionConfig":
        if self._option not in options:
            return await self._create(*args, **options)
        given = options.pop(self._option)
        session = await self._create(*args, **options)
        return self._watch(session, given, options["auth_endpoint"])


def acts_as_callers(session: "SessionConfig") -> bool:
    """Whether it sends the credentials of each call. With insecure=True the SDK sends none."""
    return session.auth_kwargs.get("auth_type") == "Passthrough" and not session.insecure


def with_http_client(
    session: "SessionConfig", http_client: pyqwest.Client, **auth_kwargs: object
) -> "SessionConfig":
    """The same session with this HTTP client, and with more `auth_kwargs`."""
    _expect_parameters(
        type(session),
        "flyte.remote._client.auth._session.SessionConfig",
        *("auth_kwargs", "endpoint", "http_client", "insecure", "tls_ca_cert"),
    )
    return replace(
        session, http_client=http_client, auth_kwargs={**session.auth_kwargs, **auth_kwargs}
    )


def exchange_session(client: "ClientSet", session: "SessionConfig") -> None:
    """Give the client new services, in place: whoever holds it already has them too."""
    again = type(client)(session)
    if again.session_config is not session:
        raise UnsupportedFlyte("flyte.remote._client.controlplane.ClientSet takes no session")
    vars(client).update(vars(again))


def transport_without_redirects(tls_ca_cert: bytes | None) -> pyqwest.HTTPTransport:
    """The SDK's own transport, but for redirects."""
    use_system_dns = _reach("flyte.remote._client.auth._session", "_use_system_dns")
    return pyqwest.HTTPTransport(
        follow_redirects=False,
        # The others are the SDK's own.
        tls_ca_cert=tls_ca_cert,
        tls_include_system_certs=tls_ca_cert is None,
        timeout=None,
        connect_timeout=30.0,
        read_timeout=None,
        pool_idle_timeout=90.0,
        tcp_keepalive_interval=30.0,
        use_system_dns=use_system_dns(),
    )


# --- The thread that it runs on -------------------------------------------------------------------

_background: Any = _reach("flyte.syncify", "syncify", "_bg_loop")
_reach("flyte.syncify", "syncify", "_bg_loop", "loop")
_expect_parameters(_reach("flyte.syncify", "Syncify"), "flyte.syncify.Syncify", "name")


def hand_over_screens() -> None:
    """Have the SDK's thread know whose page makes a call, where the calling thread alone does.

    The SDK hands each call over by this function of its loop, which copies the context.
    """
    loop = _background.loop
    hand_over: Callable[..., Any] = loop.call_soon_threadsafe

    def call_soon_threadsafe(
        callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> Any:
        return hand_over(callback, *args, context=context or context_of_screen())

    loop.call_soon_threadsafe = call_soon_threadsafe


def check_not_forked() -> None:
    """Raise `ForkedAfterImport` where the SDK's thread doesn't run in this process."""
    if os.getpid() != _PROCESS_OF_LOOP:
        raise ForkedAfterImport


@final
class _LoopLeftBehind:
    """Stands in for the SDK's event loop in a process where no thread runs it.

    The SDK reads nothing of a request before it hands a call to its loop, and then waits for ever.
    """

    def call_soon_threadsafe(
        self, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> None:
        (context or copy_context()).run(callback, *args)

    def create_task(self, coroutine: Coroutine[Any, Any, object]) -> NoReturn:
        """Refuse a call that was handed over, so that its caller is told."""
        coroutine.close()
        raise ForkedAfterImport

    def stop(self) -> None:
        """What the SDK asks for when the process ends."""


def _refuse_calls() -> None:
    _background.loop = _LoopLeftBehind()


def _loop_runs_here() -> bool:
    name = inspect.signature(_reach("flyte.syncify", "Syncify")).parameters["name"].default
    return name in {thread.name for thread in threading.enumerate()}


_PROCESS_OF_LOOP = os.getpid() if _loop_runs_here() else None
if _PROCESS_OF_LOOP is None:
    _refuse_calls()  # this module is itself imported after the fork
elif hasattr(os, "register_at_fork"):  # where it isn't, nothing forks
    os.register_at_fork(after_in_child=_refuse_calls)
