"""The conformance suite: what every adapter does, on every framework and server.

A new adapter proves itself with a `Column` that builds the conformance app, and one test:

    @pytest.mark.parametrize("case", COLUMN.cases(), ids=str)
    def test_conformance(case):
        assert run(COLUMN, case) is None
"""

from . import handlers
from .column import Column, with_prefixes
from .inprocess import run
from .model import Case, Feature

__all__ = ["Case", "Column", "Feature", "handlers", "run", "with_prefixes"]
