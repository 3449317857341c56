"""What a runner asks of the kernel, by the standard library alone: it must start in milliseconds.

A process is named by pid and start ticks: clock ticks since the machine's boot, which a step of
the wall clock cannot change. Outside Linux there is no /proc: `ps` tells, in seconds since the epoch.
"""

import contextlib
import ctypes
import functools
import os
import signal
import socket
import struct
import sys
from collections.abc import Callable
from typing import NamedTuple

LINUX = sys.platform == "linux"
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LOCAL_PEERCRED = 1


class Row(NamedTuple):
    """One process. `sid` is its session; a zombie is not `alive`, one in a job's pause is `stopped`."""

    pid: int
    ticks: int
    ppid: int
    pgid: int
    sid: int
    alive: bool
    stopped: bool = False


def read(path: str, limit: int = 65_536) -> bytes:
    """The first bytes of a kernel file; empty when it is not there or not ours to read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, limit)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def row(pid: int) -> Row | None:
    """The process that has this pid now; None when there is none."""
    if not LINUX:
        from cockpit.engine import ps

        return ps.row(pid)
    data = read(f"/proc/{pid}/stat", 1024)
    end = data.rfind(b")")
    if end < 0:
        return None
    rest = data[end + 2 :].split(None, 20)
    # A leader that left while other threads run looks like a zombie and is none.
    alive = rest[0] not in (b"Z", b"X") or int(rest[17]) > 1
    return Row(pid, int(rest[19]), int(rest[1]), int(rest[2]), int(rest[3]), alive, rest[0] == b"T")


def boot() -> str:
    """The id of this boot of the machine; empty where the kernel gives none."""
    return read("/proc/sys/kernel/random/boot_id", 64).decode().strip()


def children(pid: int) -> list[int]:
    """Pids of the children of all threads of a process, zombies included."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - pathlib would double the start
    except OSError:
        return found
    for thread in threads:
        found += map(int, read(f"/proc/{pid}/task/{thread}/children").split())
    return found


@functools.cache
def _lists_children() -> bool:
    """Kernels built without checkpointing have no such file."""
    return os.access(f"/proc/self/task/{os.getpid()}/children", os.R_OK)


def _families() -> Callable[[int], list[int]]:
    """The same from a look at every process."""
    found: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdecimal() and (known := row(int(name))) is not None:
            found.setdefault(known.ppid, []).append(known.pid)
    return lambda pid: found.get(pid, [])


def descendants(pid: int, spare: frozenset[int] = frozenset()) -> list[Row]:
    """Everybody below a process who is no zombie, parents first; `spare` and who is below are left out.

    One pass: who forks meanwhile is seen by the next.
    """
    if not LINUX:
        from cockpit.engine import ps

        return ps.descendants(pid, spare)
    found: list[Row] = []
    below = children if _lists_children() else _families()
    ahead = [pid]
    seen = {pid, *spare}
    while ahead:
        for child in below(ahead.pop(0)):
            if child in seen:
                continue
            seen.add(child)
            ahead.append(child)
            known = row(child)
            if known is not None and known.alive:
                found.append(known)
    return found


def above(pid: int) -> set[int]:
    """Pids of a process and of its living ancestors."""
    found: set[int] = set()
    while pid > 0 and pid not in found:
        found.add(pid)
        parent = row(pid)
        pid = parent.ppid if parent is not None else 0
    return found


def send(target: Row, number: int) -> None:
    """Signals exactly this process; silent when it is gone or its pid is another's by now."""
    descriptor = None
    try:
        with contextlib.suppress(OSError, AttributeError):
            descriptor = os.pidfd_open(target.pid)
        now = row(target.pid)
        if now is None or now.ticks != target.ticks:
            return
        if descriptor is not None:
            signal.pidfd_send_signal(descriptor, number)
        else:
            os.kill(target.pid, number)
    except OSError:
        return
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _prctl(option: int, argument: int) -> bool:
    if not LINUX:
        return False
    try:
        return bool(ctypes.CDLL(None, use_errno=True).prctl(option, argument, 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False


def become_subreaper() -> bool:
    """From now on orphans below this process become its children; false where there is no such thing."""
    return _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(number: int) -> bool:
    """The kernel will send this process the signal when its parent ends."""
    return _prctl(_PR_SET_PDEATHSIG, number)


def peer(connection: socket.socket) -> tuple[int, int | None]:
    """Pid and user behind a unix socket; 0 and None where the kernel does not tell."""
    try:
        if hasattr(socket, "SO_PEERCRED"):
            data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            pid, uid, _ = struct.unpack("3i", data)
            return pid, uid
        data = connection.getsockopt(0, _LOCAL_PEERCRED, 76)
        return 0, int(struct.unpack_from("II", data)[1])
    except OSError:
        return 0, None
