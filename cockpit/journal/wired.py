"""When the wire held the books of a transcript's run: its calls in those spans count there only."""

from collections import defaultdict
from collections.abc import Iterable

import sqlalchemy as sa
from msgspec import Struct

from cockpit.core import events as e
from cockpit.journal.store import events

FOR_EVER = 1 << 62
SLACK_MS = 5_000
"""A transcript may date a call's last line a little after the agent's end was seen."""
_ENDS = (e.ProcessEnded, e.RunEnded, e.RunStopped)
_KINDS = (e.SessionLinked, e.ProcessFound, *_ENDS)


class Span(Struct, frozen=True):
    """From `since` to `until` (ms) the calls of the run `found` went through the gateway."""

    found: str
    since: int
    until: int


def spans(database: sa.Connection) -> list[Span]:
    """Every span the journal tells of, found run by found run."""
    tags = [kind.__struct_config__.tag for kind in _KINDS]
    linked = sa.select(events.c.run).where(events.c.kind == e.SessionLinked.__struct_config__.tag)
    rows = database.execute(
        sa.select(events.c.body)
        .where(events.c.run.in_(linked), events.c.kind.in_(tags))
        .order_by(events.c.seq)
    )
    return spans_of(e.decode(body) for (body,) in rows)


def spans_of(happened: Iterable[e.Event]) -> list[Span]:
    """The spans in a story: a governed run may have several processes, one after the other."""
    found: dict[str, list[str]] = defaultdict(list)
    lives: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for event in happened:
        if isinstance(event, e.SessionLinked):
            found[event.run].append(event.found)
        elif isinstance(event, e.ProcessFound):
            if not lives[event.run] or lives[event.run][-1][1] != FOR_EVER:
                lives[event.run].append((event.at, FOR_EVER))
        elif isinstance(event, _ENDS) and lives[event.run]:
            since, until = lives[event.run][-1]
            lives[event.run][-1] = since, min(until, event.at + SLACK_MS)
    return [
        Span(name, since, until)
        for run, names in found.items()
        for name in names
        for since, until in lives[run]
    ]
