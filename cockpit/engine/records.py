"""What is on disk about runs that have a runner: enough to govern them, or to sweep what they left.

`<run>.json` is written by the engine, durably, before the agent's first instruction; `<run>.tree`
once a second by the runner; `<run>.end` by a runner that ends while no engine is there. No file holds
a key, a prompt or output.
"""

import os
import re
import stat
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import msgspec
from msgspec import Struct

from cockpit.engine import kernel
from cockpit.engine.processes import Identity, created, moment
from cockpit.journal import paths

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_SOCKET_BYTES = 100
_LONGEST_NAME = 24


class Record(Struct, frozen=True):
    """One agent at its birth. Ticks are the kernel's start times, valid within one `boot`.

    `created` and `runner_created` are the engine's own measure of the same, for systems without ticks.
    """

    run: str
    secret: str
    pid: int
    ticks: int
    sid: int
    boot: str
    runner: int
    runner_ticks: int
    cgroup: str = ""
    authority: str = "process"
    born: int = 0
    created: int = 0
    runner_created: int = 0

    @property
    def agent(self) -> Identity:
        """The agent's process."""
        return (self.pid, moment(self.ticks) if kernel.LINUX else self.created)

    @property
    def owner(self) -> Identity:
        """The runner's process."""
        return (self.runner, moment(self.runner_ticks) if kernel.LINUX else self.runner_created)

    @property
    def is_of_this_boot(self) -> bool:
        """Whether the machine has not been started anew since."""
        return self.boot == kernel.boot()


class Kin(Struct, frozen=True):
    """Processes last seen in a run's tree, and the sessions they lived in."""

    processes: tuple[Identity, ...] = ()
    sessions: tuple[int, ...] = ()


class End(Struct, frozen=True):
    """What a runner wrote when no engine was there. `code` is None if the agent never ended."""

    code: int | None = None
    by: str = ""


def directory() -> Path:
    """Where runners keep their sockets and files; made if missing, private.

    Raises:
        OSError: when it cannot be made, or another user's is in its place.
    """
    place = paths.state() / "runners"
    if len(os.fsencode(place)) + _LONGEST_NAME > _SOCKET_BYTES:
        digest = blake2b(os.fsencode(place), digest_size=8).hexdigest()
        place = paths.private(Path(f"/tmp/cockpit-{os.getuid()}")) / digest
        _check(place.parent)
    paths.private(place)
    _check(place)
    return place


def _check(place: Path) -> None:
    status = place.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise PermissionError(f"{place} is not ours")
    if status.st_mode & 0o077:
        place.chmod(0o700)


def named(run: str) -> str:
    """The run's name, if it can be a file's.

    Raises:
        ValueError: when it cannot.
    """
    if not _NAME.fullmatch(run):
        raise ValueError(f"{run!r} names no run that cockpit started")
    return run


def socket_of(run: str) -> Path:
    """Where the run's runner listens.

    Raises:
        ValueError: for what cannot be the name of such a run.
    """
    return directory() / f"{named(run)}.sock"


def channel_of(run: str) -> Path:
    """Where the driver of the run's agent listens, if it has one.

    Raises:
        ValueError: for what cannot be the name of such a run.
    """
    return directory() / f"{named(run)}.chan"


def write(record: Record) -> None:
    """Makes the record durable: it is on the disk when this returns."""
    place = directory()
    fresh = place / f"{named(record.run)}.json.new"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, msgspec.json.encode(record))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    fresh.replace(place / f"{record.run}.json")
    _sync(place)


def _sync(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def every() -> Iterator[Record]:
    """Every record on disk; a broken one is removed."""
    for path in sorted(directory().glob("*.json")):
        try:
            yield msgspec.json.decode(path.read_bytes(), type=Record)
        except msgspec.DecodeError:
            path.unlink(missing_ok=True)
        except OSError:
            continue


def kin(run: str) -> Kin:
    """The tree as the runner last wrote it."""
    try:
        rows = msgspec.json.decode((directory() / f"{run}.tree").read_bytes())["rows"]
        return Kin(
            tuple(_identity(int(pid), int(ticks)) for pid, ticks, _ in rows),
            tuple(sorted({int(sid) for _, _, sid in rows})),
        )
    except (OSError, msgspec.DecodeError, KeyError, TypeError, ValueError):
        return Kin()


def _identity(pid: int, ticks: int) -> Identity:
    if kernel.LINUX:
        return (pid, moment(ticks))
    born = created(pid) or 0
    return (pid, born if born // 1000 == ticks else 0)


def end(run: str) -> End | None:
    """What the runner wrote at its end, None when it wrote nothing."""
    try:
        return msgspec.json.decode((directory() / f"{run}.end").read_bytes(), type=End)
    except (OSError, msgspec.DecodeError):
        return None


def forget(run: str) -> None:
    """Removes every file of the run."""
    place = directory()
    for ending in ("json", "tree", "end", "sock", "chan", "json.new", "tree.new", "end.new"):
        path = place / f"{run}.{ending}"
        if path.exists():
            path.unlink(missing_ok=True)
