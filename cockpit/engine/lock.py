"""One engine per user: a kernel lock on a file, so stale files and reused pids mean nothing."""

import fcntl
import os
import time
from pathlib import Path

from cockpit.journal import paths

ASKED_SECONDS = 0.3
"""Whoever asks for the holder takes the lock for a moment, which must not look like an engine."""


class EngineRunningError(Exception):
    """Another engine holds the lock; the text names its pid."""


def acquire(path: Path) -> int:
    """Holds the engine's lock until this process ends; returns the descriptor to keep.

    Raises:
        EngineRunningError: when another engine holds it.
    """
    paths.private(path.parent)
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + ASKED_SECONDS
    while not _taken(lock):
        if time.monotonic() > deadline:
            os.close(lock)
            raise EngineRunningError(f"an engine is running already (pid {holder(path)})")
        time.sleep(0.01)
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_ours(path: Path, lock: int) -> bool:
    """Whether the lock file is still the one we hold: not after somebody removed cockpit's home."""
    try:
        there = path.stat()
    except OSError:
        return False
    return os.path.samestat(there, os.fstat(lock))


def holder(path: Path) -> int | None:
    """Pid of the engine that holds the lock, None when nobody does."""
    try:
        lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        text = os.pread(lock, 32, 0).strip()
        return int(text) if text.isdigit() else None
    finally:
        os.close(lock)
    return None
