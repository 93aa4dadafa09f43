"""docs/clients.md says what is; its code is run by tests/docs."""

import re
from importlib.metadata import version
from pathlib import Path

from tests.clients.redirect_table import as_markdown, measured

PAGE = (Path(__file__).parents[2] / "docs" / "clients.md").read_text(encoding="utf-8")


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


def test_every_exception_that_the_page_names_is_one():
    from passthrough_auth import core

    (table,) = re.findall(r"## What is raised\n(.*?)\nErrors", PAGE, re.DOTALL)
    named = re.findall(r"^\| `(\w+)`", table, re.MULTILINE)
    assert len(named) == 5
    assert all(issubclass(getattr(core, name), core.PassthroughAuthError) for name in named)
