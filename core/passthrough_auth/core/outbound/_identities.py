"""Two identities never mix: what becomes of the app's own on a call that carries the caller's.

SDKs always set a key of their own. Beside a caller's cookie it would make the app act, in silence,
for everybody.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple, cast

from passthrough_auth.core._checking import checked_collection
from passthrough_auth.core._credential_rules import name_problem
from passthrough_auth.core.errors import ConfigurationError

OnConflict = Literal["raise", "caller", "app"]

_ON_CONFLICT = ("raise", "caller", "app")

IDENTITIES = frozenset(
    {
        "authorization",
        "cookie",
        "api-key",  # Azure
        "apikey",
        "cf-access-client-secret",
        "dd-api-key",
        "deploy-token",  # GitLab, as the next two
        "job-token",
        "private-token",
        "ocp-apim-subscription-key",  # Azure API Management
        "x-access-token",
        "x-amz-security-token",
        "x-api-key",
        "x-api-token",
        "x-auth-key",
        "x-auth-token",
        "x-figma-token",
        "x-functions-key",
        "x-goog-api-key",
        "x-rapidapi-key",
        "x-shopify-access-token",
        "x-vault-token",
    }
)
"""Headers in which an app, or an SDK for it, says who it is. `Destination(identities=)` adds."""


class Settled(NamedTuple):
    """The headers to remove from a hop, those to set on it, and the app's that stay instead."""

    removed: frozenset[str]
    callers: dict[str, str]
    apps: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"<Settled callers: {', '.join(self.callers)}>"


class Others(NamedTuple):
    """What counts beside a destination's own word: the other destinations', and the caller.

    `named` has the headers that identify somebody at any of the destinations, and `copied` those of
    the call that are the caller's own and that this destination isn't sent.
    """

    named: frozenset[str]
    copied: frozenset[str]
    has_caller: bool


class Conflicts(NamedTuple):
    """What a destination says about identities of the app's. All names are in lower case."""

    on_conflict: OnConflict
    drop: frozenset[str]
    beside: frozenset[str]
    identities: frozenset[str]

    @classmethod
    def checked(
        cls, where: str, on_conflict: OnConflict, **names: Iterable[str] | None
    ) -> "Conflicts":
        """These options of a destination. Raises `ConfigurationError` for a wrong one."""
        if on_conflict not in _ON_CONFLICT:
            raise ConfigurationError(
                f"on_conflict is 'raise', 'caller' or 'app', not {on_conflict!r} (for {where})"
            )
        drop, beside, more = (_checked_names(name, given) for name, given in names.items())
        twice = sorted(drop & beside)
        if twice:
            raise ConfigurationError(
                f"{twice[0]!r} can't be both in drop and in beside (for {where}): a header is "
                "either never sent there, or always. Leave it out of one"
            )
        return cls(on_conflict, drop, beside, IDENTITIES | more)

    def names(self) -> frozenset[str]:
        """The headers that may identify the app here, also those that are never sent."""
        return self.identities | self.beside | self.drop

    def settle(
        self, where: object, sent: Mapping[str, Any], callers: dict[str, str], others: Others
    ) -> Settled:
        """Decide between the headers `sent` by the app and those of the caller.

        `sent` ignores the case of names. Raises `ConfigurationError` for a conflict that the
        destination does not decide. A header equal to the caller's is none.
        """
        present = {name.lower() for name in sent}
        removed = self.without_copies(where, present, others.copied)
        names = (present & self.identities) | (present & callers.keys()) | (present & others.named)
        names -= self.beside | removed
        own = frozenset([name for name in names if not _same(sent[name], callers.get(name))])
        if self.on_conflict == "caller":
            return Settled(removed | own, callers)
        # A caller who lacks what is sent here is still somebody, for whom the app would act.
        if not own or not (callers or others.has_caller):
            return Settled(removed, callers)
        if self.on_conflict == "app":
            return Settled(removed, {}, own)
        del callers, sent  # a traceback with locals would show them
        raise ConfigurationError(_how_to_decide(where, min(own)))

    def without_copies(
        self, where: object, present: set[str], copied: frozenset[str]
    ) -> frozenset[str]:
        """What is never sent here: what `drop` names, and what is copied from the caller's request.

        Raises `ConfigurationError` for a copy, unless the destination says who calls.
        """
        copied = copied - self.beside - self.drop
        if copied and self.on_conflict == "raise":
            raise ConfigurationError(_how_to_leave_out(where, min(copied)))
        return (self.drop & present) | copied


def _same(sent: object, callers: str | None) -> bool:
    return callers is not None and sent in (callers, callers.encode())


def _checked_names(option: str, given: Iterable[str] | None) -> frozenset[str]:
    if given is None:
        return frozenset()
    example = f"[{given!r}]" if isinstance(given, str) else "['x-api-key']"
    names = [
        name.lower() if isinstance(name, str) else name
        for name in checked_collection(option, given, example)
    ]
    for name in names:
        problem = name_problem(name)
        if problem is not None:
            raise ConfigurationError(f"{problem} (in {option})")
    return frozenset(cast("list[str]", names))


def _how_to_decide(where: object, name: str) -> str:
    return (
        f"A call to {where} has the app's own {name!r} beside the caller's credentials, and two "
        "identities never mix. Leave that header out, or say who calls: "
        f"Destination('{where}', on_conflict='caller') for the caller alone, 'app' for the app "
        f"alone, drop=[{name!r}] if an SDK always sets it, beside=[{name!r}] if the API wants both"
    )


def _how_to_leave_out(where: object, name: str) -> str:
    return (
        f"A call to {where} has the caller's own {name!r}, copied from the request, and `send` "
        "leaves that out. Copy the headers that you need, or have it removed: "
        f"Destination('{where}', drop=[{name!r}])"
    )
