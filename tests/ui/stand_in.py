"""A remote that a test holds in its hands: the engine's edge, nothing of the screen."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC
from typing import Literal

from fleets import NOW
from msgspec.structs import replace

from cockpit.core.budget import Budget
from cockpit.core.concentration import Scope
from cockpit.core.events import Event
from cockpit.core.fleet import Fleet
from cockpit.core.spending import By, Only, SpentReport
from cockpit.engine.client import EngineError, Page
from cockpit.ui.app import CockpitApp
from cockpit.ui.settings import ScreenSettings

Heard = tuple[object, ...]


class StandIn:
    """Answers at once, never (`deaf`) or with a refusal; remembers what it heard, in order.

    `looks_at` is called when a request arrives, so that a test can see how the screen stood then.
    """

    def __init__(self, *fleets: Fleet, deaf: bool = False, refusal: str = "") -> None:
        self.heard: list[Heard] = []
        self.looks_at: Callable[[], object] = lambda: None
        self.seen: list[object] = []
        self.channel = "gateway"
        self.scopes: list[Scope] = []
        self._deaf, self._refusal = deaf, refusal
        self._queue: asyncio.Queue[Fleet | Exception] = asyncio.Queue()
        for fleet in fleets:
            self._queue.put_nowait(fleet)

    def send(self, *fleets: Fleet | Exception) -> None:
        for fleet in fleets:
            self._queue.put_nowait(fleet)

    async def fleets(self) -> AsyncIterator[Fleet]:
        while True:
            told = await self._queue.get()
            try:
                if isinstance(told, Exception):
                    raise told
                yield told
            finally:
                self._queue.task_done()

    async def drained(self) -> None:
        """Every snapshot sent so far was taken."""
        await self._queue.join()

    async def _hear(self, *words: object) -> None:
        self.heard.append(words)
        self.seen.append(self.looks_at())
        if self._deaf:
            await asyncio.Event().wait()
        if self._refusal:
            raise EngineError(self._refusal)

    async def stop(self, runs: Sequence[str], mode: Literal["stop", "panic"] = "stop") -> None:
        await self._hear("stop", list(runs), mode)

    async def panic(self) -> None:
        await self._hear("panic")

    async def set_budget(self, run: str, budget: Budget | None) -> None:
        await self._hear("budget", run, budget)

    async def pause(self, runs: Sequence[str]) -> None:
        await self._hear("pause", list(runs))

    async def resume(self, runs: Sequence[str]) -> None:
        await self._hear("resume", list(runs))

    async def say(self, run: str, text: str) -> str:
        await self._hear("say", run, text)
        return self.channel

    async def answer(self, run: str, tool: str, *, allowed: bool) -> None:
        await self._hear("answer", run, tool, allowed)

    async def caps(self) -> list[Scope]:
        return self.scopes

    async def cap(self, scope: str, money: int | None) -> None:
        await self._hear("cap", scope, money)

    async def transcript(self, run: str, before: int | None = None, limit: int = 300) -> Page:
        return Page()

    async def spend(
        self,
        by: By,
        since: int = 0,
        until: int | None = None,
        tz: str = "",
        only: Sequence[Only] = (),
    ) -> SpentReport:
        return SpentReport()

    async def story(self, run: str) -> AsyncIterator[list[Event]]:
        await asyncio.Event().wait()
        yield []


class Time:
    """A clock that only a test moves."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def screen_on(
    remote: StandIn, time: Time | None = None, settings: ScreenSettings | None = None
) -> CockpitApp:
    """The app on a stand-in, in UTC, with a clock that stands still."""
    settings = settings or ScreenSettings()
    if settings.tz is None:
        settings = replace(settings, tz=UTC)
    return CockpitApp(remote, now=time or Time(), settings=settings)


async def settled(pilot) -> None:
    """Every message was handled and every snapshot drawn."""
    async with asyncio.timeout(10):
        await pilot.app.remote.drained()
    pilot.app._draw()
    await pilot.pause()


def written(app: CockpitApp) -> list[str]:
    """The screen as lines of text, as the compositor would send it."""
    return [
        "".join(segment.text for segment in strip)
        for strip in app.screen._compositor.render_strips()
    ]
