"""Stops under way: an interrupt acts first, then it is journalled and drawn."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Literal

from cockpit.agents.adapter import InterruptRule
from cockpit.core.events import Event, StopFailed, StopRequested
from cockpit.core.fleet import Run
from cockpit.engine.census import Census
from cockpit.engine.lookout import Lookout
from cockpit.engine.matching import target
from cockpit.engine.stop import stop

log = logging.getLogger(__name__)


class Stops:
    """Begins stops, climbs when asked again, and tells how they end."""

    def __init__(
        self, census: Census, lookout: Lookout, record: Callable[..., None], now: Callable[[], int]
    ) -> None:
        self._census = census
        self._lookout = lookout
        self._record = record
        self._now = now
        self._climbs: dict[str, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, runs: Iterable[Run], by: str, mode: Literal["stop", "panic"] = "stop") -> None:
        """Stops runs in parallel; one that is being stopped already goes up a rung."""
        for run in runs:
            climb = self._climbs.get(run.id)
            if climb is not None:
                climb.set()
                continue
            self._climbs[run.id] = asyncio.Event()
            task = asyncio.create_task(self._stop(run, by, mode), name=f"stop {run.id}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _stop(self, run: Run, by: str, mode: Literal["stop", "panic"]) -> None:
        told: list[Event] = []

        def requested() -> None:
            if not told:
                told.append(StopRequested(run=run.id, at=self._now(), by=by, mode=mode))
                self._record(told[0])

        def emit(event: Event) -> None:
            requested()
            self._record(event)

        asyncio.get_running_loop().call_soon(requested)
        try:
            emit(await self._outcome(run, mode, emit))
        except Exception as error:
            log.exception("the stop of %s broke", run.id)
            emit(StopFailed(run=run.id, at=self._now(), reason=f"the stop itself broke: {error}"))
        finally:
            del self._climbs[run.id]

    async def _outcome(
        self, run: Run, mode: Literal["stop", "panic"], emit: Callable[[Event], None]
    ) -> Event:
        found = self._census.found.get(run.id)
        if found is None:
            return StopFailed(run=run.id, at=self._now(), reason=_why_not(run))
        adapter = self._census.adapter(run)
        return await stop(
            target(run, found),
            adapter.interrupt if adapter else InterruptRule(),
            mode=mode,
            emit=emit,
            now=self._now,
            climb=self._climbs[run.id],
            lookout=self._lookout,
        )


def _why_not(run: Run) -> str:
    if run.parent is not None:
        return f"a sub-agent lives in its parent's process: stop {run.parent}"
    if run.process_gone:
        return f"process {run.pid} has ended already"
    return "no process is known for it: only its transcript is seen"
