"""Requests as the gate sees them, and how to read them from ASGI and WSGI.

ASGI and WSGI are protocols, not frameworks, so the code that reads them is here, once. A
framework's adapter subclasses `AsgiRequest` or `WsgiRequest`, or `Request` itself if the framework
uses neither.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from functools import lru_cache
from typing import Any, Literal, NoReturn

from passthrough_auth.core._credential_rules import is_too_long
from passthrough_auth.core.caller import HANDLE, HEADER, Handle
from passthrough_auth.core.errors import MalformedCredential

Transport = Literal["http", "websocket"]


class Request(ABC):
    """One incoming request. Extractors see the same interface on every framework."""

    __slots__ = ()

    @property
    def transport(self) -> Transport:
        """The protocol of the answer: "http", or "websocket" for a handshake."""
        return "http"

    @property
    @abstractmethod
    def method(self) -> str:
        """The method, as sent. A WebSocket handshake is a GET."""

    @property
    def scheme(self) -> str:
        """The scheme of the URL as the server knows it: http or https, or ws or wss."""
        return "http"

    @property
    @abstractmethod
    def path(self) -> str | None:
        """The path within the app, percent-decoded once; None if it can't be decoded."""

    def settle_path(self) -> None:  # noqa: B027 - most can be read in one way only
        """Let every router below read the path as `path` does. For a path that is public."""

    def leave_handle(self, handle: Handle, *, in_header: bool) -> None:  # noqa: B027 - not each can
        """Leave the handle of a session where a UI framework keeps it, and no other's."""

    @property
    @abstractmethod
    def native(self) -> Any:
        """The framework's own request object."""

    @abstractmethod
    def lines(self, name: str) -> Sequence[str]:
        """Every field line of this header, decoded as latin-1, in the order received.

        There is only one line if the server joins repeated lines before the app sees them.
        """

    def joined(self, name: str, joint: str) -> str | None:
        """All field lines of this header as one; None if there is none."""
        lines = self.lines(name)
        return joint.join(lines) if lines else None

    @abstractmethod
    def names(self) -> Iterable[str]:
        """The lower-case names of the headers in the request, each once."""

    def subprotocols(self) -> list[str]:
        """What a WebSocket handshake offers in Sec-WebSocket-Protocol (RFC 6455 section 1.9).

        Raises `MalformedCredential` for a header longer than any credential may be.
        """
        lines = self.lines("sec-websocket-protocol")
        if any(map(is_too_long, lines)):
            raise MalformedCredential("the offer of subprotocols is too long", name="authorization")
        offered = [part.strip(" \t") for line in lines for part in line.split(",")]
        return list(filter(None, offered))

    def show_subprotocols(self, shown: list[str]) -> None:  # noqa: B027 - not every request can
        """Leave only these for the app to see. `subprotocols` still has them all."""

    @property
    def headers(self) -> "Headers":
        """The headers as a read-only mapping that ignores the case of names."""
        return Headers(self)

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies by name, with their values as sent. Cookies without a value are left out.

        If two cookies have the same name, the first one is kept, because browsers put the more
        specific one first (RFC 6265 section 5.4).

        Raises `MalformedCredential` for a Cookie header longer than any credential may be.
        """
        text = cookie_text(self)
        if is_too_long(text):
            raise MalformedCredential("the Cookie header is too long", name="cookie")
        found: dict[str, str] = {}
        for name, value in cookie_pairs(text):
            found.setdefault(name, value)
        return found

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds secrets and can't be pickled")

    def __repr__(self) -> str:
        # Neither headers nor query, because they may contain secrets.
        return f"<{type(self).__name__} {self.transport} {self.method} {self.path!r}>"


class Headers(Mapping[str, str]):
    """A request's headers by name, with repeated lines joined by a comma (RFC 9110 section 5.3)."""

    __slots__ = ("_request",)

    def __init__(self, request: Request) -> None:
        self._request = request

    def __getitem__(self, name: str) -> str:
        lines = self._request.lines(name)
        if not lines:
            raise KeyError(name)
        return cookie_text(self._request) if name.lower() == "cookie" else ",".join(lines)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self._request.lines(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._request.names())

    def __len__(self) -> int:
        return sum(1 for _ in self._request.names())

    def __repr__(self) -> str:
        return f"<Headers {', '.join(self)}>"


