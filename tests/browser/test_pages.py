"""What a real browser sends for a page of another origin, and what becomes of it."""

import json
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.browser.chromium import browsing, needs_chromium

from passthrough_auth.testing.servers import server, serving

HERE = Path(__file__).parent
SECONDS = 60
ALICE = {"authorization": "Bearer tok-alice"}
JUNK = {"authorization": "Bearer junk"}
COOKIE = {"cookie": "session=victim"}
REFUSED = [403, {"detail": "Cross-site request with ambient credentials refused"}]

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    """What a page of the app's own origin could do, and one of another port."""
    return {name: report(name, tmp_path_factory.mktemp(name)) for name in ("app", "other")}


def report(name, folder):
    written = folder / "report.json"
    with ExitStack() as stack:
        here = {
            each: stack.enter_context(
                serving(
                    server("uvicorn-h11-asyncio"),
                    f"pages:{each}",
                    cwd=HERE,
                    env={"PAGES_REPORT": str(written)},
                )
            )
            for each in ("app", "other")
        }
        app, page = (f"http://localhost:{here[each].port}" for each in ("app", name))
        stack.enter_context(browsing(f"{app}/login?next={page}/page%3Fapp={app}", folder))
        deadline = time.monotonic() + SECONDS
        while not written.exists():
            assert time.monotonic() < deadline, (folder / "chromium.log").read_text()
            time.sleep(0.1)
    return json.loads(written.read_text())


@pytest.mark.parametrize(
    ("tries", "app", "other"),
    [
        ("GET with the cookie", [200, COOKIE], [200, COOKIE]),
        ("POST with the cookie", [200, COOKIE], REFUSED),
        # The token is junk, and vouches for itself only.
        ("POST with the cookie and a token", [200, JUNK | COOKIE], [200, JUNK]),
        ("POST with a token alone", [200, JUNK], [200, JUNK]),
        ("WebSocket with the cookie", [1000, "app.v1", COOKIE], [4403, "app.v1"]),
        (
            "WebSocket with the cookie and a token",
            [1000, "app.v1", ALICE | COOKIE],
            [4403, "app.v1"],
        ),
        ("WebSocket as documented", {"authorization": "Bearer tok~?>"} | COOKIE, False),
        ("WebSocket as documented, with a malformed token", "log in", False),
    ],
)
def test_what_a_page_can_do(tried, tries, app, other):
    assert tried["app"][tries] == app
    assert tried["other"][tries] == other
