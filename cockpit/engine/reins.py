"""The engine's side of one runner: what to start, what it says, how it ended."""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from cockpit.core.text import clean, one_line
from cockpit.engine import frames, kernel
from cockpit.engine.records import Record

LEASE_SECONDS = 30.0
GREETING_SECONDS = 5.0
KILL_SECONDS = 2.0
LEAVE_SECONDS = 1.0
FAREWELL_SECONDS = 8.0
READ_BYTES = 256 * 1024

log = logging.getLogger(__name__)

Hear = Callable[[bytes, bytes], None]
"""Gets output of an agent: `frames.OUTPUT` or `frames.ERRORS`, and bytes."""


class SpawnError(Exception):
    """The agent could not be started; the text says why."""


class Spec(Struct, frozen=True):
    """One agent to start.

    `environment` is whole. `size` are rows and columns of the terminal it gets, None for pipes;
    `stdin` "null" gives it an empty input. `files` are private scratch files. `awaited` tells that a
    terminal is about to attach. `leftovers`: what becomes of processes that outlive the agent.
    `authority` is how firmly the run is held.
    """

    run: str
    argv: tuple[str, ...]
    cwd: str
    environment: Mapping[str, str]
    size: tuple[int, int] | None = None
    stdin: str = "pipe"
    umask: int = 0o022
    files: Mapping[Path, bytes] = {}
    awaited: bool = False
    leftovers: str = "stop"
    authority: str = "wire"
    lease: float = LEASE_SECONDS


class Ended(Struct, frozen=True):
    """How an agent ended.

    `code` is its exit code, 128 + signal when it was killed, None when nobody could see it. `by` says
    who ended it: "itself", "a kill", its runner, or why it could not begin. `tail` is the last output,
    cleaned, at most 4 KB.
    """

    code: int | None
    by: str = "itself"
    tail: str = ""

    @property
    def outcome(self) -> str:
        """One line for the operator."""
        last = next((line for line in reversed(self.tail.splitlines()) if line.strip()), "")
        how = "ended unseen" if self.code is None else f"exit {self.code}"
        if self.by != "itself":
            how = f"{how}, ended by {self.by}"
        return one_line(f"{how}: {last.strip()}" if last and self.code else how)


