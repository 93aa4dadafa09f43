import chainlit as cl
from who import who


@cl.on_chat_start
async def start() -> None:
    await cl.Message(f"start {who()}").send()


@cl.on_message
async def message(said: cl.Message) -> None:
    in_thread = await cl.make_async(who)()
    await cl.Message(f"heard {said.content} {who()} {in_thread}").send()
