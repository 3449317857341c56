"""What was found out about runs, remembered between looks: profiles, groups and verdicts.

A cache in SQLite that can be made again. Command line and engine share it; whoever comes second waits.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self, TypeVar

import msgspec

from cockpit.architect.profile import Profile
from cockpit.architect.verdict import Judged
from cockpit.journal import paths

Found = TypeVar("Found")

VERSION = 1
BUSY_SECONDS = 30.0
_SCHEMA = """
CREATE TABLE profiles (source TEXT PRIMARY KEY, signature TEXT NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE verdicts (runs TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE groups (name TEXT PRIMARY KEY, at INTEGER NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
"""


class Findings:
    """The open cache."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """The cache at `path`, made anew when it is of another version; kept at the end."""
        paths.private(path.parent)
        path.touch(0o600)
        database = sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False)
        try:
            if database.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                for name in ("profiles", "verdicts", "groups"):
                    database.execute(f"DROP TABLE IF EXISTS {name}")
                database.executescript(_SCHEMA)
                database.execute(f"PRAGMA user_version = {VERSION}")
            yield cls(database)
            database.commit()
        finally:
            database.close()

    def profiles(self, source: str, signature: str) -> list[Profile] | None:
        """What was found in a source as it is now, None when nobody looked yet."""
        row = self._database.execute(
            "SELECT body FROM profiles WHERE source = ? AND signature = ?", (source, signature)
        ).fetchone()
        return _read(_profiles, row)

    def keep_profiles(self, source: str, signature: str, found: Sequence[Profile]) -> None:
        self._database.execute(
            "INSERT OR REPLACE INTO profiles VALUES (?, ?, ?)",
            (source, signature, _encoder.encode(list(found))),
        )

    def verdict(self, runs: str) -> Judged | None:
        """What was judged of exactly these runs."""
        row = self._database.execute("SELECT body FROM verdicts WHERE runs = ?", (runs,)).fetchone()
        return _read(_verdicts, row)

    def keep_verdict(self, runs: str, found: Judged) -> None:
        self._database.execute(
            "INSERT OR REPLACE INTO verdicts VALUES (?, ?)", (runs, _encoder.encode(found))
        )

    def groups(self) -> tuple[int, list[list[str]]]:
        """When all runs were last compared (ms), and which were found to be alike."""
        row = self._database.execute("SELECT at, body FROM groups").fetchone()
        return (row[0], _groups.decode(row[1])) if row else (0, [])

    def keep_groups(self, at: int, found: Iterable[Sequence[Profile]]) -> None:
        names = [[one.run for one in group] for group in found]
        self._database.execute("DELETE FROM groups")
        self._database.execute(
            "INSERT INTO groups VALUES ('runs', ?, ?)", (at, _encoder.encode(names))
        )


def _read(decoder: "msgspec.msgpack.Decoder[Found]", row: tuple[bytes] | None) -> Found | None:
    try:
        return decoder.decode(row[0]) if row else None
    except msgspec.MsgspecError:
        return None


_encoder = msgspec.msgpack.Encoder()
_profiles = msgspec.msgpack.Decoder(list[Profile])
_verdicts = msgspec.msgpack.Decoder(Judged)
_groups = msgspec.msgpack.Decoder(list[list[str]])
