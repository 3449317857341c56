"""The usage index: every call that other agents' transcripts tell of, each counted once.

A cache in SQLite that can be made again from the transcripts. A source's cursor and the calls found
up to it are committed together, so a kill -9 neither loses a call nor counts one twice. Calls are
keyed by a 64-bit hash of the provider's message id: forks, resumes and replays fall together.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any, Self

import msgspec
from msgspec import Struct

from cockpit.core.call import Call, Cursor, Source, Told
from cockpit.core.tokens import Tokens
from cockpit.journal import kinds, paths, rows
from cockpit.journal.batch import Batch
from cockpit.journal.left_out import NOTHING
from cockpit.journal.rows import (
    INSERT,
    INSERT_MANY,
    NANO,
    REPLACE,
    ROWS_AT_ONCE,
    Price,
    Row,
    Rows,
    key_of,
    merge,
)

VERSION = 5
PENDING_LIMIT = 60_000
"""Rows held before they are written (some 30 MB): in one sorted batch a row costs a quarter."""
KEYS_AT_ONCE = 500
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE runs (
    number INTEGER PRIMARY KEY, run TEXT UNIQUE, agent TEXT, session TEXT, parent TEXT,
    name TEXT, project TEXT, branch TEXT, modified INTEGER NOT NULL DEFAULT 0);
CREATE TABLE sources (path TEXT PRIMARY KEY, agent TEXT, cursor BLOB, bad_lines INTEGER) WITHOUT ROWID;
"""
_INDEXES = """
CREATE INDEX IF NOT EXISTS calls_at ON calls (at);
CREATE INDEX IF NOT EXISTS calls_run ON calls (run);
"""
_ADVANCE = (
    "INSERT INTO sources VALUES (?1, ?2, ?3, ?4) ON CONFLICT (path) DO UPDATE SET"
    " cursor = excluded.cursor, bad_lines = iif(?5, 0, bad_lines) + excluded.bad_lines"
)
_Merged = dict[int, tuple[int, Call]]


class IndexBusyError(Exception):
    """Another process writes the index now."""


class Booked(Struct, frozen=True):
    """What one call added to the books.

    `added` and `nano` are the difference to what was booked under the same id before; `revision`
    tells that there was something. `run` may differ from `call.run` when another file owns the id.
    """

    call: Call
    run: str
    added: Tokens
    nano: int | None
    revision: bool


class IndexedRun(Struct, frozen=True):
    """A run as the index knows it; empty texts are unknown."""

    run: str
    agent: str
    session: str
    parent: str | None
    name: str
    project: str
    branch: str


