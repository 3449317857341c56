"""How a runner, the engine and an attached terminal talk: frames over a unix socket.

A frame is one byte of kind, four bytes of length (big endian) and that many bytes, at most
`LIMIT`. Where the content is no plain stream of bytes it is a JSON object; text in it may carry
lone surrogates for bytes that are no UTF-8, as `os.fsdecode` makes them.

Whoever connects says `HELLO` first: `{"role": "engine", "secret", "watch"}` or `{"role": "attach",
"rows", "columns", "owner"}`. The connection a runner is born with is an engine's and needs none; its
first frame is the `SPEC`. Standard library only: a runner starts with it.
"""

import json
import struct
from collections.abc import Iterator
from typing import Any

LIMIT = 32 * 1024 * 1024
HEAD = struct.Struct(">cI")

# to the runner
HELLO = b"h"
SPEC = b"p"
GO = b"g"
"""The engine: the record of the newborn is durable, the agent may begin."""
BEAT = b"b"
"""The engine lives: the lease is renewed."""
ASK = b"q"
SIGNAL = b"k"
"""`{"signal": "SIGINT", "to": "group" | "agent" | "all"}`."""
KILL = b"x"
"""`{"spare": [pids]}`: freeze and kill the tree now; answered by `KILLED`."""
INPUT = b"i"
END_INPUT = b"e"
RESIZE = b"w"
"""`{"rows", "columns"}`; rows 0 asks for a redraw only."""
TELL = b"t"
"""The engine: `{"text"}`, a word for whoever is attached by pipes; a terminal is the agent's own."""
FAREWELL = b"f"
"""The engine has booked the end: the runner may go."""

# from the runner
BORN = b"B"
"""`{"pid", "ticks", "boot", "sid", "runner", "runner_ticks", "cgroup"}`; the agent waits for GO."""
BEGAN = b"G"
FAILED = b"F"
"""`{"reason", "code"}`: the agent's program could not be started."""
OUTPUT = b"o"
ERRORS = b"r"
DROPPED = b"n"
"""`{"bytes"}`: so much output was passed over, because this reader did not read."""
TOLD = b"m"
"""`{"text"}`: a word of the runner's own for whoever is attached."""
STATUS = b"S"
PAUSED = b"T"
"""The agent stopped itself (SIGSTOP, SIGTSTP), as a job does at ctrl+z."""
EXITED = b"X"
"""`{"code"}`: the agent itself ended; 128 + signal when it was killed. All its output came before."""
ENDED = b"E"
"""`{"code", "by", "tail"}`: nobody of the tree is left; `tail` is the last output, latin-1."""
KILLED = b"K"
"""`{"count"}`: nobody is left but who was to be spared; so many processes were alive before."""
DENIED = b"D"

Frame = tuple[bytes, bytes]


class FrameError(Exception):
    """The other side does not speak frames."""


def frame(kind: bytes, body: bytes = b"") -> bytes:
    """One frame as bytes."""
    return HEAD.pack(kind, len(body)) + body


def said(kind: bytes, **fields: object) -> bytes:
    """A frame with a JSON object."""
    return frame(kind, json.dumps(fields).encode())


def read(body: bytes) -> dict[str, Any]:
    """The JSON object of a frame; an empty body is an empty one.

    Raises:
        FrameError: when it is none.
    """
    if not body:
        return {}
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FrameError(str(error)) from error
    if not isinstance(found, dict):
        raise FrameError("not an object")
    return found


class Parser:
    """Cuts a stream into frames."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete now.

        Raises:
            FrameError: for a frame larger than `LIMIT`.
        """
        self._data += data
        start = 0
        try:
            while len(self._data) - start >= HEAD.size:
                kind, length = HEAD.unpack_from(self._data, start)
                if length > LIMIT:
                    raise FrameError(f"a frame of {length:,} bytes")
                end = start + HEAD.size + length
                if len(self._data) < end:
                    return
                body = bytes(memoryview(self._data)[start + HEAD.size : end])
                start = end
                yield kind, body
        finally:
            del self._data[:start]
