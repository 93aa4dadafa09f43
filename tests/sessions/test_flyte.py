"""Handlers of pages act on Flyte as the visitor, because the SDK asks at each of its calls."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from gradio_client import Client
from playwright.sync_api import expect
from tests.sessions.test_pages import VISITORS

from passthrough_auth.testing.flyte import FlyteEndpoint


@pytest.fixture(scope="module")
def endpoint():
    with FlyteEndpoint([*VISITORS], ["train"]) as running:
        yield running


def ran_by(endpoint, name):
    (caller,) = {run.caller for run in endpoint.runs if run.name == name}
    return caller


@pytest.mark.parametrize("event", ["train", "train_async"])
def test_a_click_in_gradio_runs_a_task_as_the_visitor(event, endpoint, serve):
    origin = serve("flyte_gradio:app", **endpoint.environment())

    def visit(name):
        headers = {"Authorization": f"Bearer {name}-token"}
        client = Client(f"{origin}/ui", headers=headers, verbose=False)
        seen = []
        for _ in range(3):
            seen.append(client.predict(api_name="/whoami"))
            seen.append(ran_by(endpoint, client.predict(api_name=f"/{event}")))
        return seen

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(visit, VISITORS)) == [[name] * 6 for name in VISITORS]


def test_a_script_of_streamlit_runs_a_task_as_the_visitor(endpoint, serve, browser):
    origin = serve("flyte_streamlit:app", **endpoint.environment())
    pages = {}
    for name in VISITORS:
        context = browser.new_context()
        context.add_cookies([{"name": "sso", "value": f"{name}-token", "url": origin}])
        pages[name] = context.new_page()
        pages[name].goto(origin)
    for name, page in pages.items():
        expect(page.locator(".st-key-o_load")).to_have_text(name, timeout=60_000)
    for name, page in pages.items():
        page.get_by_role("button", name="train", exact=True).click()
        shown = page.locator(".st-key-o_train")
        expect(shown).not_to_be_empty(timeout=60_000)
        assert ran_by(endpoint, shown.inner_text()) == name
        page.context.close()
