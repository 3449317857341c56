"""The governed half of the engine, wired: ledger, gateway, runners, and who decides between them."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import tzinfo
from functools import partial
from typing import Any

from msgspec.structs import replace

from cockpit.agents.adapter import InterruptRule
from cockpit.core import events as e
from cockpit.core.feed import notice_of
from cockpit.core.fleet import HOUR_QUARTER, Fleet, Run, spent_since
from cockpit.engine import frames
from cockpit.engine.approvals import Approvals, Matched
from cockpit.engine.caps import Caps
from cockpit.engine.chronicle import Chronicle
from cockpit.engine.client import Page
from cockpit.engine.crowds import Crowds
from cockpit.engine.elsewhere import Elsewhere
from cockpit.engine.evidence import Witness
from cockpit.engine.found import Found
from cockpit.engine.governance import Governance, GovernError
from cockpit.engine.histories import Histories
from cockpit.engine.linking import Linking
from cockpit.engine.links import Links
from cockpit.engine.lookout import Lookout
from cockpit.engine.opening import Opened
from cockpit.engine.orders import Orders
from cockpit.engine.runners import Runners
from cockpit.engine.scopes import Scopes
from cockpit.engine.spending import machine_spent
from cockpit.engine.stops import Held
from cockpit.gateway.app import Gateway
from cockpit.gateway.door import Door
from cockpit.gateway.governed import Governed
from cockpit.gateway.keys import Keys
from cockpit.gateway.upstream import Outside
from cockpit.journal import paths
from cockpit.journal.ledger import Ledger
from cockpit.journal.settings import Settings
from cockpit.journal.store import Journal
from cockpit.journal.wire_books import WireBooks
from cockpit.prices.book import Book

REFUSALS_KEPT = 20
SPENT_MS = 48 * 3_600_000
_GOES_ON_BY: Mapping[type[e.Event], str] = {
    e.ApprovalAsked: " — cockpit answer {} yes, or no",
    e.RunPaused: " — cockpit resume {}",
}

log = logging.getLogger(__name__)


class Helm:
    """Belongs to the engine's event loop. `links` says which found runs are governed ones.

    `linked` is told that a found run is a governed one, `stop` ends a run.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        environment: Mapping[str, str],
        zone: tzinfo | None,
        journal: Journal,
        book: Book,
        lookout: Lookout,
        matched: Matched,
        witness: Witness,
        chronicle: Chronicle,
        linked: Callable[[str, str], None],
        stop: Callable[[Run, str], None],
        rule: Callable[[str], InterruptRule],
        spare: Callable[[], Collection[int]],
    ) -> None:
        record, now = chronicle.record, chronicle.now
        self.links = Links()
        self.histories = Histories()
        self.ledger = Ledger(journal, now)
        self._journal = journal
        self._chronicle = chronicle
        self._linked_run = linked
        self._governed: dict[str, Governed] = {}
        self._spent: dict[int, int] = {}
        door = self._door(book, Keys(paths.config(), environment))
        self._gateway = Gateway(door, paths.state() / "gateway.port")
        self._runners = Runners(
            record=record, now=now, lookout=lookout, spare=spare, ended=self._ended, rule=rule
        )
        self._approvals = Approvals(matched, settings.approve, record, now)
        self._scopes = Scopes(settings, self.ledger, zone)
        self._elsewhere = Elsewhere(self._scopes, partial(machine_spent, paths.index_file()))
        self._crowds = Crowds(self._scopes)
        self._caps = Caps(
            governed=self._governed,
            scopes=self._scopes,
            approvals=self._approvals,
            chronicle=chronicle,
            halt=self._halt(stop),
            go_on=self._go_on,
        )
        self._governance = self._governing(settings, witness)
        self._linking = Linking(
            links=self.links,
            histories=self.histories,
            chronicle=chronicle,
            linked=self._linked,
            goes_on=self._governance.goes_on_with,
        )
        self.orders = Orders(
            governance=self._governance,
            approvals=self._approvals,
            scopes=self._scopes,
            caps=self._caps,
            chronicle=chronicle,
        )

    # --- its parts

    def _door(self, book: Book, keys: Keys) -> Door:
        return Door(
            ledger=self.ledger,
            book=book,
            keys=keys,
            outside=Outside(),
            happened=self.happened,
            clock=self._chronicle.now,
        )

    def _governing(self, settings: Settings, witness: Witness) -> Governance:
        return Governance(
            governed=self._governed,
            settings=settings,
            ledger=self.ledger,
            gateway=self._gateway,
            runners=self._runners,
            approvals=self._approvals,
            scopes=self._scopes,
            caps=self._caps,
            histories=self.histories,
            witness=witness,
            chronicle=self._chronicle,
            named=self._named,
        )

    # --- the engine's life

    async def start(self, recent_ms: int) -> None:
        """Opens the door, settles what a crash left, and takes the runs of a former engine back."""
        for recovered in self.ledger.recover():
            log.info("a hold of %s was settled: %s", recovered.run, recovered.mark or "given back")
        await asyncio.wrap_future(self._journal.append())  # what was recovered is read back below
        with WireBooks.reading(paths.journal_file()) as wire:
            self._spent = wire.spent_by_quarter(self._chronicle.now() - SPENT_MS) if wire else {}
        self._scopes.turn(self._chronicle.now())
        self._chronicle.cap_day(self._scopes.day_cap)
        names = self._remembered(recent_ms)
        for name in names:
            self._chronicle.adopt(self.histories.folded(name))
        runs = [self._chronicle.fleet().runs[name] for name in names]
        if not await self._gateway.open():
            text = "the gateway's port was taken: runs of the former engine cannot reach it"
            self._chronicle.record(
                e.NoticeGiven(run="", at=self._chronicle.now(), text=text, level="error")
            )
        self._governance.restore(runs)
        await self._runners.start()
        for run in runs:
            if run.phase != "ended" and self._runners.held(run.id) is None:
                self._governance.lost(run.id)
                self._chronicle.record(
                    e.RunEnded(run=run.id, at=self._chronicle.now(), outcome="lost in a crash")
                )
        self._governance.tidy()

    def _remembered(self, recent_ms: int) -> list[str]:
        """Governed runs of late, their calls read back from the ledger; older ones are forgotten."""
        for run in self.histories.runs():
            if self.histories.newest(run) < self._chronicle.now() - recent_ms:
                self.histories.forget(run)
            else:
                self.histories.add(row.event() for row in self.ledger.books_of(run))
        return self.histories.runs()

    async def close(self) -> None:
        """Lets go of everything; runners go on until their leases are over."""
        await self._runners.close()
        await self._gateway.close()

    def release(self) -> None:
        """Lets another engine own the ledger, once the journal has written all of it."""
        self.ledger.close()

    def remember(self, events: Iterable[e.Event]) -> None:
        """What was decided about governed runs, old and new."""
        for event in events:
            self.histories.add([event])
            match event:
                case e.SessionNamed(run=run, session=session) if run in self.histories:
                    self._linking.named(run, session)
                case e.SessionLinked(found=found, run=run):
                    self.links.add(found, run, named=self._is_named(run))
                case e.ScopeCapped():
                    self._scopes.decided(event)
                    self._chronicle.cap_day(self._scopes.day_cap)
                case e.ApprovalAsked() | e.ApprovalAnswered() | e.RunPaused() | e.RunResumed():
                    self._tell(event)

    def _tell(self, event: e.Event) -> None:
        """Whoever started the run by pipes sees no screen: there it is said why the run stands still."""
        rein, notice = self._runners.rein(event.run), notice_of(event)
        if rein is not None and notice is not None:
            rein.say(
                frames.TELL, text=notice.text + _GOES_ON_BY.get(type(event), "").format(event.run)
            )

    def _is_named(self, run: str) -> bool:
        return run in self.histories and bool(self.histories.begun(run).name)

    def tick(self, found: Mapping[str, Found]) -> None:
        """Once a second: the calendar, what others spent, whose processes are whose."""
        if self._scopes.turn(self._chronicle.now()):
            self._governance.turn()
            self._chronicle.cap_day(self._scopes.day_cap)
        self._elsewhere.tick(
            self._chronicle.now(), lambda since: spent_since(self._chronicle.fleet(), since)
        )
        owners = {
            held.target.owner: run
            for run in self._governed
            if (held := self._runners.held(run)) is not None and held.target.owner is not None
        }
        self._linking.served(found, owners)
        if self._governed:
            self._chronicle.publish(
                self._crowds.news(self._chronicle.fleet().runs.values(), self._chronicle.now())
            )

    # --- what happens

    def happened(self, event: e.Event) -> None:
        """What the door tells."""
        match event:
            case e.HoldRefused(scope=scope):
                self._hold_refused(event)
                if scope or self._caps.is_shut(event.run):
                    self._caps.refused(event)
            case e.SessionNamed(run=run, session=session):
                self._named(run, session)
            case e.CallSettled():
                self.histories.add([event])
                self._chronicle.publish([event])
                self._count(event)
                self._linking.settled(event)
            case e.CallStarted(run=run):
                self._chronicle.publish([event])
                self._caps.left(run)
            case e.ContextMeasured() | e.CallFailed():
                self._chronicle.publish([event])
            case e.WindowMeasured(run=run):
                self._chronicle.publish([event])
                self._caps.measured(run)
            case _:
                self._chronicle.record(event)

    def _count(self, event: e.CallSettled) -> None:
        if event.nano and event.billing == "money":
            quarter = event.at // HOUR_QUARTER
            self._spent[quarter] = self._spent.get(quarter, 0) + event.nano

    def counted(self, event: e.Event) -> e.Event:
        """The count of all transcripts, with what passed the gateway."""
        if not isinstance(event, e.SpendCounted):
            return event
        quarters = Counter(event.quarters)
        quarters.update(self._spent)
        return replace(event, quarters=dict(quarters))

    def _hold_refused(self, event: e.HoldRefused) -> None:
        """An agent that goes on asking after its cap fills the screen's count, not the journal."""
        run = self._chronicle.fleet().runs.get(event.run)
        if run is not None and run.refused >= REFUSALS_KEPT:
            self._chronicle.publish([event])
        else:
            self._chronicle.record(event)

    def joined(self, family: Opened) -> tuple[Fleet, list[e.Event]]:
        """The family as it is shown: one that is a governed run's is told with what the wire knows."""
        roots = {self.links.governed(run) for run in family.fleet.runs} - {None}
        governed = next((run for run in roots if run is not None and run in self.histories), None)
        if governed is None:
            return family.fleet, family.events
        seen = [
            e.RunSeen(
                run=run.id, at=run.started, agent=run.agent, session=run.session,
                parent=run.parent, source=run.source,
            )
            for run in family.fleet.runs.values()
        ]  # fmt: skip
        events = self.links.renamed([*seen, *family.events])
        return self.histories.folded(governed, events), events

    def paged(self, run: Run, page: Page, *, newest: bool) -> Page:
        """A page of a governed run's transcript, with what the operator did in that time."""
        if not run.governed:
            return page
        since = page.events[0].at if page.before is not None and page.events else 0
        until = self._chronicle.now() if newest or not page.events else page.events[-1].at
        own = self.histories.between(run.id, since, until)
        events = sorted([*self.links.shown(page.events), *own], key=lambda event: event.at)
        return Page(events, page.before)

    def seen(self, run: Run) -> None:
        """A run was found in a transcript."""
        self._linking.seen(run)

    def told(self, event: e.CallSettled) -> None:
        """A transcript tells of a call."""
        self._linking.told(event)

    def _named(self, run: str, session: str) -> None:
        if not self._linking.knows(run, session):
            self._chronicle.record(
                e.SessionNamed(run=run, at=self._chronicle.now(), session=session)
            )

    def _linked(self, found: str, governed: str) -> None:
        self._chronicle.record(e.SessionLinked(run=governed, at=self._chronicle.now(), found=found))
        self._linked_run(found, governed)

    def forget(self, run: str) -> list[str]:
        """The run left the screen; the found runs that it was."""
        if run in self.histories:
            self._governance.forget(run)
        self.histories.forget(run)
        return self.links.forget(run)

    def expired(self, event: e.ClockExpired) -> None:
        """A clock reached zero."""
        self._caps.expired(event)

    def budget_set(self, run: str) -> None:
        """The operator set a budget."""
        self._caps.raised(run)

    def held(self, run: str) -> Held | None:
        """What a stop needs to know of a governed run."""
        return self._governance.held(run)

    def _halt(self, stop: Callable[[Run, str], None]) -> Callable[[Run, str], None]:
        def halt(run: Run, reason: str) -> None:
            self._governance.shut(run.id, f"cockpit: {run.id} was halted: {reason}")
            stop(run, reason)

        return halt

    async def _go_on(self, run: Run) -> None:
        try:
            await self._governance.resume(run)
        except GovernError as error:
            text = str(error)
            self._chronicle.record(
                e.NoticeGiven(run=run.id, at=self._chronicle.now(), text=text, level="warning")
            )

    async def _ended(self, run: str, how: Any) -> None:  # noqa: ANN401 (as `Runners` tells it)
        await self._governance.ended(run, how)
