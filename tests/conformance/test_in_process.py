"""Every case, every column that ships, through the raw interfaces."""

import pytest

from passthrough_auth.testing.conformance import run
from passthrough_auth.testing.conformance.matrix import all_columns


# Django 5.2 leaves the request's body file open when a streamed body fails under ASGI.
@pytest.mark.filterwarnings("ignore:Unclosed file <tempfile.SpooledTemporaryFile:ResourceWarning")
# Django says under ASGI that it reads a sync body to its end first; that is known, and tested here.
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous iterators")
@pytest.mark.parametrize(
    ("column", "case"),
    [
        pytest.param(column, case, id=f"{column.name}: {case.name}")
        for column in all_columns()
        for case in column.cases()
    ],
)
def test_case(column, case):
    assert run(column, case) is None, case.why
