"""The conformance suite: one set of cases for every adapter, framework and server.

To test a new adapter, write a `Column` that builds the conformance app from the table of `routes`,
and two tests:

    @pytest.mark.parametrize("cell", cells(COLUMN), ids=str)
    def test_conformance(cell):
        assert run(*cell) is None, cell.case.why

    def test_on_a_server():
        assert failures(server("waitress"), f"{__name__}:COLUMN") == []

docs/adapters.md explains how.
"""

from .column import Cell, Column, cells
from .handlers import Deliberate, saw, whoami
from .inprocess import run
from .layers import Inside, Outside, WsgiInside, WsgiOutside
from .model import Case, Feature
from .routes import METHODS, SOCKETS, Route, routes
from .sockets import failures

__all__ = [
    "METHODS",
    "SOCKETS",
    "Case",
    "Cell",
    "Column",
    "Deliberate",
    "Feature",
    "Inside",
    "Outside",
    "Route",
    "WsgiInside",
    "WsgiOutside",
    "cells",
    "failures",
    "routes",
    "run",
    "saw",
    "whoami",
]
