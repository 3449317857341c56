"""Runs and their sub-agents: each family opened once from its beginning, then told on.

The first time anything of a family matters it is opened: read from its beginning and handed over
folded. From then on its news are told one by one, and whenever that could go wrong (a file replaced,
a call that turns out to be another run's) it is opened anew.
"""

import logging
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import TypeVar

from cockpit.core.call import Source
from cockpit.core.events import Event, LinesRejected
from cockpit.engine import opening
from cockpit.engine.books import Pricing
from cockpit.engine.library import (
    Library,
    Place,
    Reading,
    describe,
    opening_story,
    read_on,
    unchanged,
)
from cockpit.journal.index import Index
from cockpit.prices.book import Book

MINUTE_MS = 60_000
WHOLE_MS = 60 * MINUTE_MS
"""Of a family that rests for longer, beginning and end of the story are enough: its clock is frozen."""
ANCESTORS_LIMIT = 16

Read = TypeVar("Read")

log = logging.getLogger(__name__)


class Families:
    """What was read of every source, and the reading on. Belongs to the watcher's thread."""

    def __init__(
        self,
        library: Library,
        index: Index,
        book: Book,
        happened: Callable[[list[Event]], None],
        opened: Callable[[opening.Opened], None],
        now: Callable[[], int],
    ) -> None:
        self._library = library
        self._index = index
        self._book = book
        self._price = Pricing(book)
        self._happened = happened
        self._opened = opened
        self._now = now
        self._cursors = index.cursors()
        self._families: dict[str, set[str]] = defaultdict(set)
        self._parents: dict[str, str] = {}
        self._places: dict[str, Place] = {}
        self._home_of: dict[str, str] = {}
        self._partial: set[str] = set()
        self._to_open: set[str] = set()
        self._unreadable: set[str] = set()
        self.count_due = True
        """Whether the machine spent something that no event told of."""

    def recover(self) -> None:
        """Begins again from the last commit."""
        self._index.rollback()
        self._cursors = self._index.cursors()

    def forget(self, runs: Iterable[str]) -> None:
        """These runs left the screen: if one ever goes on, its family is opened anew."""
        for run in runs:
            self._home_of.pop(run, None)

    def reopen(self, runs: Iterable[str]) -> None:
        """The families of these runs are told once more from their beginning."""
        homes = (self._home_of.get(run) for run in runs)
        self._to_open.update(home for home in homes if home is not None)
        self.settle()

    def since(self, moment: int) -> list[Place]:
        """Sources that were changed since a moment, as they were last read."""
        return [each for each in self._places.values() if each.modified_ns > moment * 1_000_000]

    def grouped(self, places: list[Place]) -> dict[str, list[Place]]:
        """Sources by family, in the order in which they come."""
        self._parents.update(
            {place.source.run: place.source.parent for place in places if place.source.parent}
        )
        families: dict[str, list[Place]] = defaultdict(list)
        for place in places:
            families[self._join(place)].append(place)
        return families

    def first(self, root: str, members: list[Place], since: int) -> None:
        """The first look at a family, newest source first: its calls, and itself if it is recent."""
        for place in members:
            if self.is_news(place):
                self._enter(place)
        if self._is_recent(members, since):
            self._to_open.add(root)
            self.settle(moved=False)

    def is_news(self, place: Place) -> bool:
        """Whether the source holds something that was not read."""
        return not unchanged(place, self._cursors.get(place.source.path))

    def _is_recent(self, members: list[Place], since: int) -> bool:
        """By the file's time; and by its calls, for a file may have been copied or touched."""
        if max((each.modified_ns for each in members), default=0) < since * 1_000_000:
            return False
        newest = self._index.newest_call([place.source.run for place in members])
        return newest is None or newest >= since

    def _join(self, place: Place) -> str:
        """Puts a source into its family; returns the family's root: its oldest ancestor's run."""
        source = place.source
        if source.parent:
            self._parents[source.run] = source.parent
        root = source.run or _described(source) or source.path
        for _ in range(ANCESTORS_LIMIT):
            root = self._parents.get(root, root)
        self._families[root].add(source.path)
        return root

    def read(self, places: Iterable[Place]) -> None:
        """Tells what is new in these sources."""
        news: list[Event] = []
        for place in places:
            root = self._join(place)
            if root in self._to_open:
                continue
            if self._goes_on(place, root):
                news += self._continue(place, root)
            else:
                self._to_open.add(root)
        self._index.commit()
        if news:
            self._tell(news)
        self.settle()

    def _goes_on(self, place: Place, root: str) -> bool:
        """Whether its news can be told one by one: all before them was told."""
        path, run = place.source.path, place.source.run
        if root in self._partial or not self._families[root] & self._places.keys():
            return False
        if path not in self._places:
            return path not in self._cursors
        return not run or run in self._home_of

    def settle(self, *, moved: bool = True) -> None:
        """Opens what must be; runs that lost or won a call by that are opened once more."""
        for _ in range(ANCESTORS_LIMIT):
            while self._to_open:
                self._open(self._to_open.pop())
            if not moved:
                return
            homes = (self._home_of.get(run) for run in self._index.moved())
            self._to_open.update(home for home in homes if home is not None)

    def _open(self, root: str) -> None:
        readings = [(place, self._from_the_start(place)) for place in self._members(root)]
        read = [(place, reading) for place, reading in readings if reading is not None]
        places = [place for place, _ in read]
        whole = not self._rests(places)
        story = [
            event
            for place, reading in read
            for event in self._story(place, reading, whole=whole)
            if self._home_of.get(event.run, root) == root
        ]
        self._describe(story, places)
        self._index.commit()
        self.count_due = True
        family = opening.opened(places, story, self._index, self._book)
        self._places.update({place.source.path: place for place in places})
        self._home_of.update(dict.fromkeys(family.fleet.runs, root))
        self._partial.discard(root)
        if not whole:
            self._partial.add(root)
        self._opened(family)

    def _members(self, root: str) -> list[Place]:
        paths = (self._library.place_of(Path(path)) for path in sorted(self._families[root]))
        return [place for place in paths if place is not None]

    def _rests(self, places: list[Place]) -> bool:
        return not self._is_recent(places, self._now() - WHOLE_MS)

    def _from_the_start(self, place: Place) -> Reading | None:
        """All calls of a source are in the books after this."""
        lines = place.source.form == "lines"
        if not lines:  # its memory knows what was told to an engine that is gone
            self._cursors.pop(place.source.path, None)
        return self._enter(place, story=not lines)

    def _story(self, place: Place, reading: Reading, *, whole: bool) -> list[Event]:
        if place.source.form != "lines":
            return reading.events
        offset = reading.cursor.offset
        return self._attempt(place, lambda: opening_story(place, offset, whole=whole)) or []

    def _enter(self, place: Place, *, story: bool = False) -> Reading | None:
        path = place.source.path
        cursor = self._cursors.get(path)
        reading = self._attempt(
            place, lambda: read_on(place, cursor, self._index, self._price, story=story)
        )
        if reading is not None:
            self._unreadable.discard(path)
            self._cursors[path] = reading.cursor
        return reading

    def _attempt(self, place: Place, step: Callable[[], Read]) -> Read | None:
        """None where a source cannot be read, or breaks its reader: the others go on."""
        try:
            return step()
        except sqlite3.Error:
            raise
        except Exception as error:
            if place.source.path not in self._unreadable:
                self._unreadable.add(place.source.path)
                trace = None if isinstance(error, OSError) else error
                log.warning("%s cannot be read: %s", place.source.path, error, exc_info=trace)
            return None

    def _continue(self, place: Place, root: str) -> list[Event]:
        """What was appended since."""
        first = place.source.path not in self._places
        reading = self._enter(place, story=True)
        if reading is None:
            return []
        events = [
            *reading.events,
            *chain(*(opening.told(one, self._book) for one in reading.booked)),
        ]
        self._describe(reading.events, [place])
        self._places[place.source.path] = place
        strangers = {event.run for event in reading.events} - self._home_of.keys()
        moved = {self._home_of.get(run) for run in self._index.moved()} - {None}
        if (reading.anew and not first) or (strangers and place.source.form == "database"):
            moved.add(root)
        self._to_open.update(home for home in moved if home)
        introduction = opening.introduced(place, events) if first else []
        self._home_of.update(dict.fromkeys(strangers, root))
        self._home_of.update((event.run, root) for event in introduction)
        if reading.bad_lines and place.source.run:
            bad = LinesRejected(
                run=place.source.run,
                at=self._now(),
                count=reading.bad_lines,
                source=place.source.path,
            )
            events.append(bad)
        return [*introduction, *events]

    def _tell(self, news: list[Event]) -> None:
        """Tells of runs that are on the screen and will not be opened anew in a moment."""
        news.sort(key=opening.moment)
        homes = [self._home_of.get(event.run) for event in news]
        told = [
            event
            for event, home in zip(news, homes, strict=True)
            if home is not None and home not in self._to_open
        ]
        self.count_due |= len(told) < len(news)
        if told:
            self._happened(told)

    def _describe(self, events: Iterable[Event], places: list[Place]) -> None:
        if places:
            describe(self._index, events, places[0].source.agent)


def _described(source: Source) -> str:
    """The run that a file beside its transcript describes; such a file names the session only."""
    return f"{source.agent}/{source.session}" if source.session else ""
