"""The agent's process: started in a group of its own, spoken to in lines of JSON."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from typing import Any

LINE_LIMIT = 64 * 1024 * 1024
"""A longer line is dropped: a tool's output in it is no message to us."""
UNREAD_LIMIT = 16 * 1024 * 1024
"""An agent that leaves so much of its input unread takes no more of it."""

NOT_FOUND = 126

Message = dict[str, Any]


class Child:
    """Signals reach it from the driver only, once each: its process group is its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.is_disturbed = False
        """Whether it was signalled, so that its end says nothing about it."""

    @classmethod
    async def start(cls, argv: Sequence[str], **more: Any) -> "Child":  # noqa: ANN401
        """Starts it with our own standard error. `more` goes to `create_subprocess_exec`.

        Raises:
            OSError: when it cannot be started.
        """
        return cls(
            await asyncio.create_subprocess_exec(
                *argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                limit=LINE_LIMIT,
                process_group=0,
                **more,
            )
        )

    # --- what it says

    async def messages(self) -> AsyncIterator[Message]:
        """Every line that is a JSON object, until it closes its output; others are nobody's."""
        async for line in self.lines():
            with contextlib.suppress(ValueError, RecursionError):
                message = json.loads(line)
                if isinstance(message, dict):
                    yield message

    async def lines(self) -> AsyncIterator[bytes]:
        """Every line of its output that is not too long."""
        reader = self._process.stdout
        assert reader is not None
        too_long = False
        while True:
            try:
                line = await reader.readuntil()
            except asyncio.IncompleteReadError as end:
                if end.partial and not too_long:
                    yield end.partial
                return
            except asyncio.LimitOverrunError as overrun:
                await reader.readexactly(overrun.consumed)
                too_long = True
                continue
            if not too_long:
                yield line
            too_long = False

    # --- what it is told

    def write(self, message: Message) -> bool:
        """Gives it a line; false when it does not listen any more."""
        pipe = self._process.stdin
        if pipe is None or pipe.is_closing():
            return False
        if pipe.transport.get_write_buffer_size() > UNREAD_LIMIT:
            return False
        pipe.write(json.dumps(message).encode() + b"\n")
        return True

    def end_input(self) -> None:
        """Closes its standard input, behind what waits."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def signal(self, number: int) -> None:
        """To its whole group, while it certainly is its own."""
        self.is_disturbed = True
        if self._process.returncode is None:
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, number)

    async def code(self) -> int:
        """Its exit code, 128 + signal when it was killed."""
        code = await self._process.wait()
        return 128 - code if code < 0 else code

    async def failed_at_once(self) -> bool:
        """Whether it ended by itself with an error, as a program does that knows no such option."""
        return not self.is_disturbed and 0 < await self.code() < NOT_FOUND

    async def end(self, seconds: float) -> None:
        """Ends its input, then asks it to terminate if it stays."""
        self.end_input()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), seconds)
        self.signal(signal.SIGTERM)

    async def finish(self, seconds: float) -> None:
        """Ends a server, that lives until it is told to terminate."""
        self.end_input()
        self.signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), seconds)
            return
        self.signal(signal.SIGKILL)
