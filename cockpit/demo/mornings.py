"""A task that comes back every morning, and a clock that is moved from one morning to the next.

The engine, its gateway, the agent's process, the files and the sandbox are real; the model is the demo's
simulated one, and `now` is what the engine is told instead of the machine's time.
"""

import asyncio
import json
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from cockpit.agents.registry import chosen
from cockpit.core.shelf import Sheet
from cockpit.demo.fleet import DemoError, agent_homes, fetch
from cockpit.demo.governing import PASSED_ON, program
from cockpit.demo.plan import Place, Plan
from cockpit.demo.prices import price_file
from cockpit.engine.client import Client
from cockpit.engine.engine import Engine
from cockpit.engine.library import Library
from cockpit.engine.workbench import Workbench
from cockpit.journal import evidence, paths
from cockpit.journal.evidence import Evidence
from cockpit.journal.index import Index
from cockpit.journal.settings import Settings
from cockpit.journal.store import Journal
from cockpit.prices.book import Book

FIRST = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
START_S = 30.0
STORY_S = 120.0
PROMPT = "Write this morning's report from data/figures.json"

PLAN = Plan(
    name="morning-report",
    session="",
    agent="claude-code",
    script="morning",
    model="claude-sonnet-5-5",
    task=PROMPT,
    branch="main",
    handbook_kb=8,
    governed=True,
    once=True,
)


