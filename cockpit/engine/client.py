"""How a screen, a command or a script talks to the engine: JSON lines over a Unix socket.

A request is one line `{"id": 1, "do": "stop", ...}`; its answer carries the same id and either
`ok` or `error`. The requests `fleets` and `story` are answered by many lines with the same id until
the connection closes. The README documents the requests; `cockpit.engine.api` answers them.
"""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, Self

import msgspec
from msgspec import Struct

from cockpit.core.budget import Budget
from cockpit.core.concentration import Scope
from cockpit.core.events import Event, union
from cockpit.core.fleet import Fleet
from cockpit.core.spending import By, Only, SpentReport, read_report
from cockpit.engine.snapshots import Snapshots

LINE_LIMIT = 64 * 1024 * 1024


class EngineError(Exception):
    """The engine refused a request, or there is no engine to ask."""


class Page(Struct, frozen=True):
    """A page of a run's story; `before` continues towards its start, None when this is the start."""

    events: list[Event] = []
    before: int | None = None


class Remote(Protocol):
    """What a screen needs of the engine."""

    def fleets(self) -> AsyncIterator[Fleet]:
        """Snapshots, at most four a second, only when something changed."""
        ...

    async def stop(self, runs: Sequence[str], mode: Literal["stop", "panic"] = "stop") -> None:
        """Stop runs; once more while a stop is under way climbs a rung."""
        ...

    async def panic(self) -> None:
        """Stop everything that can be signalled, at once."""
        ...

    async def set_budget(self, run: str, budget: Budget | None) -> None:
        """Cap a run; None takes the cap away."""
        ...

    async def pause(self, runs: Sequence[str]) -> None:
        """Hold the next model call of governed runs."""
        ...

    async def resume(self, runs: Sequence[str]) -> None:
        """Let paused or deferred runs go on."""
        ...

    async def say(self, run: str, text: str) -> str:
        """Say a word to a live run; gives the channel that takes it."""
        ...

    async def answer(self, run: str, tool: str, *, allowed: bool) -> None:
        """Decide on a tool call that waits."""
        ...

    async def caps(self) -> list[Scope]:
        """What runs share, with its books."""
        ...

    async def cap(self, scope: str, money: int | None) -> None:
        """Cap what runs share: `day`, `month`, `fleet`, `project:/path`; None takes the cap away."""
        ...

    async def transcript(self, run: str, before: int | None = None, limit: int = 300) -> Page:
        """A page of a run's story, the newest first."""
        ...

    def story(self, run: str) -> AsyncIterator[list[Event]]:
        """What happens to a run from now on."""
        ...

    async def spend(
        self,
        by: By,
        since: int = 0,
        until: int | None = None,
        tz: str = "",
        only: Sequence[Only] = (),
    ) -> SpentReport:
        """What was spent in [since, until) milliseconds; `tz` is an IANA name, empty the machine's."""
        ...

    async def ask(self, do: str, **arguments: Any) -> bytes:  # noqa: ANN401 (any JSON)
        """The answer to one request, as JSON."""
        ...


class _Answer(Struct, frozen=True):
    id: int
    ok: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""


class _RawPage(Struct, frozen=True):
    events: list[union] = []
    before: int | None = None


_answers = msgspec.json.Decoder(_Answer)
_scopes = msgspec.json.Decoder(list[Scope])
_pages = msgspec.json.Decoder(_RawPage)


