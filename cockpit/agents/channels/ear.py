"""Where the engine speaks to a driver: a private socket, one connection for one word, lines of JSON.

`{"do": "say", "text": …}` is answered with `{"taken": ms}`, later `{"delivered": ms}`;
`{"do": "interrupt"}` with `{"interrupted": ms}`, `{"do": "session"}` with the agent's own name for its
session as soon as it has one. What was not done is `{"failed": reason}`.
"""

import asyncio
import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cockpit.agents.channels.channel import Channel, ChannelError, now_ms

WORD_LIMIT = 1024 * 1024


async def listen(path: str, channel: Callable[[], Channel | None]) -> asyncio.Server:
    """Opens the socket; `channel` gives who is at work now.

    Raises:
        OSError: when it cannot be opened.
    """

    async def heard(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.LimitOverrunError, ValueError):
            await _serve(reader, writer, channel())
        writer.close()

    with contextlib.suppress(FileNotFoundError):
        Path(path).unlink()
    before = os.umask(0o177)
    try:
        return await asyncio.start_unix_server(heard, path, limit=WORD_LIMIT)
    finally:
        os.umask(before)


async def _serve(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, channel: Channel | None
) -> None:
    word = json.loads(await reader.readline())

    def answer(**said: object) -> None:
        writer.write(json.dumps(said).encode() + b"\n")

    if channel is None:
        answer(failed="the agent is not at work")
        return
    try:
        await _do(channel, word, answer)
    except ChannelError as error:
        answer(failed=str(error))
    await writer.drain()


async def _do(channel: Channel, word: Any, answer: Callable[..., None]) -> None:  # noqa: ANN401
    match word:
        case {"do": "say", "text": str(text)}:
            delivered = await channel.say(text)
            answer(taken=now_ms())
            answer(delivered=await delivered)
        case {"do": "session"} if channel.session is not None:
            answer(session=await asyncio.shield(channel.session))
        case {"do": "interrupt"}:
            await channel.interrupt()
            answer(interrupted=now_ms())
        case _:
            answer(failed="no such word")