class Rein:
    """One run that has a runner. Belongs to the engine's event loop.

    `began` is done when the agent runs (or raises `SpawnError`), `ended` when its tree is empty or
    its runner is gone (then the result is None).
    """

    def __init__(self, run: str, secret: str, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self.run = run
        self.secret = secret
        self.record: Record | None = None
        self.born: asyncio.Future[dict[str, Any]] = loop.create_future()
        self.began: asyncio.Future[None] = loop.create_future()
        self.status: asyncio.Future[dict[str, Any]] = loop.create_future()
        self.ended: asyncio.Future[Ended | None] = loop.create_future()
        self.killed = asyncio.Event()
        self.count = 0
        self.hear: Hear | None = None
        self.left: asyncio.Future[None] = loop.create_future()
        self._connection = connection
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None
        for future in (self.born, self.began, self.status):
            future.add_done_callback(_looked_at)

    @property
    def has_begun(self) -> bool:
        """Whether the agent ever ran."""
        return self.began.done() and self.began.exception() is None

    # --- the connection

    async def open(self) -> None:
        """Begins to listen."""
        reader, self._writer = await asyncio.open_unix_connection(sock=self._connection)
        self._listening = asyncio.create_task(self._listen(reader), name=f"runner of {self.run}")

    async def close(self) -> None:
        """Stops listening."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        try:
            await self._read(reader)
        except (OSError, frames.FrameError) as error:
            log.warning("the runner of %s: %s", self.run, error)
        finally:
            self._hung_up()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        parser = frames.Parser()
        while data := await reader.read(READ_BYTES):
            for kind, body in parser.feed(data):
                if kind in (frames.OUTPUT, frames.ERRORS):
                    if self.hear is not None:
                        self.hear(kind, body)
                else:
                    self._told(kind, frames.read(body))

    def _told(self, kind: bytes, body: dict[str, Any]) -> None:
        match kind:
            case frames.BORN:
                _settle(self.born, body)
            case frames.STATUS:
                if body.get("began"):
                    _settle(self.began, None)
                _settle(self.status, body)
            case frames.BEGAN:
                _settle(self.began, None)
            case frames.FAILED:
                self._failed(str(body.get("reason", "")))
            case frames.KILLED:
                self.count = int(body.get("count", 0))
                self.killed.set()
            case frames.ENDED:
                self._failed("it was stopped before it began")
                _settle(self.ended, _ended(body))
            case frames.DENIED:
                log.warning("the runner of %s denies: %s", self.run, body.get("reason"))

    def _failed(self, reason: str) -> None:
        error = SpawnError(one_line(reason))
        for future in (self.born, self.began):
            if not future.done():
                future.set_exception(error)

    def _hung_up(self) -> None:
        self._failed("its runner is gone")
        if not self.status.done():
            self.status.set_exception(SpawnError("its runner is gone"))
        _settle(self.ended, None)
        _settle(self.left, None)
        self.killed.set()
        if self._writer is not None:
            self._writer.close()

    def say(self, kind: bytes, **fields: object) -> None:
        """Sends the runner a frame; silent when it is gone."""
        self._send(frames.said(kind, **fields) if fields else frames.frame(kind))

    async def greet(self) -> dict[str, Any]:
        """Takes over a runner that was there before us; its status.

        Raises:
            SpawnError: when it hangs up.
            TimeoutError: when it does not answer.
        """
        self.say(frames.HELLO, role="engine", secret=self.secret)
        return await asyncio.wait_for(asyncio.shield(self.status), GREETING_SECONDS)

    def _send(self, frame: bytes) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(frame)

    # --- the agent

    def write(self, data: bytes) -> None:
        """Gives the agent input."""
        self._send(frames.frame(frames.INPUT, data))

    def end_input(self) -> None:
        """Ends the agent's input."""
        self.say(frames.END_INPUT)

    def resize(self, rows: int, columns: int) -> None:
        """Sets the size of its terminal."""
        self.say(frames.RESIZE, rows=rows, columns=columns)

    def signal(self, name: str, to: str = "group") -> None:
        """Signals the agent's "group", the "agent" alone, or "all" of its tree. `name`: "SIGINT"."""
        self.say(frames.SIGNAL, signal=name, to=to)

    # --- a hand in a stop

    async def kill(self, spare: Collection[int]) -> int:
        """Lets the runner, who sees the whole tree, freeze and kill it."""
        if self.ended.done():
            return 0
        self.killed.clear()
        self.say(frames.KILL, spare=sorted(spare))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.killed.wait(), KILL_SECONDS)
        return self.count

    async def release(self) -> None:
        """Waits for the runner to say how the agent ended; whoever listens to `ended` lets it go."""
        await asyncio.wait((self.ended,), timeout=LEAVE_SECONDS)

    async def farewell(self) -> None:
        """Lets the runner go, and waits until it went: a terminal may still be reading the end."""
        self.say(frames.FAREWELL)
        await asyncio.wait((self.left,), timeout=FAREWELL_SECONDS)


def _looked_at(future: "asyncio.Future[Any]") -> None:
    if not future.cancelled():
        future.exception()


def _settle(future: "asyncio.Future[Any]", result: object) -> None:
    if not future.done():
        future.set_result(result)


def _ended(body: Mapping[str, Any]) -> Ended:
    code, tail = body.get("code"), str(body.get("tail", ""))
    text = tail.encode("latin-1", "replace").decode("utf-8", "replace")
    return Ended(
        code=code if isinstance(code, int) else None,
        by=one_line(str(body.get("by", ""))),
        tail=clean(text.replace("\r\n", "\n").replace("\r", "\n"), 8_192),
    )


def connect(path: Path) -> socket.socket | None:
    """A connection to a runner of our own user; None when nobody listens there."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(GREETING_SECONDS)
        connection.connect(str(path))
    except OSError:
        connection.close()
        return None
    if kernel.peer(connection)[1] != os.getuid():
        connection.close()
        return None
    connection.setblocking(False)
    return connection
