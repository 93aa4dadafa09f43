"""Every case with every column of this project's frameworks, through the raw interfaces."""

import pytest
from tests.conformance.matrix import all_columns

from passthrough_auth.testing.conformance import Cell, run


# Django 5.2 leaves the request's body file open when a streamed body fails under ASGI.
@pytest.mark.filterwarnings("ignore:Unclosed file <tempfile.SpooledTemporaryFile:ResourceWarning")
# Under ASGI, Django warns that it reads a sync body to its end first. A case tests this.
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous iterators")
@pytest.mark.parametrize(
    "cell", [Cell(column, case) for column in all_columns() for case in column.cases()], ids=str
)
def test_case(cell):
    assert run(*cell) is None, cell.case.why
