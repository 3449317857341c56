"""Watches other agents' transcripts: what is appended becomes books and story within milliseconds.

One thread owns the index. The file system's notices say only "look now": what there is to read is
decided by cursors, so a lost or a doubled notice costs nothing, and polling finds the rest.

A run and its sub-agents are a family. The first time anything of a family matters it is opened: read
from its beginning and handed over folded. From then on its news are told one by one, and whenever
that could go wrong (a file replaced, a call that turns out to be another run's) it is opened anew.
"""

import logging
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path

from cockpit.core.call import Source
from cockpit.core.events import Event, LinesRejected, NoticeGiven, RunDescribed, SpendCounted
from cockpit.core.fleet import Scan
from cockpit.engine import opening
from cockpit.engine.books import Pricing
from cockpit.engine.library import (
    Library,
    Place,
    Reading,
    opening_story,
    read_on,
    refreshed,
    unchanged,
)
from cockpit.engine.notices import Notices
from cockpit.journal.index import Index
from cockpit.prices.book import Book

MINUTE_MS = 60_000
WHOLE_MS = 60 * MINUTE_MS
"""Of a family that rests for longer, beginning and end of the story are enough: its clock is frozen."""
SPENT_MS = 48 * 60 * MINUTE_MS
SETTLE_SECONDS = 0.05
COUNT_SECONDS = 1.0
PROGRESS_SECONDS = 0.1
RECOUNT_SECONDS = 900.0
LIST_SHARE = 50
"""Listing all directories may take one part in this many of a core."""
LIST_SECONDS_WATCHED = 30.0
COMMIT_BYTES = 64 * 1024 * 1024
ANCESTORS_LIMIT = 16

log = logging.getLogger(__name__)


