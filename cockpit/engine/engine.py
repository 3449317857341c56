"""The engine: one event loop that folds what happens, answers the operator and lets clocks act."""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from cockpit import __version__
from cockpit.agents.adapter import InterruptRule
from cockpit.core import clocks
from cockpit.core.budget import Budget
from cockpit.core.events import (
    BudgetSet,
    CallSettled,
    ClockExpired,
    Event,
    NoticeGiven,
    RunDropped,
    RunSeen,
)
from cockpit.core.fleet import Run, is_live
from cockpit.core.quantities import parse_duration
from cockpit.engine import spending, stories, transcript
from cockpit.engine.api import RequestError, Server
from cockpit.engine.census import Census
from cockpit.engine.chronicle import Chronicle
from cockpit.engine.client import Page
from cockpit.engine.evidence import Witness
from cockpit.engine.helm import Helm
from cockpit.engine.library import Library
from cockpit.engine.lookout import Lookout
from cockpit.engine.opening import Opened
from cockpit.engine.publisher import Publisher
from cockpit.engine.repeating import Repeating
from cockpit.engine.ruling import rules_of, zone_of
from cockpit.engine.stops import Stops
from cockpit.engine.tasks import Tasks
from cockpit.engine.testimony import zone_name
from cockpit.engine.watch import Watcher
from cockpit.engine.workshop import Workshop
from cockpit.journal import evidence, paths
from cockpit.journal.index import Index
from cockpit.journal.settings import Settings
from cockpit.journal.store import Journal
from cockpit.journal.wire_books import WireBooks
from cockpit.prices.book import Book

TICK_SECONDS = 1.0
SYNC_SECONDS = 60.0

log = logging.getLogger(__name__)


def now_ms() -> int:
    """Wall time in milliseconds since the epoch: the books' only clock."""
    return time.time_ns() // 1_000_000


