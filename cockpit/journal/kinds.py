"""What many calls have in common, kept once: text is the dearest part of a row."""

import sqlite3

from msgspec import Struct

from cockpit.core.call import KindKey
from cockpit.core.price import Mark

SCHEMA = """
CREATE TABLE kinds (
    kind INTEGER PRIMARY KEY, model TEXT, provider TEXT, tier TEXT, geo TEXT, mark TEXT,
    reason TEXT, lifetime_ms INTEGER, window INTEGER);
CREATE TABLE toolsets (toolset INTEGER PRIMARY KEY, tools TEXT);
"""


UNSEEN = 0
"""The set of tools of a call of which nobody looked for them: to bind a NULL costs as much as a row."""


class Kind(Struct, frozen=True):
    """Everything of a call but its run, its times and its figures."""

    model: str
    provider: str = ""
    tier: str = ""
    geo: str = ""
    mark: Mark = "exact"
    reason: str = ""
    lifetime_ms: int | None = None
    window: int | None = None


class Kinds:
    """Numbers for kinds and for sets of tools, both ways, given out as they are met."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self.numbers: dict[KindKey, int] = {}
        self._kind_of: dict[int, Kind] = {}
        self._toolsets: dict[tuple[str, ...] | None, int] = {None: UNSEEN}
        self._tools_of: dict[int, tuple[str, ...] | None] = {UNSEEN: None}

    def number(self, kind: KindKey) -> int:
        """The number of a kind, given out at its first call."""
        number = self.numbers.get(kind)
        if number is None:
            found = self._database.execute(
                "SELECT kind FROM kinds WHERE (model, provider, tier, geo, mark, reason)"
                " = (?, ?, ?, ?, ?, ?) AND lifetime_ms IS ? AND window IS ?",
                kind,
            ).fetchone()
            number = self.numbers[kind] = found[0] if found else self._add("kinds", kind)
        return number

    def kind(self, number: int) -> Kind:
        """The kind that a number stands for."""
        kind = self._kind_of.get(number)
        if kind is None:
            row = self._database.execute("SELECT * FROM kinds WHERE kind = ?", (number,)).fetchone()
            kind = self._kind_of[number] = Kind(*row[1:])
        return kind

    def toolset(self, tools: tuple[str, ...] | None) -> int:
        """The number of a set of tools, None where nobody looked."""
        number = self._toolsets.get(tools)
        if number is None:
            told = ",".join(tools or ())
            found = self._database.execute(
                "SELECT toolset FROM toolsets WHERE tools = ?", (told,)
            ).fetchone()
            number = self._toolsets[tools] = found[0] if found else self._add("toolsets", (told,))
        return number

    def tools(self, toolset: int) -> tuple[str, ...] | None:
        """The tools that a number stands for, None where nobody looked."""
        if toolset not in self._tools_of:
            row = self._database.execute(
                "SELECT tools FROM toolsets WHERE toolset = ?", (toolset,)
            ).fetchone()
            self._tools_of[toolset] = tuple(row[0].split(",")) if row[0] else ()
        return self._tools_of[toolset]

    def _add(self, table: str, values: tuple[object, ...]) -> int:
        marks = ", ".join("?" * len(values))
        cursor = self._database.execute(f"INSERT INTO {table} VALUES (NULL, {marks})", values)
        return int(cursor.lastrowid or 0)
