"""Shiny, whose pages share a value."""

import asyncio

from shiny import App, reactive, render, ui
from who import OPTIONS, who

from passthrough_auth.frameworks.asgi import PassthroughAuthMiddleware

BUTTONS = ("sync", "async", "job", "share", "count")
OUTPUTS = ("sync", "async", "job", "load", "tick", "shared", "count")
page = ui.page_fluid(
    *[ui.input_action_button(f"b_{name}", name) for name in BUTTONS],
    *[ui.output_text(f"o_{name}") for name in OUTPUTS],
)
shared = reactive.value(0)


def server(input, output, session):  # noqa: A002, C901 - Shiny's own names, and its way
    @render.text
    def o_load():
        return who()

    @render.text
    @reactive.event(input.b_sync)
    def o_sync():
        return who()

    @render.text
    @reactive.event(input.b_count)
    def o_count():
        return f"{who()} {input.b_count()}"

    @render.text
    @reactive.event(input.b_async)
    async def o_async():
        await asyncio.sleep(0.05)
        return who()

    @reactive.extended_task
    async def job():
        await asyncio.sleep(0.1)
        return who()

    @reactive.effect
    @reactive.event(input.b_job)
    def _():
        job()

    @render.text
    def o_job():
        return job.result()

    @render.text
    def o_tick():
        reactive.invalidate_later(0.3)
        return who()

    @render.text
    def o_shared():
        return f"{shared()} {who()}"

    @reactive.effect
    @reactive.event(input.b_share)
    def _():
        shared.set(shared() + 1)


app = PassthroughAuthMiddleware(App(page, server), **OPTIONS)
