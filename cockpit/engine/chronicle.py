"""What has happened: how the parts of the engine learn of it, and the one way in which they add to it."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future

from cockpit.core.events import Event, RunGoverned, StopFailed
from cockpit.core.fleet import Fleet, Run
from cockpit.core.fold import fold_all
from cockpit.engine.publisher import Publisher
from cockpit.journal.store import Journal

BROKEN_STOP = "the engine ended before it could look for survivors: press x again"


class Chronicle:
    """Belongs to the engine's event loop. `remember` hears every decision, also those of former engines."""

    def __init__(self, journal: Journal, publisher: Publisher, now: Callable[[], int]) -> None:
        self._journal = journal
        self._publisher = publisher
        self._decided = Fleet()
        self.now = now
        self.remember: Callable[[Sequence[Event]], None] = lambda _: None

    def fleet(self) -> Fleet:
        """What is on the screen."""
        return self._publisher.fleet

    def run(self, name: str) -> Run | None:
        return self._publisher.fleet.runs.get(name)

    def replay(self) -> None:
        """What was decided before comes back as its runs are opened; a broken stop has failed."""
        events = [event for _, event in self._journal.replay()]
        self.remember(events)
        self._decided = fold_all(Fleet(), events)
        for run in self._decided.runs.values():
            if run.stopping is not None and run.stopping.done is None:
                self.record(StopFailed(run=run.id, at=self.now(), reason=BROKEN_STOP))
        self.adopt(Fleet(feed=self._decided.feed))
        self._publisher.shelved(self._decided.scripts)

    def record(self, *events: Event) -> "Future[int]":
        """Something decided here or learned from the machine: it takes effect and is journalled.

        The future is done once it is durable.
        """
        known = self._publisher.fleet.runs
        self.publish(
            event
            for event in events
            if not event.run or event.run in known or isinstance(event, RunGoverned)
        )
        self.remember(events)
        self._decided = fold_all(self._decided, events)
        return self._journal.append(*events)

    def publish(self, events: Iterable[Event]) -> None:
        """Something to be seen that is kept elsewhere, or nowhere."""
        self._publisher.happen(events)

    def adopt(self, fleet: Fleet, events: Sequence[Event] = ()) -> None:
        """Whole runs come on the screen, out of `events`, with what was decided about them."""
        self._publisher.adopt(fleet, self._decided, events)

    def cap_day(self, nano: int | None) -> None:
        """What the day may cost."""
        self._publisher.capped(nano)
