"""What the figures are held against does what the page says of it."""

import asyncio

from benchmarks import sample
from benchmarks.subjects import asgi, flyte_bound
from benchmarks.subjects.asgi import Found, Message, Receive, Scope, Send, Whole
from flyte.remote import _auth_metadata


def test_whole_has_a_caller_in_the_app_alone_and_only_until_its_end() -> None:
    found = asgi.checked(sample.scope())
    in_the_app: list[Found | None] = []
    in_the_server: list[Found | None] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        caller = Whole.caller.get()
        assert caller == found
        in_the_app.append(caller)
        await receive()
        await asgi.plain(scope, receive, send)

    async def receive() -> Message:
        in_the_server.append(Whole.caller.get())
        return await asgi.receive()

    async def send(message: Message) -> None:
        in_the_server.append(Whole.caller.get())

    async def serve() -> None:
        await Whole(app)(sample.scope(), receive, send)
        assert Whole.caller.get() is None

    asyncio.run(serve())

    assert [name for name, _ in found] == ["authorization", "cookie"]
    assert in_the_app == [[]]  # what a task that outlives the request would find
    assert in_the_server == [None, None, None]


def test_where_flyte_is_bound_the_sdk_asks_for_the_caller() -> None:
    asked: list[list[str]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append([name for name, _ in _auth_metadata.get_auth_metadata()])

    asgi.serving(flyte_bound.LAYERS["passthrough-auth, Flyte bound"](app))(1)

    assert asked == [["authorization", "cookie"]]
