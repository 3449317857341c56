"""What a run is called where only its id is known: when it began, if the fleet remembers, and the end of its id."""

from datetime import tzinfo

from cockpit.core.fleet import Fleet
from cockpit.ui import rhythm, text


def short(run: str) -> str:
    """The end of an id, which is what differs: agents stand before it."""
    return text.safe(run.rpartition("/")[2].rpartition(":")[2] or run, 24)


def run_name(run: str, fleet: Fleet | None, now: int, tz: tzinfo | None, room: int = 60) -> str:
    """`Wed 25 Nov 02:10 · 8f3a21`, as much of it as is known and has room."""
    known = fleet.runs.get(run) if fleet is not None else None
    if known is None or not known.started:
        return short(run)
    named = f"{rhythm.when(known.started, now, tz)} · {short(run)}"
    return named if len(named) <= room else short(run)
