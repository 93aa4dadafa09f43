"""A column of the matrix: the conformance app, built with one framework."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from passthrough_auth.core import GateOptions

from . import handlers
from .cases import CASES
from .cases.common import NEIGHBOUR
from .model import Case, Feature, Interface
from .options import options

PREFIX = "/mounted"


@dataclass(frozen=True)
class Column:
    """How one framework builds the conformance app, and what it has to offer.

    `build` takes the gate's options and returns the whole app, protected. Its routes, and what
    each does, are those of the functions in `handlers`; the columns that ship show how.
    """

    name: str
    interface: Interface
    build: Callable[[GateOptions], Any]
    offers: frozenset[Feature]
    mounted: bool = False

    def cases(self) -> list[Case]:
        """The cases that this column has to pass: all whose features it offers."""
        return [case for case in CASES if self._takes(case)]

    def _takes(self, case: Case) -> bool:
        return (
            case.needs <= self.offers
            and case.interface in (None, self.interface)
            and (case.mountable or not self.mounted)
        )

    def under_prefix(self) -> "Column":
        """The same app, mounted below a prefix in the interface's usual way."""
        return replace(self, name=f"{self.name} {PREFIX}", mounted=True)

    def app(self, variant: str) -> Any:
        """The app with the options of that name."""
        return _app(self, variant)


@cache
def _app(column: Column, variant: str) -> Any:
    beside = _beside_neighbour_asgi if column.interface == "asgi" else _beside_neighbour_wsgi
    app = beside(column.build(options(variant)))
    if not column.mounted:
        return app
    if column.interface == "wsgi":
        from werkzeug.exceptions import NotFound
        from werkzeug.middleware.dispatcher import DispatcherMiddleware

        return DispatcherMiddleware(NotFound(), {PREFIX: app})
    from starlette.routing import Mount, Router

    return Router([Mount(PREFIX, app=app)])


def _beside_neighbour_asgi(app: Any) -> Any:
    """The app, and beside it a path that its middleware never sees."""

    async def both(scope: Any, receive: Any, send: Any) -> None:
        if not (scope["type"] == "http" and scope["path"].endswith(NEIGHBOUR)):
            await app(scope, receive, send)
            return
        answer = json.dumps(await handlers.aneighbour()).encode()
        headers = [(b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    return both


def _beside_neighbour_wsgi(app: Any) -> Any:
    """The same for WSGI."""

    def both(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] != NEIGHBOUR:
            return app(environ, start_response)
        answer = json.dumps(handlers.neighbour()).encode()
        start_response("200 OK", [("Content-Length", str(len(answer)))])
        return [answer]

    return both


def with_prefixes(columns: Sequence[Column]) -> list[Column]:
    """Each column, and each once more below a prefix."""
    return [each for column in columns for each in (column, column.under_prefix())]