class Watcher(threading.Thread):
    """Reads everything once, newest first, then whatever changes."""

    def __init__(
        self,
        library: Library,
        index: Index,
        book: Book,
        happened: Callable[[list[Event]], None],
        opened: Callable[[opening.Opened], None],
        progress: Callable[[Scan], None],
        now: Callable[[], int],
        poll_seconds: int,
        recent_ms: int,
    ) -> None:
        """`happened`, `opened` (a family from its beginning) and `progress` are called from this thread.

        Families without a call in the last `recent_ms` enter the books only.
        """
        super().__init__(name="watcher", daemon=True)
        self._library = library
        self._index = index
        self._book = book
        self._price = Pricing(book)
        self._happened = happened
        self._opened = opened
        self._progress = progress
        self._now = now
        self._poll_seconds = poll_seconds
        self._recent_ms = recent_ms
        self._cursors = index.cursors()
        self._families: dict[str, set[str]] = defaultdict(set)
        self._parents: dict[str, str] = {}
        self._places: dict[str, Place] = {}
        self._home_of: dict[str, str] = {}
        self._partial: set[str] = set()
        self._to_open: set[str] = set()
        self._unreadable: set[str] = set()
        self._polled = self._listed = self._counted = 0.0
        self._list_cost = 0.0
        self._count_due = True
        self._notices = Notices(self.noticed)
        self._wake = threading.Condition()
        self._changed: set[str] = set()
        self._forgotten: set[str] = set()
        self._asked = self._answered = 0
        self._ending = False

    # --- called from other threads

    def close(self) -> None:
        """Ends the thread and commits."""
        with self._wake:
            self._ending = True
            self._wake.notify_all()
        if self.is_alive():
            self.join(10)
        self._index.close()

    def catch_up(self, seconds: float) -> bool:
        """Waits until everything that had changed by now was read; False if time ran out."""
        with self._wake:
            self._asked += 1
            ticket = self._asked
            self._wake.notify_all()
            return self._wake.wait_for(lambda: self._answered >= ticket or self._ending, seconds)

    def noticed(self, path: str) -> None:
        """Something happened to a file or a directory."""
        with self._wake:
            self._changed.add(path)
            self._wake.notify_all()

    def forget(self, run: str) -> None:
        """The run left the screen: if it ever goes on, it is opened anew."""
        with self._wake:
            self._forgotten.add(run)

    # --- the thread

    def run(self) -> None:
        """Everything once, then what changes, until closed."""
        self._guarded(self._begin)
        while not self._ending:
            changed, asked = self._wait()
            self._guarded(lambda changed=changed, asked=asked: self._look(changed, asked))  # type: ignore[misc]
            with self._wake:
                self._answered = max(self._answered, asked)
                self._wake.notify_all()
        self._notices.close()

    def _guarded(self, step: Callable[[], None]) -> None:
        """Whatever goes wrong, watching goes on; what was not committed is read again."""
        try:
            step()
        except sqlite3.Error as error:
            log.exception("the usage index cannot be written")
            self._say(f"the usage index cannot be written: {error}", "error")
            self._index.rollback()
            self._cursors = self._index.cursors()
            self._listed = 0.0
            time.sleep(COUNT_SECONDS)
        except Exception:
            log.exception("a look at the transcripts failed")

    def _begin(self) -> None:
        self._index.reprice(self._book.fingerprint, self._price)
        self._index.make_indexes()
        self._index.commit()
        self._count()
        self._watch_roots()
        self._first_look()

    def _wait(self) -> tuple[set[str], int]:
        """What changed, and the newest request to catch up; returns at the latest when polling is due."""
        with self._wake:
            self._wake.wait_for(
                lambda: self._changed or self._ending or self._asked > self._answered,
                max(0.05, self._next_due() - time.monotonic()),
            )
            settle = bool(self._changed) and not self._ending
        if settle:
            time.sleep(SETTLE_SECONDS)
        with self._wake:
            changed, self._changed = self._changed, set()
            for run in self._forgotten:
                self._home_of.pop(run, None)
            self._forgotten.clear()
            return changed, self._asked

    def _next_due(self) -> float:
        due = min(self._polled + self._poll_seconds, self._listed + self._list_pause())
        return min(due, self._counted + COUNT_SECONDS) if self._count_due else due

    def _list_pause(self) -> float:
        roots = [root for _, root in self._library.roots]
        watched = self._notices.watches(roots)
        pause = LIST_SECONDS_WATCHED if watched else float(self._poll_seconds)
        return max(pause, LIST_SHARE * self._list_cost)

    def _look(self, changed: set[str], asked: int) -> None:
        self._read(self._places_of(changed))
        now = time.monotonic()
        if now - self._polled >= self._poll_seconds:
            self._polled = now
            self._read(self._touched())
        if asked > self._answered or now - self._listed >= self._list_pause():
            self._list()
        pause = COUNT_SECONDS if self._count_due else RECOUNT_SECONDS
        if now - self._counted > pause or (self._count_due and asked > self._answered):
            self._count()

    # --- finding what changed

    def _watch_roots(self) -> None:
        for _, root in self._library.roots:
            trouble = self._notices.watch(root)
            if trouble is not None:
                log.warning("%s is polled: %s", root, trouble)
                self._say(f"{root} is polled, the system gives no notices: {trouble}", "warning")

    def _places_of(self, paths: Iterable[str]) -> list[Place]:
        """The sources behind changed paths; of a directory, that is new then, everything below."""
        found: dict[str, Place] = {}
        for path in paths:
            below = self._library.below(Path(path)) if Path(path).is_dir() else None
            for place in below if below is not None else [self._library.place_of(Path(path))]:
                if place is not None:
                    found[place.source.path] = place
        return list(found.values())

    def _touched(self) -> list[Place]:
        """Sources of the last hour that changed without a notice (network file systems)."""
        since = (self._now() - WHOLE_MS) * 1_000_000
        now = [refreshed(place) for place in self._places.values() if place.modified_ns > since]
        return [place for place in now if place is not None and self._is_news(place)]

    def _list(self) -> None:
        began = time.process_time()
        self._watch_roots()
        news = [place for place in self._library.places() if self._is_news(place)]
        self._listed, self._list_cost = time.monotonic(), time.process_time() - began
        self._read(news)

    def _is_news(self, place: Place) -> bool:
        return not unchanged(place, self._cursors.get(place.source.path))

    def _first_look(self) -> None:
        places = self._library.places()
        self._listed = time.monotonic()
        families: dict[str, list[Place]] = defaultdict(list)
        self._parents.update(
            {place.source.run: place.source.parent for place in places if place.source.parent}
        )
        for place in places:
            families[self._join(place)].append(place)
        scan = Scan(
            files=len(places),
            bytes=sum(place.size for place in places),
            looked_at=tuple(str(root) for _, root in self._library.roots),
        )
        for root, members in families.items():
            if self._ending:
                return
            scan = self._first_look_at(root, members, scan)
        self._open_all()
        self._index.commit()
        self._count()
        self._progress(_progressed(scan, [], done=True))

    def _first_look_at(self, root: str, members: list[Place], scan: Scan) -> Scan:
        for place in members:
            if self._is_news(place):
                self._enter(place)
        if self._is_recent(members):
            self._to_open.add(root)
            self._open_all(moved=False)
        ahead = _progressed(scan, members)
        if ahead.bytes_done // COMMIT_BYTES > scan.bytes_done // COMMIT_BYTES:
            self._index.commit()
        if time.monotonic() - self._counted > COUNT_SECONDS:
            self._count()
        if time.monotonic() - self._polled > PROGRESS_SECONDS:
            self._polled = time.monotonic()
            self._progress(ahead)
        return ahead

    def _is_recent(self, members: list[Place]) -> bool:
        """By the file's time; and by its calls, for a file may have been copied or touched."""
        since = self._now() - self._recent_ms
        if members[0].modified_ns // 1_000_000 < since:
            return False
        newest = self._index.newest_call([place.source.run for place in members])
        return newest is None or newest >= since

    # --- families

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

    def _read(self, places: Iterable[Place]) -> None:
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
        self._open_all()

    def _goes_on(self, place: Place, root: str) -> bool:
        """Whether its news can be told one by one: all before them was told."""
        path, run = place.source.path, place.source.run
        if root in self._partial or not self._families[root] & self._places.keys():
            return False
        if path not in self._places:
            return path not in self._cursors
        return not run or run in self._home_of

    def _open_all(self, *, moved: bool = True) -> None:
        """Opens what must be; runs that lost or won a call by that are opened once more."""
        for _ in range(ANCESTORS_LIMIT):
            while self._to_open and not self._ending:
                self._open(self._to_open.pop())
            if not moved:
                return
            homes = (self._home_of.get(run) for run in self._index.moved())
            self._to_open.update(home for home in homes if home is not None)

    def _open(self, root: str) -> None:
        places, story = [], list[Event]()
        newest = max((place.modified_ns for place in self._members(root)), default=0)
        whole = self._now() - newest // 1_000_000 < WHOLE_MS
        for place in self._members(root):
            told = self._from_the_start(place, whole=whole)
            if told is not None:
                places.append(place)
                story += told
        self._describe(story, places)
        self._index.commit()
        self._count_due = True
        story = [event for event in story if self._home_of.get(event.run, root) == root]
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

    def _from_the_start(self, place: Place, *, whole: bool) -> list[Event] | None:
        """The story of a source until now, all of its calls being in the books; None if unreadable."""
        lines = place.source.form == "lines"
        if not lines:  # its memory knows what was told to an engine that is gone
            self._cursors.pop(place.source.path, None)
        reading = self._enter(place, story=not lines)
        if reading is None:
            return None
        if not lines:
            return reading.events
        return opening_story(place, reading.cursor.offset, whole=whole)

    def _enter(self, place: Place, *, story: bool = False) -> Reading | None:
        path = place.source.path
        try:
            reading = read_on(place, self._cursors.get(path), self._index, self._price, story=story)
        except OSError as error:
            if path not in self._unreadable:
                self._unreadable.add(path)
                log.warning("%s cannot be read: %s", path, error)
            return None
        self._unreadable.discard(path)
        self._cursors[path] = reading.cursor
        return reading

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
        self._count_due |= len(told) < len(news)
        if told:
            self._happened(told)

    def _describe(self, events: Iterable[Event], places: list[Place]) -> None:
        for event in events:
            if isinstance(event, RunDescribed) and places:
                self._index.describe(
                    event.run, places[0].source.agent, name=event.name or "", titled=event.titled,
                    project=event.project or "", branch=event.branch or "",
                )  # fmt: skip

    # --- the whole machine

    def _count(self) -> None:
        """What the whole machine spent lately, counted in the books."""
        self._counted, self._count_due = time.monotonic(), False
        now = self._now()
        quarters = self._index.spent_by_quarter(now - SPENT_MS)
        self._happened([SpendCounted(run="", at=now, quarters=quarters)])

    def _say(self, text: str, level: str) -> None:
        self._happened([NoticeGiven(run="", at=self._now(), text=text, level=level)])  # type: ignore[arg-type]


def _described(source: Source) -> str:
    """The run that a file beside its transcript describes; such a file names the session only."""
    return f"{source.agent}/{source.session}" if source.session else ""


def _progressed(scan: Scan, members: list[Place], *, done: bool = False) -> Scan:
    return Scan(
        files=scan.files,
        files_done=scan.files if done else scan.files_done + len(members),
        bytes=scan.bytes,
        bytes_done=scan.bytes if done else scan.bytes_done + sum(each.size for each in members),
        done=done,
        looked_at=scan.looked_at,
    )
