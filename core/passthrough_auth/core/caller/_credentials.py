"""The caller's credentials, kept out of every text that could leak them."""

import os
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, NoReturn, Self, cast, final

if TYPE_CHECKING:
    from types import MemberDescriptorType


@cache
def _salt(_process: int) -> bytes:
    # One for each process id, so that a forked worker doesn't share its parent's salt.
    return os.urandom(16)


class _Secret:
    """The base of both classes below: immutable, and impossible to pickle."""

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            f"{type(self).__name__} is a secret and can't be pickled. Hand work its caller with "
            "snapshot(), or take the value out yourself with headers()."
        )

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)


@final
class Credential(_Secret):
    """One credential: the lower-case `name` of its header, and its secret `value`.

    Only `value` holds the secret. `repr`, `str` and `format` show the name and the `fingerprint`.
    """

    __slots__ = ("name", "value")

    name: str
    value: str

    def __init__(self, name: str, value: str) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "value", value)

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits that tell credentials apart in logs, within this process only.

        Each process has a new salt, so that nobody can look tokens up by comparing them with a log.
        """
        # Imported here: it loads OpenSSL, which no request needs.
        from hashlib import blake2s

        value = self.value.encode("utf-8", "surrogatepass")
        return blake2s(value, digest_size=8, key=_salt(os.getpid())).hexdigest()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Credential):
            return NotImplemented
        return (self.name, self.value) == (other.name, other.value)

    def __hash__(self) -> int:
        return hash((self.name, self.value))

    def __repr__(self) -> str:
        return f"<Credential {self.name} {self.fingerprint}>"


@final
class Credentials(_Secret):
    """The credentials of one caller, in the order of their extractors; at most one for each name.

    Iterating gives each `Credential`; `headers()` gives a dict for a client. Empty credentials are
    false and mean that there is no caller. A binding gets them for a public request.

    The pairs are not checked here: the gate and `acting_as` check them.
    """

    __slots__ = ("_pairs",)

    _pairs: tuple[tuple[str, str], ...]

    def __init__(self, *pairs: tuple[str, str]) -> None:
        _set_pairs(self, pairs)

    @classmethod
    def of(cls, headers: dict[str, str]) -> "Credentials":
        """The credentials in these headers, by lower-case name."""
        made = object.__new__(cls)
        _set_pairs(made, tuple(headers.items()))
        return made

    def headers(self) -> dict[str, str]:
        """A new plain dict from header name to secret value."""
        return dict(self._pairs)

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The (name, secret value) pairs, in the form that gRPC and `acting_as` accept."""
        return self._pairs

    def get(self, name: str) -> Credential | None:
        """The credential with this name in any letter case, or None."""
        wanted = name.lower()
        for own, value in self._pairs:
            if own == wanted:
                return Credential(own, value)
        return None

    def __iter__(self) -> Iterator[Credential]:
        return (Credential(name, value) for name, value in self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Credentials):
            return NotImplemented
        return self._pairs == other._pairs

    def __hash__(self) -> int:
        return hash(self._pairs)

    def __repr__(self) -> str:
        inside = ", ".join(f"{each.name} {each.fingerprint}" for each in self)
        return f"<Credentials {inside or 'of nobody'}>"


# Assigns to an immutable object. Looked up once here, instead of on each request.
_set_pairs = cast("MemberDescriptorType", vars(Credentials)["_pairs"]).__set__

NOBODY = Credentials()