def cookie_text(request: Request) -> str:
    """All Cookie lines as one. HTTP/2 and later may split them (RFC 9113 section 8.2.3)."""
    return request.joined("cookie", "; ") or ""


def cookie_pairs(text: str) -> Iterator[tuple[str, str]]:
    """The name and value of each pair in a Cookie header.

    Parts without a pair are left out, and so are pairs without a value: log-out empties cookies.
    """
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        value = value.strip(" \t")
        if equals and value not in _NO_VALUES and (name := name.strip(" \t")):
            yield name, value


_NO_VALUES = ("", '""')


# Each application asks for the same few names again and again.
@lru_cache(maxsize=64)
def _wire_name(name: str) -> bytes:
    """The name of a header as in an ASGI scope."""
    return name.lower().encode("utf-8", "replace")


class AsgiRequest(Request):
    """A request from an ASGI HTTP or WebSocket scope, as it was on construction.

    Later, routers change the path in the scope, and uvicorn with httptools adds the trailer fields
    of a chunked body to its headers.
    """

    __slots__ = ("_by_name", "_path", "_repeated", "_root", "scope")

    def __init__(self, scope: MutableMapping[str, Any]) -> None:
        self.scope = scope
        self._path: str = scope["path"]
        self._root: str = scope.get("root_path", "")
        headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
        if not isinstance(headers, (list, tuple)):
            # The interface allows any iterable, including one that can be iterated over only once.
            scope["headers"] = headers = list(headers)
        # One pass in C. It keeps one line for each name, which is enough if none repeats.
        self._by_name = dict(headers)
        self._repeated = () if len(self._by_name) == len(headers) else tuple(headers)

    @property
    def transport(self) -> Transport:
        return "websocket" if self.scope["type"] == "websocket" else "http"

    @property
    def method(self) -> str:
        method: str = self.scope.get("method", "GET")
        return method

    @property
    def scheme(self) -> str:
        scheme: str = self.scope.get("scheme", "http")
        return scheme

    @property
    def path(self) -> str | None:
        return _within(self._path, self._root) if self._root else self._path

    def settle_path(self) -> None:
        # After a proxy that strips a prefix, the path lacks the root, where the interface wants it
        # to be. Starlette's mounts then route the whole path again, to another handler.
        if self._root and not self._path.startswith(self._root):
            self.scope["path"] = self._root + self._path

    def leave_handle(self, handle: Handle, *, in_header: bool) -> None:
        self.scope[HANDLE] = handle
        if in_header or _HEADER in self._by_name:
            kept = [line for line in self.scope["headers"] if line[0] != _HEADER]
            if in_header:
                kept.append((_HEADER, handle.token.encode("ascii")))
            self.scope["headers"] = kept

    @property
    def native(self) -> Any:
        return self.scope

    def lines(self, name: str) -> Sequence[str]:
        wanted = _wire_name(name)
        if self._repeated:
            return [line.decode("latin-1") for own, line in self._repeated if own == wanted]
        line = self._by_name.get(wanted)
        return () if line is None else (line.decode("latin-1"),)

    def joined(self, name: str, joint: str) -> str | None:
        if self._repeated:
            return super().joined(name, joint)
        line = self._by_name.get(_wire_name(name))
        return None if line is None else line.decode("latin-1")

    def names(self) -> Iterable[str]:
        return [name.decode("latin-1") for name in self._by_name]

    def subprotocols(self) -> list[str]:
        offered = _all_offered(self.scope)
        if offered is None:
            # With wsproto, uvicorn has them here and not in the headers.
            offered = self.scope.get("subprotocols") or super().subprotocols()
        return list(offered)

    def show_subprotocols(self, shown: list[str]) -> None:
        self.scope.setdefault(_OFFERED, Offered(self.subprotocols()))
        self.scope["subprotocols"] = shown
        name = b"sec-websocket-protocol"
        if self._by_name.pop(name, None) is None:
            return
        kept = [line for line in self.scope["headers"] if line[0] != name]
        if shown:
            kept.append((name, ", ".join(shown).encode("latin-1")))
        self.scope["headers"] = kept
        self._by_name = dict(kept)
        self._repeated = tuple(kept) if self._repeated else ()


