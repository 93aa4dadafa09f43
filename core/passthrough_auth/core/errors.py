"""Everything this library raises on purpose. All of it is a `PassthroughAuthError`."""

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
]
"""Why there is no caller to be had: `NoCaller.reason`."""

_ABSENCES: dict[Absence, str] = {
    "outside": (
        "No request is being served here. Inside a request, check that the middleware is "
        "installed and that threads were given a snapshot(); in start-up code, scripts and tests, "
        "use `with auth_metadata((name, value)): ...`."
    ),
    "undecided": "The request has not reached the authentication gate yet.",
    "public": (
        "This path is listed in excluded_paths, so no credentials were taken from the request. "
        "Take the path off that list if its handler needs the caller."
    ),
    "preflight": "Browsers send CORS preflights without credentials.",
    "refused": "This request was refused: it carried no usable credentials.",
    "ended": (
        "The request that this code belongs to has ended. Work that may outlive its request "
        "takes the caller along with snapshot()."
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
    "expired": "The snapshot that this work was given has expired; see snapshot(expires_in=...).",
}


class PassthroughAuthError(Exception):
    """The base of every exception of this library."""


class ConfigurationError(PassthroughAuthError, ValueError):
    """A setting that can't be right. Raised at start-up; the text says what to write instead."""


class NoCaller(PassthroughAuthError, LookupError):
    """There is no caller here. `reason` says why, in one word; the text says what to do."""

    reason: Absence

    def __init__(self, reason: Absence) -> None:
        super().__init__(_ABSENCES[reason])
        self.reason = reason

    def __reduce__(self) -> tuple[type["NoCaller"], tuple[Absence]]:
        return type(self), (self.reason,)


class MalformedCredential(PassthroughAuthError, ValueError):
    """A credential is there but can't be used. The text never holds its value.

    An extractor of your own may raise it to say so: the request is then answered with
    "Authentication credentials malformed" if nothing else on it is valid. `name` is the header
    that the extractor would have yielded: no extractor after it may yield that one instead.
    """

    name: str | None

    def __init__(self, text: str = "", *, name: str | None = None) -> None:
        super().__init__(text)
        self.name = name


class DestinationNotAllowed(PassthroughAuthError):
    """The caller's credentials may not travel to this URL. The text names the line to write.

    Raised before anything leaves the machine. The text holds the origin at most, never the URL.
    """


class CallerRefused(PassthroughAuthError):
    """An upstream service can't be called for this caller. The adapters answer with `status`.

    A subclass may say another status from 400 to 599, and another detail. Raises
    `ConfigurationError` where it is defined for any other status, which would hide the refusal.
    """

    status: int = 403
    detail: str = "Permission denied"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not isinstance(cls.status, int) or not 400 <= cls.status <= 599:
            raise ConfigurationError(
                f"{cls.__name__}.status = {cls.status!r} is not the status of a refusal: write one "
                "from 400 to 599"
            )


class CallerUnauthenticated(CallerRefused):
    """Upstream did not accept the caller's credentials. Answered with 401."""

    status = 401
    detail = "Authentication credentials not accepted"


class CallerDenied(CallerRefused):
    """Upstream knows the caller and does not permit this. Answered with 403."""


class CredentialMissing(CallerRefused, LookupError):
    """The caller has none of the credentials that a destination is to be sent. Answered with 401.

    The text names them. It is logged as well, because the app may have forgotten an extractor.
    """

    status = 401
    detail = "Authentication credentials required"


class CredentialUnusable(CallerRefused, MalformedCredential):
    """What the caller sent makes no valid header of the kind that a destination is to be sent.

    Answered with 401. The text never holds the value.
    """

    status = 401
    detail = "Authentication credentials malformed"
