"""What runs on this machine: the process table, cheap enough to read every second.

A process is known by its pid and the time it was created; a pid alone names nobody, because the
kernel gives it out again. Each process keeps the line of its ancestors as it was when the process
was first seen, so a child that detached later can still be traced to where it came from.
"""

import functools
import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil
from msgspec import Struct
from msgspec.structs import replace

from cockpit.core.text import clean, one_line
from cockpit.engine import kernel

Identity = tuple[int, int]
"""A pid and the creation time of its process, milliseconds since the epoch."""

MARK_NAMES = ("CLAUDE_CODE_SESSION_ID", "CLAUDE_PID", "CODEX_THREAD_ID", "COCKPIT_RUN")
"""Variables with which agents sign the environment of their tools (measured: Claude Code, Codex)."""

YOUNG_MS = 1_500
"""So long after its birth a process may still be between fork and exec: it is read again."""

ARGUMENTS = 48
ARGUMENT_LENGTH = 400
LINE_LENGTH = 48

_COMMAND_BYTES = 16 * 1024
_ENVIRONMENT_BYTES = 256 * 1024
_KERNEL_THREAD = 0x00200000
_STATES = {b"T": "T", b"t": "T", b"D": "D", b"Z": "Z", b"X": "Z"}
_MARK = re.compile(rb"(?:^|\0)(" + "|".join(MARK_NAMES).encode() + rb")=([^\0]{1,200})")


class Process(Struct, frozen=True):
    """One process as last seen.

    `created` is milliseconds since the epoch (the kernel counts in steps of 10), `uid` the real
    user, `state` one of S (runs or sleeps), T (stopped), D (inside the kernel, deaf to signals) and
    Z; `alive` is false for a zombie. `line` holds its ancestors when it was first seen, oldest
    first; `marks` the signatures of agents in its environment. `cwd`, `marks` are empty where the
    kernel does not let us look.
    """

    pid: int
    created: int
    ppid: int = 0
    pgid: int = 0
    sid: int = 0
    uid: int = -1
    name: str = ""
    state: str = "S"
    alive: bool = True
    terminal: bool = False
    argv: tuple[str, ...] = ()
    cwd: str = ""
    marks: tuple[tuple[str, str], ...] = ()
    line: tuple[Identity, ...] = ()

    @property
    def identity(self) -> Identity:
        """What names this process and no other."""
        return (self.pid, self.created)


Processes = dict[int, Process]


def snapshot(previous: Mapping[int, Process] | None = None) -> Processes:
    """Every process by pid. Give the last snapshot: what it already knows is not read again."""
    known = previous or {}
    rows = _linux(known) if sys.platform == "linux" else _anywhere(known)
    for pid in [pid for pid, row in rows.items() if not row.line and row.ppid]:
        _trace_line(rows, pid)
    return rows


def created(pid: int) -> int | None:
    """When the process that has this pid now was created; None when there is none."""
    if sys.platform == "linux":
        fields = _stat(pid)
        return None if fields is None else _created(fields)
    try:
        return int(psutil.Process(pid).create_time() * 1000)
    except psutil.Error:
        return None


def moment(ticks: int) -> int:
    """When a process was created of which the kernel says that it started at these ticks of its clock."""
    return _boot_ms() + ticks * 1000 // _ticks_a_second()


def open_files(pid: int) -> frozenset[str]:
    """Paths of regular files the process keeps open, as the kernel resolves them."""
    found: set[str] = set()
    try:
        with os.scandir(f"/proc/{pid}/fd") as entries:
            for entry in entries:
                with suppress(OSError):
                    found.add(os.readlink(entry.path))  # noqa: PTH115
    except OSError:
        return frozenset()
    return frozenset(clean(path, 4096) for path in found if path.startswith("/"))


def _trace_line(rows: Processes, pid: int) -> None:
    chain: list[Process] = []
    row = rows.get(pid)
    while row is not None and not row.line and row.ppid and len(chain) < LINE_LENGTH:
        chain.append(row)
        row = rows.get(row.ppid)
    line: tuple[Identity, ...] = () if row is None else (*row.line, row.identity)
    for row in reversed(chain):
        rows[row.pid] = replace(row, line=line[-LINE_LENGTH:])
        line = (*line, row.identity)


# --- Linux


@functools.cache
def _boot_ms() -> int:
    with open("/proc/stat", "rb") as file:  # noqa: PTH123 - no Path object for a file of the kernel
        match = re.search(rb"^btime (\d+)", file.read(), re.MULTILINE)
    return int(match[1]) * 1000 if match else 0


@functools.cache
def _ticks_a_second() -> int:
    return os.sysconf("SC_CLK_TCK")


class _Fields(Struct, frozen=True, gc=False):
    name: bytes
    rest: list[bytes]


def _stat(pid: int) -> _Fields | None:
    data = kernel.read(f"/proc/{pid}/stat", 1024)
    start, end = data.find(b"("), data.rfind(b")")
    return _Fields(data[start + 1 : end], data[end + 2 :].split(None, 21)) if end > 0 else None


