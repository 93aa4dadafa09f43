"""The short form of the soak: every server, every framework, and proof that it would notice."""

import subprocess
import sys

import pytest
from tests.conformance.matrix import all_columns
from tests.soak.broken import BREAKS
from tests.soak.cell import NOT_POSSIBLE, cells, soak
from tests.soak.client import AT_ONCE
from tests.soak.traffic import MISBEHAVING

from passthrough_auth.testing.servers import SERVERS, server

REQUESTS = 200


def in_turn():
    """Every server once, each with another framework than the one before it."""
    for turn, each in enumerate(SERVERS):
        of_server = cells([each.name])
        yield of_server[turn % len(of_server)]


CELLS = list(in_turn())

# The third is tried by way of the command.
BROKEN = [("no-reset", "gunicorn-gthread", "Django"), ("pile-up", "uvicorn-h11-uvloop", "FastAPI")]


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_nobody_sees_anybody_else_and_nothing_is_left_behind(cell):
    figures = soak(cell, REQUESTS, rest=0)
    assert not figures.tally.faults, figures.tally.examples
    assert figures.kept == 0
    assert figures.tally.requests > REQUESTS * 0.8
    assert figures.tally.injected["worker killed"] == 1
    assert figures.tally.injected.total() > REQUESTS / AT_ONCE / MISBEHAVING


def test_every_server_and_every_framework_comes_up():
    assert [cell.server for cell in CELLS] == list(SERVERS)
    assert {cell.column for cell in CELLS} == {
        column for column in all_columns() if not column.mounted and column.name != "Starlette"
    }


def test_what_is_not_possible_is_of_a_server_and_a_framework_there_is():
    columns = {column.name: column for column in all_columns()}
    assert {server(name).interface for name, _ in NOT_POSSIBLE} == {
        columns[name].interface for _, name in NOT_POSSIBLE
    }


@pytest.mark.parametrize(("broken", "name", "framework"), BROKEN)
def test_a_broken_middleware_is_noticed(broken, name, framework):
    (cell,) = cells([name], framework)
    figures = soak(cell, REQUESTS, broken=broken, patience=1, rest=0)
    assert not figures.clean
    shown = figures.kept if broken == "pile-up" else figures.tally.faults[BREAKS[broken].shows_as]
    assert shown > 10


def test_the_command_ends_with_1_for_a_broken_middleware_and_with_0_otherwise():
    command = [sys.executable, "-m", "tests.soak", "--on", "waitress"]
    command += ["--framework", "Flask, sync", "--requests", "100", "--rest", "1"]
    whole = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (whole.returncode, "0 crossed" in whole.stdout) == (0, True), whole.stdout + whole.stderr
    broken = subprocess.run([*command, "--broken", "global"], check=False, capture_output=True)
    assert (broken.returncode, b"crossed: /" in broken.stdout) == (1, True)
