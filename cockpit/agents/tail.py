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
HEAD = 64


class Block(Struct, frozen=True):
    """Whole lines beginning at `start`; `bad_lines` were too long to be held and are left out."""

    data: bytes
    start: int
    cursor: Cursor
    bad_lines: int = 0


def begin(path: str, cursor: Cursor | None, memory: bytes = b"") -> Cursor:
    """Where to read on: `cursor` if the file is still the same and longer, else its beginning.

    Same means device, inode and first bytes; a file that shrank or was replaced begins anew.

    Raises:
        OSError: when the file is gone or may not be read.
    """
    status = Path(path).stat()
    same_file = cursor and (cursor.device, cursor.inode) == (status.st_dev, status.st_ino)
    if cursor and same_file and status.st_size >= cursor.offset and _same_head(path, cursor.head):
        return cursor
    return Cursor(device=status.st_dev, inode=status.st_ino, memory=memory)


def _same_head(path: str, head: bytes) -> bool:
    if not head:
        return True
    with Path(path).open("rb", buffering=0) as file:
        return file.read(len(head)) == head


def blocks(path: str, cursor: Cursor, until: int | None = None) -> Iterator[Block]:
    """Blocks of whole lines from the cursor to the end (or to `until`); a half line stays unread.

    Each block carries the cursor behind it, with the memory it was given: the caller replaces it.

    Raises:
        OSError: when the file is gone or may not be read.
    """
    with Path(path).open("rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        head = cursor.head or file.read(HEAD)
        file.seek(cursor.offset)
        pieces: list[bytes] = []
        offset, held, skipping, bad = cursor.offset, 0, False, 0
        while data := file.read(
            BLOCK if until is None else max(0, min(BLOCK, until - offset - held))
        ):
            end = data.rfind(b"\n")
            if end < 0:
                held += len(data)
                if held > LINE_LIMIT:
                    pieces, skipping = [], True
                elif not skipping:
                    pieces.append(data)
                continue
            whole, rest = data[: end + 1], data[end + 1 :]
            if skipping:
                bad, skipping = bad + 1, False
                whole = whole[whole.find(b"\n") + 1 :]
            elif pieces:
                whole = b"".join((*pieces, whole))
            start = offset
            offset += held + end + 1
            pieces, held = ([rest], len(rest)) if rest else ([], 0)
            behind = Cursor(
                status.st_dev,
                status.st_ino,
                offset,
                status.st_size,
                status.st_mtime_ns,
                head,
                cursor.memory,
            )
            yield Block(whole, start, behind, bad)
            bad = 0


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
