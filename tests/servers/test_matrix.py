"""The conformance matrix over real sockets: every case, every column, on every server."""

from contextlib import ExitStack, closing

import pytest
from tests.conformance.matrix import NAMES

from passthrough_auth.testing.conformance.column import named
from passthrough_auth.testing.conformance.sockets import (
    DOCUMENTED,
    on_server,
    run,
    serving_columns,
)
from passthrough_auth.testing.servers import SERVERS

CELLS = [
    pytest.param(each, column, case, id=f"{each.name}: {column.name}: {case.name}")
    for each in SERVERS
    for column, case in on_server(named(NAMES[each.interface], each.interface))
]


class OneServer:
    """The server of the last test, which runs until a test needs another one."""

    def __init__(self):
        self._server = None
        self._stack = ExitStack()

    def __call__(self, server):
        if server is not self._server:
            self._stack.close()
            self._running = self._stack.enter_context(
                serving_columns(server, *NAMES[server.interface])
            )
            self._server = server
        return self._running

    def close(self):
        self._stack.close()


@pytest.fixture(scope="module")
def started():
    """Starts a server once for all its cells, which follow each other."""
    with closing(OneServer()) as one:
        yield one


@pytest.mark.parametrize(("server", "column", "case"), CELLS)
def test_cell(started, server, column, case):
    verdict = run(started(server), server, column, case)
    assert verdict.kind != "failed", f"{case.why} {verdict.note}"


def test_every_documented_exception_is_of_a_server_and_a_case_there_is():
    cells = {(cell.values[0].name, cell.values[2].name) for cell in CELLS}
    assert {(each.server, each.case) for each in DOCUMENTED} <= cells
