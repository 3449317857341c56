"""What cockpit knows about an agent it did not write: the `Adapter` protocol.

An adapter has two readings of the same bytes. `calls` are the books: every model call that can be
found, cheap enough for gigabytes of history. `story` is what the operator sees: prompts, replies,
tools, states. Each fact has exactly one of the two as its source; `story` never yields calls.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, Protocol

from msgspec import Struct

from cockpit.core.call import Call as Call
from cockpit.core.call import Cursor as Cursor
from cockpit.core.call import Source as Source
from cockpit.core.call import Told as Told
from cockpit.core.events import Event


class Books(Struct, frozen=True):
    """Calls found in a block of a source, and how many of its lines could not be read."""

    calls: list[Call] = []
    bad_lines: int = 0
    memory: bytes = b""


class History(Struct, frozen=True):
    """`Books` of a block of old lines, in the form that the index takes in quickest."""

    told: list[Told] = []
    bad_lines: int = 0
    memory: bytes = b""


class Live(Struct, frozen=True):
    """An entry of an agent's own registry of running processes. `created` is 0 when it has none."""

    pid: int
    session: str
    cwd: str = ""
    created: int = 0
    status: str = ""
    name: str = ""


class ProcessMark(Struct, frozen=True):
    """How an agent's process looks in the process table.

    A process matches when its executable's base name is in `names`, or when one of its first
    arguments ends in one of `scripts` (`/bin/gemini`). `leave` names arguments of processes that
    belong to the agent but are no run (daemons).
    """

    names: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()
    leave: tuple[str, ...] = ()


class InterruptRule(Struct, frozen=True):
    """How this agent must be signalled so that it stops with its tools (measured per agent).

    `group`: signal the whole process group, because a wrapper swallows or dies of the signal.
    `first`: the signal that ends it in order. `grace_ms`: how long it may take before the next rung.
    """

    group: bool = True
    first: Literal["SIGINT", "SIGTERM"] = "SIGINT"
    grace_ms: int = 3_000


class Adapter(Protocol):
    """One agent."""

    name: str
    """The agent's name in runs and settings: `claude-code`."""
    short: str
    """At most 8 characters, for the table: `claude`."""
    process: ProcessMark
    interrupt: InterruptRule

    def roots(self, home: Path, environment: Mapping[str, str]) -> list[Path]:
        """Directories (or single files) in which this agent writes, existing or not."""
        ...

    def sources(self, root: Path) -> Iterable[Source]:
        """Every source under a root, by names alone: no file is opened unless the run id needs it."""
        ...

    def source(self, path: Path, root: Path) -> Source | None:
        """The source a changed path belongs to (a database for its `-wal`), None if it is none."""
        ...

    def calls(self, block: bytes, source: Source, memory: bytes) -> Books:
        """The calls in a block of whole lines, or in a whole document. Never raises on bad input."""
        ...

    def story(self, block: bytes, source: Source, memory: bytes) -> list[Event]:
        """What happened, in the same block, oldest first. Never raises on bad input.

        `memory` is the one that `calls` was given for the same block, or empty.
        """
        ...

    def registry(self, home: Path, environment: Mapping[str, str]) -> list[Live]:
        """Live processes the agent itself registered; empty where it keeps no such list."""
        ...


class HistoryAdapter(Protocol):
    """An agent whose histories are so large that they are read in a way of their own."""

    def history(self, block: bytes, end: int, source: Source, memory: bytes) -> History:
        """What `calls` finds in the block up to `end`, but for the tools."""
        ...


class DatabaseAdapter(Adapter, Protocol):
    """An agent that keeps its runs in SQLite."""

    def read(self, path: Path, memory: bytes, *, since: int) -> tuple[Books, list[Event]]:
        """Calls and story changed since `memory`, story only of runs active after `since`."""
        ...

    def page(
        self, path: Path, run: str, before: int | None, limit: int
    ) -> tuple[list[Event], int | None]:
        """A page of one run's story, newest page first; the second value continues, None at the start."""
        ...
