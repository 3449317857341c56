"""Every place on this machine where agents write, and the reading of it into the index."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from cockpit.agents import tail
from cockpit.agents.adapter import Adapter, DatabaseAdapter, HistoryAdapter
from cockpit.core.call import Call, Cursor, Source, as_told
from cockpit.core.events import Event, PromptGiven, RunDescribed
from cockpit.core.text import one_line
from cockpit.engine.books import Pricing
from cockpit.journal.index import Booked, Index

HEAD_BYTES = 256 * 1024
TAIL_BYTES = 1024 * 1024
WHOLE_BYTES = 64 * 1024 * 1024
LEFTOVER_LIMIT = 4 * 1024 * 1024
COMMIT_BYTES = 512 * 1024 * 1024
"""Read between two commits of a scan: each commit writes a batch into the index, the larger the cheaper."""
RECENT_MS = 24 * 3_600_000
"""Of a database only the runs of the last day before its last change are told."""


class Place(Struct, frozen=True):
    """A source that exists now, with what `stat` says of it."""

    adapter: Adapter
    source: Source
    inode: int
    size: int
    modified_ns: int


class Library:
    """The agents' directories under one home, seen through their adapters."""

    def __init__(
        self,
        adapters: tuple[Adapter, ...],
        home: Path,
        environment: Mapping[str, str],
        further: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self.adapters = adapters
        self.home = home
        self.environment = environment
        self.roots: list[tuple[Adapter, Path]] = [
            (adapter, root)
            for adapter in adapters
            for root in [
                *adapter.roots(home, environment),
                *(Path(extra).expanduser() for extra in (further or {}).get(adapter.name, ())),
            ]
        ]

    def places(self) -> list[Place]:
        """Every source that exists, newest first."""
        found = [
            place
            for adapter, root in self.roots
            for source in adapter.sources(root)
            if (place := _place(adapter, source)) is not None
        ]
        found.sort(key=lambda place: -place.modified_ns)
        return found

    def below(self, directory: Path) -> Iterator[Place]:
        """The sources in a directory that has just appeared."""
        for folder, _, names in os.walk(directory):
            for name in names:
                place = self.place_of(Path(folder, name))
                if place is not None:
                    yield place

    def place_of(self, path: Path) -> Place | None:
        """The source that a changed file belongs to."""
        for adapter, root in self.roots:
            if path == root or root in path.parents:
                source = adapter.source(path, root)
                if source is not None:
                    return _place(adapter, source)
        return None


def _place(adapter: Adapter, source: Source) -> Place | None:
    try:
        status = os.stat(source.path)  # noqa: PTH116 (thousands of files: Path objects cost more than stat)
    except OSError:
        return None
    size, modified = status.st_size, status.st_mtime_ns
    if source.form == "database":
        with contextlib.suppress(OSError):  # changes stay in the log until a checkpoint
            log = os.stat(f"{source.path}-wal")  # noqa: PTH116
            size, modified = size + log.st_size, max(modified, log.st_mtime_ns)
    return Place(adapter, source, status.st_ino, size, modified)


def refreshed(place: Place) -> Place | None:
    """The place as it is now, None when it is gone."""
    return _place(place.adapter, place.source)


def unchanged(place: Place, cursor: Cursor | None) -> bool:
    """Whether everything the source now holds was read already."""
    return (
        cursor is not None
        and cursor.inode == place.inode
        and cursor.size == place.size
        and cursor.modified_ns == place.modified_ns
    )


class Reading(Struct, frozen=True):
    """What reading on gave: new entries of the books, and the story if it was asked for.

    `anew` tells that the file is not the one that was read before, or was never read.
    """

    booked: list[Booked] = []
    events: list[Event] = []
    bad_lines: int = 0
    cursor: Cursor = Cursor()
    anew: bool = False


def read_on(
    place: Place, cursor: Cursor | None, index: Index, price: Pricing, *, story: bool
) -> Reading:
    """Reads what a source holds beyond the cursor into the index, without committing.

    Raises:
        OSError: when the source is gone or may not be read.
    """
    match place.source.form:
        case "lines":
            return _read_lines(place, cursor, index, price, story)
        case "document":
            return _read_document(place, cursor, index, price, story)
        case "database":
            return _read_database(place, cursor, index, price, story)


def _read_lines(
    place: Place, cursor: Cursor | None, index: Index, price: Pricing, story: bool
) -> Reading:
    source, adapter = place.source, place.adapter
    here = tail.begin(source.path, cursor)
    anew = cursor is None or here is not cursor
    memory, booked, events, bad = here.memory, list[Booked](), list[Event](), 0

    def book(calls: list[Call]) -> None:
        nonlocal booked
        calls = [price.marked(call) for call in calls]
        booked += index.book(source, calls, price, place.modified_ns)

    def enter(calls: list[Call]) -> None:
        index.enter(source, map(as_told, map(price.marked, calls)), price, place.modified_ns)

    historian = None if story else _historian(adapter)
    for block in tail.blocks(source.path, here):
        if historian is not None:
            told = historian.history(block.read, block.length, source, memory)
            index.enter(source, told.told, price, place.modified_ns)
            memory, bad = told.memory, bad + block.bad_lines + told.bad_lines
        else:
            books = adapter.calls(block.data, source, memory)
            (book if story else enter)(books.calls)
            if story:
                events += adapter.story(block.data, source, memory)
            memory, bad = books.memory, bad + block.bad_lines + books.bad_lines
        here = block.cursor
    here = replace(here, size=place.size, modified_ns=place.modified_ns, memory=memory)
    if left := _leftover(place, here):
        (book if story else enter)(left)
    index.advance(source, here, bad, anew=anew)
    return Reading(booked, events, bad, here, anew)


def _historian(adapter: Adapter) -> HistoryAdapter | None:
    """The adapter, if it reads histories in a way of its own."""
    return cast("HistoryAdapter", adapter) if hasattr(adapter, "history") else None


def _leftover(place: Place, cursor: Cursor) -> list[Call]:
    """Calls of a last line that ends without a new line; the cursor stays before it.

    It is read once more when it is finished: the same ids add nothing.
    """
    left = place.size - cursor.offset
    if not 0 < left <= LEFTOVER_LIMIT:
        return []
    with Path(place.source.path).open("rb") as file:
        file.seek(cursor.offset)
        data = file.read(left)
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except msgspec.MsgspecError:
        return []
    return place.adapter.calls(data + b"\n", place.source, cursor.memory).calls


def _read_document(
    place: Place, cursor: Cursor | None, index: Index, price: Pricing, story: bool
) -> Reading:
    """A file that is written anew: its memory knows what of it was told before."""
    data, here = tail.document(place.source.path)
    memory = cursor.memory if cursor is not None else b""
    books = place.adapter.calls(data, place.source, memory)
    calls = [price.marked(call) for call in books.calls]
    booked = index.book(place.source, calls, price, place.modified_ns)
    here = replace(here, memory=books.memory)
    index.advance(place.source, here, books.bad_lines, anew=True)
    events = place.adapter.story(data, place.source, memory) if story else []
    return Reading(booked, events, books.bad_lines, here)


def _read_database(
    place: Place, cursor: Cursor | None, index: Index, price: Pricing, story: bool
) -> Reading:
    adapter: DatabaseAdapter = place.adapter  # type: ignore[assignment]  # the form says so
    newest = place.modified_ns // 1_000_000
    since = newest - RECENT_MS if story else 1 << 62
    books, events = adapter.read(
        Path(place.source.path), cursor.memory if cursor else b"", since=since
    )
    calls = [price.marked(call) for call in books.calls]
    booked = index.book(place.source, calls, price, place.modified_ns)
    here = Cursor(0, place.inode, 0, place.size, place.modified_ns, b"", books.memory)
    index.advance(place.source, here, books.bad_lines, anew=cursor is None)
    return Reading(booked, events, books.bad_lines, here)


def opening_story(place: Place, until: int, *, whole: bool = False) -> list[Event]:
    """The story of a file of lines up to offset `until`: all of it, or beginning and end.

    Beginning and end are enough to know what a run is and does; more than `WHOLE_BYTES` is never
    read as a whole.
    """
    source, adapter, memory = place.source, place.adapter, b""
    events: list[Event] = []
    for start, end in _pieces(
        source.path, until, WHOLE_BYTES if whole else HEAD_BYTES + TAIL_BYTES
    ):
        for block in tail.blocks(source.path, Cursor(offset=start, head=b"\n"), until=end):
            events += adapter.story(block.data, source, memory)
            memory = adapter.calls(block.data, source, memory).memory
    return events


def _pieces(path: str, until: int, limit: int) -> list[tuple[int, int]]:
    if until <= limit:
        return [(0, until)]
    return [(0, HEAD_BYTES), (_next_line(path, until - TAIL_BYTES), until)]


def _next_line(path: str, offset: int) -> int:
    with Path(path).open("rb") as file:
        file.seek(offset - 1)
        file.readline(tail.LINE_LIMIT)
        return file.tell()


def scan(
    library: Library,
    index: Index,
    price: Pricing,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[Place, Reading]]:
    """Reads every source that changed into the index, newest first, committing as it goes.

    Yields each source after it was read; one that cannot be read is left out. `progress` is told
    files done and files to do.
    """
    cursors = index.cursors()
    changed = [p for p in library.places() if not unchanged(p, cursors.get(p.source.path))]
    since_commit = 0
    for done, place in enumerate(changed, 1):
        try:
            reading = read_on(place, cursors.get(place.source.path), index, price, story=False)
        except OSError:
            continue
        yield place, reading
        since_commit += place.size
        if since_commit > COMMIT_BYTES:
            index.commit()
            since_commit = 0
        if progress is not None:
            progress(done, len(changed))
    index.commit()


def find_tools(library: Library, index: Index) -> None:
    """Reads once more what was read as history, for the tools of its calls."""
    for _ in finding_tools(library, index):
        pass


def finding_tools(library: Library, index: Index) -> Iterator[None]:
    """As `find_tools`, a block a step, for who has more urgent things to do in between."""
    runs = index.without_tools()
    if not runs:
        return
    cursors, asked = index.cursors(), dict[str, tuple[str, ...]]()
    within = runs | {run.rpartition("/")[0] for run in runs}  # sub-agents in their session's file
    for place in library.places():
        cursor = cursors.get(place.source.path)
        if cursor is not None and place.source.form == "lines" and place.source.run in within:
            with contextlib.suppress(OSError):
                yield from _asking(place, cursor, asked)
    index.add_tools(asked)
    index.commit()


def _asking(place: Place, cursor: Cursor, asked: dict[str, tuple[str, ...]]) -> Iterator[None]:
    """Adds the tools of every call up to the cursor, by the call's id."""
    memory = b""
    for block in tail.blocks(place.source.path, replace(cursor, offset=0), until=cursor.offset):
        books = place.adapter.calls(block.data, place.source, memory)
        memory = books.memory
        for call in books.calls:
            known = asked.get(call.id, ())
            asked[call.id] = known + tuple(tool for tool in call.tools or () if tool not in known)
        yield


def describe_runs(library: Library, index: Index) -> None:
    """Reads the beginnings of sources whose runs have no known project yet."""
    for _ in describing(library, index):
        pass


def describing(library: Library, index: Index) -> Iterator[None]:
    """As `describe_runs`, a source a step, for who has more urgent things to do in between."""
    unknown = index.undescribed()
    if not unknown:
        return
    for place in library.places():
        told = (event for event in _beginnings(place, unknown) if event.run in unknown)
        describe(index, told, place.source.agent)
        yield
    for run, agent in unknown.items():
        index.describe(run, agent)
    index.commit()


def describe(index: Index, events: Iterable[Event], agent: str) -> None:
    """Remembers what runs are about; the first prompt names a run until a title does."""
    prompted: set[str] = set()
    for event in events:
        match event:
            case RunDescribed():
                index.describe(
                    event.run, agent, name=event.name or "", titled=event.titled,
                    project=event.project or "", branch=event.branch or "",
                )  # fmt: skip
            case PromptGiven(run=run, text=text) if run not in prompted:
                prompted.add(run)
                index.describe(run, agent, name=one_line(text))


def _beginnings(place: Place, unknown: dict[str, str]) -> list[Event]:
    """How the unknown runs of a source begin; a source of many runs may tell of others too."""
    run, agent = place.source.run, place.source.agent
    wanted = unknown.keys() & {run} if run else {one for one, of in unknown.items() if of == agent}
    if not wanted:
        return []
    try:
        match place.source.form:
            case "lines":
                return opening_story(place, place.size if not run else min(place.size, HEAD_BYTES))
            case "document":
                data, _ = tail.document(place.source.path)
                return place.adapter.story(data, place.source, b"")
            case "database":
                adapter: DatabaseAdapter = place.adapter  # type: ignore[assignment]  # as in read
                path = Path(place.source.path)
                return [event for one in wanted for event in adapter.page(path, one, 1, 1)[0]]
    except OSError:
        return []
