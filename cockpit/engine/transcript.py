"""Pages of a run's story, read from its transcript when somebody looks."""

from pathlib import Path

from msgspec.structs import replace

from cockpit.agents import tail
from cockpit.agents.adapter import DatabaseAdapter
from cockpit.core.call import Call, Cursor
from cockpit.core.events import Event
from cockpit.core.tokens import Tokens
from cockpit.engine.books import settled
from cockpit.engine.client import Page
from cockpit.engine.library import Place
from cockpit.journal.index import Booked
from cockpit.journal.rows import merge
from cockpit.prices.book import Book

FIRST_WINDOW = 256 * 1024
LARGEST_WINDOW = 8 * 1024 * 1024


def page(place: Place, run: str, book: Book, before: int | None, limit: int) -> Page:
    """About `limit` events of a run that end at `before` (None: at the end), oldest first.

    Raises:
        OSError: when the transcript is gone.
    """
    match place.source.form:
        case "lines":
            return _lines_page(place, run, book, before, limit)
        case "document":
            data, _ = tail.document(place.source.path)
            calls = place.adapter.calls(data, place.source, b"").calls
            events = [*place.adapter.story(data, place.source, b""), *_settled(calls, book)]
            return Page(_of(run, events))
        case "database":
            adapter: DatabaseAdapter = place.adapter  # type: ignore[assignment]  # the form says so
            events, further = adapter.page(Path(place.source.path), run, before, limit)
            return Page(events, further)


def _lines_page(place: Place, run: str, book: Book, before: int | None, limit: int) -> Page:
    end = place.size if before is None else min(before, place.size)
    window = FIRST_WINDOW
    while True:
        start = _line_start(place.source.path, max(0, end - window))
        events = _of(run, _events(place, book, start, end))
        if len(events) >= limit or start == 0 or window >= LARGEST_WINDOW:
            return Page(events, start or None)
        window *= 2


def _line_start(path: str, offset: int) -> int:
    if offset == 0:
        return 0
    with Path(path).open("rb") as file:
        file.seek(offset - 1)
        file.readline(tail.LINE_LIMIT)
        return file.tell()


def _events(place: Place, book: Book, start: int, end: int) -> list[Event]:
    events: list[Event] = []
    calls: list[Call] = []
    memory = b""
    cursor = replace(Cursor(), offset=start, head=b"\n")
    for block in tail.blocks(place.source.path, cursor, until=end):
        books = place.adapter.calls(block.data, place.source, memory)
        events += place.adapter.story(block.data, place.source, memory)
        calls += books.calls
        memory = books.memory
    return [*events, *_settled(calls, book)]


def _of(run: str, events: list[Event]) -> list[Event]:
    """The run's own events, oldest first: a transcript may tell of sub-agents and other runs."""
    return sorted((event for event in events if event.run == run), key=_at)


def _settled(calls: list[Call], book: Book) -> list[Event]:
    merged: dict[str, Call] = {}
    for call in calls:
        known = merged.get(call.id)
        merged[call.id] = call if known is None else merge(known, call)
    return [
        settled(_booked(call, book), book) for call in merged.values() if call.tokens != Tokens()
    ]


def _booked(call: Call, book: Book) -> Booked:
    nano = book.cost(
        call.model, call.provider, call.tokens, call.at, call.tier, call.geo, call.searches
    )
    return Booked(call, call.run, call.tokens, nano, revision=False)


def _at(event: Event) -> int:
    return event.at
