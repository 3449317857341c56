"""A call as a row of the index, and back."""

import struct
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from cockpit.core.blake import blake2b
from cockpit.core.call import Call, kind_of
from cockpit.core.tokens import Tokens
from cockpit.journal.kinds import Kinds

SCHEMA = """
CREATE TABLE calls (
    key INTEGER PRIMARY KEY, run INTEGER NOT NULL, at INTEGER, requested INTEGER, kind INTEGER,
    toolset INTEGER, input INTEGER, cache_write_5m INTEGER, cache_write_1h INTEGER,
    cache_read INTEGER, output INTEGER, reasoning INTEGER, searches INTEGER, nano INTEGER);
"""
ROWS_AT_ONCE = 50
"""In one statement; older builds of SQLite take no more than 999 values."""
_VALUES = "(" + ",".join("?" * 14) + ")"
INSERT = f"INSERT OR IGNORE INTO calls VALUES {_VALUES}"
INSERT_MANY = f"INSERT OR IGNORE INTO calls VALUES {','.join([_VALUES] * ROWS_AT_ONCE)}"
REPLACE = f"INSERT OR REPLACE INTO calls VALUES {_VALUES}"

Row = tuple[Any, ...]
KEY, RUN, AT, ASKED, KIND, TOOLSET, TOKENS, SEARCHES, NANO = 0, 1, 2, 3, 4, 5, 6, 12, 13
"""Where a row holds what; the six figures of `Tokens` begin at `TOKENS`."""
Price = Callable[[Call], int | None]
"""Nano-dollars of a call, None when no price is known."""


_signed: Callable[[bytes], tuple[int]] = struct.Struct(">q").unpack


class Rows:
    """Turns calls into rows and rows into calls, with numbers for what many have in common."""

    def __init__(self, kinds: Kinds) -> None:
        self.kinds = kinds

    def row(self, key: int, run: int, call: Call, nano: int | None) -> Row:
        """The row of a call that belongs to the run of this number."""
        tokens, kinds = call.tokens, self.kinds
        return (
            key, run, call.at, call.requested, kinds.number(kind_of(call)),
            kinds.toolset(call.tools), tokens.input, tokens.cache_write_5m,
            tokens.cache_write_1h, tokens.cache_read, tokens.output, tokens.reasoning, call.searches, nano,
        )  # fmt: skip

    def call(self, row: Row, like: Call | None = None, run: str = "") -> Call:
        """The call of a row; `like` knows the id and the run, of which a row only has numbers."""
        kind = self.kinds.kind(row[KIND])
        return Call(
            id=like.id if like else f"{row[KEY] & 0xFFFFFFFFFFFFFFFF:016x}",
            run=like.run if like else run,
            at=row[AT],
            requested=row[ASKED],
            model=kind.model,
            provider=kind.provider,
            tier=kind.tier,
            geo=kind.geo,
            mark=kind.mark,
            reason=kind.reason,
            lifetime_ms=kind.lifetime_ms,
            window=kind.window,
            tools=self.kinds.tools(row[TOOLSET]),
            tokens=Tokens(*row[TOKENS:SEARCHES]),
            searches=row[SEARCHES],
        )


def key_of(call_id: bytes) -> int:
    """The signed 64-bit key of a provider's message id in UTF-8."""
    (key,) = _signed(blake2b(call_id, digest_size=8).digest())
    return key


def merge(one: Call, other: Call) -> Call:
    """Two tellings of one call: the largest figures, the weaker mark only if both are weak."""
    surer = one if one.mark == "exact" or other.mark != "exact" else other
    tools = None
    if one.tools is not None and other.tools is not None:
        tools = one.tools + tuple(tool for tool in other.tools if tool not in one.tools)
    return replace(
        surer,
        run=one.run,
        at=min(one.at, other.at) if one.at and other.at else one.at or other.at,
        requested=one.requested or other.requested,
        lifetime_ms=one.lifetime_ms or other.lifetime_ms,
        searches=max(one.searches, other.searches),
        tokens=one.tokens.largest(other.tokens),
        tools=tools,
    )
