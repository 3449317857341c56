"""The engine as a screen sees it: started when missing, found again when it was replaced."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal

from cockpit.core.budget import Budget
from cockpit.core.concentration import Scope
from cockpit.core.events import Event
from cockpit.core.fleet import Fleet
from cockpit.core.spending import By, Only, SpentReport
from cockpit.engine.client import Client, EngineError, Page

AGAIN_SECONDS = 0.5
CONNECT_SECONDS = 20.0


class EngineRemote:
    """A `Remote` that keeps one connection to the engine and renews it when it breaks."""

    def __init__(self) -> None:
        self._client: Client | None = None
        self._connecting = asyncio.Lock()

    async def _connected(self) -> Client:
        async with self._connecting:
            if self._client is None or self._client.lost:
                from cockpit.engine import service  # the first paint does without it

                self._client = await asyncio.wait_for(service.connect(), CONNECT_SECONDS)
            return self._client

    async def fleets(self) -> AsyncIterator[Fleet]:
        """Snapshots, over as many engines as it takes.

        Raises:
            EngineError: when no engine can be started.
        """
        while True:
            client = await self._connected()
            try:
                async for fleet in client.fleets():
                    yield fleet
            except EngineError:
                await client.close()
                await asyncio.sleep(AGAIN_SECONDS)

    async def stop(self, runs: Sequence[str], mode: Literal["stop", "panic"] = "stop") -> None:
        """Stop runs; once more while a stop is under way climbs a rung."""
        await (await self._connected()).stop(runs, mode)

    async def panic(self) -> None:
        """Stop everything that can be signalled, at once."""
        await (await self._connected()).panic()

    async def set_budget(self, run: str, budget: Budget | None) -> None:
        """Cap a run; None takes the cap away."""
        await (await self._connected()).set_budget(run, budget)

    async def pause(self, runs: Sequence[str]) -> None:
        """Hold the next model call of governed runs."""
        await (await self._connected()).pause(runs)

    async def resume(self, runs: Sequence[str]) -> None:
        """Let paused or deferred runs go on."""
        await (await self._connected()).resume(runs)

    async def say(self, run: str, text: str) -> str:
        """Say a word to a live run; gives the channel that takes it."""
        return await (await self._connected()).say(run, text)

    async def answer(self, run: str, tool: str, *, allowed: bool) -> None:
        """Decide on a tool call that waits."""
        await (await self._connected()).answer(run, tool, allowed=allowed)

    async def caps(self) -> list[Scope]:
        """What runs share, with its books."""
        return await (await self._connected()).caps()

    async def cap(self, scope: str, money: int | None) -> None:
        """Cap what runs share; None takes the cap away."""
        await (await self._connected()).cap(scope, money)

    async def transcript(self, run: str, before: int | None = None, limit: int = 300) -> Page:
        """A page of a run's story, the newest first."""
        return await (await self._connected()).transcript(run, before, limit)

    async def spend(
        self,
        by: By,
        since: int = 0,
        until: int | None = None,
        tz: str = "",
        only: Sequence[Only] = (),
    ) -> SpentReport:
        """What was spent in [since, until) milliseconds; `tz` is an IANA name, empty the machine's."""
        return await (await self._connected()).spend(by, since, until, tz, only)

    async def ask(self, do: str, **arguments: Any) -> bytes:  # noqa: ANN401 (any JSON)
        """The answer to one request, as JSON.

        Raises:
            EngineError: with the engine's own words.
        """
        return await (await self._connected()).ask(do, **arguments)

    async def story(self, run: str) -> AsyncIterator[list[Event]]:
        """What happens to a run from now on."""
        async for events in (await self._connected()).story(run):
            yield events

    async def close(self) -> None:
        """Ends the connection; the engine goes on."""
        if self._client is not None:
            await self._client.close()
