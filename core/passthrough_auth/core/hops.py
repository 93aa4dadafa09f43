"""What one hop of a call carries, and what is kept of a call from hop to hop."""

from collections.abc import Mapping, MutableMapping
from typing import Any, NamedTuple, NoReturn, final

from .credentials import Credential
from .origin import Origin


class Trail(NamedTuple):
    """The path of one call so far. A client keeps it between two hops; it holds no secret.

    `origin` is the origin of the first hop. `strayed` is true from the first hop that leaves it.
    Until then, `own` has the names of headers that the app itself set instead of the caller's, and
    `cookie` is what `keep_first_cookie` returned for the first hop.
    """

    origin: Origin
    strayed: bool = False
    own: frozenset[str] = frozenset()
    cookie: str | None = None


@final
class Hop:
    """The changes for one hop of a call: headers to remove, headers to add, and the trail so far.

    Pass `trail` to the next hop after this one was applied. Only `add` holds secrets. A hop can't
    be pickled, and its repr shows no secrets.
    """

    __slots__ = ("add", "remove", "trail")

    def __init__(self, remove: frozenset[str], add: Mapping[str, str], trail: Trail) -> None:
        self.remove = remove
        self.add = add
        self.trail = trail

    def apply(self, headers: MutableMapping[str, Any]) -> list[str]:
        """Change the headers of this hop. Their mapping must ignore the case of names.

        A header that the app itself set stays unchanged while the call stays at its first origin.
        For Cookie, that is only the one that the call began with. If the client drops that header,
        as some do with Cookie on a redirect, the caller's does not replace it: next to the app's
        other headers, it would be another identity. Returns the names of the caller's headers that
        were added. They may have to be removed after the hop.
        """
        for name in self.remove:
            if name in headers:
                del headers[name]
        cookie = keep_first_cookie(headers, self.trail.cookie)
        own = self.trail.own.union(name for name in self.add if name in headers)
        self.trail = self.trail._replace(own=own, cookie=cookie)
        added = [name for name in self.add if name not in own]
        for name in added:
            headers[name] = self.add[name]
        return added

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Hop holds secrets and can't be pickled")

    def __repr__(self) -> str:
        return f"<Hop to {self.trail.origin} adding {sorted(self.add)}>"


def keep_first_cookie(headers: MutableMapping[str, Any], first: str | None) -> str:
    """Take away any Cookie but the one that a call began with, which is the app's own.

    One that turns up later is the client library's doing: it is of a response on the way, perhaps
    a stranger's, and would stand in place of the caller's.

    `first` is what this returned for the first hop, and None there. It is no secret: a fingerprint,
    empty for a call that began without a Cookie.
    """
    found = ""
    if "cookie" in headers:
        found = Credential("cookie", repr(headers["cookie"])).fingerprint
    if first is None:
        return found
    if found and found != first:
        del headers["cookie"]
    return first
