"""Stops under way: an interrupt acts first, then it is journalled and drawn."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple

from msgspec import Struct

from cockpit.agents.adapter import InterruptRule
from cockpit.core.events import Event, RunStopped, StopFailed, StopRequested
from cockpit.core.fleet import Run
from cockpit.engine.census import Census
from cockpit.engine.lookout import Lookout
from cockpit.engine.matching import target
from cockpit.engine.stop import First, Hand, Mode, stop
from cockpit.engine.tree import Target

log = logging.getLogger(__name__)


class Held(Struct, frozen=True):
    """A run whose tree was recorded at its birth: what to stop, and the means beyond signals."""

    target: Target
    hand: Hand | None = None
    first: First | None = None


class _UnderWay(NamedTuple):
    mode: Mode
    climb: asyncio.Event
    task: "asyncio.Task[None]"


class Stops:
    """Begins stops, climbs when asked again, and tells how they end."""

    def __init__(
        self,
        census: Census,
        lookout: Lookout,
        record: Callable[..., object],
        now: Callable[[], int],
        spare: Callable[[], Collection[int]],
        held: Callable[[str], Held | None] = lambda _: None,
    ) -> None:
        """`spare` gives the pids of the screens and shells that talk to the engine now.

        `held` knows the runs that have a runner: for them no process needs to be found.
        """
        self._census = census
        self._lookout = lookout
        self._record = record
        self._now = now
        self._spare = spare
        self._held = held
        self._under_way: dict[str, _UnderWay] = {}

    def refusal(self, run: Run) -> str:
        """Why the run cannot be stopped; empty when it can."""
        if run.id in self._census.found or self._held(run.id) is not None:
            return ""
        return _why_not(run)

    def begin(self, runs: Iterable[Run], by: str, mode: Mode = "stop") -> None:
        """Stops runs in parallel; one that is being stopped goes up a rung, or all the way in panic."""
        for run in runs:
            before = self._under_way.get(run.id)
            if before is not None and mode in ("stop", before.mode):
                before.climb.set()
                continue
            if before is not None:
                before.task.cancel()
            climb = asyncio.Event()
            task = asyncio.create_task(self._stop(run, by, mode, climb), name=f"stop {run.id}")
            self._under_way[run.id] = _UnderWay(mode, climb, task)

    async def _stop(self, run: Run, by: str, mode: Mode, climb: asyncio.Event) -> None:
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
            emit(await self._outcome(run, mode, climb, emit))
        except Exception as error:
            log.exception("the stop of %s broke", run.id)
            emit(StopFailed(run=run.id, at=self._now(), reason=f"the stop itself broke: {error}"))
        finally:
            current = self._under_way.get(run.id)
            if current is not None and current.climb is climb:
                del self._under_way[run.id]

    async def _outcome(
        self, run: Run, mode: Mode, climb: asyncio.Event, emit: Callable[[Event], None]
    ) -> Event:
        found = self._census.found.get(run.id)
        adapter = self._census.adapter(run)

        def held() -> Held | None:
            governed = self._held(run.id)
            return governed or (Held(target(run, found)) if found is not None else None)

        outcome = await stop_held(
            held,
            adapter.interrupt if adapter else InterruptRule(),
            mode=mode,
            emit=emit,
            now=self._now,
            climb=climb,
            lookout=self._lookout,
            spare=self._spare(),
        )
        return outcome or StopFailed(run=run.id, at=self._now(), reason=_why_not(run))


async def stop_held(
    held: Callable[[], Held | None],
    rule: InterruptRule,
    *,
    mode: Mode,
    **means: Any,  # noqa: ANN401
) -> RunStopped | StopFailed | None:
    """Stops what is held, and once more what turned out to belong to it; None when nothing is held.

    A runner that dies in the middle leaves its orphans to the engine, where they are found only
    after its end. `means` are the other arguments of `stop`.
    """
    outcome: RunStopped | StopFailed | None = None
    stopped: Target | None = None
    while (now := held()) is not None and now.target != stopped:
        if isinstance(outcome, StopFailed):
            break
        outcome = await stop(now.target, rule, mode=mode, first=now.first, hand=now.hand, **means)
        stopped, mode = now.target, "panic"
    return outcome


def _why_not(run: Run) -> str:
    if run.parent is not None:
        return f"a sub-agent lives in its parent's process: stop {run.parent}"
    if run.process_gone:
        return f"process {run.pid} has ended already"
    return "no process is known for it: only its transcript is seen"
