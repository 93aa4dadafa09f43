"""aiohttp: the suite that every client passes, and what is its own."""

import pytest

from passthrough_auth.testing.clients import Bench, cases_for, driver

AIOHTTP = driver("aiohttp")


@pytest.mark.parametrize("case", cases_for(AIOHTTP), ids=str)
def test_conformance(case, world):
    case.run(Bench(AIOHTTP, world))
