"""OpenCode's database, read without ever writing beside it, and its rows by what changed."""

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from cockpit.agents.loose import Table

WAL_VERSION = 2
COPY_LIMIT = 2 << 30
WAIT_SECONDS = 0.2
ID_TIME_BITS = 36
"""An id holds the low 36 bits of its creation time in milliseconds, as nine hexadecimal digits."""
COPY_AFTER_MS = 5_000

_STAMP = re.compile(r"msg_([0-9a-f]{9})")
_PARTS = (
    "SELECT p.rowid, p.id, p.session_id, p.time_created, p.time_updated, p.data, m.data"
    " FROM part p LEFT JOIN message m ON m.id = p.message_id"
)
_MESSAGES = "SELECT rowid, id, session_id, data FROM message"


class MessageRow(NamedTuple):
    """A row of `message`; `data` is JSON."""

    row: int
    id: str
    session: str
    data: object


class PartRow(NamedTuple):
    """A row of `part` and the JSON of its message. Times are milliseconds."""

    row: int
    id: str
    session: str
    created: object
    updated: object
    data: object
    message: object


@contextmanager
def opened(path: Path) -> Iterator["Rows"]:
    """The database in one read transaction, read-only, without creating or touching `-shm`.

    Raises:
        sqlite3.Error: when it is locked, damaged, or no database.
        OSError: when it is gone or may not be read.
    """
    wal, shared = Path(f"{path}-wal"), Path(f"{path}-shm")
    if not _uses_wal(path):
        yield from _rows(path, "mode=ro")
    elif shared.exists():
        yield from _rows(path, "mode=ro&readonly_shm=1")
    elif not (wal.exists() and wal.stat().st_size):
        yield from _rows(path, "mode=ro&immutable=1")
    else:
        yield from _copied(path, wal)


def _copied(path: Path, wal: Path) -> Iterator["Rows"]:
    """A log that nobody has open can only be read by recovering it: on a copy."""
    import shutil  # seldom needed, and tempfile alone costs 10 ms
    import tempfile

    if path.stat().st_size > COPY_LIMIT:
        raise OSError(f"{path}: too large to copy, and its log is open nowhere")
    with tempfile.TemporaryDirectory(prefix="cockpit-") as directory:
        copy = Path(directory) / "opencode.db"
        shutil.copyfile(path, copy)
        shutil.copyfile(wal, f"{copy}-wal")
        yield from _rows(copy, "mode=rw")


def _uses_wal(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(20)[18:19] == bytes((WAL_VERSION,))


def _rows(path: Path, options: str) -> Iterator["Rows"]:
    uri = f"file:{quote(str(path.absolute()))}?{options}"
    with closing(
        sqlite3.connect(uri, uri=True, timeout=WAIT_SECONDS, isolation_level=None)
    ) as database:
        database.text_factory = lambda data: data.decode("utf-8", "replace")
        database.execute("BEGIN")
        yield Rows(database)


class Rows:
    """Questions to the database. Columns that a version does not have are empty."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._execute = database.execute

    def newest(self, table: str) -> tuple[int, str]:
        """Row id and id of the row that was written last."""
        query = f"SELECT rowid, id FROM {table} ORDER BY rowid DESC LIMIT 1"
        found = self._execute(query).fetchone()
        return (found[0], found[1]) if found else (0, "")

    def still_has(self, table: str, row: int, id_: str) -> bool:
        """Whether the row is where it was: then rows were only appended behind it."""
        found = self._execute(f"SELECT id FROM {table} WHERE rowid = ?", (row,)).fetchone()
        return not row or found == (id_,)

    def messages(self, after: int, again: Iterable[str]) -> Iterator[MessageRow]:
        """The messages `again` as they are now, then those written behind the row `after`."""
        for id_ in again:
            yield from self._messages("WHERE id = ? AND rowid <= ?", id_, after)
        yield from self._messages("WHERE rowid > ? ORDER BY rowid", after)

    def _messages(self, clause: str, *values: object) -> Iterator[MessageRow]:
        return map(MessageRow._make, self._execute(f"{_MESSAGES} {clause}", values))

    def parts(self, after: int, again: Iterable[str]) -> Iterator[PartRow]:
        """The parts `again` as they are now, then those written behind the row `after`."""
        for id_ in again:
            yield from self._parts("WHERE p.id = ? AND p.rowid <= ?", id_, after)
        yield from self._parts("WHERE p.rowid > ? ORDER BY p.rowid", after)

    def parts_since(self, instant: int) -> Iterator[PartRow]:
        """Parts changed after an instant; reads the whole table."""
        return self._parts("WHERE p.time_updated > ? ORDER BY p.rowid", instant)

    def parts_of(self, session: str) -> Iterator[PartRow]:
        """All parts of a session, oldest first."""
        return self._parts("WHERE p.session_id = ? ORDER BY p.rowid", session)

    def last_parts(self, session: str, before: int, limit: int) -> list[PartRow]:
        """The parts of a session in front of the row `before`, newest first."""
        clause = "WHERE p.session_id = ? AND p.rowid < ? ORDER BY p.rowid DESC LIMIT ?"
        return list(self._parts(clause, session, before, limit))

    def _parts(self, clause: str, *values: object) -> Iterator[PartRow]:
        return map(PartRow._make, self._execute(f"{_PARTS} {clause}", values))

    def tools(self, message: str) -> list[object]:
        """The JSON of a message's tool parts."""
        query = 'SELECT data FROM part WHERE message_id = ? AND data LIKE \'{"type":"tool"%\''
        return [row[0] for row in self._execute(query, (message,))]

    def original(self, id_: str, created: int) -> str:
        """The id of the message this one was copied from by a fork, or its own."""
        stamp = _STAMP.match(id_)
        low = created % (1 << ID_TIME_BITS)
        if not stamp or not created or abs(int(stamp[1], 16) - low) <= COPY_AFTER_MS:
            return id_
        query = "SELECT min(id) FROM message WHERE id >= ? AND id < ?"
        found = self._execute(query, (f"msg_{low:09x}", f"msg_{low + 1:09x}")).fetchone()
        return found[0] or f"msg_{low:09x}"

    def sessions_since(self, instant: int) -> list[Table]:
        """Sessions changed at or after an instant, oldest first."""
        return self._sessions("WHERE time_updated >= ? ORDER BY time_created", instant)

    def session(self, id_: str) -> Table | None:
        """One session."""
        return next(iter(self._sessions("WHERE id = ?", id_)), None)

    def _sessions(self, clause: str, value: object) -> list[Table]:
        have = {row[1] for row in self._execute("PRAGMA table_info(session)")}
        wanted = ("id", "parent_id", "directory", "title", "model", "time_created", "time_updated")
        columns = ", ".join(name if name in have else f"NULL AS {name}" for name in wanted)
        rows = self._execute(f"SELECT {columns} FROM session {clause}", (value,))
        return [dict(zip(wanted, row, strict=True)) for row in rows]
