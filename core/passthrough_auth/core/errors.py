"""The exceptions that this library raises on purpose. Each is a `PassthroughAuthError`."""

from typing import Literal

Absence = Literal[
    "outside",
    "undecided",
    "public",
    "preflight",
    "refused",
    "ended",
    "forked",
    "closed",
    "expired",
    "narrowed",
    "crossed",
]
"""The reason why there is no caller: `NoCaller.reason`."""

_ABSENCES: dict[Absence, str] = {
    "outside": (
        "No request is being served in this thread or task. If a request started it, hand it the "
        "caller: `caller = snapshot()` in the request, and `caller.run(work)` there. If this is "
        "the request's own code, check that the middleware is installed. In start-up code, scripts "
        "and tests, write `with acting_as((name, value)): ...`."
    ),
    "undecided": "The request has not reached the authentication gate yet.",
    "public": (
        "This path is listed in excluded_paths, so no credentials were taken from the request. "
        "Take the path off that list if its handler needs the caller."
    ),
    "preflight": "Browsers send CORS preflights without credentials.",
    "refused": "This request was refused: it carried no usable credentials.",
    "ended": (
        "The request that this code belongs to has ended, or the page was closed. Work that may "
        "outlive its request takes the caller along with snapshot()."
    ),
    "forked": (
        "This process was forked from the one whose request, block or snapshot this caller belongs "
        "to. Hand work in another process what it needs as an argument."
    ),
    "narrowed": (
        "The snapshot that this work was given is for calls to its destinations only. Make them "
        "with a client of passthrough_auth.clients, or ask destinations.headers_for(url)."
    ),
    "closed": (
        "The snapshot that this work was given was closed, or the work that it was for is done."
    ),
    "expired": (
        "The snapshot that this work was given has expired (snapshot(expires_in=...)), or the open "
        "page has been for longer than its caller is good for (Sessions(max_age=...), or the "
        "token's own expiry): let the visitor load it again."
    ),
    "crossed": (
        "One visitor's request runs a handler of another visitor's page, so neither is the caller "
        "for certain. If pages update each other on purpose, write "
        "sessions=Sessions(on_crossing='session')."
    ),
}


class PassthroughAuthError(Exception):
    """The base of all exceptions of this library."""


class ConfigurationError(PassthroughAuthError, ValueError):
    """A setting is invalid. Raised at start-up; the text explains what to write instead."""


class NoCaller(PassthroughAuthError, LookupError):
    """There is no caller here. `reason` is one word; the text explains what to do."""

    reason: Absence

    def __init__(self, reason: Absence) -> None:
        super().__init__(_ABSENCES[reason])
        self.reason = reason

    @property
    def is_intended(self) -> bool:
        """Whether a request has no caller on purpose. Any other reason is a mistake in the app."""
        return self.reason in ("public", "preflight")

    @property
    def is_over(self) -> bool:
        """Whether there was a caller here, who may act no more, or not here."""
        return self.reason in ("ended", "forked", "closed", "expired", "crossed")

    def __reduce__(self) -> tuple[type["NoCaller"], tuple[Absence]]:
        return type(self), (self.reason,)


class MalformedCredential(PassthroughAuthError, ValueError):
    """A credential is present but can't be used. The text never contains its value.

    Your own extractor may raise it. `name` is the header that the extractor would have returned: no
    later extractor may return that one instead. The request is then answered with "Authentication
    credentials malformed", unless it has another valid credential and `name` isn't "authorization".
    """

    name: str | None

    def __init__(self, text: str = "", *, name: str | None = None) -> None:
        super().__init__(text)
        self.name = None if name is None else name.lower()


class DestinationNotAllowed(PassthroughAuthError):
    """The caller's credentials may not travel to this URL. The text shows the line to write.

    Raised before any data is sent. The text shows at most the origin, never the URL.
    """


class CallerError(PassthroughAuthError):
    """Something can't be done for this caller. If the app doesn't catch it, it is the answer.

    Adapters answer with `status` and `detail`. A subclass may set another `status` from 400 to 599,
    and another `detail`. Defining a subclass with any other status raises `ConfigurationError`,
    because that status would hide the refusal.
    """

    status: int = 403
    detail: str = "Permission denied"
    error: str | None = None
    """The error code of the challenge in the answer (RFC 6750 section 3.1), if it has one."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not isinstance(cls.status, int) or not 400 <= cls.status <= 599:
            raise ConfigurationError(
                f"{cls.__name__}.status = {cls.status!r} is not the status of a refusal: write one "
                "from 400 to 599"
            )


class CallerRefused(CallerError):
    """Upstream refused the caller. Answered with 403; its subclasses say more."""


class CallerUnauthenticated(CallerRefused):
    """Upstream did not accept the caller's credentials. Answered with 401."""

    status = 401
    detail = "Authentication credentials not accepted"
    error = "invalid_token"


class CallerDenied(CallerRefused):
    """Upstream knows the caller but does not permit the action. Answered with 403."""

    error = "insufficient_scope"


class CredentialMissing(CallerError, LookupError):
    """The caller has none of the credentials for a destination. Answered with 401.

    The text names them. It is also logged, because the app may lack an extractor for them.
    """

    status = 401
    detail = "Authentication credentials required"


class CredentialUnusable(CallerError, MalformedCredential):
    """The caller's credential doesn't make a valid header for a destination.

    Answered with 401. The text never contains the value.
    """

    status = 401
    detail = "Authentication credentials malformed"
    error = "invalid_token"
