"""The model that fills what runs do not explain: asked behind the gateway, each time by a run of its own.

Such a run has a budget like any other: what it may cost is held before its one call leaves.
"""

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from cockpit.core.budget import Budget
from cockpit.core.fleet import Run
from cockpit.engine.wanted import Wanted
from cockpit.journal import paths
from cockpit.journal.architect import ArchitectSettings

ANSWER_TOKENS = 16_000
NAME = "architect"
WATCHED_SECONDS = 0.1
PROGRAM = (sys.executable, "-P", "-m", "cockpit.engine.consult")


class Consultation:
    """The questions about one script. `nano` is what they have cost; the last may not cross `most`."""

    def __init__(self, architects: "Architects", most: Budget) -> None:
        self._architects = architects
        self._most = most
        self.nano = 0

    def ask(self, request: str) -> str:
        """The answer, empty where there is none. Called in a thread; takes as long as the model."""
        money = None if self._most.money is None else max(0, self._most.money - self.nano)
        cap = Budget(money=money, turns=1, at_zero="halt")
        text, nano = self._architects.ask(request, cap)
        self.nano += nano
        return text


class Architects:
    """Belongs to the engine's event loop, but for `ask`. `begin` starts a governed run, `run` knows it."""

    def __init__(
        self,
        settings: ArchitectSettings,
        *,
        begin: Callable[[Wanted], Awaitable[str]],
        run: Callable[[str], Run | None],
        environment: Callable[[], dict[str, str]],
    ) -> None:
        self._settings = settings
        self._begin = begin
        self._run = run
        self._environment = environment
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """From now on questions are asked."""
        self._loop = asyncio.get_running_loop()

    def consultation(self, most: Budget) -> Consultation | None:
        """Somebody to ask; None where no model was chosen."""
        return Consultation(self, most) if self._settings.model and self._loop else None

    def ask(self, request: str, cap: Budget) -> tuple[str, int]:
        """The answer and what it cost (nano-dollars), out of any thread but the loop's."""
        if self._loop is None:
            return "", 0
        return asyncio.run_coroutine_threadsafe(self._asked(request, cap), self._loop).result()

    async def _asked(self, request: str, cap: Budget) -> tuple[str, int]:
        paths.private(paths.state())
        with tempfile.TemporaryDirectory(prefix="architect-", dir=paths.state()) as folder:
            question, work = Path(folder) / "question.json", Path(folder) / "work"
            work.mkdir()
            question.write_bytes(self._question(request))
            try:
                run = await self._begin(self._wanted(question, work, cap))
            except (ValueError, OSError):
                return "", 0
            ended = await self._ended(run)
            answer = question.with_suffix(".answer")
            return (answer.read_text() if answer.exists() else ""), ended.nano if ended else 0

    def _question(self, request: str) -> bytes:
        told = {"wire": self._settings.wire, "model": self._settings.model, "request": request}
        return msgspec.json.encode({**told, "tokens": ANSWER_TOKENS})

    def _wanted(self, question: Path, work: Path, cap: Budget) -> Wanted:
        upstream = self._settings.upstream
        way: dict[str, str] = {self._settings.wire: upstream} if upstream else {}
        return Wanted(
            command=(*PROGRAM, str(question)),
            cwd=str(work),
            environment=self._environment(),
            project=NAME,
            name=NAME,
            budget=cap,
            upstreams=way,
        )

    async def _ended(self, run: str) -> Run | None:
        """The run when it is over; None when it has left the screen."""
        while True:
            known = self._run(run)
            if known is None or known.phase == "ended" or known.process_gone:
                return known
            await asyncio.sleep(WATCHED_SECONDS)
