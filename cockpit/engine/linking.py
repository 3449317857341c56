"""Which transcript belongs to which governed run: by session, by message, by process."""

from collections.abc import Callable, Mapping

from cockpit.core import events as e
from cockpit.core.fleet import Run
from cockpit.engine.chronicle import Chronicle
from cockpit.engine.found import Found
from cockpit.engine.histories import Histories
from cockpit.engine.links import Links
from cockpit.engine.processes import Identity

MESSAGES_LIMIT = 50_000


class Linking:
    """Finds links and tells of each once. Belongs to the engine's event loop."""

    def __init__(
        self,
        *,
        links: Links,
        histories: Histories,
        chronicle: Chronicle,
        linked: Callable[[str, str], None],
        goes_on: Callable[[str, str], None],
    ) -> None:
        """`linked` is told the found run and the governed one, `goes_on` a governed run and its task's."""
        self._links = links
        self._histories = histories
        self._fleet = chronicle.fleet
        self._linked = linked
        self._goes_on = goes_on
        self._sessions: dict[tuple[str, str], str] = {}
        self._messages: dict[str, str] = {}

    def named(self, run: str, session: str) -> None:
        """The agent itself said which session its calls are of."""
        agent = self._histories.begun(run).agent
        handed = self._links.of_session(session)
        for earlier in (self._sessions.get((agent, session)), *map(self._links.governed, handed)):
            self._continue(run, earlier)
        self._sessions[agent, session] = run
        for found in list(self._fleet().runs.values()):
            self.seen(found)
        for name in handed:
            self._hand_over(name, run)

    def knows(self, run: str, session: str) -> bool:
        """Whether the run was told to have this session."""
        return self._sessions.get((self._histories.begun(run).agent, session)) == run

    def settled(self, event: e.CallSettled) -> None:
        """A call of a governed run was booked; a transcript may tell of the same message."""
        if len(self._messages) > MESSAGES_LIMIT:
            self._messages.clear()
        self._messages[event.call] = event.run

    def seen(self, run: Run) -> None:
        """A run was found in a transcript."""
        governed = self._sessions.get((run.agent, run.session))
        if governed is not None and run.session:
            self._link(run, governed)

    def told(self, event: e.CallSettled) -> None:
        """A transcript tells of a call; if the wire booked it, that run is a governed one."""
        governed = self._messages.get(event.call)
        run = self._fleet().runs.get(event.run)
        if governed is not None and run is not None:
            self._link(run, governed)
        elif governed is not None:
            self._hand_over(event.run, governed)

    def served(self, found: Mapping[str, Found], owners: Mapping[Identity, str]) -> None:
        """Processes that serve found runs: one below a runner is that runner's run."""
        for name, each in found.items():
            run = self._fleet().runs.get(name)
            owner = next((owners[above] for above in each.process.line if above in owners), None)
            if owner is not None and run is not None:
                self._link(run, owner)

    def _hand_over(self, found: str, governed: str) -> None:
        """A transcript that was an earlier run's is gone on with by a later one."""
        if self._continue(governed, self._links.governed(found)):
            self._linked(found, governed)

    def _continue(self, governed: str, earlier: str | None) -> bool:
        """Whether a run goes on with what an earlier one did.

        What programs that nobody knows call a session may be the same for all of their runs.
        """
        runs = self._fleet().runs
        first, then = runs.get(earlier or ""), runs.get(governed)
        if not (first and then and first.started < then.started):
            return False
        if first.agent != then.agent or then.agent == "generic":
            return False
        self._goes_on(then.id, first.id)
        return True

    def _link(self, run: Run, governed: str) -> None:
        if run.governed or run.parent is not None or self._links.governed(run.id) == governed:
            return
        self._linked(run.id, governed)
