"""The shelf in the engine: every script's entry in memory, every change durable before it counts."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import Protocol

from msgspec.structs import replace

from cockpit.core.events import Event, NoticeGiven, ScriptChanged, ScriptRan
from cockpit.core.fleet import Level
from cockpit.core.script import Script
from cockpit.core.shelf import Cost, Decided, Decision, Entry, Life, ScriptRun
from cockpit.journal import shelf
from cockpit.journal.shelf import Shelf
from cockpit.journal.store import Statement


class ScriptError(Exception):
    """What was asked of a script cannot be done; the text is for the operator."""


class Book(Protocol):
    """The journal, as far as the shelf needs it."""

    def write(
        self, statements: Sequence[Statement], happened: Sequence[Event] = ()
    ) -> "Future[int]": ...


class Scripts:
    """Belongs to the engine's event loop. `publish` shows events that are already in the journal."""

    def __init__(
        self,
        *,
        store: Shelf,
        book: Book,
        publish: Callable[[Iterable[Event]], None],
        now: Callable[[], int],
    ) -> None:
        self.store = store
        self._book = book
        self._publish = publish
        self._now = now
        self._entries = {entry.name: entry for entry in store.entries()}
        self._locks: dict[str, asyncio.Lock] = {}

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._entries.values()))

    def entry(self, name: str) -> Entry:
        """A script's entry.

        Raises:
            ScriptError: when nothing on the shelf is called so.
        """
        found = self._entries.get(name)
        if found is None:
            raise ScriptError(f"no script is called {name!r}: cockpit script list")
        return found

    def of_runs(self, runs: Iterable[str]) -> Entry | None:
        """The script made from most of these runs, retired ones left out."""
        wanted = frozenset(runs)
        alive = [entry for entry in self._entries.values() if entry.life.stage != "retired"]
        best = max(alive, key=lambda entry: len(wanted.intersection(entry.evidence)), default=None)
        return best if best is not None and wanted.intersection(best.evidence) else None

    def lock(self, name: str) -> asyncio.Lock:
        """Held by whoever runs, proves or changes the script."""
        return self._locks.setdefault(name, asyncio.Lock())

    def is_busy(self, name: str) -> bool:
        return name in self._locks and self._locks[name].locked()

    def taken(self, name: str) -> bool:
        return name in self._entries

    # --- changes

    async def put(
        self, entry: Entry, *statements: Statement, by: str = "", events: Sequence[Event] = ()
    ) -> Entry:
        """The entry as it is from now on, with what belongs to the change."""
        known = self._entries.get(entry.name)
        now = self._now()
        entry = replace(entry, changed=now)
        told = [*events]
        if known is None or _step(known.life) != _step(entry.life):
            told.append(
                ScriptChanged(
                    run="", at=now, script=entry.name, stage=entry.life.stage,
                    content=entry.life.content, reason=entry.life.reason, by=by,
                )
            )  # fmt: skip
        await self._write([shelf.entered(entry), *statements], told)
        self._entries[entry.name] = entry
        self._publish(told)
        return entry

    async def decided(
        self, entry: Entry, life: Life, decision: Decision, by: str, reason: str = ""
    ) -> Entry:
        """A decision on the content that `life` has, and what it changes."""
        what = Decided(life.content, decision, by, self._now(), reason)
        return await self.put(replace(entry, life=life), shelf.decided(entry.name, what), by=by)

    async def ran(self, entry: Entry, run: ScriptRun, *costs: Cost) -> Entry:
        """A run of the script, what it cost, and where that leaves it."""
        told = ScriptRan(
            run="", at=run.ended, script=entry.name, exit_code=run.exit_code,
            saved_nano=run.saved_nano, content=run.content, kind=run.kind, passed=run.passed,
            reason=run.reason, beside=run.beside,
        )  # fmt: skip
        statements = [shelf.happened(entry.name, run), *(shelf.paid(entry.name, c) for c in costs)]
        return await self.put(entry, *statements, events=[told])

    async def paid(self, name: str, cost: Cost) -> None:
        """Money that a script cost beside its runs."""
        await self._write([shelf.paid(name, cost)], [])

    async def notice(self, text: str, level: Level = "information") -> None:
        """A word to the operator that outlives the engine."""
        told = NoticeGiven(run="", at=self._now(), text=text, level=level)
        await self._write([], [told])
        self._publish([told])

    async def _write(self, statements: Sequence[Statement], events: Sequence[Event]) -> None:
        await asyncio.wrap_future(self._book.write(statements, events))

    # --- what is kept

    async def script(self, content: str) -> Script:
        """The content with this hash, from the store.

        Raises:
            ScriptError: when it is not there, or no longer what its hash says.
        """
        found = await asyncio.to_thread(self.store.script, content)
        if found is None:
            raise ScriptError(f"the shelf has no intact script {content[:12]}: nothing is run")
        return found


def _step(life: Life) -> tuple[str, str, str]:
    return life.stage, life.content, life.reason