def _created(fields: _Fields) -> int:
    return moment(int(fields.rest[19]))


def _linux(known: Mapping[int, Process]) -> Processes:
    rows: Processes = {}
    young = int(time.time() * 1000) - YOUNG_MS
    for entry in os.listdir("/proc"):  # noqa: PTH208 - a Path for each would double the cost
        if not entry.isdecimal():
            continue
        fields = _stat(int(entry))
        if fields is not None and not int(fields.rest[6]) & _KERNEL_THREAD:
            pid = int(entry)
            rows[pid] = _row(pid, fields, known.get(pid), young)
    return rows


def _row(pid: int, fields: _Fields, before: Process | None, young: int) -> Process:
    rest, born = fields.rest, _created(fields)
    ppid, pgid, sid = int(rest[1]), int(rest[2]), int(rest[3])
    state = _STATES.get(rest[0], "S")
    # A leader that left while other threads run looks like a zombie and is none.
    alive = state != "Z" or int(rest[17]) > 1
    name = fields.name.decode(errors="replace")
    if before is not None and before.created == born:
        if before.name == name and born < young:
            same = (before.ppid, before.pgid, before.sid, before.state) == (ppid, pgid, sid, state)
            if same and before.alive == alive:
                return before
            return replace(before, ppid=ppid, pgid=pgid, sid=sid, state=state, alive=alive)
        line = before.line
    else:
        line = ()
    terminal = rest[4] != b"0"
    return Process(
        pid, born, ppid, pgid, sid, _uid(pid), name, state, alive, terminal,
        _arguments(kernel.read(f"/proc/{pid}/cmdline", _COMMAND_BYTES)), _cwd(pid), _marks(pid), line,
    )  # fmt: skip


def _uid(pid: int) -> int:
    # The owner of /proc/<pid> says root for processes that hide their memory, as Codex does.
    match = re.search(rb"^Uid:\s+(\d+)", kernel.read(f"/proc/{pid}/status", 2048), re.MULTILINE)
    return int(match[1]) if match else -1


def _cwd(pid: int) -> str:
    try:
        return clean(str(Path(f"/proc/{pid}/cwd").readlink()), 4096)
    except OSError:
        return ""


def _arguments(command: bytes) -> tuple[str, ...]:
    parts = command.rstrip(b"\0").split(b"\0", ARGUMENTS)[:ARGUMENTS]
    texts = (part[: ARGUMENT_LENGTH * 4].decode(errors="replace") for part in parts)
    return tuple(one_line(text, ARGUMENT_LENGTH) for text in texts)


def _marks(pid: int) -> tuple[tuple[str, str], ...]:
    found = _MARK.findall(_environment(pid))
    return tuple((name.decode(), clean(value.decode(errors="replace"))) for name, value in found)


def _environment(pid: int) -> bytes:
    """The environment, secrets and all: nothing of it but the marks may be kept."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123
            return file.read(_ENVIRONMENT_BYTES)
    except OSError:
        return b""


# --- elsewhere


def _anywhere(known: Mapping[int, Process]) -> Processes:
    rows: Processes = {}
    young = int(time.time() * 1000) - YOUNG_MS
    for process in psutil.process_iter():
        try:
            rows[process.pid] = _psutil_row(process, known.get(process.pid), young)
        except psutil.Error:
            continue
    return rows


def _psutil_row(process: psutil.Process, before: Process | None, young: int) -> Process:
    born = int(process.create_time() * 1000)
    status = process.status()
    alive = status != psutil.STATUS_ZOMBIE
    pgid, sid = _group(process.pid, os.getpgid), _group(process.pid, os.getsid)
    state = "Z" if not alive else "T" if status == psutil.STATUS_STOPPED else "S"
    if before is not None and before.created == born and born < young:
        ppid = process.ppid()
        return replace(before, ppid=ppid, pgid=pgid, sid=sid, state=state, alive=alive)
    info = process.as_dict(["ppid", "name", "uids", "terminal", "cmdline", "cwd", "environ"])
    marks = info["environ"] or {}
    return Process(
        pid=process.pid, created=born, ppid=info["ppid"] or 0, pgid=pgid, sid=sid,
        uid=info["uids"].real if info["uids"] else -1, name=info["name"] or "",
        state=state, alive=alive, terminal=bool(info["terminal"]),
        argv=tuple(one_line(text, ARGUMENT_LENGTH) for text in (info["cmdline"] or [])[:ARGUMENTS]),
        cwd=clean(info["cwd"] or "", 4096),
        marks=tuple((name, clean(marks[name], 200)) for name in MARK_NAMES if name in marks),
        line=before.line if before is not None and before.created == born else (),
    )  # fmt: skip


def _group(pid: int, ask: Callable[[int], int]) -> int:
    try:
        return ask(pid)
    except OSError:
        return 0
