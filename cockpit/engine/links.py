"""Transcripts of governed runs: found like all others, shown as the run that cockpit started.

The wire holds the books of a governed run, so of its transcript only the story is taken.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from cockpit.core import events as e

_WIRE_KNOWS: tuple[type[e.Event], ...] = (
    e.CallSettled,
    e.CallFailed,
    e.RunCaveat,
    e.RunEnded,
    e.ProcessFound,
    e.ProcessEnded,
)
"""What gateway and runner tell better than a transcript does."""


class Links:
    """Which found run is which governed one."""

    def __init__(self) -> None:
        self._governed: dict[str, str] = {}
        self._named: set[str] = set()

    def add(self, found: str, governed: str, *, named: bool) -> bool:
        """Whether this link is news. `named`: the operator's name stays, whatever the agent finds."""
        if named:
            self._named.add(governed)
        if self._governed.get(found) == governed:
            return False
        self._governed[found] = governed
        return True

    def governed(self, found: str) -> str | None:
        """The governed run behind a found one."""
        return self._governed.get(found)

    def found(self, governed: str) -> list[str]:
        """The found runs that are this governed one."""
        return [found for found, run in self._governed.items() if run == governed]

    def of_session(self, session: str) -> list[str]:
        """The found runs of an agent's own session that are governed ones."""
        return [found for found in self._governed if found.rpartition("/")[2] == session]

    def forget(self, governed: str) -> list[str]:
        """The run left the screen; its found runs are on their own again."""
        found = self.found(governed)
        for name in found:
            del self._governed[name]
        return found

    def told_as(self, run: str, source: str) -> str:
        """What the run is called in a source that tells of `source` (empty for a database)."""
        found = self.found(run)
        return source if source in found else next(reversed(found), run)

    def shown(self, events: Iterable[e.Event]) -> list[e.Event]:
        """A page of a transcript under the governed runs' ids, its calls included."""
        return [replace(event, run=self._governed.get(event.run, event.run)) for event in events]

    def renamed(self, events: Iterable[e.Event]) -> list[e.Event]:
        """The events under the governed runs' ids; those that the wire knows better are left out."""
        if not self._governed:
            return list(events)
        return [told for event in events if (told := self._renamed(event)) is not None]

    def _renamed(self, event: e.Event) -> e.Event | None:
        if isinstance(event, e.RunSeen):
            parent = self._governed.get(event.parent or "", event.parent)
            run = self._governed.get(event.run)
            if run is not None:
                return replace(event, run=run, parent=None)
            return event if parent == event.parent else replace(event, parent=parent)
        run = self._governed.get(event.run)
        if run is None:
            return event
        if isinstance(event, _WIRE_KNOWS):
            return None
        if isinstance(event, e.RunDescribed) and run in self._named:
            return replace(event, run=run, name=None)
        return replace(event, run=run)
