"""docs/clients.md says what is: its table was measured, and its code runs."""

import re
from importlib.metadata import version
from pathlib import Path

import grpc
import pytest

from passthrough_auth.testing.clients.table import as_markdown, measured

PAGE = (Path(__file__).parents[2] / "docs" / "clients.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_table_is_what_is_measured(fresh_world):
    (documented,) = re.findall(r"measured: begin -->\n(.*?)<!-- measured", PAGE, re.DOTALL)
    rows = as_markdown(measured(fresh_world)).splitlines()

    # What the libraries do by themselves is said of the versions that the page names.
    named = dict(re.findall(r"(httpx|requests|aiohttp)\s+(\d+\.\d+)", PAGE))
    as_named = {name for name, release in named.items() if version(name).startswith(release)}
    ours = [row for row in rows if "passthrough-auth" in row]
    theirs = [row for row in rows if row.split(" | ")[0].strip("| ") in as_named]
    assert len(named) == len(ours) == 3
    assert [row for row in [*ours, *theirs] if row not in documented.splitlines()] == []


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.strip().splitlines()[0])
def test_the_code_runs(block):
    made = {}
    exec(compile(block, "docs/clients.md", "exec"), made)  # noqa: S102 - it is the page's own code
    for value in made.values():
        if isinstance(value, grpc.Channel):
            value.close()


def test_every_exception_that_the_page_names_is_one():
    from passthrough_auth import core

    (table,) = re.findall(r"## What is raised\n(.*?)\nErrors", PAGE, re.DOTALL)
    named = re.findall(r"^\| `(\w+)`", table, re.MULTILINE)
    assert len(named) == 5
    assert all(issubclass(getattr(core, name), core.PassthroughAuthError) for name in named)
