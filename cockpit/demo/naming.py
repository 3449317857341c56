"""What a demo agent looks like in the process table: `codex demo billing-coverage`."""

import ctypes
from contextlib import suppress
from pathlib import Path

PR_SET_NAME = 15


def rename_process(*words: str) -> None:
    """Show these words as this process's name and command line, where the kernel is Linux.

    The new command line must fit into the space of the old one; what does not is cut.
    """
    with suppress(OSError, ValueError, AttributeError):
        start, end = _argument_area()
        library = ctypes.CDLL(None)
        library.prctl(PR_SET_NAME, words[0].encode()[:15], 0, 0, 0)
        line = b"\0".join(word.encode() for word in words) + b"\0"
        ctypes.memmove(start, line[: end - start - 1].ljust(end - start, b"\0"), end - start)


def _argument_area() -> tuple[int, int]:
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    return int(fields[45]), int(fields[46])