class Index:
    """The open index. One process writes at a time; `read_only` ones never wait for it."""

    def __init__(self, database: sqlite3.Connection, lock: int | None) -> None:
        self._database = database
        self._lock = lock
        self._numbers: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self.kinds = kinds.Kinds(database)
        self._rows = Rows(self.kinds)
        self._moved: set[str] = set()
        self._batch: Batch | None = None
        self._advanced: list[tuple[str, str, bytes, int, bool]] = []
        self._owners: dict[tuple[int, int], int] = {}

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> Self:
        """The index at `path`, made or made anew if it is missing, damaged or of another version.

        Raises:
            IndexBusyError: when another process holds it for writing.
            FileNotFoundError: when it is to be read only and does not exist in this version.
        """
        if read_only:
            if not path.exists():
                raise FileNotFoundError(path)
            database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False)
            if _version(database) != VERSION:
                database.close()
                raise FileNotFoundError(f"{path} is of another version")
            return cls(database, None)
        paths.private(path.parent)
        lock = _locked(path.with_suffix(".lock"))
        try:
            return cls(_writable(path), lock)
        except sqlite3.DatabaseError:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{path}{suffix}").unlink(missing_ok=True)
            return cls(_writable(path), lock)

    def close(self) -> None:
        """Commits, and lets another process write."""
        if self._lock is not None:
            self.commit()
        self._database.close()
        if self._lock is not None:
            os.close(self._lock)

    def commit(self) -> None:
        """Makes everything since the last commit durable at once."""
        self._flush()
        self._database.commit()

    def rollback(self) -> None:
        """Forgets everything since the last commit, as a crash would."""
        self._batch = None
        self._advanced.clear()
        self._owners.clear()
        self._database.rollback()
        self._numbers.clear()
        self._names.clear()
        self.kinds = kinds.Kinds(self._database)
        self._rows = Rows(self.kinds)

    # --- sources

    def cursors(self) -> dict[str, Cursor]:
        """How far every known source was read."""
        self._flush()
        rows = self._database.execute("SELECT path, cursor FROM sources")
        return {path: _cursors.decode(cursor) for path, cursor in rows}

    def bad_lines(self) -> int:
        """Of all sources."""
        self._flush()
        row = self._database.execute("SELECT total(bad_lines) FROM sources").fetchone()
        return int(row[0])

    def bad_lines_of(self, path: str) -> int:
        """Of one source."""
        self._flush()
        row = self._database.execute(
            "SELECT bad_lines FROM sources WHERE path = ?", (path,)
        ).fetchone()
        return row[0] if row else 0

    def advance(self, source: Source, cursor: Cursor, bad_lines: int, *, anew: bool) -> None:
        """Remembers how far a source was read; `anew` forgets its earlier bad lines."""
        told = (source.path, source.agent, _encoder.encode(cursor), bad_lines, anew)
        self._advanced.append(told)

    # --- runs

    def number(
        self, run: str, agent: str, session: str = "", parent: str | None = None, modified: int = 0
    ) -> int:
        """The run's number in this index, given out at its first call."""
        number = self._numbers.get(run)
        if number is None:
            row = self._database.execute(
                "INSERT INTO runs (run, agent, session, parent, modified) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (run) DO UPDATE SET parent = coalesce(excluded.parent, parent),"
                " session = coalesce(nullif(session, ''), excluded.session),"
                " modified = iif(modified, modified, excluded.modified) RETURNING number",
                (run, agent, session, parent, modified),
            ).fetchone()
            number = self._numbers[run] = int(row[0])
            self._names[number] = run
        return number

    def describe(
        self,
        run: str,
        agent: str,
        *,
        name: str = "",
        titled: bool = False,
        project: str = "",
        branch: str = "",
    ) -> None:
        """Remembers what a run is about; empty texts leave what was known, a title wins as name."""
        self._database.execute(
            "INSERT INTO runs (run, agent, name, project, branch)"
            " VALUES (?, ?, nullif(?, ''), nullif(?, ''), nullif(?, '')) ON CONFLICT (run) DO UPDATE SET"
            f" name = coalesce({'excluded.name, name' if titled else 'name, excluded.name'}),"
            " project = coalesce(nullif(project, ''), excluded.project, ''),"
            " branch = coalesce(excluded.branch, branch)",
            (run, agent, name, project, branch),
        )

    def runs(self) -> dict[int, IndexedRun]:
        """Every run by its number."""
        rows = self._database.execute(
            "SELECT number, run, agent, session, parent, name, project, branch FROM runs"
        )
        return {
            row[0]: IndexedRun(
                row[1], row[2], row[3] or "", row[4], row[5] or "", row[6] or "", row[7] or ""
            )
            for row in rows
        }

    def undescribed(self) -> dict[str, str]:
        """Runs whose project was never looked for, with their agents."""
        rows = self._database.execute("SELECT run, agent FROM runs WHERE project IS NULL")
        return dict(rows.fetchall())

    # --- calls

    def book(
        self, source: Source, calls: Iterable[Call], price: Price, modified: int = 0
    ) -> list[Booked]:
        """Books calls; each id once, class by class the largest figure ever told of it.

        Of two files that tell of one call the run without a parent owns it, then the older file:
        a fork copies its origin. Returns what was added, nothing for what was known.
        """
        self._flush()
        merged: _Merged = {}
        self._merge_into(merged, source, calls, modified)
        rows = [
            self._rows.row(key, run, call, price(call))
            for key, (run, call) in sorted(merged.items(), key=_key)
        ]
        if self._insert_new(rows):
            called = [merged[row[0]][1] for row in rows]
            return [
                Booked(call, call.run, call.tokens, row[NANO], revision=False)
                for call, row in zip(called, rows, strict=True)
            ]
        booked = (self._book_one(row, merged[row[0]][1], price) for row in rows)
        return [one for one in booked if one is not None]

    def enter(self, source: Source, told: Iterable[Told], price: Price, modified: int = 0) -> None:
        """As `book`, for history that nobody waits to hear of: written in large batches.

        Everything entered is in the books after the next `commit`.
        """
        if self._batch is None or price is not self._batch.price:
            self._flush()
            self._batch = Batch(self._rows, price, self._owner)
        self._batch.enter(told, lambda run: self._number_of(source, run, modified))
        if len(self._batch.pending) > PENDING_LIMIT:
            self._flush()

    def _flush(self) -> None:
        if self._advanced:
            self._database.executemany(_ADVANCE, self._advanced)
            self._advanced.clear()
        batch, self._batch = self._batch, None
        self._owners.clear()
        if batch is None:
            return
        rows = sorted(batch.pending.values(), key=_key)
        known = self._known(rows)
        new = [row for row in rows if row[0] not in known] if known else rows
        self._insert(new)
        for key in known:
            row = batch.pending[key]
            self._book_one(row, self._rows.call(row, None, self._name(row[1])), batch.price)

    def _known(self, rows: list[Row]) -> set[int]:
        """The keys of those rows that are in the books already."""
        if not rows or self._database.execute("SELECT 1 FROM calls LIMIT 1").fetchone() is None:
            return set()
        known: set[int] = set()
        for start in range(0, len(rows), KEYS_AT_ONCE):
            keys = [row[0] for row in rows[start : start + KEYS_AT_ONCE]]
            found = self._database.execute(
                f"SELECT key FROM calls WHERE key IN ({','.join('?' * len(keys))})", keys
            )
            known.update(row[0] for row in found)
        return known

    def _insert(self, new: list[Row]) -> None:
        """Many rows a statement: they cost a third of as many statements."""
        whole = len(new) - len(new) % ROWS_AT_ONCE
        flat = (_joined(new[at : at + ROWS_AT_ONCE]) for at in range(0, whole, ROWS_AT_ONCE))
        self._database.executemany(INSERT_MANY, flat)
        self._database.executemany(INSERT, new[whole:])

    def _merge_into(
        self, merged: _Merged, source: Source, calls: Iterable[Call], modified: int
    ) -> None:
        for call in calls:
            key, run = (
                key_of(call.id.encode("utf-8", "replace")),
                self._number_of(source, call.run, modified),
            )
            known = merged.get(key)
            merged[key] = (
                (run, call)
                if known is None
                else (self._owner(known[0], run), merge(known[1], call))
            )

    def _insert_new(self, rows: list[Row]) -> bool:
        """Inserts all rows if none of them is known; otherwise changes nothing."""
        if not rows:
            return True
        if not self._database.in_transaction:  # releasing an outermost savepoint would commit
            self._database.execute("BEGIN")
        self._database.execute("SAVEPOINT batch")
        before = self._database.total_changes
        self._database.executemany(INSERT, rows)
        all_new = self._database.total_changes - before == len(rows)
        if not all_new:
            self._database.execute("ROLLBACK TO batch")
        self._database.execute("RELEASE batch")
        return all_new

    def _number_of(self, source: Source, run: str, modified: int) -> int:
        own = run == source.run
        return self.number(
            run,
            source.agent,
            source.session if own else "",
            source.parent if own else None,
            modified,
        )

    def _book_one(self, row: Row, call: Call, price: Price) -> Booked | None:
        stored = self._database.execute("SELECT * FROM calls WHERE key = ?", (row[0],)).fetchone()
        if stored is None:
            self._database.execute(INSERT, row)
            return Booked(call, call.run, call.tokens, row[NANO], revision=False)
        if stored == row:
            return None
        known = self._rows.call(stored, call)
        largest = merge(known, call)
        owner = self._owner(stored[1], row[1])
        nano = price(largest)
        changed = self._rows.row(row[0], owner, largest, nano)
        if changed == stored:
            return None
        if owner != stored[1]:
            self._moved |= {self._name(stored[1]), self._name(owner)}
        self._database.execute(REPLACE, changed)
        added = largest.tokens - known.tokens
        delta = None if nano is None else nano - (stored[NANO] or 0)
        if added == Tokens() and not delta and largest.mark == known.mark:
            return None
        return Booked(largest, self._name(owner), added, delta, revision=True)

    def _owner(self, known: int, claims: int) -> int:
        if known == claims:
            return known
        owner = self._owners.get((known, claims))
        if owner is None:
            owner = self._owners[known, claims] = self._elder(known, claims)
        return owner

    def _elder(self, known: int, claims: int) -> int:
        rows = self._database.execute(
            "SELECT number FROM runs WHERE number IN (?, ?) ORDER BY parent IS NOT NULL, modified, number",
            (known, claims),
        )
        return int(rows.fetchone()[0])

    def moved(self) -> set[str]:
        """Runs that lost a call to another run, or won one, since this was last asked."""
        moved, self._moved = self._moved, set()
        return moved

    def _name(self, number: int) -> str:
        if number not in self._names:
            row = self._database.execute(
                "SELECT run FROM runs WHERE number = ?", (number,)
            ).fetchone()
            self._names[number] = row[0]
        return self._names[number]

    def without_tools(self) -> set[str]:
        """Runs with calls of which nobody looked for the tools."""
        rows = self._database.execute(
            "SELECT DISTINCT runs.run FROM calls JOIN runs ON runs.number = calls.run"
            f" WHERE toolset = {kinds.UNSEEN}"
        )
        return {run for (run,) in rows}

    def add_tools(self, asked: Mapping[str, tuple[str, ...]]) -> None:
        """Remembers the tools of calls, by id, where nobody had looked for them."""
        self._database.executemany(
            f"UPDATE calls SET toolset = ? WHERE key = ? AND toolset = {kinds.UNSEEN}",
            [
                (self.kinds.toolset(tools), key_of(id_.encode("utf-8", "replace")))
                for id_, tools in asked.items()
            ],
        )

    def calls_of(self, run: str) -> Iterator[Booked]:
        """Every call booked for a run, oldest first, as if it had just been booked."""
        rows = self._database.execute(
            "SELECT calls.* FROM calls JOIN runs ON runs.number = calls.run WHERE runs.run = ? ORDER BY at",
            (run,),
        )
        for row in rows:
            call = self._rows.call(row, None, run)
            yield Booked(call, run, call.tokens, row[NANO], revision=False)

    def newest_call(self, runs: Iterable[str]) -> int | None:
        """When the last call of any of these runs was recorded; None when there is none."""
        self._flush()
        newest = (
            self._database.execute(
                "SELECT max(at) FROM calls JOIN runs ON runs.number = calls.run WHERE runs.run = ?",
                (run,),
            ).fetchone()[0]
            for run in runs
        )
        return max((at for at in newest if at is not None), default=None)

    def spent_by_quarter(self, since: int, left_out: str = NOTHING) -> dict[int, int]:
        """Nano-dollars of calls since `since`, by quarters of an hour; `left_out` count elsewhere."""
        rows = self._database.execute(
            "SELECT at / 900000, sum(nano) FROM calls WHERE at >= ?"
            " AND key NOT IN (SELECT value FROM json_each(?)) GROUP BY 1",
            (since, left_out),
        )
        return {quarter: nano for quarter, nano in rows if nano}

    def reprice(self, fingerprint: str, price: Price) -> int:
        """Prices every call anew if the prices changed since it was booked; returns how many."""
        row = self._database.execute("SELECT value FROM meta WHERE key = 'prices'").fetchone()
        if row and row[0] == fingerprint:
            return 0
        rows = self._database.execute("SELECT * FROM calls")
        changes = [
            (nano, row[0])
            for row in rows
            if (nano := price(self._rows.call(row, None))) != row[NANO]
        ]
        self._database.executemany("UPDATE calls SET nano = ? WHERE key = ?", changes)
        self._database.execute("INSERT OR REPLACE INTO meta VALUES ('prices', ?)", (fingerprint,))
        return len(changes)

    def query(self, statement: str, arguments: tuple[Any, ...] = ()) -> list[Row]:
        """Rows of a SELECT over `calls`, `runs` and `sources`."""
        return self._database.execute(statement, arguments).fetchall()

    def make_indexes(self) -> None:
        """Secondary indexes: made after a first scan, because they make inserting dearer."""
        self._database.executescript(_INDEXES)


_encoder = msgspec.msgpack.Encoder()
_cursors = msgspec.msgpack.Decoder(Cursor)


_key = itemgetter(0)


def _joined(rows: list[Row]) -> list[Any]:
    """Their values one after another, half as dear as with `chain`."""
    values: list[Any] = []
    for row in rows:
        values += row
    return values


def _locked(path: Path) -> int:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise IndexBusyError(str(path)) from error
    return lock


def _writable(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    database = sqlite3.connect(path, check_same_thread=False)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    if _version(database) != VERSION:
        for kind, name in database.execute(
            "SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
        ).fetchall():
            database.execute(f"DROP {kind} IF EXISTS {name}")
        database.executescript(_SCHEMA + rows.SCHEMA + kinds.SCHEMA)
        database.execute(f"PRAGMA user_version = {VERSION}")
    return database


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])
