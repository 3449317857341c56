"""Reads a run's story for a transcript: the newest page, what happens from now on, pages before on demand."""

import asyncio
from collections.abc import Callable, Iterable, Iterator

from cockpit.core.events import CallSettled, Event
from cockpit.engine.client import Page, Remote

PAGE = 300
RETRY_SECONDS = 1.0
HOLD_SECONDS = 0.05
"""What happens within this time is drawn at once: every drawing costs milliseconds."""


class Reading:
    """One run's story as it comes.

    `opened` is called with the newest page (again after the line to the engine broke), `happened`
    with what came since, `troubled` with why nothing comes, empty when it comes again.
    """

    def __init__(
        self,
        remote: Remote,
        run: str,
        opened: Callable[[Page], None],
        happened: Callable[[list[Event]], None],
        troubled: Callable[[str], None],
    ) -> None:
        self._remote = remote
        self._run = run
        self._opened = opened
        self._happened = happened
        self._troubled = troubled
        self._held: list[Event] = []
        self._seen: set[Event] | None = None
        self._before: int | None = None
        self._came = asyncio.Event()

    async def run(self) -> None:
        """Read until cancelled; a broken line is tried again and ends nothing."""
        while True:
            listening = asyncio.create_task(self._listen())
            try:
                await asyncio.sleep(0)  # so that the engine hears of us before the page is cut
                await self.open()
                await self._pass_on(listening)
            except Exception as error:  # whatever the engine does, the screen lives on and says so
                self._troubled(str(error) or type(error).__name__)
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
            await asyncio.sleep(RETRY_SECONDS)

    async def open(self) -> None:
        """The newest page; what came while it was cut follows, without what the page already tells."""
        self._seen = None
        page = await self._remote.transcript(self._run, limit=PAGE)
        self._before = page.before
        self._seen = set(page.events)
        self._troubled("")
        self._opened(page)

    async def earlier(self) -> Page | None:
        """The page before all that were read; None when there is none."""
        if self._before is None:
            return None
        page = await self._remote.transcript(self._run, before=self._before, limit=PAGE)
        self._before = page.before
        return page

    async def _listen(self) -> None:
        try:
            async for events in self._remote.story(self._run):
                self._held += events
                self._came.set()
        finally:
            self._came.set()

    async def _pass_on(self, listening: "asyncio.Task[None]") -> None:
        """Hand over what comes until the line ends; raises what ended it."""
        while True:
            await self._came.wait()
            self._came.clear()
            await asyncio.sleep(HOLD_SECONDS)
            if self._held and self._seen is not None:
                events, self._held = in_order(self._held), []
                fresh = list(_unseen(events, self._seen))
                self._seen.update(fresh)  # agents that rewrite their file tell all of it again
                if fresh:
                    self._happened(fresh)
            if listening.done():
                listening.result()
                raise ConnectionError("the engine tells no more of this run")


def in_order(events: Iterable[Event]) -> list[Event]:
    """By time; of one moment, what was said before what it cost."""
    return sorted(events, key=lambda event: (event.at, isinstance(event, CallSettled)))


def _unseen(events: list[Event], seen: set[Event]) -> Iterator[Event]:
    """What a page has not told: the page and the line that goes on from it may overlap."""
    told = {event.call: event.at for event in seen if isinstance(event, CallSettled)}
    for event in events:
        if event in seen:
            continue
        if isinstance(event, CallSettled) and event.at <= told.get(event.call, -1):
            continue
        yield event
