"""Many visitors at once on each UI framework, for as long as it takes.

    python tests/sessions                         500 events of each of 20 visitors
    python tests/sessions --events 50 --on shiny

Each visitor has a name of their own and a new one with each log-in: after some events a page is
loaded again, with another cookie. Pages expire on the way. Ends with 0 only if every event was
answered with the name of its own visitor, or with the expiry of its page.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

# What Chainlit installs has a package of this name too.
sys.modules["tests"] = ModuleType("tests")
sys.modules["tests"].__path__ = [str(Path(__file__).resolve().parents[1])]

from gradio_client import Client as GradioClient  # noqa: E402
from playwright.async_api import Browser, Page, async_playwright, expect  # noqa: E402
from tests.browser.chromium import CHROMIUM  # noqa: E402
from tests.sessions.serving import echo, served  # noqa: E402
from tests.sessions.test_fastmcp import client as mcp_client  # noqa: E402
from tests.sessions.test_pages import HOSTS, Host  # noqa: E402

_MAX_AGE = 20.0  # seconds, so that pages expire while this runs
_SLACK = 2.0  # between the clocks of a page and of this
_LOG_INS = 100  # events until a visitor logs in anew

Visit = Callable[[str, int, Counter[str]], Awaitable[None]]


_CLICK = """([output, clicks]) => new Promise((resolve) => {
    let clicked = false;
    const look = () => {
        if (!clicked) {
            const buttons = [...document.querySelectorAll("button")];
            const button = buttons.find((each) => each.innerText.trim().toLowerCase() === "count");
            if (button) { clicked = true; button.click(); }
        }
        const text = document.querySelector(output)?.innerText.trim();
        if (text?.endsWith(` ${clicks}`)) { observer.disconnect(); resolve(text); }
    };
    const observer = new MutationObserver(look);
    observer.observe(document, {subtree: true, childList: true, characterData: true});
    look();
})"""


def judge(answer: str, name: str, youngest: float, oldest: float, counts: Counter[str]) -> None:
    """Count an answer to the visitor of this name, whose page is between so many seconds old."""
    counts["events"] += 1
    if answer == name:
        counts["stale"] += youngest > _MAX_AGE + _SLACK
    elif answer == "expired" and oldest >= _MAX_AGE - _SLACK:
        counts["expired"] += 1
    else:
        counts["crossed" if answer.startswith("visitor") else "lost"] += 1


def in_browser(browser: Browser, origin: str, host: Host) -> Visit:
    """Visits by clicks in a real page."""

    async def log_in(page: Page, name: str) -> None:
        cookie = {"name": "sso", "value": name, "url": origin}
        await page.context.add_cookies([cookie])
        await page.goto(origin + host.path)
        shown = page.locator(host.output.format("load"))
        await expect(shown).to_have_text(name, timeout=60_000)

    async def visit(visitor: str, events: int, counts: Counter[str]) -> None:
        page = await (await browser.new_context()).new_page()
        name, asked, answered, clicks = "", 0.0, 0.0, 0
        for event in range(events):
            over = time.monotonic() - answered > _MAX_AGE + 2 * _SLACK
            if event % _LOG_INS == 0 or over:
                name, asked, clicks = f"{visitor}-{event}", time.monotonic(), 0
                await log_in(page, name)
                answered = time.monotonic()
                counts["log-ins"] += 1
            clicks += 1
            output = host.output.format("count")
            text: str = await page.evaluate(_CLICK, [output, clicks])
            now = time.monotonic()
            judge(text.rpartition(" ")[0], name, now - answered, now - asked, counts)
        await page.context.close()

    return visit


def by_gradio(origin: str) -> Visit:
    """Visits by events of Gradio's own client."""

    def visit(visitor: str, events: int, counts: Counter[str]) -> None:
        for begun in range(0, events, _LOG_INS):
            name = f"{visitor}-{begun}"
            headers = {"Authorization": f"Bearer {name}"}
            client = GradioClient(f"{origin}/ui", headers=headers, verbose=False)
            counts["log-ins"] += 1
            for event in range(begun, min(begun + _LOG_INS, events)):
                api = ("/sync", "/async", "/stream", "/unqueued")[event % 4]
                judge(client.predict(api_name=api), name, 0, 0, counts)

    async def in_thread(visitor: str, events: int, counts: Counter[str]) -> None:
        await asyncio.to_thread(visit, visitor, events, counts)

    return in_thread


def by_fastmcp(origin: str) -> Visit:
    """Visits by messages of FastMCP's own client."""

    async def visit(visitor: str, events: int, counts: Counter[str]) -> None:
        for begun in range(0, events, _LOG_INS):
            name = f"{visitor}-{begun}"
            counts["log-ins"] += 1
            async with mcp_client(f"{origin}/mcp", name) as mcp:
                for event in range(begun, min(begun + _LOG_INS, events)):
                    tool = ("whoami", "whoami_sync")[event % 2]
                    judge((await mcp.call_tool(tool)).data, name, 0, 0, counts)

    return visit


async def soak(visit: Visit, visitors: int, events: int) -> Counter[str]:
    """The counts of so many visitors, with so many events each."""
    counts: Counter[str] = Counter()
    names = [f"visitor{number}" for number in range(visitors)]
    await asyncio.gather(*(visit(name, events, counts) for name in names))
    return counts


async def on(name: str, visitors: int, events: int) -> Counter[str]:
    """The counts on one framework."""
    app = HOSTS[name].app if name in HOSTS else f"{name}_app:app"
    with ExitStack() as stack:
        upstream = stack.enter_context(echo())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        expiring = {"SESSIONS": f'{{"max_age": {_MAX_AGE}}}'}
        origin = stack.enter_context(served(app, upstream, folder / "log", **expiring))
        if name == "gradio":
            return await soak(by_gradio(origin), visitors, events)
        if name == "fastmcp":
            return await soak(by_fastmcp(origin), visitors, events)
        async with async_playwright() as driver:
            # As root, Chromium has no sandbox.
            browser = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            counts = await soak(in_browser(browser, origin, HOSTS[name]), visitors, events)
            await browser.close()
            return counts


def main(arguments: list[str] | None = None) -> int:
    """Visit each framework, and print what was counted."""
    known = [*HOSTS, "fastmcp"]
    parser = argparse.ArgumentParser(prog="python tests/sessions")
    parser.add_argument("--events", type=int, default=500, help="events of each visitor")
    parser.add_argument("--visitors", type=int, default=20, help="how many at once")
    parser.add_argument("--on", action="append", choices=known, help="only this framework")
    options = parser.parse_args(arguments)
    columns = ("events", "log-ins", "crossed", "stale", "lost", "expired")
    print(f"| framework | {' | '.join(columns)} | s |")  # noqa: T201 - it is a command
    print(f"|---|{'--:|' * (len(columns) + 1)}")  # noqa: T201
    failed = False
    for name in options.on or known:
        begun = time.monotonic()
        counts = asyncio.run(on(name, options.visitors, options.events))
        seconds = f"{time.monotonic() - begun:.0f}"
        cells = [f"{counts[column]:,}" for column in columns]
        print(f"| {name} | {' | '.join(cells)} | {seconds} |", flush=True)  # noqa: T201
        failed = failed or any(counts[column] for column in ("crossed", "stale", "lost"))
        failed = failed or counts["events"] != options.visitors * options.events
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
