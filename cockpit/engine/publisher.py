"""The fleet as the engine knows it, and everyone who wants to hear of it."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

import msgspec
from msgspec.structs import replace

from cockpit.core.events import Event
from cockpit.core.fleet import Fleet, Scan
from cockpit.core.fold import fold, reopened
from cockpit.core.script import Stage

PUSH_SECONDS = 0.25
STORY_LIMIT = 2_000

_encoder = msgspec.json.Encoder()


class Publisher:
    """Folds events into the fleet and pushes snapshots, at most four a second, only after a change.

    Lives in the event loop's thread. A slow subscriber misses snapshots, never the newest one.
    """

    def __init__(self, now: Callable[[], int]) -> None:
        self.fleet = Fleet()
        self._now = now
        self._changed = asyncio.Condition()
        self._dirty = asyncio.Event()
        self._version = 0
        self._encoded = b""
        self._stories: dict[str, set[asyncio.Queue[list[Event]]]] = defaultdict(set)

    def happen(self, events: Iterable[Event]) -> None:
        """Folds events in and tells those who follow their runs."""
        fleet, stories = self.fleet, defaultdict[str, list[Event]](list)
        for event in events:
            fleet = fold(fleet, event)
            if event.run in self._stories:
                stories[event.run].append(event)
        self.fleet = fleet
        self._dirty.set()
        for run, told in stories.items():
            self._tell(run, told)

    def adopt(self, part: Fleet, decided: Fleet, events: Sequence[Event] = ()) -> None:
        """Takes over runs that were folded from their beginning elsewhere, out of `events`.

        Who follows one of them hears what is newer than what was known of it.
        """
        for run in self._stories.keys() & part.runs.keys() & self.fleet.runs.keys():
            known = self.fleet.runs[run].last_event
            self._tell(run, [event for event in events if event.run == run and event.at > known])
        self.fleet = reopened(self.fleet, part, decided)
        self._dirty.set()

    def _tell(self, run: str, told: list[Event]) -> None:
        for queue in self._stories[run]:
            if told and queue.qsize() < STORY_LIMIT:
                queue.put_nowait(told)

    def scanned(self, scan: Scan) -> None:
        """The first look at the disk came on."""
        self.fleet = replace(self.fleet, scan=scan)
        self._dirty.set()

    def capped(self, day_cap: int | None) -> None:
        """What the day may cost."""
        self.fleet = replace(self.fleet, day_cap=day_cap)
        self._dirty.set()

    def shelved(self, scripts: dict[str, Stage]) -> None:
        """What is on the shelf, as the journal tells."""
        self.fleet = replace(self.fleet, scripts=scripts)
        self._dirty.set()

    def encoded(self) -> bytes:
        """The snapshot of this moment as JSON."""
        return _encoder.encode(replace(self.fleet, now=self._now(), version=self._version))

    async def publish(self) -> None:
        """Pushes snapshots until cancelled."""
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            async with self._changed:
                self._version += 1
                self._encoded = self.encoded()
                self._changed.notify_all()
            await asyncio.sleep(PUSH_SECONDS)

    async def fleets(self) -> AsyncIterator[bytes]:
        """Snapshots as JSON: the one of now, then every newer one."""
        seen = self._version
        yield self.encoded()
        while True:
            async with self._changed:
                while self._version == seen:
                    await self._changed.wait()
                seen, data = self._version, self._encoded
            yield data

    async def story(self, run: str) -> AsyncIterator[list[Event]]:
        """What happens to a run from now on."""
        queue: asyncio.Queue[list[Event]] = asyncio.Queue()
        self._stories[run].add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._stories[run].discard(queue)
            if not self._stories[run]:
                del self._stories[run]
