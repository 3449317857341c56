"""The engine's word to the driver of a run's agent; how the two talk is in `agents/channels/ear.py`."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from cockpit.core.text import one_line
from cockpit.engine import kernel

CONNECT_SECONDS = 0.5
INTERRUPT_SECONDS = 1.0
"""An agent that has not confirmed an interrupt by then is interrupted by a signal."""
TAKEN_SECONDS = 6.0
BIRTH_SECONDS = 60.0
LOOK_SECONDS = 0.25
LINE_LIMIT = 64 * 1024


class DriverError(Exception):
    """The driver, or its agent, did not do it; the text says why."""


class Line:
    """One connection, for one word."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, path: Path, **word: object) -> "Line":
        """Says the word.

        Raises:
            DriverError: when no driver of ours listens.
        """
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_unix_connection(path, limit=LINE_LIMIT)
        except (OSError, TimeoutError) as error:
            raise DriverError("no driver listens") from error
        connection = writer.get_extra_info("socket")
        if kernel.peer(connection)[1] != os.getuid():
            writer.close()
            raise DriverError("another user listens there")
        writer.write(json.dumps(word).encode() + b"\n")
        return cls(reader, writer)

    async def told(self, name: str, seconds: float | None = None) -> int:
        """The moment, in milliseconds, of what the driver tells next, which is called `name`.

        Raises:
            DriverError: when it tells something else, nothing in time, or goes.
        """
        at = await self._told(name, seconds)
        if not isinstance(at, int):
            raise DriverError("no such answer")
        return at

    async def _told(self, name: str, seconds: float | None) -> object:
        try:
            async with asyncio.timeout(seconds):
                answer: Any = json.loads(await self._reader.readline())
        except TimeoutError:
            raise DriverError("no answer in time") from None
        except (OSError, ValueError) as error:
            raise DriverError("the driver is gone") from error
        said = answer if isinstance(answer, dict) else {}
        if name not in said:
            raise DriverError(one_line(str(said.get("failed") or "no such answer")))
        return said[name]

    async def session(self) -> str:
        """The agent's own name for its session.

        Raises:
            DriverError: when there is none.
        """
        return one_line(str(await self._told("session", None)))

    def close(self) -> None:
        """Hangs up."""
        self._writer.close()


async def interrupted(path: Path) -> int:
    """The moment at which the agent confirmed that it was interrupted.

    Raises:
        DriverError: when it did not, within a second.
    """
    line = await Line.open(path, do="interrupt")
    try:
        return await line.told("interrupted", INTERRUPT_SECONDS)
    finally:
        line.close()


async def session(path: Path) -> str:
    """The agent's own name for its session, as soon as it has one; empty when it gets none."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + BIRTH_SECONDS
    while loop.time() < deadline:
        try:
            line = await Line.open(path, do="session")
        except DriverError:  # it has not begun to listen
            await asyncio.sleep(LOOK_SECONDS)
            continue
        try:
            return await line.session()
        except DriverError:
            await asyncio.sleep(LOOK_SECONDS)
        finally:
            line.close()
    return ""
