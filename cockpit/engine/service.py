"""Starting, asking and ending the engine from another process."""

import asyncio
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

from cockpit.engine import lock
from cockpit.engine.client import Client, EngineError
from cockpit.journal import paths

START_SECONDS = 60.0
STOP_SECONDS = 15.0
BEGIN_SECONDS = 2.0


def running() -> int | None:
    """Pid of the running engine, None when there is none."""
    return lock.holder(paths.engine_lock())


def start() -> int:
    """Starts an engine that outlives this terminal, and waits until it answers; returns its pid.

    Raises:
        EngineError: when it does not come up; the text ends with the last lines of its log.
    """
    child = None
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and (child is None or not child.poll()):
        pid = running()
        if pid is not None and _answers():
            return pid
        if pid is None and (child is None or child.poll() is not None):
            child = _spawn()
        time.sleep(0.02)
    raise EngineError(
        f"the engine did not start; its log {paths.engine_log()} ends:\n{log_tail(5)}"
    )


def _spawn() -> "subprocess.Popen[bytes]":
    paths.private(paths.state())
    log = os.open(paths.engine_log(), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(log, "wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "cockpit.engine"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
            env={name: value for name, value in os.environ.items() if name != "COCKPIT_RUN"},
        )


def _answers() -> bool:
    return _listener() is not None


def _listener() -> int | None:
    """Pid of the process behind the socket, as the kernel knows it; 0 where it does not tell."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(paths.engine_socket()))
            if not hasattr(socket, "SO_PEERCRED"):
                return 0
            size = struct.calcsize("3i")
            peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
            return int(struct.unpack("3i", peer)[0])
    except OSError:
        return None


def stop() -> bool:
    """Asks the engine to end, in order; False when none was running. Runs go on.

    Raises:
        EngineError: when it is still there after 15 s.
    """
    pid = _signalled()
    if pid is None:
        return False
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return True
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        if running() is None:
            return True
        time.sleep(0.02)
    raise EngineError(f"the engine (pid {pid}) does not end; kill -9 {pid} loses nothing")


def _signalled() -> int | None:
    """Whom to end. The lock's text is the last resort: right after a start it may be another's."""
    deadline = time.monotonic() + BEGIN_SECONDS
    while running() is not None:
        pid = _listener() or (running() if time.monotonic() > deadline else None)
        if pid is not None:
            return pid
        time.sleep(0.02)
    return None


async def connect(*, start_missing: bool = True) -> Client:
    """A connection to the engine, started first if it is missing.

    Raises:
        EngineError: when there is none and none comes up.
    """
    if start_missing and not _answers():
        await asyncio.to_thread(start)
    return await Client.connect(paths.engine_socket())


def log_tail(lines: int) -> str:
    """The last lines of the engine's log."""
    path: Path = paths.engine_log()
    try:
        data = path.read_bytes()[-64 * 1024 :]
    except OSError:
        return "(no log)"
    return "\n".join(data.decode(errors="replace").splitlines()[-lines:])
