"""Who owns the ledger: one process at a time, named so that a reused pid cannot pass for it."""

import fcntl
import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import sqlalchemy as sa
from msgspec import Struct

ADVISORY_LOCK = 0x636F636B706974
"""PostgreSQL's number of the ledger's lock ("cockpit")."""


class LedgerOwnedError(Exception):
    """Another process owns the ledger."""


class Owner(Struct, frozen=True):
    """A process, its start (in the kernel's own steps since boot) and the boot it belongs to."""

    pid: int
    start: int
    boot: str


@functools.cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return str(int(psutil.boot_time()))


def _start(pid: int) -> int | None:
    """Steps since boot on Linux: unlike a time of day they survive a clock that is set."""
    if sys.platform != "linux":
        try:
            return int(psutil.Process(pid).create_time() * 1000)
        except psutil.Error:
            return None
    try:
        line = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = line[line.rfind(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def this_process() -> Owner:
    return Owner(os.getpid(), _start(os.getpid()) or 0, _boot())


def is_alive(owner: Owner) -> bool:
    """Whether that very process still runs, on this boot of this machine."""
    return owner.boot == _boot() and _start(owner.pid) == owner.start


def own(path: Path | str, engine: sa.Engine) -> Callable[[], None]:
    """Takes the ledger for this process; the function returned gives it back, as dying does.

    Raises:
        LedgerOwnedError: when somebody else has it.
    """
    return _own_file(path) if isinstance(path, Path) else _own_database(engine)


def _own_file(path: Path) -> Callable[[], None]:
    lock = os.open(f"{path}.owner", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise LedgerOwnedError("another process owns the ledger") from error
    return lambda: os.close(lock)


def _own_database(engine: sa.Engine) -> Callable[[], None]:
    connection = engine.connect()
    connection.detach()  # the lock is the session's: closing must end it, not lend it to others
    taken = connection.execute(sa.select(sa.func.pg_try_advisory_lock(ADVISORY_LOCK))).scalar()
    connection.commit()
    if not taken:
        connection.close()
        raise LedgerOwnedError("another process owns the ledger")
    return connection.close
