"""Reads what was appended to a file, whole lines at a time, whatever happened to the file."""

import os
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from cockpit.agents.adapter import Cursor

BLOCK = 256 * 1024
"""Fits the second-level cache: larger reads make every later pass over the block slower."""
LINE_LIMIT = 64 * 1024 * 1024
"""A longer line is skipped and counted as bad: no agent writes a call of that size."""
DOCUMENT_LIMIT = 128 * 1024 * 1024
HEAD = 256
"""First bytes kept to tell a file written anew from one that grew; they hold ids and times."""


class Block(Struct, frozen=True):
    """Whole lines beginning at `start`; `bad_lines` were too long to be held and are left out.

    `read` may hold a piece of one more line behind `length`: cutting it off is a copy.
    """

    read: bytes
    length: int
    start: int
    cursor: Cursor
    bad_lines: int = 0

    @property
    def data(self) -> bytes:
        """The whole lines alone."""
        return self.read[: self.length]


def begin(path: str, cursor: Cursor | None, memory: bytes = b"") -> Cursor:
    """Where to read on: `cursor` if the file is still the same and longer, else its beginning.

    Same means device, inode and first bytes; a file that shrank or was replaced begins anew.

    Raises:
        OSError: when the file is gone or may not be read.
    """
    status = os.stat(path)  # noqa: PTH116 (thousands of files: Path objects cost more than stat)
    same_file = cursor and (cursor.device, cursor.inode) == (status.st_dev, status.st_ino)
    if cursor and same_file and status.st_size >= cursor.offset and _goes_on(path, cursor):
        return cursor
    return Cursor(device=status.st_dev, inode=status.st_ino, memory=memory)


def _goes_on(path: str, cursor: Cursor) -> bool:
    """Whether the file still begins as it did, and a line still ends where reading stopped."""
    with Path(path).open("rb", buffering=0) as file:
        if file.read(len(cursor.head)) != cursor.head:
            return False
        if cursor.offset == 0:
            return True
        file.seek(cursor.offset - 1)
        return file.read(1) == b"\n"


def blocks(path: str, cursor: Cursor, until: int | None = None) -> Iterator[Block]:
    """Blocks of whole lines from the cursor to the end (or to `until`); a half line stays unread.

    Each block carries the cursor behind it, with the memory it was given: the caller replaces it.
    A file that was replaced since `begin` yields nothing: its inode is not the cursor's.

    Raises:
        OSError: when the file is gone or may not be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if cursor.inode and (cursor.device, cursor.inode) != (status.st_dev, status.st_ino):
            return
        head = cursor.head
        for data, length, start, end, bad in _whole_lines(descriptor, cursor.offset, until):
            head = head or (os.pread(descriptor, HEAD, 0) if start else data[:HEAD])
            behind = Cursor(
                status.st_dev,
                status.st_ino,
                end,
                status.st_size,
                status.st_mtime_ns,
                head,
                cursor.memory,
            )
            yield Block(data, length, start, behind, bad)
    finally:
        os.close(descriptor)


def _whole_lines(
    descriptor: int, offset: int, until: int | None
) -> Iterator[tuple[bytes, int, int, int, int]]:
    """Lines, their length, where they begin and end in the file, and how many were left out.

    Reads always begin at a line, so nothing is carried over from one to the next.
    """
    while True:
        room = BLOCK if until is None else min(BLOCK, until - offset)
        data = os.pread(descriptor, room, offset) if room > 0 else b""
        at_end = len(data) < room
        length = data.rfind(b"\n") + 1
        bad, used = 0, length
        if not length and len(data) == BLOCK:
            data, used = _long_line(descriptor, offset, until)
            length, bad = len(data), 0 if data else 1
        if not used:
            return
        yield data, length, offset, offset + used, bad
        offset += used
        if at_end:
            return


def _long_line(descriptor: int, offset: int, until: int | None) -> tuple[bytes, int]:
    """A line that is longer than a block, and its length; empty beyond the limit, 0 while unfinished."""
    pieces: list[bytes] = []
    length = 0
    while data := os.pread(descriptor, BLOCK, offset + length):
        end = data.find(b"\n") + 1
        length += end or len(data)
        if until is not None and offset + length > until:
            break
        if length <= LINE_LIMIT:
            pieces.append(data[:end] if end else data)
        else:
            pieces.clear()
        if end:
            return (b"".join(pieces) if length <= LINE_LIMIT else b""), length
    return b"", 0


def document(path: str) -> tuple[bytes, Cursor]:
    """A whole file and the cursor that stands for this version of it.

    Raises:
        OSError: when the file is gone, may not be read, or is larger than `DOCUMENT_LIMIT`.
    """
    with Path(path).open("rb") as file:
        status = os.fstat(file.fileno())
        if status.st_size > DOCUMENT_LIMIT:
            raise OSError(
                f"{path}: {status.st_size} bytes are more than cockpit reads as one document"
            )
        data = file.read(DOCUMENT_LIMIT)
    return data, Cursor(status.st_dev, status.st_ino, len(data), status.st_size, status.st_mtime_ns)
