"""Every link in the README and the docs leads to an existing file, or a heading in it."""

import itertools
import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from tests.docs.blocks import PAGES, ROOT


def tokens(page):
    parsed = MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))
    return [child for token in parsed for child in [token, *(token.children or [])]]


def anchors(page):
    """The anchors that code hosts make from the headings of a page."""
    parsed = MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8"))
    headings = [b.content for a, b in itertools.pairwise(parsed) if a.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


LINKS = [
    pytest.param(page, str(target), id=f"{page.relative_to(ROOT)}: {target}")
    for page in PAGES
    for token in tokens(page)
    for target in [token.attrs.get("href") or token.attrs.get("src")]
    if target and not str(target).startswith("https://")
]


@pytest.mark.parametrize(("page", "target"), LINKS)
def test_a_link_leads_somewhere(page, target):
    path, _, anchor = target.partition("#")
    there = page if not path else Path(page.parent, path)
    assert there.exists()
    assert not anchor or anchor in anchors(there)


def test_the_index_lists_every_page():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {page.name for page in PAGES if page.parent.name == "docs"} - {"README.md"}
    assert [page for page in sorted(pages) if f"({page})" not in index] == []
