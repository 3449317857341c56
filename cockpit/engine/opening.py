"""A family of runs from its beginning: what its transcripts and the books say of it until now."""

from collections.abc import Iterable, Sequence
from itertools import chain

from msgspec import Struct
from msgspec.structs import replace

from cockpit.core import events as e
from cockpit.core.fleet import Fleet
from cockpit.core.fold import fold_all
from cockpit.engine.books import settled
from cockpit.engine.library import Place
from cockpit.journal.index import Booked, Index
from cockpit.prices.book import Book

LEAN = 400
"""Characters of a text that any fold looks at."""


class Opened(Struct, frozen=True):
    """A family as it is now, and everything that made it so, oldest first."""

    fleet: Fleet
    events: list[e.Event]


def opened(places: Sequence[Place], story: Iterable[e.Event], index: Index, book: Book) -> Opened:
    """The runs of a parent and its sub-agents, folded in the order in which things happened.

    Told together and in order, a sub-agent's calls are charged to its parent at the same moments
    as when they were watched live, so a clock says the same after a restart.
    """
    events = [_lean(event) for event in story]
    runs = {place.source.run for place in places if place.source.run}
    runs.update(event.run for event in events)
    for run in runs:
        events += chain.from_iterable(told(booked, book) for booked in index.calls_of(run))
    events.sort(key=moment)
    seen = [event for place in places for event in introduced(place, events)]
    bad = [event for place in places for event in rejected(place, index)]
    return Opened(fold_all(Fleet(), [*seen, *events, *bad]), events)


def told(booked: Booked, book: Book) -> list[e.Event]:
    """An entry in the books as events."""
    call = booked.call
    events: list[e.Event] = [settled(booked, book)]
    if call.reason:
        events.append(e.RunCaveat(run=booked.run, at=call.at, reason=call.reason))
    return events


def introduced(place: Place, events: Sequence[e.Event]) -> list[e.Event]:
    """That the source's run exists, as of the first that is told of it; nothing before that."""
    source = place.source
    moments = [event.at for event in events if event.run == source.run]
    if not source.run or not moments:
        return []
    return [
        e.RunSeen(
            run=source.run, at=min(moments), agent=source.agent, session=source.session,
            parent=source.parent, source=source.path,
        )
    ]  # fmt: skip


def rejected(place: Place, index: Index) -> list[e.Event]:
    """How many lines of the source could not be read so far."""
    source = place.source
    bad = index.bad_lines_of(source.path) if source.run else 0
    at = place.modified_ns // 1_000_000
    return [e.LinesRejected(run=source.run, at=at, count=bad, source=source.path)] if bad else []


def moment(event: e.Event) -> int:
    """When it happened."""
    return event.at


def _lean(event: e.Event) -> e.Event:
    """The event without the long texts that no fold looks at: a history holds many of them."""
    match event:
        case e.PromptGiven(text=text) | e.ReplyGiven(text=text) | e.ThoughtGiven(text=text):
            return replace(event, text=text[:LEAN]) if len(text) > LEAN else event
        case e.ToolStarted(arguments=arguments) if arguments:
            return replace(event, arguments="")
        case e.ToolEnded(output=output, diff=diff) if diff or len(output) > LEAN:
            return replace(event, output=output[:LEAN], diff="")
    return event
