"""The gate, which decides whether a request may pass, and as which caller."""

import sys
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from types import FunctionType
from typing import Literal, TypedDict, cast, final

from passthrough_auth.core._checking import check_arguments, checked_collection, is_async
from passthrough_auth.core._credential_rules import (
    Rule,
    custom_rule,
    is_token,
    name_problem,
    rule_for,
)
from passthrough_auth.core._log import logger
from passthrough_auth.core.caller import (
    NOT_LOOKED_UP,
    Binding,
    Bindings,
    CallerScope,
    Credentials,
    Host,
    LostHost,
    Session,
    Sessions,
    checked_bindings,
    checked_sessions,
    discovery,
    find_refusal,
    host_discovery,
    installed_host,
)
from passthrough_auth.core.errors import (
    Absence,
    ConfigurationError,
    CredentialMissing,
    CredentialUnusable,
    MalformedCredential,
)

from . import _crosssite as crosssite
from . import _why as why
from ._exclusion import PathRule, PathRules
from ._extraction import (
    DEFAULT_EXTRACTORS,
    HeaderExtractor,
    checked_extractor,
    describe,
    extract_bare_authorization,
    is_ambient,
    is_ambient_scheme,
    is_built_in,
)
from ._refusal import (
    CROSS_SITE,
    MALFORMED,
    REQUIRED,
    Refusal,
    bearer_challenge,
    checked_refusal,
    with_error,
)
from ._request import Request


class Admission(CallerScope):
    """What the gate decided about one request: the scope of its caller, or `refusal`.

    If there is a refusal, it is the answer, and the request's handler does not run. A request that
    passes without a caller has the reason in `absence`: "public" or "preflight".
    """

    __slots__ = ("_ends_session", "refusal", "session")

    of_request = True

    def __init__(
        self,
        credentials: Credentials | None,
        absence: Absence,
        bindings: Bindings,
        refusal: Refusal | None = None,
    ) -> None:
        # Without super(): one is made for each request, and the call would be half of the cost.
        self._credentials = credentials
        self._process = self.this_process
        self.absence = absence
        self.bindings = bindings
        self.refusal = refusal
        self.session: CallerScope | None = None
        self._ends_session = False

    def begin_session(self, options: Sessions, *, ends_with_request: bool) -> Session:
        """The session of a page or an event that begins with this request."""
        self._ends_session = ends_with_request
        session = Session(self._credentials, self.absence, self.bindings, options)
        self.session = session
        return session

    def close(self) -> None:
        super().close()
        if self.session is not None and self._ends_session:
            self.session.close()


OnRefusal = Callable[[Request, Refusal], Refusal]
"""Replaces a refusal: headers, body, and the status, from 300 to 599 except 304."""


class PolicyOptions(TypedDict, total=False):
    """Options that ASGI adapters take by keyword only. `GateOptions` adds two positional ones."""

    trusted_origins: Iterable[str]
    comma_schemes: Iterable[str]
    realm: str | None
    resource_metadata: str | None
    on_refusal: OnRefusal | None
    bindings: Iterable[Binding] | None
    sessions: Sessions | None


class GateOptions(PolicyOptions, total=False):
    """The options that every adapter takes and passes to `Gate`, which documents them."""

    header_extractors: Iterable[HeaderExtractor] | None
    excluded_paths: Iterable[PathRule] | None


