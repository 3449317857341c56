"""Evidence as the shelf asks for it: runs out of the store, tasks out of the search for repeats."""

import json
from collections.abc import Callable, Sequence

import msgspec
import sqlalchemy as sa

from cockpit.core.events import RunGoverned, decode
from cockpit.core.script import Task
from cockpit.core.shelf import Wish
from cockpit.core.trace import Trace
from cockpit.journal import evidence
from cockpit.journal.blobs import BlobStore
from cockpit.journal.store import events
from cockpit.journal.traces import traces

CUT = ("…", "{{secret:")
"""A word of a command with one of these was not kept whole."""


class Archive:
    """Reads only; every method may take a while and is called in a thread."""

    def __init__(
        self,
        engine: sa.Engine,
        blobs: BlobStore,
        tasks: Callable[[], Sequence[Task]],
        told: Callable[[str], Trace | None],
    ) -> None:
        """`tasks` looks for repeats over all agents' runs, `told` reads what a transcript tells."""
        self._engine = engine
        self._blobs = blobs
        self._tasks = tasks
        self._told = told

    def task(self, named: str) -> Task | None:
        """A repeated task by its id, its name or one of its runs."""
        tasks = self._tasks()
        found = [task for task in tasks if named in (task.id, task.name)]
        found = found or [task for task in tasks if named in task.runs]
        return found[0] if len(found) == 1 else None

    def task_of(self, run: str) -> Task | None:
        """The task that a run did."""
        return next((task for task in self._tasks() if run in task.runs), None)

    def trace(self, run: str) -> Trace | None:
        """The evidence of a run that is over, else what was told of it; None without either."""
        asked = sa.select(traces.c.body).where(traces.c.run == run, traces.c.ended.is_not(None))
        with self._engine.connect() as connection:
            body = connection.execute(asked).scalar()
        try:
            return evidence.get(self._blobs, body) if body else self._told(run)
        except KeyError:
            return None

    def wish(self, trace: Trace) -> Wish | None:
        """How the run was begun, to begin its like; None where that was not kept whole."""
        if trace.world is None:
            return None
        try:
            told = trace.world.environment.get("COCKPIT_ARGV", "")
            command = msgspec.convert(json.loads(told), tuple[str, ...])
        except (ValueError, msgspec.ValidationError):
            return None
        if not command or any(mark in word for word in command for mark in CUT):
            return None
        begun = self._begun(trace.run)
        return Wish(
            command=command,
            cwd=trace.root,
            agent=trace.agent,
            project=trace.project,
            name=begun.name if begun else "",
            upstreams=begun.upstreams if begun else (),
        )

    def _begun(self, run: str) -> RunGoverned | None:
        asked = (
            sa.select(events.c.body)
            .where(events.c.run == run, events.c.kind == "run_governed")
            .order_by(events.c.seq.desc())
        )
        with self._engine.connect() as connection:
            body = connection.execute(asked).scalar()
        found = decode(body) if body else None
        return found if isinstance(found, RunGoverned) else None
