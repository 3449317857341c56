"""The operator API: JSON lines on a Unix socket that only its owner can open."""

import asyncio
import logging
import os
import socket
import stat
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from cockpit.journal import paths

Answer = Callable[[dict[str, Any]], Awaitable[bytes]]
"""Answers one request with JSON."""
Stream = Callable[[dict[str, Any]], AsyncIterator[bytes]]
"""Answers one request with JSON after JSON until the connection closes."""

log = logging.getLogger(__name__)

REQUEST_LIMIT = 1024 * 1024
SEND_SECONDS = 10.0
END = "end"
ASKS = "approve"
"""An agent's hook or driver asks this: whoever does is no part of cockpit that a stop would spare."""


class RequestError(Exception):
    """A request that cannot be done; the text is for the operator."""


class Server:
    """Listens, and hands requests to whoever answers them."""

    def __init__(self, answers: dict[str, Answer], streams: dict[str, Stream]) -> None:
        self._answers = answers
        self._streams = streams
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], int] = {}

    async def listen(self, path: Path) -> None:
        """Opens the socket, replacing one that a dead engine left; the caller holds the engine lock."""
        paths.private(path.parent)
        _refuse_foreign(path.parent)
        path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(
                self._accept, str(path), limit=REQUEST_LIMIT
            )
        finally:
            os.umask(before)

    async def close(self) -> None:
        """Stops listening and ends every connection."""
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def peers(self) -> set[int]:
        """Pids of the screens and shells connected now."""
        return set(self._connections.values()) - {0}

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        self._connections[task] = _peer(writer)[0]
        working: dict[int, asyncio.Task[None]] = {}
        try:
            if _peer(writer)[1] != os.getuid():
                return
            while line := await reader.readline():
                await self._begin(line, writer, working)
        except ValueError:
            await _refuse(writer, 0, f"a request is one line of at most {REQUEST_LIMIT} bytes")
        except OSError:
            pass  # gone: this connection is over
        finally:
            for request in list(working.values()):
                request.cancel()
            del self._connections[task]
            writer.close()

    async def _begin(
        self, line: bytes, writer: asyncio.StreamWriter, working: dict[int, asyncio.Task[None]]
    ) -> None:
        """Begins a request, or ends the one under way that has the same id."""
        try:
            request = msgspec.json.decode(line, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            await _refuse(writer, 0, str(error))
            return
        number = request["id"] if isinstance(request.get("id"), int) else 0
        asking = asyncio.current_task()
        if request.get("do") == ASKS and asking is not None:
            self._connections[asking] = 0
        if request.get("do") == END:
            if number in working:
                working[number].cancel()
            return
        task = asyncio.create_task(self._serve(number, request, writer))
        working[number] = task
        task.add_done_callback(lambda done: _forget(working, number, done))

    async def _serve(
        self, number: int, request: dict[str, Any], writer: asyncio.StreamWriter
    ) -> None:
        try:
            do = str(request.get("do"))
            if do in self._streams:
                async for data in self._streams[do](request):
                    await _send(writer, number, data)
            elif do in self._answers:
                await _send(writer, number, await self._answers[do](request))
            else:
                known = ", ".join(sorted((*self._answers, *self._streams)))
                raise RequestError(f"unknown request {do!r}: accepted: {known}")
        except (RequestError, msgspec.MsgspecError) as error:
            await _refuse(writer, number, str(error))
        except OSError:  # a time-out is one too: who does not read for so long is gone
            writer.close()
        except Exception as error:
            log.exception("the request %.200r failed", request)
            await _refuse(writer, number, f"the engine failed at this: {error!r}")


def _forget(
    working: dict[int, asyncio.Task[None]], number: int, done: "asyncio.Task[None]"
) -> None:
    if working.get(number) is done:
        del working[number]


async def _send(writer: asyncio.StreamWriter, number: int, data: bytes) -> None:
    writer.write(b'{"id":%d,"ok":%b}\n' % (number, data))
    async with asyncio.timeout(SEND_SECONDS):
        await writer.drain()


async def _refuse(writer: asyncio.StreamWriter, number: int, text: str) -> None:
    writer.write(msgspec.json.encode({"id": number, "error": text}) + b"\n")
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await writer.drain()
    except OSError:
        writer.close()


def _refuse_foreign(directory: Path) -> None:
    """A directory that others own or may write to is no place for the operator's socket."""
    status = directory.lstat()
    if status.st_uid != os.getuid() or not stat.S_ISDIR(status.st_mode):
        raise PermissionError(f"{directory} belongs to another user")
    if status.st_mode & 0o022:
        raise PermissionError(f"{directory} can be written to by others: chmod 700 {directory}")


def _peer(writer: asyncio.StreamWriter) -> tuple[int, int]:
    """Pid and uid of who is at the other end; 0 and our own uid where the system cannot tell."""
    peer = writer.get_extra_info("socket")
    if not hasattr(socket, "SO_PEERCRED"):
        return 0, os.getuid()
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, _ = struct.unpack("3i", credentials)
    return pid, uid
