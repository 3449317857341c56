"""OpenCode: sessions, messages and parts in SQLite (`$XDG_DATA_HOME/opencode/opencode.db`).

A call is an assistant message with tokens: `output` and `reasoning` are disjoint there, and over
OpenAI-compatible providers `input` holds cache writes too. A message's figures are stored once,
after its tools ended, so that largest and last are the same. What can never be exact: the call
that makes the title is not stored at all, and a killed step is lost; hence every call is marked.

A fork copies messages under new ids but keeps their creation time, which every id also encodes:
a copy is booked under the id of its original.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

from msgspec import Struct

from cockpit.agents import loose
from cockpit.agents.adapter import Books, Call, InterruptRule, Live, ProcessMark, Source
from cockpit.agents.opencode_database import MessageRow, PartRow, Rows, opened
from cockpit.agents.opencode_story import failure_events, part_events, session_events
from cockpit.core.events import Event
from cockpit.core.tokens import Tokens

REASON = "OpenCode does not store every call it makes"
MESSAGES_REMEMBERED = 200
PARTS_REMEMBERED = 500
SESSIONS_REMEMBERED = 200


class Position(Struct):
    """How far a database was read. `*_open` are rows that will still change, by id.

    `part_open` tells whether the start of a tool was already told. A row id and the id it had
    prove that rows were only appended; when they no longer match, everything is read again.
    """

    begun: bool = False
    broken: bool = False
    message: tuple[int, str] = (0, "")
    message_open: list[str] = []
    part: tuple[int, str] = (0, "")
    part_open: dict[str, bool] = {}
    seen_at: int = 0
    titles: dict[str, str] = {}


class OpenCode:
    """The adapter."""

    name = "opencode"
    short = "opencode"
    process = ProcessMark(names=("opencode",), scripts=("/bin/opencode",), leave=("serve", "web"))
    interrupt = InterruptRule(group=True, first="SIGINT", grace_ms=3_000)
    """Either signal ends it at once and leaves its tools behind: the sweep has work."""

    def roots(self, home: Path, environment: Mapping[str, str]) -> list[Path]:
        data = environment.get("XDG_DATA_HOME")
        return [(Path(data) if data else home / ".local" / "share") / "opencode"]

    def sources(self, root: Path) -> Iterable[Source]:
        try:
            with os.scandir(root) as entries:
                paths = [entry.path for entry in entries if _is_database(entry.name)]
        except OSError:
            return []
        return [Source(self.name, path, "database") for path in sorted(paths)]

    def source(self, path: Path, root: Path) -> Source | None:
        name = path.name.removesuffix("-wal").removesuffix("-shm")
        if path.parent != root or not _is_database(name):
            return None
        return Source(self.name, str(root / name), "database")

    def calls(self, block: bytes, source: Source, memory: bytes) -> Books:
        """Nothing: a database is not read in blocks."""
        return Books(memory=memory)

    def story(self, block: bytes, source: Source, memory: bytes) -> list[Event]:
        """Nothing: a database is not read in blocks."""
        return []

    def registry(self, home: Path, environment: Mapping[str, str]) -> list[Live]:
        return []

    def read(self, path: Path, memory: bytes, *, since: int) -> tuple[Books, list[Event]]:
        """Calls and story since `memory`; nothing, and the same memory, while it cannot be read."""
        position = loose.unpack(memory, Position)
        try:
            with opened(path) as rows:
                return _Reading(rows, position, str(path)).run(since)
        except (sqlite3.OperationalError, OSError):
            return Books(memory=memory), []
        except sqlite3.Error:
            bad = 0 if position.broken else 1
            return Books(bad_lines=bad, memory=loose.pack(Position(broken=True))), []

    def page(
        self, path: Path, run: str, before: int | None, limit: int
    ) -> tuple[list[Event], int | None]:
        id_ = run.partition("/")[2]
        try:
            with opened(path) as rows:
                parts = rows.last_parts(id_, before or 1 << 62, limit)
                session = None if len(parts) == limit else rows.session(id_)
        except (sqlite3.Error, OSError):
            return [], None
        first = [] if session is None else session_events(session, str(path), None)
        told = [event for part in reversed(parts) for event in part_events(part, started=False)[0]]
        return [*first, *told], parts[-1].row if len(parts) == limit else None


def _is_database(name: str) -> bool:
    return name.startswith("opencode") and name.endswith(".db")


class _Reading:
    """One look at a database: from the position it was read to, to the next."""

    def __init__(self, rows: Rows, was: Position, path: str) -> None:
        self.rows = rows
        self.was = was
        self.path = path
        self.next = Position(
            begun=True,
            message=rows.newest("message"),
            part=rows.newest("part"),
            seen_at=was.seen_at,
            titles=dict(was.titles),
        )
        self.calls: list[Call] = []
        self.bad_lines = 0
        self.events: list[Event] = []
        self.touched: set[str] = set()

    def run(self, since: int) -> tuple[Books, list[Event]]:
        changed = {loose.text(row["id"]): row for row in self.rows.sessions_since(since)}
        told = set(changed)
        self.touched |= set() if self.was.begun else told
        kept = self.rows.still_has("message", *self.was.message)
        after = self.was.message[0] if kept else 0
        for message in self.rows.messages(after, self.was.message_open):
            self.take_message(message, told)
        for part in self.parts(told):
            self.take_part(part)
        self.take_sessions(changed)
        self.forget()
        self.events.sort(key=lambda event: event.at)
        return Books(self.calls, self.bad_lines, loose.pack(self.next)), self.events

    def parts(self, told: set[str]) -> Iterator[PartRow]:
        """Parts to tell of: at first those of active sessions, then what changed."""
        if not self.was.begun:
            return chain.from_iterable(map(self.rows.parts_of, sorted(told)))
        if self.rows.still_has("part", *self.was.part):
            return self.rows.parts(self.was.part[0], self.was.part_open)
        return self.rows.parts_since(self.was.seen_at)

    def take_message(self, row: MessageRow, told: set[str]) -> None:
        message = loose.decode(row.data) if isinstance(row.data, str) else None
        if not isinstance(message, dict):
            self.bad_lines += 1
            return
        if message.get("role") != "assistant":
            return
        failed = bool(message.get("error"))
        if not failed and not loose.table(message.get("time")).get("completed"):
            self.next.message_open.append(row.id)
        try:
            self.calls.extend(self.call(row, message))
        except ValueError:
            self.bad_lines += 1
        if failed and (row.session in told or self.was.begun):
            self.touched.add(row.session)
            self.events.extend(failure_events(f"opencode/{row.session}", message))

    def call(self, row: MessageRow, message: loose.Table) -> Iterator[Call]:
        tokens = _tokens(loose.table(message.get("tokens")))
        if not tokens.total:
            return
        time = loose.table(message.get("time"))
        created = loose.instant(time.get("created"))
        yield Call(
            id=f"opencode:{self.rows.original(row.id, created)}",
            run=f"opencode/{row.session}",
            at=loose.instant(time.get("completed")) or created,
            requested=created,
            model=loose.name(message.get("modelID")),
            provider=loose.name(message.get("providerID")),
            tokens=tokens,
            mark="estimated",
            reason=REASON,
            tools=self.tools(row.id) if message.get("finish") == "tool-calls" else (),
        )

    def tools(self, message: str) -> tuple[str, ...]:
        parts = [loose.table(loose.decode(loose.text(data))) for data in self.rows.tools(message)]
        return tuple(name for part in parts if (name := loose.name(part.get("tool"))))

    def take_part(self, row: PartRow) -> None:
        self.next.seen_at = max(self.next.seen_at, loose.instant(row.updated))
        started = self.was.part_open.get(row.id, False)
        told, open_ = part_events(row, started=started)
        if open_:
            self.next.part_open[row.id] = started or bool(told)
        if told:
            self.touched.add(row.session)
            self.events.extend(told)

    def take_sessions(self, changed: dict[str, loose.Table]) -> None:
        """Tells of sessions that are new to us or have another title."""
        for id_ in self.touched | (self.was.titles.keys() & changed.keys()):
            session = changed.get(id_) or self.rows.session(id_)
            if session is None:
                continue
            self.events.extend(session_events(session, self.path, self.next.titles.get(id_)))
            self.next.titles[id_] = loose.text(session["title"])

    def forget(self) -> None:
        self.next.message_open = self.next.message_open[-MESSAGES_REMEMBERED:]
        self.next.part_open = dict(list(self.next.part_open.items())[-PARTS_REMEMBERED:])
        self.next.titles = dict(list(self.next.titles.items())[-SESSIONS_REMEMBERED:])


def _tokens(told: loose.Table) -> Tokens:
    """Usage as OpenCode stores it; `total` tells whether `output` already holds the reasoning."""
    cache = loose.table(told.get("cache"))
    given, output = loose.figure(told.get("input")), loose.figure(told.get("output"))
    reasoning = loose.figure(told.get("reasoning"))
    read, write = loose.figure(cache.get("read")), loose.figure(cache.get("write"))
    inside = loose.count(told.get("total")) == given + read + write + output
    return Tokens(
        input=given,
        cache_write_5m=write,
        cache_read=read,
        output=output if inside else output + reasoning,
        reasoning=reasoning,
    )
