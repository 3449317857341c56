"""When the wire held the books of a transcript's run: its calls in those spans count there only."""

from collections import defaultdict
from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from cockpit.core import events as e

FOR_EVER = 1 << 62
SLACK_MS = 5_000
"""A transcript may date a call's last line a little after the agent's end was seen."""
_ENDS = (e.ProcessEnded, e.RunEnded, e.RunStopped)
_KINDS = (e.RunGoverned, e.SessionLinked, e.ProcessFound, *_ENDS)
KINDS = tuple(str(kind.__struct_config__.tag) for kind in _KINDS)
"""The events that tell of spans and of governed runs, as the journal names them."""


class Span(Struct, frozen=True):
    """From `since` to `until` (ms) the calls of the run `found` went through the gateway."""

    found: str
    since: int
    until: int


class GovernedRun(Struct, frozen=True):
    """What is known of a run that cockpit started; `found` are the transcripts it is seen in."""

    agent: str = ""
    name: str = ""
    project: str = ""
    found: tuple[str, ...] = ()


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


def governed_of(happened: Iterable[e.Event]) -> dict[str, GovernedRun]:
    """The governed runs in a story, by id; of one that was begun again the last word counts."""
    runs: dict[str, GovernedRun] = defaultdict(GovernedRun)
    for event in happened:
        known = runs[event.run]
        if isinstance(event, e.RunGoverned):
            runs[event.run] = replace(
                known,
                agent=event.agent,
                name=event.name or known.name,
                project=event.project or known.project,
            )
        elif isinstance(event, e.SessionLinked) and event.found not in known.found:
            runs[event.run] = replace(known, found=(*known.found, event.found))
    return dict(runs)
