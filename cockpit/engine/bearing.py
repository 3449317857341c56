"""What a runner is told about its run, and what it leaves on disk.

The spec is one JSON object:
`run`, `argv`, `cwd`, `environment` (whole, not laid over anything), `umask`;
`rows` and `columns` for a terminal, or 0 for pipes; `stdin`: "pipe" or "null";
`files`: scratch files to write, path to content (latin-1 text);
`socket`, `tree`, `end`: paths; `secret`: what an engine must know to govern; `lease`: seconds;
`cgroup`: a control group to live in, or empty; `watch`: whether the engine wants the output too;
`awaited`: whether a terminal is about to attach, so that a quick end waits for it;
`leftovers`: "stop" ends what the agent left running when it ended, "wait" waits for it.
"""

import contextlib
import json
import os
import socket
from typing import Any

from cockpit.engine import frames, kernel

SPEC_SECONDS = 30.0


def receive(engine: socket.socket) -> dict[str, Any] | None:
    """The spec, which comes first; None when something else or nothing came."""
    parser = frames.Parser()
    engine.settimeout(SPEC_SECONDS)
    while data := engine.recv(65_536):
        for kind, body in parser.feed(data):
            return frames.read(body) if kind == frames.SPEC else None
    return None


def write_files(files: dict[str, str]) -> None:
    """Writes scratch files, readable by their owner only.

    Raises:
        OSError: when one cannot be written.
    """
    for name, text in files.items():
        os.makedirs(os.path.dirname(name), mode=0o700, exist_ok=True)  # noqa: PTH103, PTH120
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        _write(name, flags, text.encode("latin-1"))


def keep(name: str, content: dict[str, Any]) -> None:
    """Writes a small file so that a reader sees the old one or the new one."""
    with contextlib.suppress(OSError):
        _write(f"{name}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, json.dumps(content).encode())
        os.replace(f"{name}.new", name)  # noqa: PTH105


def remove(name: str) -> None:
    """Removes a file, if it is there."""
    with contextlib.suppress(OSError):
        os.unlink(name)  # noqa: PTH108


def join(cgroup: str, pid: int) -> str:
    """Puts a process into a control group; the group if it really is inside now, else empty."""
    try:
        _write(f"{cgroup}/cgroup.procs", os.O_WRONLY, str(pid).encode())
    except OSError:
        return ""
    name = cgroup.rpartition("/")[2].encode()
    lines = kernel.read(f"/proc/{pid}/cgroup").splitlines()
    return cgroup if any(line.endswith(b"/" + name) for line in lines) else ""


def kill(cgroup: str) -> None:
    """Kills everybody in a control group at once, where there is one."""
    with contextlib.suppress(OSError):
        _write(f"{cgroup}/cgroup.kill", os.O_WRONLY, b"1")


def _write(name: str, flags: int, content: bytes) -> None:
    descriptor = os.open(name, flags, 0o600)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
    finally:
        os.close(descriptor)
