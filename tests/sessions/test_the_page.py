"""The apps of docs/interactive-apps.md, as they are there, opened by two visitors."""

import asyncio
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.sessions.test_fastmcp import client
from tests.sessions.test_pages import VISITORS, say

PAGE = (Path(__file__).parents[2] / "docs" / "interactive-apps.md").read_text(encoding="utf-8")
_PATIENCE = 60_000  # milliseconds


def files_of(section: str) -> dict[str, str]:
    """The files that a section of the page shows, by name."""
    (text,) = re.findall(rf"^### {section}\n(.*?)(?=^##)", PAGE, re.DOTALL | re.MULTILINE)
    blocks = re.findall(r"```python\n(?:# Fragment: (\S+)\n)?(.*?)```", text, re.DOTALL)
    return {name or "app.py": source for name, source in blocks}


@pytest.fixture
def lay_out(upstream, tmp_path):
    """Writes the files of a section, which call the test's own service."""

    def write(section: str, below: str = "") -> Path:
        for name, source in files_of(section).items():
            called = source.replace("https://api.example.com/", f"{upstream}{below}/")
            (tmp_path / name).write_text(called.replace("https://api.example.com", upstream))
        return tmp_path

    return write


PATHS = {"Gradio": "/ui/", "Streamlit": "/", "NiceGUI": "/", "Shiny": "/", "Chainlit": "/chat/"}


def load(section: str, page: Page) -> None:
    if section == "Chainlit":
        say(page, "hello")
    else:
        page.get_by_role("button", name=re.compile("^(Load|Generate)$")).click(timeout=_PATIENCE)


def opened(browser: Browser, origin: str, section: str, name: str) -> Page:
    context = browser.new_context()
    context.add_cookies([{"name": "sso", "value": name, "url": origin}])
    page = context.new_page()
    page.goto(origin + PATHS[section])
    return page


@pytest.mark.parametrize("section", PATHS)
def test_an_app_of_the_page_acts_as_each_of_its_visitors(section, lay_out, serve_from, browser):
    with serve_from(lay_out(section)) as origin:
        pages = {name: opened(browser, origin, section, name) for name in VISITORS}
        for page in pages.values():
            load(section, page)
        for name, page in pages.items():
            if section == "Gradio":
                expect(page.locator("textarea")).to_have_value(name, timeout=_PATIENCE)
            else:
                shown = page.get_by_text(name, exact=True).first
                expect(shown).to_be_visible(timeout=_PATIENCE)
            page.context.close()


@pytest.mark.parametrize("section", PATHS)
def test_it_shows_no_answer_where_the_service_refuses_the_visitor(
    section,
    lay_out,
    serve_from,
    browser,
):
    """The framework shows the error in its own way, or logs it."""
    with serve_from(lay_out(section, "/expired")) as origin:
        page = opened(browser, origin, section, "alice")
        load(section, page)
        page.wait_for_timeout(2000)
        values = [each.input_value() for each in page.locator("textarea").all()]
        assert "the-body-of-a-401" not in page.inner_text("body") + " ".join(values)
        page.context.close()


def test_the_mcp_server_of_the_page_does_so_too(lay_out, serve_from):
    async def ask(origin: str, name: str) -> str:
        async with client(f"{origin}/mcp", name) as mcp:
            return (await mcp.call_tool("load")).data

    # In another thread: the driver of the browser keeps a loop in this one.
    with serve_from(lay_out("FastMCP")) as origin, ThreadPoolExecutor(1) as pool:
        answers = [pool.submit(asyncio.run, ask(origin, name)).result() for name in VISITORS]
    assert answers == [*VISITORS]


@pytest.mark.parametrize("section", [*PATHS, "FastMCP"])
def test_an_app_of_the_page_has_at_most_fifteen_lines_of_its_own(section):
    """Imports and blank lines aside."""
    lines = "\n".join(files_of(section).values()).splitlines()
    own = [line for line in lines if line.strip() and not re.match("(import|from) ", line)]
    assert len(own) <= 15


@pytest.mark.parametrize("section", ["How long", "When visitors", "Other frameworks"])
def test_the_other_blocks_of_the_page_run(section, tmp_path):
    (text,) = re.findall(rf"^## {section}.*?\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    (source,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "app.py").write_text(source)
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


def test_each_block_of_the_page_is_run_above():
    shown = sum(len(files_of(section)) for section in [*PATHS, "FastMCP"])
    assert PAGE.count("```python") == shown + 3


def test_the_page_names_the_releases_that_are_tested():
    from importlib.metadata import version

    (table,) = re.findall(r"^\| framework .*?\n\n", PAGE, re.DOTALL | re.MULTILINE)
    rows = re.findall(r"^\| \[(\w+)\].*\| ([0-9.]+)[^|]*\|$", table, re.MULTILINE)
    assert len(rows) == 6
    named = {name: release for name, release in rows if not version(name).startswith(release)}
    assert named == {}, f"write the releases of {sys.version_info}"