class Engine:
    """Everything alive in the background process."""

    def __init__(
        self,
        settings: Settings,
        library: Library,
        index: Index,
        journal: Journal,
        book: Book,
        now: Callable[[], int] = now_ms,
    ) -> None:
        self._settings = settings
        self._library = library
        self._book = book
        self._journal = journal
        self._now = now
        self._zone = zone_of(settings)
        self._recent_ms = parse_duration(settings.recent)
        self._publisher = Publisher(now)
        self._chronicle = Chronicle(journal, self._publisher, now)
        self._ending = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        journal.on_trouble = self._journal_troubled
        self._watcher = self._watching(index)
        self._lookout = Lookout()
        self._census = Census(library, self._lookout)
        self._witness = self._witnessing()
        self._helm = self._steering()
        self._chronicle.remember = self._helm.remember
        self._repeating = Repeating(self._zone, now)
        self.workshop = self._working()
        self._server = Server(self._answers(), {"fleets": self._fleets, "story": self._story})
        self._stops = Stops(
            self._census,
            self._lookout,
            self._chronicle.record,
            now,
            self._server.peers,
            self._helm.held,
        )
        self._began = now()

    # --- its parts

    def _watching(self, index: Index) -> Watcher:
        wire = WireBooks.open(paths.journal_file())
        return Watcher(
            self._library,
            index,
            self._book,
            happened=self._in_loop(self._observed),
            opened=self._in_loop(self._opened),
            progress=self._in_loop(self._publisher.scanned),
            now=self._now,
            poll_seconds=self._settings.poll,
            recent_ms=self._recent_ms,
            spans=wire.spans if wire else tuple,
            messages=wire.messages if wire else lambda _: (),
        )

    def _witnessing(self) -> Witness:
        return Witness(
            settings=self._settings.evidence,
            journal=self._journal,
            zone=self._zone,
            run=self._chronicle.run,
            story=lambda run: stories.story(self._library, self._helm.links.found(run)),
            record=self._chronicle.record,
            done=self._witnessed,
            now=self._now,
        )

    def _steering(self) -> Helm:
        return Helm(
            settings=self._settings,
            environment=self._library.environment,
            zone=self._zone,
            journal=self._journal,
            book=self._book,
            lookout=self._lookout,
            matched=rules_of(self._settings),
            witness=self._witness,
            chronicle=self._chronicle,
            linked=self._linked,
            stop=lambda run, reason: self._stops.begin([run], by=f"the clock ({reason})"),
            rule=self._rule,
            spare=lambda: self._server.peers(),
        )

    def _working(self) -> Workshop:
        return Workshop(
            settings=self._settings,
            journal=self._journal,
            blobs=evidence.store(),
            publish=self._chronicle.publish,
            begin=self._helm.orders.begin,
            tasks=self._repeating.known,
            told=Tasks(self._library, zone_name(self._zone)).trace,
            run=self._chronicle.run,
            alive=lambda run: self._helm.held(run) is not None,
            now=self._now,
        )

    # --- life

    async def run(self, socket: Path) -> None:
        """Works until `shutdown`; then closes the journal and the index in order."""
        self._chronicle.replay()
        await self._helm.start(self._recent_ms)
        self._witness.start(
            run.id for run in self._chronicle.fleet().runs.values() if self._helm.held(run.id)
        )
        await self.workshop.start()
        self._repeating.start()
        await self._server.listen(socket)
        self._watcher.start()
        tasks = [asyncio.create_task(self._publisher.publish()), asyncio.create_task(self._tick())]
        await self._ending.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.close()
        await self.workshop.close()
        await self._repeating.close()
        await self._helm.close()
        await self._witness.close()
        self._lookout.close()
        await asyncio.to_thread(self._watcher.close)
        await asyncio.to_thread(self._journal.close)
        self._helm.release()

    def shutdown(self) -> None:
        """Begins to end."""
        self._ending.set()

    # --- what happens

    def _witnessed(self, run: str) -> None:
        """A run left its evidence."""
        self._repeating.witnessed()
        self.workshop.witnessed(run)

    def _in_loop(self, step: Callable[[Any], None]) -> Callable[[Any], None]:
        def later(argument: object) -> None:
            self._loop.call_soon_threadsafe(step, argument)

        return later

    def _journal_troubled(self, text: str) -> None:
        log.error(text)
        notice = NoticeGiven(run="", at=self._now(), text=text, level="error")
        self._loop.call_soon_threadsafe(self._chronicle.publish, [notice])

    def _opened(self, family: Opened) -> None:
        fleet, events = self._helm.joined(family)
        self._chronicle.adopt(fleet, events)
        self._cap_by_settings(fleet.runs)
        for run in fleet.runs.values():
            self._helm.seen(run)
        self._tell_calls(events)

    def _observed(self, events: list[Event]) -> None:
        self._chronicle.publish(map(self._helm.counted, self._helm.links.renamed(events)))
        seen = [event.run for event in events if isinstance(event, RunSeen)]
        self._cap_by_settings(seen)
        for run in seen:
            if run in self._chronicle.fleet().runs:
                self._helm.seen(self._chronicle.fleet().runs[run])
        self._tell_calls(events)

    def _tell_calls(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, CallSettled):
                self._helm.told(event)

    def _linked(self, found: str, governed: str) -> None:
        """A found run is a governed one: it leaves the screen and its story joins the other's."""
        del governed
        self._chronicle.publish([RunDropped(run=found, at=self._now())])
        self._watcher.reopen(found)

    def _rule(self, run: str) -> InterruptRule:
        known = self._chronicle.run(run)
        adapter = self._census.adapter(known) if known is not None else None
        return adapter.interrupt if adapter is not None else InterruptRule()

    def _cap_by_settings(self, seen: Iterable[str]) -> None:
        fleet = self._chronicle.fleet()
        for run in [fleet.runs[name] for name in seen if name in fleet.runs]:
            budget = self._settings.budget_for(run.agent)
            if budget is not None and run.parent is None and not run.budget_by:
                capped = BudgetSet(run=run.id, at=run.started, budget=budget, by="settings")
                self._chronicle.publish([capped])

    async def _tick(self) -> None:
        while True:
            began = time.monotonic()
            try:
                await self._look_around()
            except Exception:
                log.exception("a look around failed; the next one is due in a second")
            await asyncio.sleep(max(0.1, TICK_SECONDS - (time.monotonic() - began)))

    async def _look_around(self) -> None:
        events = await self._census.look(self._chronicle.fleet(), self._now())
        if events:
            self._chronicle.record(*events)
        self._helm.tick(self._census.found)
        self.workshop.tick()
        now = self._now()
        for run in list(self._chronicle.fleet().runs.values()):
            event = clocks.due(run, now)
            if event is not None:
                self._chronicle.record(event)
                self._act(run, event)
            elif now - run.last_event > self._recent_ms:
                self._drop(run, now)

    def _drop(self, run: Run, now: int) -> None:
        """An old run leaves the screen, a sub-agent together with its parent."""
        if not is_live(run, now) and run.parent not in self._chronicle.fleet().runs:
            self._chronicle.publish([RunDropped(run=run.id, at=now)])
            for name in (run.id, *self._helm.forget(run.id)):
                self._watcher.forget(name)

    def _act(self, run: Run, event: Event) -> None:
        """At zero the run is interrupted, if its budget says so and it has a process of its own."""
        if isinstance(event, ClockExpired):
            if event.action == "interrupted":
                self._stops.begin([run], by=f"the clock ({event.ruling})")
            self._helm.expired(event)

    # --- what the operator asks

    def _answers(self) -> dict[str, Any]:
        return {
            "fleet": self._fleet,
            "stop": self._stop,
            "panic": self._panic,
            "budget": self._budget,
            "transcript": self._transcript,
            "spend": self._spend,
            "status": self._status,
            **self._helm.orders.answers(),
            **self.workshop.answers(),
            **self._repeating.answers(),
            "sync": self._sync,
            "shutdown": self._shutdown,
        }

    async def _fleet(self, _: dict[str, Any]) -> bytes:
        return self._publisher.encoded()

    def _fleets(self, _: dict[str, Any]) -> AsyncIterator[bytes]:
        return self._publisher.fleets()

    async def _story(self, request: dict[str, Any]) -> AsyncIterator[bytes]:
        run = self._run(request)
        async for events in self._publisher.story(run.id):
            yield msgspec.json.encode({"events": events})

    def _run(self, request: dict[str, Any]) -> Run:
        run = self._chronicle.run(str(request.get("run")))
        if run is None:
            raise RequestError(f"no run {request.get('run')!r}: cockpit ps lists them")
        return run

    async def _stop(self, request: dict[str, Any]) -> bytes:
        names = request.get("runs")
        if not isinstance(names, list) or request.get("mode", "stop") not in ("stop", "panic"):
            raise RequestError('stop needs "runs": [ids], and "mode": "stop" or "panic"')
        runs = [self._run({"run": name}) for name in names]
        refused = {run.id: why for run in runs if (why := self._stops.refusal(run))}
        if refused and len(refused) == len(runs):
            raise RequestError("; ".join(f"{run}: {why}" for run, why in refused.items()))
        runs = [run for run in runs if run.id not in refused]
        self._stops.begin(runs, by="operator", mode=request.get("mode", "stop"))
        return b"null"

    async def _panic(self, _: dict[str, Any]) -> bytes:
        now = self._now()
        live = [
            run
            for run in self._chronicle.fleet().runs.values()
            if run.pid and (is_live(run, now) or self._helm.held(run.id) is not None)
        ]
        self._stops.begin(live, by="panic", mode="panic")
        return msgspec.json.encode([run.id for run in live])

    async def _budget(self, request: dict[str, Any]) -> bytes:
        run = self._run(request)
        budget = msgspec.convert(request.get("budget"), Budget | None)
        capped = BudgetSet(run=run.id, at=self._now(), budget=budget, by="operator")
        await asyncio.wrap_future(self._chronicle.record(capped))
        if run.governed:
            self._helm.budget_set(run.id)
        return b"null"

    async def _transcript(self, request: dict[str, Any]) -> bytes:
        run = self._run(request)
        before = request.get("before")
        limit = min(int(request.get("limit") or 300), 5_000)
        if run.governed and not run.source:
            return msgspec.json.encode(Page(self._helm.histories.calls(run.id)))
        place = await asyncio.to_thread(self._library.place_of, Path(run.source))
        if place is None:
            raise RequestError(f"the transcript of {run.id} is gone: {run.source}")
        try:
            page = await asyncio.to_thread(
                transcript.page,
                place,
                self._helm.links.told_as(run.id, place.source.run),
                self._book,
                before if isinstance(before, int) else None,
                limit,
            )
        except OSError as error:
            raise RequestError(f"the transcript of {run.id} cannot be read: {error}") from error
        return msgspec.json.encode(self._helm.paged(run, page, newest=before is None))

    async def _spend(self, request: dict[str, Any]) -> bytes:
        return await asyncio.to_thread(spending.answer, paths.index_file(), request)

    async def _status(self, _: dict[str, Any]) -> bytes:
        fleet = self._chronicle.fleet()
        return msgspec.json.encode(
            {
                "pid": os.getpid(),
                "version": __version__,
                "since": self._began,
                "runs": len(fleet.runs),
                "scan": fleet.scan,
                "prices": self._book.genai_prices,
            }
        )

    async def _sync(self, _: dict[str, Any]) -> bytes:
        done = await asyncio.to_thread(self._watcher.catch_up, SYNC_SECONDS)
        return msgspec.json.encode(done)

    async def _shutdown(self, _: dict[str, Any]) -> bytes:
        self._loop.call_later(0.05, self.shutdown)
        return b"null"