class Client:
    """One connection to a running engine; requests may overlap."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Queue[_Answer]] = {}
        self._receiver = asyncio.create_task(self._receive())

    @classmethod
    async def connect(cls, socket: Path) -> Self:
        """A connection to the engine behind `socket`.

        Raises:
            EngineError: when nothing listens there, or somebody else's process does.
        """
        try:
            if socket.stat().st_uid != os.getuid():
                raise EngineError(f"{socket} belongs to another user")
            reader, writer = await asyncio.open_unix_connection(str(socket), limit=LINE_LIMIT)
        except OSError as error:
            raise EngineError("no engine is running: cockpit engine start") from error
        return cls(reader, writer)

    @property
    def lost(self) -> bool:
        """Whether the engine has gone."""
        return self._receiver.done()

    async def close(self) -> None:
        self._receiver.cancel()
        self._writer.close()

    async def _receive(self) -> None:
        try:
            while line := await self._reader.readline():
                answer = _answers.decode(line)
                queue = self._waiting.get(answer.id)
                if queue is not None:
                    queue.put_nowait(answer)
        except (OSError, ValueError, msgspec.MsgspecError):
            pass
        finally:
            for number, queue in self._waiting.items():
                queue.put_nowait(_Answer(number, error="the engine has gone"))

    def _send(self, do: str, arguments: dict[str, Any]) -> tuple[int, asyncio.Queue[_Answer]]:
        if self.lost:
            raise EngineError("the engine has gone")
        number = next(self._ids)
        queue = self._waiting[number] = asyncio.Queue()
        self._writer.write(msgspec.json.encode({"id": number, "do": do, **arguments}) + b"\n")
        return number, queue

    async def ask(self, do: str, **arguments: Any) -> bytes:  # noqa: ANN401 (any JSON)
        """The answer to one request, as JSON.

        Raises:
            EngineError: with the engine's own words.
        """
        number, queue = self._send(do, arguments)
        try:
            answer = await queue.get()
        finally:
            del self._waiting[number]
        if answer.error:
            raise EngineError(answer.error)
        return bytes(answer.ok)

    async def _stream(self, do: str, **arguments: Any) -> AsyncIterator[list[bytes]]:  # noqa: ANN401
        """What has come since the last step; leaving the loop ends the stream at the engine too."""
        number, queue = self._send(do, arguments)
        try:
            while True:
                answers = [await queue.get()]
                while not queue.empty():
                    answers.append(queue.get_nowait())
                refused = next((answer.error for answer in answers if answer.error), "")
                if refused:
                    raise EngineError(refused)
                yield [bytes(answer.ok) for answer in answers]
        finally:
            self._waiting.pop(number, None)
            if not self.lost:
                self._writer.write(msgspec.json.encode({"id": number, "do": "end"}) + b"\n")

    async def fleets(self) -> AsyncIterator[Fleet]:
        """Snapshots, at most four a second, only when something changed; the newest after a stall."""
        snapshots = Snapshots()
        async for answers in self._stream("fleets"):
            yield snapshots.read(answers[-1])

    async def fleet(self) -> Fleet:
        """The snapshot of this moment."""
        return Snapshots().read(await self.ask("fleet"))

    async def stop(self, runs: Sequence[str], mode: Literal["stop", "panic"] = "stop") -> None:
        """Stop runs; once more while a stop is under way climbs a rung."""
        await self.ask("stop", runs=list(runs), mode=mode)

    async def panic(self) -> None:
        """Stop everything that can be signalled, at once."""
        await self.ask("panic")

    async def set_budget(self, run: str, budget: Budget | None) -> None:
        """Cap a run; None takes the cap away."""
        await self.ask("budget", run=run, budget=budget)

    async def pause(self, runs: Sequence[str]) -> None:
        """Hold the next model call of governed runs."""
        await self.ask("pause", runs=list(runs))

    async def resume(self, runs: Sequence[str]) -> None:
        """Let paused or deferred runs go on."""
        await self.ask("resume", runs=list(runs))

    async def say(self, run: str, text: str) -> str:
        """Say a word to a live run; gives the channel that takes it."""
        return msgspec.json.decode(await self.ask("say", run=run, text=text), type=str)

    async def answer(self, run: str, tool: str, *, allowed: bool) -> None:
        """Decide on a tool call that waits."""
        await self.ask("answer", run=run, tool=tool, allowed=allowed)

    async def caps(self) -> list[Scope]:
        """What runs share, with its books."""
        return _scopes.decode(await self.ask("caps"))

    async def cap(self, scope: str, money: int | None) -> None:
        """Cap what runs share; None takes the cap away."""
        await self.ask("cap", scope=scope, money=money)

    async def transcript(self, run: str, before: int | None = None, limit: int = 300) -> Page:
        """A page of a run's story, the newest first."""
        raw = _pages.decode(await self.ask("transcript", run=run, before=before, limit=limit))
        return Page(raw.events, raw.before)

    async def spend(
        self,
        by: By,
        since: int = 0,
        until: int | None = None,
        tz: str = "",
        only: Sequence[Only] = (),
    ) -> SpentReport:
        """What was spent in [since, until) milliseconds; `tz` is an IANA name, empty the machine's."""
        asked = {"by": by, "since": since, "tz": tz, "only": list(only)}
        if until is not None:
            asked["until"] = until
        return read_report(await self.ask("spend", **asked))

    async def story(self, run: str) -> AsyncIterator[list[Event]]:
        """What happens to a run from now on."""
        async for answers in self._stream("story", run=run):
            yield [event for data in answers for event in _pages.decode(data).events]
