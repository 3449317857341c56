"""Watches other agents' transcripts: what is appended becomes books and story within milliseconds.

One thread owns the index. The file system's notices say only "look now": what there is to read is
decided by cursors, so a lost or a doubled notice costs nothing, and polling finds the rest.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from cockpit.core.events import Event, NoticeGiven, SpendCounted
from cockpit.core.fleet import Scan
from cockpit.engine import opening
from cockpit.engine.books import Pricing
from cockpit.engine.families import Families
from cockpit.engine.library import Library, Place, describing, finding_tools, refreshed
from cockpit.engine.notices import Notices
from cockpit.journal.index import Index
from cockpit.journal.left_out import left_out
from cockpit.journal.wired import FOR_EVER, Span
from cockpit.prices.book import Book

MINUTE_MS = 60_000
POLLED_MS = 60 * MINUTE_MS
SPENT_MS = 48 * 60 * MINUTE_MS
SETTLE_SECONDS = 0.05
COUNT_SECONDS = 1.0
TROUBLE_SECONDS = 1.0
PROGRESS_SECONDS = 0.1
RECOUNT_SECONDS = 900.0
LIST_SHARE = 50
"""Listing all directories may take one part in this many of a core."""
LIST_SECONDS_WATCHED = 30.0
DESCRIBE_SECONDS, REST_SECONDS = 0.02, 0.1
"""So long at a time, after such a rest, the watcher looks for what nobody waits to know."""
COMMIT_BYTES = 64 * 1024 * 1024

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
        spans: Callable[[], Sequence[Span]] = tuple,
        messages: Callable[[int], Iterable[int]] = lambda _: (),
    ) -> None:
        """`happened`, `opened` (a family from its beginning) and `progress` are called from this thread.

        Families without a call in the last `recent_ms` enter the books only. `spans` and
        `messages` tell in this thread what the wire's books hold, as `WireBooks` does.
        """
        super().__init__(name="watcher", daemon=True)
        self._library = library
        self._index = index
        self._book = book
        self._happened = happened
        self._progress = progress
        self._now = now
        self._poll_seconds = poll_seconds
        self._recent_ms = recent_ms
        self._spans = spans
        self._messages = messages
        self._families = Families(library, index, book, happened, opened, now)
        self._polled = self._listed = self._counted = 0.0
        self._list_cost = 0.0
        self._describing: Iterator[None] | None = None
        self._notices = Notices(self.noticed)
        self._wake = threading.Condition()
        self._changed: set[str] = set()
        self._forgotten: set[str] = set()
        self._reopened: set[str] = set()
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

    def reopen(self, run: str) -> None:
        """The run's family is wanted once more from its beginning."""
        with self._wake:
            self._reopened.add(run)
            self._wake.notify_all()

    # --- the thread

    def run(self) -> None:
        """Everything once, then what changes, until closed."""
        while not self._ending and not self._guarded(self._begin):
            time.sleep(TROUBLE_SECONDS)
        while not self._ending:
            changed, asked = self._wait()
            self._guarded(lambda changed=changed, asked=asked: self._look(changed, asked))  # type: ignore[misc]
            with self._wake:
                self._answered = max(self._answered, asked)
                self._wake.notify_all()
        self._notices.close()

    def _guarded(self, step: Callable[[], None]) -> bool:
        """Whether it went well. If not, watching goes on; what was not committed is read again."""
        try:
            step()
        except sqlite3.Error as error:
            log.exception("the usage index cannot be written")
            self._say(f"the usage index cannot be written: {error}", "error")
            self._families.recover()
            self._listed = 0.0
            time.sleep(TROUBLE_SECONDS)
        except Exception:
            log.exception("a look at the transcripts failed")
        else:
            return True
        return False

    def _begin(self) -> None:
        self._index.reprice(self._book.fingerprint, Pricing(self._book))
        self._index.make_indexes()
        self._index.commit()
        self._count()
        self._watch_roots()
        self._first_look()
        self._describing = chain(
            describing(self._library, self._index), finding_tools(self._library, self._index)
        )

    def _wait(self) -> tuple[set[str], int]:
        """What changed, and the newest request to catch up; returns at the latest when polling is due."""
        with self._wake:
            self._wake.wait_for(
                lambda: (
                    self._changed or self._reopened or self._ending or self._asked > self._answered
                ),
                max(0.05, self._next_due() - time.monotonic()),
            )
            settle = bool(self._changed) and not self._ending
        if settle:
            time.sleep(SETTLE_SECONDS)
        with self._wake:
            changed, self._changed = self._changed, set()
            self._families.forget(self._forgotten)
            self._forgotten.clear()
            return changed, self._asked

    def _next_due(self) -> float:
        due = min(self._polled + self._poll_seconds, self._listed + self._list_pause())
        if self._describing is not None:
            due = min(due, time.monotonic() + REST_SECONDS)
        return min(due, self._counted + COUNT_SECONDS) if self._families.count_due else due

    def _list_pause(self) -> float:
        roots = [root for _, root in self._library.roots]
        watched = self._notices.watches(roots)
        pause = LIST_SECONDS_WATCHED if watched else float(self._poll_seconds)
        return max(pause, LIST_SHARE * self._list_cost)

    def _look(self, changed: set[str], asked: int) -> None:
        self._families.read(self._places_of(changed))
        with self._wake:
            reopened, self._reopened = self._reopened, set()
        self._families.reopen(reopened)
        now = time.monotonic()
        if now - self._polled >= self._poll_seconds:
            self._polled = now
            self._families.read(self._touched())
        if asked > self._answered or now - self._listed >= self._list_pause():
            self._list()
        pause = COUNT_SECONDS if self._families.count_due else RECOUNT_SECONDS
        if now - self._counted > pause or (self._families.count_due and asked > self._answered):
            self._count()
        self._describe_some()

    def _describe_some(self) -> None:
        """Names and projects of runs that never were on the screen, a little at a time."""
        if self._describing is None:
            return
        until = time.monotonic() + DESCRIBE_SECONDS
        for _ in self._describing:
            if time.monotonic() > until:
                return
        self._describing = None

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
        now = map(refreshed, self._families.since(self._now() - POLLED_MS))
        return [place for place in now if place is not None and self._families.is_news(place)]

    def _list(self) -> None:
        began = time.process_time()
        self._watch_roots()
        news = [place for place in self._library.places() if self._families.is_news(place)]
        self._listed, self._list_cost = time.monotonic(), time.process_time() - began
        self._families.read(news)

    def _first_look(self) -> None:
        places = self._library.places()
        self._listed = time.monotonic()
        scan = Scan(
            files=len(places),
            bytes=sum(place.size for place in places),
            looked_at=tuple(str(root) for _, root in self._library.roots),
        )
        for root, members in self._families.grouped(places).items():
            if self._ending:
                return
            scan = self._first_look_at(root, members, scan)
        self._families.settle()
        self._index.commit()
        self._count()
        self._progress(_progressed(scan, [], done=True))

    def _first_look_at(self, root: str, members: list[Place], scan: Scan) -> Scan:
        self._families.first(root, members, self._now() - self._recent_ms)
        ahead = _progressed(scan, members)
        if ahead.bytes_done // COMMIT_BYTES > scan.bytes_done // COMMIT_BYTES:
            self._index.commit()
        if time.monotonic() - self._counted > COUNT_SECONDS:
            self._count()
        if time.monotonic() - self._polled > PROGRESS_SECONDS:
            self._polled = time.monotonic()
            self._progress(ahead)
        return ahead

    # --- the whole machine

    def _count(self) -> None:
        """What all transcripts tell of having been spent lately, but for what passed the gateway."""
        self._counted, self._families.count_due = time.monotonic(), False
        now = self._now()
        since = now - SPENT_MS
        elsewhere = left_out(self._index, self._spans(), self._messages(since), since, FOR_EVER)
        quarters = self._index.spent_by_quarter(since, elsewhere)
        self._happened([SpendCounted(run="", at=now, quarters=quarters)])

    def _say(self, text: str, level: str) -> None:
        self._happened([NoticeGiven(run="", at=self._now(), text=text, level=level)])  # type: ignore[arg-type]


def _progressed(scan: Scan, members: list[Place], *, done: bool = False) -> Scan:
    return Scan(
        files=scan.files,
        files_done=scan.files if done else scan.files_done + len(members),
        bytes=scan.bytes,
        bytes_done=scan.bytes if done else scan.bytes_done + sum(each.size for each in members),
        done=done,
        looked_at=scan.looked_at,
    )