@final
class Gate:
    """Decides about requests. The options are checked on construction and don't change later.

    Args:
        header_extractors: They read a request's credentials. Default: the Authorization and Cookie
            headers. If two extractors return the same name, the first one wins, even if its value
            is malformed.
        excluded_paths: The public paths, as `PathRules` accepts them.
        trusted_origins: Other origins whose pages may act as a user whose browser attached the
            credentials automatically, such as `https://admin.example.com`.
        comma_schemes: Authorization schemes to accept although their credentials contain commas,
            such as `Digest`.
        realm: Sent in WWW-Authenticate (RFC 9110 section 11.5).
        resource_metadata: An absolute URL, sent in WWW-Authenticate (RFC 9728 section 5.1).
        on_refusal: Replaces a refusal, as `OnRefusal` describes.
        bindings: The clients that act as the caller by themselves, such as `bind_flyte`. None
            stands for each supported client that the application has imported.
        sessions: How long open pages of UI frameworks keep their visitor. None stands for
            `Sessions()`.

    Raises `ConfigurationError` for an invalid option.
    """

    _hosts: tuple[Host, ...]

    def __init__(
        self,
        *,
        header_extractors: Iterable[HeaderExtractor] | None = None,
        excluded_paths: Iterable[PathRule] | None = None,
        trusted_origins: Iterable[str] = (),
        comma_schemes: Iterable[str] = (),
        realm: str | None = None,
        resource_metadata: str | None = None,
        on_refusal: OnRefusal | None = None,
        bindings: Iterable[Binding] | None = None,
        sessions: Sessions | None = None,
    ) -> None:
        extractors = _checked_extractors(header_extractors)
        self._given = extractors
        self._extractors = tuple((self._wrapped(each), is_ambient(each)) for each in extractors)
        self._paths = PathRules(() if excluded_paths is None else excluded_paths)
        self._trusted_origins = crosssite.checked_origins(trusted_origins)
        schemes = _checked_schemes(comma_schemes)
        bare = extract_bare_authorization in extractors
        self._rules = {
            name: rule_for(name, schemes, bare=bare) for name in ("authorization", "cookie")
        }
        self._on_refusal = _checked_on_refusal(on_refusal)
        self._bindings = checked_bindings(bindings)
        self.has_bound_clients = bool(self._bindings)
        """Whether some client asks for the callers of this gate, so far."""
        self._sessions = checked_sessions(sessions)
        self._find_hosts()
        self._modules_seen = 0
        self._challenge = bearer_challenge(realm, resource_metadata)
        self._missing = Refusal.json(401, REQUIRED, self._challenge)
        self._malformed = Refusal.json(
            401, MALFORMED, with_error(self._challenge, CredentialUnusable.error)
        )
        self._cross_site = Refusal.json(403, CROSS_SITE)
        self._warned: set[str] = set()
        if getattr(sys.flags, "thread_inherit_context", 0):
            self._warn_once(_THREADS_INHERIT)

    def __setstate__(self, state: dict[str, object]) -> None:
        # Flyte deploys apps with cloudpickle. Another process has clients of its own.
        vars(self).update(state)
        self._bindings = checked_bindings(self._bindings)
        self.has_bound_clients = bool(self._bindings)
        self._find_hosts()
        self._modules_seen = 0
        self._warned = set()

    def admit(self, request: Request, *, preflights: bool = False) -> Admission:
        """Decide about one request: its caller, the reason why it has none, or a refusal.

        `preflights` lets CORS preflights pass without credentials. It is for a framework that
        answers them itself, behind the gate, without running a handler.

        This does no I/O, and no request can make it raise.
        """
        if len(sys.modules) != self._modules_seen:
            self._find_clients()
        admission = self._decide(request, preflights=preflights)
        if self._begins_sessions and admission.refusal is None:
            self._begin_session(request, admission)
        return admission

    def _decide(self, request: Request, *, preflights: bool) -> Admission:
        bindings = self._bindings
        if self._paths.match(request.path):
            request.settle_path()
            return Admission(None, "public", bindings)
        if preflights and crosssite.is_preflight(request):
            return Admission(None, "preflight", bindings)
        judged = self._judge(request)
        if isinstance(judged, Credentials):
            return Admission(judged, "undecided", bindings)
        self._say_why(request, judged)
        return Admission(None, "refused", bindings, self._customised(request, judged))

    def _begin_session(self, request: Request, admission: Admission) -> None:
        """Leave a handle for a UI framework, which may run handlers outside this request."""
        if self._sessions.hosts == ():
            request.leave_handle(NOT_LOOKED_UP, in_header=False)
            return
        outlives = any(host.outlives_request for host in self._hosts)
        session = admission.begin_session(
            self._sessions, ends_with_request=request.transport == "websocket" or not outlives
        )
        in_header = any(host.by_header for host in self._hosts)
        request.leave_handle(session, in_header=in_header)

    def refusal_for(self, request: Request, error: BaseException) -> Refusal | None:
        """The answer for an error that a handler raised, or None if no upstream refusal caused it.

        401 if upstream did not accept the caller's credentials, 403 if it denied the action.
        """
        refused = find_refusal(error, self._bindings)
        if refused is None:
            return None
        if isinstance(refused, CredentialMissing):
            self._warn_once(f"A request was answered with 401. {refused}")
        challenged = refused.status == 401 or refused.error is not None
        challenge = [with_error(self._challenge, refused.error)] if challenged else []
        refusal = Refusal.json(refused.status, refused.detail, *challenge)
        return self._customised(request, refusal)

    def _say_why(self, request: Request, refusal: Refusal) -> None:
        """Log why a request is refused: at DEBUG, and once what looks like a mistake of the app."""
        if refusal is self._missing:
            if crosssite.is_preflight(request):
                self._warn_once(_PREFLIGHT_REFUSED)
            unread = why.unread_header(request, self._given)
            if unread is not None:
                self._warn_once(unread)
        meant = self._paths.differs_in_form(request.path)
        if meant is not None:
            self._warn_once(
                f"A request was refused whose path differs from the rule {meant!r} of "
                "excluded_paths only in its case, or in a slash at the end. Both count: write the "
                "path as your router has it"
            )
        if why.is_asked():
            asked = zip(self._given, (ask for ask, _ in self._extractors), strict=True)
            why.log_why(request, refusal, self._paths, asked, self._rule_for)

    def _find_clients(self) -> None:
        """Bind a client that the app has imported only now."""
        # Counted first: another thread may import one meanwhile.
        seen = len(sys.modules)
        if self._bindings is None:
            self.has_bound_clients = bool(discovery().found())
        try:
            self._find_hosts()
        except ConfigurationError as error:
            # Too late to stop the app. Which screen its handlers serve is not known.
            self._say_once("error", f"{error}. Until then its handlers have no caller")
            self._hosts, self._begins_sessions = (installed_host(LostHost()),), True
        self._modules_seen = seen

    def _find_hosts(self) -> None:
        """Find the UI frameworks whose pages begin sessions here. Raises for one that changed."""
        listed = self._sessions.hosts
        self._hosts = (
            host_discovery().found() if listed is None else tuple(map(installed_host, listed))
        )
        # Where they are switched off, handlers have the caller of their request, which is said too.
        self._begins_sessions = bool(self._hosts) or listed == ()

    def _judge(self, request: Request) -> Credentials | Refusal:
        """The credentials of the request, or its refusal."""
        found, malformed, dropped = self._credentials_in(request)
        if "authorization" in malformed and "authorization" not in found:
            # The client chose this credential. With a cookie instead, it might be another user.
            return self._malformed
        if dropped:
            # Nothing here is verified, so a credential that any page can make up vouches for none
            # that the browser attached. Of a handshake it doesn't even need the app's CORS layer.
            if not found or crosssite.is_handshake(request):
                self._warn_once(_CROSS_SITE_REFUSED)
                return self._cross_site
            self._warn_once(_AMBIENT_DROPPED)
        if found:
            return Credentials.of(found)
        return self._malformed if malformed else self._missing

    def _credentials_in(self, request: Request) -> tuple[dict[str, str], list[str | None], bool]:
        """What is found, the names of what is malformed, and whether something was dropped."""
        found: dict[str, str] = {}
        malformed: list[str | None] = []
        dropped = False
        for extract, ambient in self._extractors:
            try:
                pair = extract(request)
            except MalformedCredential as error:
                if ambient and self._may_be_forged(request):
                    dropped = True
                else:
                    malformed.append(error.name)
                continue
            except BaseException:
                # An interrupt. A traceback with locals would show the credentials found so far.
                found.clear()
                pair, value, checked = None, "", None
                raise
            if pair is None:
                continue
            name, value = pair
            first = name not in found and name not in malformed
            checked = self._rule_for(name)(value)
            if checked == "":
                continue
            if (ambient or is_ambient_scheme(name, checked or value)) and self._may_be_forged(
                request
            ):
                # Also if it is malformed, or another one has its name: it was there.
                dropped = True
            elif first and checked is None:
                malformed.append(name)
            elif first and checked is not None:
                found[name] = checked
        return found, malformed, dropped

    def _rule_for(self, name: str) -> Rule:
        return self._rules.get(name, custom_rule)

    def _may_be_forged(self, request: Request) -> bool:
        """Whether another site may have made the browser send this, and could do harm by it."""
        return crosssite.is_state_changing(request) and crosssite.is_cross_site(
            request, self._trusted_origins
        )

    def _wrapped(self, extractor: HeaderExtractor) -> HeaderExtractor:
        """A function that yields only pairs that may be forwarded, as built-in extractors do."""
        return extractor if is_built_in(extractor) else partial(self._extract, extractor)

    def _extract(self, extractor: HeaderExtractor, request: Request) -> tuple[str, str] | None:
        """The result of a custom extractor, if it is a pair that may be forwarded."""
        try:
            pair = extractor(request)
        except MalformedCredential:
            raise
        except Exception as error:  # noqa: BLE001 - any fault of an extractor means: no credential
            hint = _ON_NATIVE if isinstance(error, AttributeError) else ""
            self._warn(extractor, f"raised {type(error).__name__}{hint}")
            return None
        if pair is None:
            return None
        if isinstance(pair, tuple) and len(pair) == 2:
            name, value = pair
            if isinstance(name, str) and isinstance(value, str):
                name = name.lower()
                if name_problem(name) is None:
                    return name, value
        self._warn(extractor, _problem_with(pair))
        return None

    def _warn(self, extractor: HeaderExtractor, problem: str) -> None:
        """Log once that an extractor is wrong, without any value that it read or raised."""
        named = f"The extractor {describe(extractor)} {problem}"
        self._warn_once(f"{named}: it counts as having found nothing")

    def _warn_once(self, warning: str) -> None:
        self._say_once("warning", warning)

    def _say_once(self, level: Literal["warning", "error"], text: str) -> None:
        """Log something that the app's author can fix. Holds nothing that a client sent."""
        if text not in self._warned:
            self._warned.add(text)
            getattr(logger(), level)("%s", text)

    def _customised(self, request: Request, refusal: Refusal) -> Refusal:
        """The app's own version of a refusal, or the original if that version can't be sent."""
        if self._on_refusal is None:
            return refusal
        try:
            custom = checked_refusal(self._on_refusal(request, refusal))
        except Exception as error:  # noqa: BLE001 - a fault in it must not let the request pass
            # Logged without the traceback, which may quote the request.
            self._say_once("error", f"on_refusal raised {type(error).__name__}: {_SENT_INSTEAD}")
            return refusal
        if custom is None:
            self._say_once(
                "error",
                "on_refusal returned no Refusal that can be sent (a status from 300 to 599 except "
                "304, header values of one line, no header of the connection, a body of bytes): "
                + _SENT_INSTEAD,
            )
            return refusal
        return custom