_OFFERED = "passthrough_auth.subprotocols"
_HEADER = HEADER.encode("ascii")
_HEADER_KEY = "HTTP_" + HEADER.upper().replace("-", "_")


class Offered:
    """All subprotocols that a handshake offered, for a second gate inside. Its text shows none."""

    __slots__ = ("names",)

    def __init__(self, names: list[str]) -> None:
        self.names = names


def _all_offered(native: Mapping[str, Any]) -> list[str] | None:
    """What an outer gate has taken out of this scope or environ, and what it has left."""
    offered = native.get(_OFFERED)
    return offered.names if isinstance(offered, Offered) else None


def _within(path: str, root: str) -> str | None:
    """The path below the root of an ASGI application; None if routers differ about it.

    If the path doesn't begin with the root, the code that mounted the application has already
    removed it. If the root is elsewhere in the path, some routers (Litestar's) remove it there. If
    the root ends in a slash, some (Channels') cut in the middle of a segment. And daphne lets
    clients choose the root by a header.
    """
    if path.startswith(root) and root[0] == "/" and root[-1] != "/":
        within = path[len(root) :]
        if not within or within[0] == "/":
            return within
    return None if root in path else path


_UNPREFIXED = {"CONTENT_TYPE": "content-type", "CONTENT_LENGTH": "content-length"}


@lru_cache(maxsize=64)
def _environ_key(name: str) -> str:
    """The key of this header in an environ.

    X_Token and X-Token have the same key, so a name with an underscore is never found.
    """
    if "_" in name:
        return ""
    key = name.upper().replace("-", "_")
    return key if key in _UNPREFIXED else "HTTP_" + key


class WsgiRequest(Request):
    """A request from a WSGI environ (PEP 3333), where headers are latin-1 text."""

    __slots__ = ("environ",)

    def __init__(self, environ: MutableMapping[str, Any]) -> None:
        self.environ = environ

    @property
    def method(self) -> str:
        method: str = self.environ["REQUEST_METHOD"]
        return method

    @property
    def scheme(self) -> str:
        scheme: str = self.environ.get("wsgi.url_scheme", "http")
        return scheme

    @property
    def path(self) -> str | None:
        raw: str = self.environ.get("PATH_INFO", "")
        try:
            return raw.encode("latin-1").decode("utf-8")
        except UnicodeError:
            return None

    def leave_handle(self, handle: Handle, *, in_header: bool) -> None:
        self.environ[HANDLE] = handle
        self.environ.pop(_HEADER_KEY, None)
        if in_header:
            self.environ[_HEADER_KEY] = handle.token

    @property
    def native(self) -> Any:
        return self.environ

    def lines(self, name: str) -> Sequence[str]:
        line: str | None = self.environ.get(_environ_key(name))
        return () if line is None else (line,)

    def joined(self, name: str, joint: str) -> str | None:  # noqa: ARG002 - the server joins them
        line: str | None = self.environ.get(_environ_key(name))
        return line

    def names(self) -> Iterable[str]:
        for key in self.environ:
            if key.startswith("HTTP_"):
                yield key[5:].replace("_", "-").lower()
            elif key in _UNPREFIXED:
                yield _UNPREFIXED[key]

    def subprotocols(self) -> list[str]:
        offered = _all_offered(self.environ)
        return super().subprotocols() if offered is None else list(offered)

    def show_subprotocols(self, shown: list[str]) -> None:
        self.environ.setdefault(_OFFERED, Offered(self.subprotocols()))
        self.environ["HTTP_SEC_WEBSOCKET_PROTOCOL"] = ", ".join(shown)
        if not shown:
            del self.environ["HTTP_SEC_WEBSOCKET_PROTOCOL"]
