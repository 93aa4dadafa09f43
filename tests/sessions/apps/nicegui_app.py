"""NiceGUI on FastAPI."""

import asyncio
import itertools

from fastapi import FastAPI
from nicegui import Event, background_tasks, run, ui
from who import OPTIONS, who

from passthrough_auth.core import snapshot
from passthrough_auth.frameworks.fastapi import FastAPIPassthroughAuthMiddleware

api = FastAPI()
said = Event[str]()


@ui.refreshable
def shared() -> None:
    ui.label(who()).props("id=o_shared")


@ui.page("/")
def page() -> None:
    ui.label(who()).props("id=o_load")

    def button(name, work):
        label = ui.label("-").props(f"id=o_{name}")

        async def click():
            found = work()
            label.text = await found if asyncio.iscoroutine(found) else found

        ui.button(name, on_click=click).props(f"id=b_{name}")

    async def asynchronous() -> str:
        await asyncio.sleep(0.05)
        return who()

    button("sync", who)
    button("async", asynchronous)
    button("io", lambda: run.io_bound(snapshot().run, who))
    button("thread", lambda: asyncio.to_thread(who))
    clicks = itertools.count(1)
    button("count", lambda: f"{who()} {next(clicks)}")
    later = ui.label("-").props("id=o_later")

    async def work():
        await asyncio.sleep(0.2)
        later.text = who()

    ui.button("later", on_click=lambda: background_tasks.create(work())).props("id=b_later")
    ticked = ui.label("-").props("id=o_tick")
    ui.timer(0.3, lambda: ticked.set_text(who()))
    shared()
    ui.button("refresh", on_click=shared.refresh).props("id=b_refresh")
    heard = ui.label("-").props("id=o_heard")
    said.subscribe(lambda text: heard.set_text(f"{text} heard by {who()}"))
    ui.button("say", on_click=lambda: said.emit(who())).props("id=b_say")


ui.run_with(api, storage_secret="of these tests")
api.add_middleware(FastAPIPassthroughAuthMiddleware, **OPTIONS)
app = api