_SENT_INSTEAD = "the default refusal was sent instead"
_PREFLIGHT_REFUSED = (
    "A CORS preflight was refused: browsers send preflights without credentials. Put the CORS "
    "middleware outside this one, so that it answers them; on Flask write allow_preflight=True"
)
_THREADS_INHERIT = (
    "Threads inherit their context in this interpreter (thread_inherit_context): a thread that a "
    "request starts acts as its caller while the request lasts, also for others who give it work. "
    "Start threads that requests share with `with without_caller():` around"
)
_ON_NATIVE = " (what only the framework's own request has is on request.native)"
_CROSS_SITE_REFUSED = (
    "A cross-site request was refused, as a browser may have attached its credentials "
    "automatically. If pages of that site may act as the user, or the proxy in front changes Host, "
    "name the origin that the browser shows in trusted_origins. If pages set the credential "
    "themselves, decorate its extractor with @header_extractor(ambient=False)"
)
_AMBIENT_DROPPED = (
    "A cross-site request had a token and also credentials that a browser may have attached "
    "automatically, such as cookies. Those were dropped. If pages of that site may act with the "
    "user's cookies, name the origin that the browser shows: trusted_origins={'https://...'}"
)


def _problem_with(given: object) -> str:
    """The problem with the result of an extractor, without quoting any of it."""
    if isinstance(given, Coroutine):
        given.close()
        return "returned a coroutine; extractors are plain functions"
    if not isinstance(given, tuple):
        return f"returned {type(given).__name__}, not a (name, value) pair or None"
    pair = cast("tuple[object, ...]", given)
    if len(pair) != 2 or not all(isinstance(part, str) for part in pair):
        return "returned a tuple that is not a pair of two strings"
    return "returned a name that can't be forwarded as a credential"


