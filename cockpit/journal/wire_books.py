"""The books of governed runs for readers: what the ledger settled, and whose transcripts it holds.

Read in plain SQLite, because SQLAlchemy takes longer to import than a report to make.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from msgspec import Struct

from cockpit.core import events as e
from cockpit.core.spending import Spent
from cockpit.core.tokens import Tokens
from cockpit.journal.rows import key_of
from cockpit.journal.wired import KINDS, GovernedRun, Span, governed_of, spans_of

QUARTER_MS = 900_000
MARGIN_MS = 86_400_000
"""Ledger and transcript may date one call so far apart and still find each other."""
_CLASSES = Tokens.__struct_fields__
_HAS_LEDGER = (
    "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ('events', 'calls')"
)
_STORY = (
    "SELECT body FROM events WHERE run >= 'run-' AND run < 'run.'"
    f" AND kind IN ({','.join('?' * len(KINDS))}) ORDER BY seq"
)
_LATE = ", ".join(f"sum({name}) AS {name}" for name in (*_CLASSES, "nano"))
_ONE = ", ".join(
    f"calls.{name} + coalesce(late.{name}, 0) AS {name}" for name in (*_CLASSES, "nano")
)
# The plus keeps SQLite off the index of `adjusts`: where nearly all are NULL it reads row by row.
_SETTLED = f"""
SELECT run, model, iif(?, ended / {QUARTER_MS}, 0), {", ".join(f"sum({name})" for name in _CLASSES)},
    coalesce(sum(iif(billing = 'money', nano, 0)), 0), count(*), count(*) - count(nano),
    coalesce(sum(iif(billing = 'money' AND mark <> 'exact', nano, 0)), 0),
    coalesce(sum(iif(billing = 'money', 0, nano)), 0)
FROM (
    SELECT run, ended, billing, coalesce(late.model, calls.model) AS model,
        coalesce(late.mark, calls.mark) AS mark, {_ONE}
    FROM calls LEFT JOIN (
        SELECT adjusts, model, mark, max(seq), {_LATE}
        FROM calls WHERE adjusts IS NOT NULL GROUP BY adjusts
    ) AS late ON late.adjusts = calls.call
    WHERE state = 'settled' AND +calls.adjusts IS NULL AND ended >= ? AND ended < ?
) GROUP BY 1, 2, 3
"""
_LATELY = f"""
SELECT coalesce(first.ended, calls.ended) / {QUARTER_MS}, sum(calls.nano)
FROM calls LEFT JOIN calls AS first ON first.call = calls.adjusts
WHERE calls.seq >= ? AND calls.billing = 'money' AND coalesce(first.ended, calls.ended) >= ?
GROUP BY 1
"""


class Settled(Struct, frozen=True):
    """What a governed run spent with one model, and in which quarter of an hour where that matters."""

    run: str
    model: str
    quarter: int
    spent: Spent


class WireBooks:
    """The journal, opened read-only. Adjustments count at the moment of the call they correct."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    @classmethod
    def open(cls, path: Path) -> Self | None:
        """None where there is no journal, or one from before there was a ledger.

        Raises:
            sqlite3.Error: when it cannot be read.
        """
        if not path.exists():
            return None
        address = f"{path.absolute().as_uri()}?mode=ro"
        database = sqlite3.connect(address, uri=True, check_same_thread=False)
        if database.execute(_HAS_LEDGER).fetchone()[0] == 2:
            return cls(database)
        database.close()
        return None

    @classmethod
    @contextmanager
    def reading(cls, path: Path) -> Iterator[Self | None]:
        """As `open`, everything as of one moment, closed at the end."""
        books = cls.open(path)
        if books is None:
            yield None
            return
        try:
            books._database.execute("BEGIN")
            yield books
        finally:
            books.close()

    def close(self) -> None:
        self._database.close()

    def spans(self) -> list[Span]:
        """Every span in which the wire held a transcript's books."""
        return spans_of(self._story())

    def runs(self) -> dict[str, GovernedRun]:
        """Every governed run, by id."""
        return governed_of(self._story())

    def _story(self) -> list[e.Event]:
        return [e.decode(body) for (body,) in self._database.execute(_STORY, KINDS)]

    def settled(self, since: int, until: int, *, by_quarter: bool = False) -> list[Settled]:
        """What ended in [since, until) milliseconds; a subscription's dollars are told apart."""
        rows = self._database.execute(_SETTLED, (by_quarter, since, until))
        return [
            Settled(run, model, quarter, _spent(figures)) for run, model, quarter, *figures in rows
        ]

    def spent_by_quarter(self, since: int) -> dict[int, int]:
        """Nano-dollars of all calls that ended since `since`, by quarters of an hour."""
        rows = self._database.execute(_LATELY, (self._first_seq(since), since))
        return {quarter: nano for quarter, nano in rows if nano}

    def messages(self, since: int) -> list[int]:
        """Keys of the provider's messages of calls since `since`, as the usage index has them."""
        rows = self._database.execute(
            "SELECT CAST(message AS BLOB) FROM calls WHERE seq >= ? AND message <> ''",
            (self._first_seq(since),),
        )
        return [key_of(message) for (message,) in rows]

    def _first_seq(self, since: int) -> int:
        """Where in the books to begin: they are in the order of settling, almost that of ending."""
        if since <= 0:
            return 0
        first = 1 << 62
        for seq, ended in self._database.execute(
            "SELECT seq, ended FROM calls WHERE seq IS NOT NULL ORDER BY seq DESC"
        ):
            if ended is not None and ended < since - MARGIN_MS:
                break
            first = seq
        return first


def _spent(figures: Sequence[int]) -> Spent:
    *tokens, nano, calls, unpriced, estimated, subscription = figures
    return Spent(Tokens(*tokens), nano, calls, unpriced, estimated, subscription)
