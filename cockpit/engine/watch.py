"""Watches other agents' transcripts: what is appended becomes books and story within milliseconds.

One thread owns the index. The file system's notices say only "look now": what there is to read is
decided by cursors, so a lost or a doubled notice costs nothing, and polling finds the rest.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from cockpit.core.events import Event, LinesRejected, RunCaveat, RunDescribed, RunSeen
from cockpit.core.fleet import Scan
from cockpit.engine.books import pricing, settled
from cockpit.engine.library import (
    Library,
    Place,
    Reading,
    opening_story,
    read_on,
    refreshed,
    unchanged,
)
from cockpit.journal.index import Index
from cockpit.prices.book import Book

HORIZON_MS = 24 * 3_600_000
"""Sources changed in the last day are told whole; older ones enter the books only."""
SETTLE_SECONDS = 0.05
LIST_SHARE = 50
"""Listing all directories may take one part in this many of a core."""
LIST_SECONDS_WATCHED = 30.0
COMMIT_BYTES = 64 * 1024 * 1024

log = logging.getLogger(__name__)


class Watcher(threading.Thread):
    """Reads everything once, newest first, then whatever changes."""

    def __init__(
        self,
        library: Library,
        index: Index,
        book: Book,
        emit: Callable[[list[Event]], None],
        progress: Callable[[Scan], None],
        now: Callable[[], int],
        poll_seconds: int = 2,
    ) -> None:
        """`emit` and `progress` are called from this thread."""
        super().__init__(name="watcher", daemon=True)
        self._library = library
        self._index = index
        self._book = book
        self._price = pricing(book)
        self._emit = emit
        self._progress = progress
        self._now = now
        self._poll = poll_seconds
        self._told: dict[str, Place] = {}
        self._cursors = index.cursors()
        self._changed: set[str] = set()
        self._wake = threading.Condition()
        self._ending = False
        self._looked = 0
        self._observer: BaseObserver = Observer()
        self._watched: set[Path] = set()

    # --- called from other threads

    def close(self) -> None:
        """Ends the thread and commits."""
        with self._wake:
            self._ending = True
            self._wake.notify()
        self.join(10)
        self._index.close()

    def catch_up(self, seconds: float) -> bool:
        """Waits until everything that had changed by now was read; False if time ran out."""
        with self._wake:
            target = self._looked + 2
            self._changed.add("")
            self._wake.notify()
            return self._wake.wait_for(lambda: self._looked >= target, seconds)

    def noticed(self, path: str) -> None:
        """Something happened to a file."""
        with self._wake:
            self._changed.add(path)
            self._wake.notify()

    # --- the thread

    def run(self) -> None:
        """Everything once, then what changes, until closed."""
        self._index.reprice(self._book.fingerprint, self._price)
        self._watch_roots()
        self._observer.start()
        self._first_look()
        listed, cost = time.monotonic(), 0.0
        while not self._ending:
            changed = self._wait()
            if changed:
                self._read(changed)
            else:
                self._read({path for path, place in self._told.items() if _touched(place)})
            pause = (
                LIST_SECONDS_WATCHED
                if len(self._watched) == len(self._library.roots)
                else float(self._poll)
            )
            if "" in changed or time.monotonic() - listed > max(pause, LIST_SHARE * cost):
                began = time.process_time()
                self._watch_roots()
                self._read(
                    {place.source.path for place in self._library.places() if self._is_news(place)}
                )
                listed, cost = time.monotonic(), time.process_time() - began
            with self._wake:
                self._looked += 1
                self._wake.notify_all()
        self._observer.stop()

    def _wait(self) -> set[str]:
        with self._wake:
            self._wake.wait_for(lambda: self._changed or self._ending, self._poll)
        if self._changed and not self._ending:
            time.sleep(SETTLE_SECONDS)
        with self._wake:
            changed, self._changed = self._changed, set()
        return changed

    def _watch_roots(self) -> None:
        for _, root in self._library.roots:
            if root in self._watched or not root.exists():
                continue
            try:
                self._observer.schedule(_Noticing(self.noticed), str(root), recursive=root.is_dir())
                self._watched.add(root)
            except OSError as error:
                log.warning("%s is polled, the system gives no notices: %s", root, error)

    def _first_look(self) -> None:
        places = self._library.places()
        looked_at = tuple(str(root) for _, root in self._library.roots)
        total = sum(place.size for place in places)
        done_bytes = uncommitted = 0
        for done, place in enumerate(places):
            if self._ending:
                return
            self._progress(Scan(len(places), done, total, done_bytes, looked_at=looked_at))
            if self._now() - place.modified_ns // 1_000_000 < HORIZON_MS:
                self._tell(place)
            elif not unchanged(place, self._cursors.get(place.source.path)):
                self._enter(place)
                uncommitted += place.size
            done_bytes += place.size
            if uncommitted > COMMIT_BYTES:
                self._index.commit()
                uncommitted = 0
        self._index.make_indexes()
        self._index.commit()
        self._progress(Scan(len(places), len(places), total, total, done=True, looked_at=looked_at))

    def _is_news(self, place: Place) -> bool:
        return not unchanged(place, self._cursors.get(place.source.path))

    def _read(self, paths: Iterable[str]) -> None:
        places: dict[str, Place] = {}
        for path in paths:
            place = self._library.place_of(Path(path)) if path else None
            if place is not None:
                places[place.source.path] = place
        for place in places.values():
            if place.source.path in self._told:
                self._continue(place)
            else:
                self._tell(place)

    def _enter(self, place: Place, *, story: bool = False) -> Reading | None:
        path = place.source.path
        try:
            reading = read_on(place, self._cursors.get(path), self._index, self._price, story=story)
        except OSError as error:
            log.info("%s cannot be read: %s", path, error)
            return None
        self._cursors[path] = reading.cursor
        return reading

    def _tell(self, place: Place) -> None:
        """The first telling of a source: the books as the index has them, and the story so far."""
        whole = place.source.form != "lines"
        if whole:  # its memory knows what was told to an engine that is gone
            self._cursors.pop(place.source.path, None)
        reading = self._enter(place, story=whole)
        if reading is None:
            return
        self._index.commit()
        self._told[place.source.path] = place
        story = reading.events if whole else opening_story(place, reading.cursor.offset)
        events = [*self._seen(place), *story]
        for run in {place.source.run, *(event.run for event in story)} - {""}:
            for booked in self._index.calls_of(run):
                events.append(settled(booked, self._book))
                if booked.call.reason:
                    events.append(RunCaveat(run=run, at=booked.call.at, reason=booked.call.reason))
        bad = self._index.bad_lines_of(place.source.path)
        if bad and place.source.run:
            events.append(
                LinesRejected(run=place.source.run, at=place.modified_ns // 1_000_000, count=bad)
            )
        self._give(events)

    def _seen(self, place: Place) -> list[Event]:
        source = place.source
        if not source.run:
            return []
        at = place.modified_ns // 1_000_000
        return [
            RunSeen(
                run=source.run, at=at, agent=source.agent, session=source.session,
                parent=source.parent, source=source.path,
            )
        ]  # fmt: skip

    def _continue(self, place: Place) -> None:
        """What was appended since."""
        reading = self._enter(place, story=True)
        if reading is None:
            return
        self._index.commit()
        self._told[place.source.path] = place
        events = list(reading.events)
        for booked in reading.booked:
            events.append(settled(booked, self._book))
            if booked.call.reason:
                events.append(
                    RunCaveat(run=booked.run, at=booked.call.at, reason=booked.call.reason)
                )
        if reading.bad_lines and place.source.run:
            events.append(
                LinesRejected(
                    run=place.source.run,
                    at=self._now(),
                    count=reading.bad_lines,
                    source=place.source.path,
                )
            )
        self._give(events)

    def _give(self, events: list[Event]) -> None:
        events.sort(key=lambda event: event.at)
        for event in events:
            if isinstance(event, RunDescribed):
                self._index.describe(
                    event.run,
                    event.run.partition("/")[0],
                    name=event.name or "",
                    titled=event.titled,
                    project=event.project or "",
                    branch=event.branch or "",
                )
        self._index.commit()
        if events:
            self._emit(events)


class _Noticing(FileSystemEventHandler):
    def __init__(self, noticed: Callable[[str], None]) -> None:
        self._noticed = noticed

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.is_directory or event.event_type in ("opened", "closed_no_write"):
            return
        self._noticed(str(event.dest_path or event.src_path))


def _touched(place: Place) -> bool:
    now = refreshed(place)
    return now is not None and (now.size, now.modified_ns) != (place.size, place.modified_ns)