def _checked_extractors(given: Iterable[HeaderExtractor] | None) -> tuple[HeaderExtractor, ...]:
    if given is None:
        return DEFAULT_EXTRACTORS
    listed = checked_collection("header_extractors", given, f"[{_named_or_example(given)}]")
    extractors = tuple(map(checked_extractor, listed))
    if not extractors:
        raise ConfigurationError(
            "header_extractors is empty, so every request would be refused. Leave it out to take "
            "the Authorization and Cookie headers"
        )
    return extractors


def _named_or_example(given: object) -> str:
    """The name of an extractor that was passed without a list, or an example."""
    return given.__name__ if isinstance(given, FunctionType) else "extract_authorization_header"


def _checked_schemes(schemes: Iterable[str]) -> frozenset[str]:
    return frozenset(
        map(_checked_scheme, checked_collection("comma_schemes", schemes, "{'Digest'}"))
    )


def _checked_scheme(scheme: object) -> str:
    if not isinstance(scheme, str) or not is_token(scheme):
        raise ConfigurationError(f"{scheme!r} is not an authentication scheme such as 'Digest'")
    return scheme.lower()


def _checked_on_refusal(given: OnRefusal | None) -> OnRefusal | None:
    if given is None:
        return None
    if not callable(given) or is_async(given):
        raise ConfigurationError(
            "on_refusal is a plain function (request, refusal) -> Refusal, and not an async one"
        )
    check_arguments("on_refusal", given, "request", "refusal")
    return given
