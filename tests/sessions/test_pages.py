"""Pages of UI frameworks in a real browser: two visitors at once, each handler as its own."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

VISITORS = ("alice", "bob")
_PATIENCE = 60_000  # milliseconds


@dataclass(frozen=True)
class Host:
    """An app of a framework: its buttons, each with an output of its own, and other outputs."""

    app: str
    path: str = "/"
    output: str = "#o_{}"
    buttons: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ("load",)
    ticks: str = "tick"

    def button(self, page: Page, name: str) -> Locator:
        return page.get_by_role("button", name=name, exact=True)

    def shown(self, page: Page, name: str, text: str | re.Pattern[str]) -> None:
        """Wait until this output shows the text."""
        found = page.locator(self.output.format(name))
        if "textarea" in self.output:
            expect(found).to_have_value(text, timeout=_PATIENCE)
        else:
            expect(found).to_have_text(text, timeout=_PATIENCE)


HOSTS = {
    "gradio": Host(
        "gradio_app:app",
        "/ui/",
        "#{} textarea",
        outputs=("loaded",),
        ticks="ticked",
    ),
    "nicegui": Host(
        "nicegui_app:app",
        buttons=("sync", "async", "io", "thread", "later"),
        outputs=("load", "tick", "shared"),
    ),
    "shiny": Host("shiny_app:app", buttons=("sync", "async", "job"), outputs=("load", "tick")),
    "streamlit": Host(
        "streamlit_app:app",
        output=".st-key-o_{}",
        buttons=("sync", "callback"),
        outputs=("load", "fragment", "attached"),
        ticks="fragment",
    ),
}
each_host = pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)


@pytest.fixture
def visit(browser: Browser, serve: Callable[..., str]) -> Iterator[Callable[..., Page]]:
    """Opens a page as a visitor of this name, in a browser profile of their own."""
    contexts = []

    def open_page(host: Host, name: str | None, **sessions: object) -> Page:
        said = {"SESSIONS": json.dumps(sessions)} if sessions else {}
        origin = serve(host.app, **said)
        context = browser.new_context()
        contexts.append(context)
        if name is not None:
            context.add_cookies([{"name": "sso", "value": name, "url": origin}])
        page = context.new_page()
        page.goto(origin + host.path)
        return page

    yield open_page
    for context in contexts:
        context.close()


@each_host
def test_each_handler_acts_as_the_visitor_of_its_page(host, visit):
    pages = {name: visit(host, name) for name in VISITORS}
    for name, page in pages.items():
        for output in host.outputs:
            host.shown(page, output, name)
    for _ in range(2):
        for button in host.buttons:
            for page in pages.values():
                host.button(page, button).click()
            for name, page in pages.items():
                host.shown(page, button, name)
    for name, page in pages.items():
        host.shown(page, host.ticks, name)


@each_host
def test_nobody_sees_a_page_without_credentials(host, visit):
    assert "Authentication credentials required" in visit(host, None).content()


@each_host
def test_a_page_that_is_open_for_too_long_has_no_visitor(host, visit):
    page = visit(host, "alice", max_age=15)
    host.shown(page, host.ticks, "alice")
    if host.app.startswith("gradio"):
        return  # each of its events is a request of its own, which the gate admits anew
    host.shown(page, host.ticks, "expired")
    page.reload()
    host.shown(page, host.ticks, "alice")


@each_host
def test_another_log_in_is_another_visitor_at_the_latest_when_the_page_loads(host, visit):
    page = visit(host, "alice")
    host.shown(page, host.ticks, "alice")
    (cookie,) = [each for each in page.context.cookies() if each["name"] == "sso"]
    page.context.add_cookies([{**cookie, "value": "carol"}])
    if not host.app.startswith("gradio"):
        page.reload()
    host.shown(page, host.ticks, "carol")


@pytest.mark.parametrize("name", ["gradio", "streamlit"])
def test_switched_off_their_handlers_are_nobodys(name, visit):
    """So the tests above see sessions at work: these frameworks run handlers elsewhere."""
    host = HOSTS[name]
    page = visit(host, "alice", hosts=[])
    host.shown(page, host.ticks, re.compile("outside|ended"))


# --- Between visitors -----------------------------------------------------------------------------


def both_open(host: Host, visit: Callable[..., Page], **sessions: object) -> tuple[Page, Page]:
    alice, bob = (visit(host, name, **sessions) for name in VISITORS)
    for page, name in ((alice, "alice"), (bob, "bob")):
        host.shown(page, host.ticks, name)
    return alice, bob


def test_a_value_that_shiny_s_pages_share_is_shown_to_each_as_themselves(visit):
    host = HOSTS["shiny"]
    alice, bob = both_open(host, visit)
    for _ in range(3):
        host.button(alice, "share").click()
    host.shown(bob, "shared", re.compile("[0-9]+ bob"))
    host.shown(alice, "shared", re.compile("[0-9]+ alice"))
    host.button(bob, "sync").click()
    host.shown(bob, "sync", "bob")


def test_what_nicegui_redraws_in_another_visitor_s_click_is_nobodys(visit):
    host = HOSTS["nicegui"]
    alice, bob = both_open(host, visit)
    host.button(alice, "refresh").click()
    host.shown(bob, "shared", "crossed")
    host.shown(alice, "shared", "alice")
    host.button(alice, "say").click()
    host.shown(bob, "heard", "alice heard by crossed")


_NOTE_EVENTS = """() => {
    const emit = window.socket.emit.bind(window.socket);
    window.socket.emit = (name, message, ...rest) => {
        if (name === "event") window.noted = message;
        return emit(name, message, ...rest);
    };
}"""


def test_a_message_that_names_another_visitor_s_page_of_nicegui_runs_as_nobody(visit):
    """Whoever sends it isn't whose page it is, and whose page it is didn't send it."""
    host = HOSTS["nicegui"]
    alice, bob = both_open(host, visit)
    alice.evaluate(_NOTE_EVENTS)
    host.button(alice, "sync").click()
    host.shown(alice, "sync", "alice")
    bob.evaluate("(message) => { window.socket.emit('event', message) }", alice.evaluate("noted"))
    host.shown(alice, "sync", "crossed")
    host.shown(bob, "sync", "-")


def test_the_app_may_decide_that_it_is_drawn_as_whom_it_is_shown_to(visit):
    host = HOSTS["nicegui"]
    alice, bob = both_open(host, visit, on_crossing="session")
    host.button(alice, "refresh").click()
    host.button(alice, "say").click()
    host.shown(bob, "heard", "alice heard by bob")
    host.shown(bob, "shared", "bob")


# --- Chainlit -------------------------------------------------------------------------------------

CHAINLIT = Host("chainlit_app:app", "/chat/")


def say(page: Page, text: str) -> None:
    box = page.locator("#chat-input").first
    box.click(timeout=_PATIENCE)
    page.keyboard.type(text)
    for _ in range(40):  # until the page is connected, it doesn't send
        page.keyboard.press("Enter")
        page.wait_for_timeout(250)
        if text not in box.inner_text():
            return


def test_a_chat_of_chainlit_acts_as_its_visitor(visit):
    pages = {name: visit(CHAINLIT, name) for name in VISITORS}
    for name, page in pages.items():
        expect(page.get_by_text(f"start {name}")).to_be_visible(timeout=_PATIENCE)
    for text in ("one", "two"):
        for page in pages.values():
            say(page, text)
        for name, page in pages.items():
            heard = page.get_by_text(f"heard {text} {name} {name}")
            expect(heard).to_be_visible(timeout=_PATIENCE)


def test_a_chat_that_is_open_for_too_long_has_no_visitor(visit):
    page = visit(CHAINLIT, "alice", max_age=15)
    expect(page.get_by_text("start alice")).to_be_visible(timeout=_PATIENCE)
    page.wait_for_timeout(15_000)
    say(page, "late")
    expect(page.get_by_text("heard late expired expired")).to_be_visible(timeout=_PATIENCE)