class Mornings:
    """`client` speaks to the engine, `workspace` is where the report is written.

    The environment of this process is the demo's for as long as it lasts.
    """

    def __init__(self) -> None:
        self.root = Path(tempfile.gettempdir()).resolve() / f"cockpit-am-{secrets.token_hex(4)}"
        self.home = self.root / "home"
        self.workspace = self.root / "work"
        self.moment = FIRST
        self._offset = 0
        self._before = dict(os.environ)

    async def __aenter__(self) -> "Mornings":
        try:
            await self._start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def now(self) -> int:
        """The engine's clock (ms)."""
        return time.time_ns() // 1_000_000 + self._offset

    def rise(self, days: int = 1) -> datetime:
        """The next morning, a minute before half past six."""
        self.moment += timedelta(days=days)
        self._move(self.moment - timedelta(minutes=1))
        return self.moment

    def strike(self) -> None:
        """It is half past six."""
        self._move(self.moment)

    def _move(self, moment: datetime) -> None:
        self._offset += int(moment.timestamp() * 1000) - self.now()

    def bring(self, number: int, more: int = 0) -> datetime:
        """What the world leaves in the workspace for the present morning; `more` pages are new."""
        pages = {"pricing": 800 + 7 * number, "docs": 500 + 3 * number, "home": 300 - number}
        pages |= {"blog": 120 + number} if number % 2 else {}
        pages |= {f"launch-{each}": 90 - each for each in range(1, more + 1)}
        told = {
            "date": f"{self.moment:%Y-%m-%d}",
            "visitors": 4_000 + 37 * number,
            "orders": 80 + 5 * number,
            "pages": [{"page": page, "views": views} for page, views in pages.items()],
        }
        path = self.workspace / "data" / "figures.json"
        path.write_text(json.dumps(told, indent=2) + "\n")
        return self.moment

    def report(self, day: datetime) -> str:
        """The report of that day; empty when nobody wrote one."""
        path = self.workspace / "reports" / f"{day:%Y-%m-%d}.md"
        return path.read_text() if path.exists() else ""

    async def begin(self) -> str:
        """The agent is asked, as `cockpit run` would ask it; its run's id."""
        told = json.loads(await self.client.ask("begin", **self._wish()))
        return str(told["run"])

    async def script(self, action: str, **words: object) -> bytes:
        """One of the requests about a script."""
        return await self.client.ask("script", action=action, **words)

    async def sheet(self, name: str) -> Sheet:
        """A script with all that is known of it."""
        return msgspec.json.decode(await self.script("show", name=name), type=Sheet)

    async def until(self, name: str, reached: Callable[[Sheet], bool]) -> Sheet:
        """Waits for a script to have come so far.

        Raises:
            DemoError: when it does not, with where it stands.
        """
        deadline = time.monotonic() + STORY_S
        async for _ in self.client.fleets():
            sheet = await self.sheet(name)
            if reached(sheet) and not sheet.row.running:
                return sheet
            if time.monotonic() > deadline:
                raise DemoError(f"{name} stays {sheet.row.stage}: {sheet.row.needs}")
        raise DemoError("the engine has gone")

    @property
    def bench(self) -> Workbench:
        """Where the engine's scripts run."""
        return self._engine.workshop.bench

    async def calls(self) -> int:
        """Requests that the provider has answered."""
        told = await asyncio.to_thread(fetch, f"{self.provider}/_served")
        return len(told["served"])

    async def done(self, run: str) -> None:
        """Waits until there is evidence of the run."""
        deadline = time.monotonic() + START_S
        while run not in self._kept():
            if time.monotonic() > deadline:
                raise DemoError(f"{run} left no evidence")
            await asyncio.sleep(0.1)

    def _kept(self) -> set[str]:
        with Evidence.reading(paths.journal_file(), evidence.store()) as kept:
            rows = kept.rows() if kept is not None else []
        return {row.run for row in rows if row.ended is not None}

    def _wish(self) -> dict[str, Any]:
        outer = {name: self._before[name] for name in PASSED_ON if name in self._before}
        return {
            "command": [self._program, PROMPT],
            "cwd": str(self.workspace),
            "environment": {**outer, **self.environment()},
            "project": str(self.workspace),
            "upstreams": {"anthropic": f"{self.provider}/run/morning"},
        }

    def environment(self) -> dict[str, str]:
        """Variables under which everything happens in the demo's directory."""
        return {
            "HOME": str(self.home),
            "COCKPIT_HOME": str(self.root / "ck"),
            "ANTHROPIC_API_KEY": "none",
            **agent_homes(self.home),
        }

    # --- beginning and end

    async def _start(self) -> None:
        for folder in (self.home, self.workspace / "data", self.root / "ck" / "config"):
            folder.mkdir(mode=0o700, parents=True)
        (self.workspace / "HANDBOOK.md").write_text("# Handbook\n\nReports go into reports/.\n")
        await self._begin_provider()
        os.environ.update(self.environment())
        place = Place(home=str(self.home), workspace=str(self.workspace), provider=self.provider)
        self._program = str(program(PLAN, place, self.root / "programs"))
        await self._begin_engine()

    async def _begin_provider(self) -> None:
        self._provider = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cockpit.demo.provider",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert self._provider.stdout is not None
        line = await asyncio.wait_for(self._provider.stdout.readline(), START_S)
        if not line:
            raise DemoError("the demo's provider did not start")
        told = msgspec.json.decode(line)
        self.provider = str(told["url"])
        prices = self.root / "ck" / "config" / "prices.toml"
        prices.write_text(price_file(told["lifetimes_s"]))

    async def _begin_engine(self) -> None:
        self._move(self.moment - timedelta(hours=1))
        library = Library(chosen(("claude-code",)), self.home, os.environ)
        paths.private(paths.cache())
        self._engine = Engine(
            Settings(timezone="UTC"),
            library,
            Index.open(paths.index_file()),
            Journal(paths.journal_file()),
            Book.load(paths.prices_file(), paths.cache()),
            now=self.now,
        )
        self._running = asyncio.create_task(self._engine.run(paths.engine_socket()))
        deadline = time.monotonic() + START_S
        while True:
            try:
                self.client = await Client.connect(paths.engine_socket())
                return
            except Exception:
                if time.monotonic() > deadline or self._running.done():
                    raise
                await asyncio.sleep(0.05)

    async def close(self) -> None:
        """Ends everything and removes the directory."""
        if hasattr(self, "client"):
            await self.client.close()
        if hasattr(self, "_engine"):
            self._engine.shutdown()
            await asyncio.wait_for(self._running, START_S)
        if hasattr(self, "_provider"):
            with suppress(ProcessLookupError):
                self._provider.kill()
            await self._provider.wait()
        os.environ.clear()
        os.environ.update(self._before)
        await asyncio.to_thread(shutil.rmtree, self.root, ignore_errors=True)
