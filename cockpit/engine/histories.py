"""The story of every governed run that cockpit itself knows: what was decided, and what the wire booked.

A transcript tells the rest. When one is opened, both are folded together in the order of time.
"""

from collections import defaultdict
from collections.abc import Iterable

from msgspec.structs import replace

from cockpit.core import events as e
from cockpit.core.fleet import Fleet
from cockpit.core.fold import fold_all

_SHOWN = (
    e.RunSteered,
    e.RunPaused,
    e.RunResumed,
    e.RunContinued,
    e.RunDeferred,
    e.RunHalted,
    e.ApprovalAsked,
    e.ApprovalAnswered,
    e.HoldRefused,
    e.OverrunBooked,
    e.ClockWarned,
    e.ClockExpired,
    e.BudgetSet,
    e.StopRequested,
    e.RunStopped,
    e.StopFailed,
)
"""What of it belongs into the transcript view."""


class Histories:
    """By governed run, oldest first."""

    def __init__(self) -> None:
        self._events: dict[str, list[e.Event]] = defaultdict(list)
        self._beginnings: dict[str, e.RunGoverned] = {}

    def __contains__(self, run: str) -> bool:
        return run in self._beginnings

    def begun(self, run: str) -> e.RunGoverned:
        """How the run began."""
        return self._beginnings[run]

    def runs(self) -> list[str]:
        """Every governed run that is remembered."""
        return list(self._beginnings)

    def add(self, events: Iterable[e.Event]) -> None:
        """Remembers what happened to governed runs; of others nothing."""
        for event in events:
            if isinstance(event, e.RunGoverned):
                self._beginnings[event.run] = event
            if event.run in self._beginnings:
                self._events[event.run].append(event)

    def forget(self, run: str) -> None:
        """The run left the screen."""
        self._beginnings.pop(run, None)
        self._events.pop(run, None)

    def newest(self, run: str) -> int:
        """When something happened to the run last (ms)."""
        return max(event.at for event in self._events[run])

    def folded(self, run: str, story: Iterable[e.Event] = ()) -> Fleet:
        """The run, and whoever else the story tells of, from the beginning.

        What is told of the time before it took a task over was another run's work: no time of its own.
        """
        since = self._taken_over(run)
        told = (
            replace(event, at=max(event.at, since)) if event.run == run else event
            for event in story
        )
        events = sorted((*self._events[run], *told), key=lambda event: event.at)
        return fold_all(Fleet(), [self._beginnings[run], *events])

    def _taken_over(self, run: str) -> int:
        own = self._events[run]
        if not any(isinstance(event, e.RunContinued) for event in own):
            return 0
        return min(event.at for event in own)

    def between(self, run: str, since: int, until: int) -> list[e.Event]:
        """What belongs into the transcript view of [since, until]."""
        return [
            event
            for event in self._events.get(run, ())
            if isinstance(event, _SHOWN) and since <= event.at <= until
        ]

    def calls(self, run: str) -> list[e.Event]:
        """All of it that can be read where no transcript is known."""
        return [
            event
            for event in self._events.get(run, ())
            if isinstance(event, (*_SHOWN, e.CallSettled, e.RunEnded))
        ]
