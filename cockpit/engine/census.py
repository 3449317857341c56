"""Which process serves which run, looked at once a second."""

import asyncio
from collections.abc import Mapping

from cockpit.agents.adapter import Adapter, Live
from cockpit.core.events import Event, ProcessEnded, ProcessFound
from cockpit.core.fleet import Fleet, Run
from cockpit.engine.found import Found, agents
from cockpit.engine.library import Library
from cockpit.engine.lookout import Lookout
from cockpit.engine.matching import Match, match_runs
from cockpit.engine.processes import Processes, open_files


class Census:
    """Keeps the pairing of runs and processes. Belongs to the engine's event loop."""

    def __init__(self, library: Library, lookout: Lookout) -> None:
        self._library = library
        self._lookout = lookout
        self._by_name: dict[str, Adapter] = {adapter.name: adapter for adapter in library.adapters}
        self._standing: dict[str, Match] = {}
        self.found: dict[str, Found] = {}

    def adapter(self, run: Run) -> Adapter | None:
        """What is known about the run's agent."""
        return self._by_name.get(run.agent)

    async def look(self, fleet: Fleet, now: int) -> list[Event]:
        """Processes that were found or have ended since the last look."""
        table = await self._lookout.fresh()
        registries = await asyncio.to_thread(self._registries)
        matches = match_runs(
            agents(table, self._library.adapters),
            [run for run in fleet.runs.values() if not run.governed],
            registries,
            self._standing,
            open_files,
        )
        self._standing = matches
        self.found = {run: match.found for run, match in matches.items() if match.found is not None}
        return [
            event
            for run in fleet.runs.values()
            if not run.governed
            for event in self._changes(run, matches, table, now)
        ]

    def _registries(self) -> dict[str, list[Live]]:
        home, environment = self._library.home, self._library.environment
        return {
            adapter.name: adapter.registry(home, environment) for adapter in self._library.adapters
        }

    def _changes(
        self, run: Run, matches: Mapping[str, Match], table: Processes, now: int
    ) -> list[Event]:
        match = matches.get(run.id)
        known = (run.pid, run.pid_created) if run.pid is not None and not run.process_gone else None
        if match is not None and match.found is not None:
            process = match.found.process
            if process.identity == known:
                return []
            return [
                ProcessFound(
                    run=run.id, at=now, pid=process.pid, created=process.created,
                    authority="signal", evidence=match.evidence,
                )
            ]  # fmt: skip
        if known is None or run.pid is None:
            return []
        row = table.get(run.pid)
        if row is not None and row.identity == known and row.alive:
            return []
        return [ProcessEnded(run=run.id, at=now, pid=run.pid)]
