"""The common part of the three apps. They use the real SDK."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator

import flyte
from connectrpc.errors import ConnectError
from flyte import remote

from passthrough_auth.clients.flyte import current_user

PUBLIC = ["/health", "/public/*"]
PLACE = {"project": "demo", "domain": "development"}
CHUNKS = int(os.environ.get("CHUNKS", "5"))


def me() -> dict[str, str]:
    user = current_user()
    return {"subject": user.subject, "name": user.name}


async def ame() -> dict[str, str]:
    user = await current_user.aio()
    return {"subject": user.subject, "name": user.name}


def trigger() -> dict[str, str]:
    run = flyte.run(remote.Task.get(name="train", auto_version="latest"))
    return {"run": run.name, "url": run.url}


async def atrigger() -> dict[str, str]:
    run = await flyte.run.aio(remote.Task.get(name="train", auto_version="latest"))
    return {"run": run.name, "url": run.url}


def anybody() -> dict[str, str | None]:
    """The user as whom the SDK acts without a caller, on a public path."""
    try:
        return {"subject": remote.User.get().subject()}
    except ConnectError as error:
        return {"subject": None, "code": error.code.value}


def chunks() -> Iterator[bytes]:
    for _ in range(CHUNKS):
        yield remote.User.get().subject().encode() + b"\n"
        time.sleep(0.01)


async def achunks() -> AsyncIterator[bytes]:
    for _ in range(CHUNKS):
        user = await remote.User.get.aio()
        yield user.subject().encode() + b"\n"
        await asyncio.sleep(0.01)
