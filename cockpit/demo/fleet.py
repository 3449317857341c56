"""The demo as a whole: a provider, a nursery of agents, and a directory that all of it lives in.

    async with Demo() as demo:
        engine_environment = os.environ | demo.environment()

Nothing outside the demo's directory is read or written, and nothing is left of it: not when the
block ends, and not when the process that started it is killed.
"""

import asyncio
import os
import secrets
import shutil
import sys
import tempfile
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from cockpit.demo.cast import TIME_SCALE, cast
from cockpit.demo.governing import wanted
from cockpit.demo.nursery import ROOM, Birth, Notice
from cockpit.demo.plan import Place, Plan
from cockpit.demo.prices import price_file
from cockpit.demo.workspace import git_identity, make_workspace
from cockpit.engine.client import Client

STAGGER_S = 0.15
START_S = 30.0
STOP_S = 8.0

FORK_SAFE = {"OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES"}
"""macOS aborts forked children of a process that has used its frameworks, unless told not to."""

_AGENT_HOMES = {
    "CLAUDE_CONFIG_DIR": ".claude",
    "CODEX_HOME": ".codex",
    "COPILOT_HOME": ".copilot",
    "QWEN_HOME": ".qwen",
    "GEMINI_CLI_HOME": ".",
    "PI_CODING_AGENT_DIR": ".pi/agent",
    "VIBE_HOME": ".vibe",
    "XDG_DATA_HOME": ".local/share",
    "XDG_CONFIG_HOME": ".config",
    "XDG_STATE_HOME": ".local/state",
    "XDG_CACHE_HOME": ".cache",
}


def agent_homes(home: Path) -> dict[str, str]:
    """The variables by which agents find their files, all below `home`."""
    return {name: str(home / place) for name, place in _AGENT_HOMES.items()}


class DemoError(RuntimeError):
    """The demo could not start; the text says why."""


class Demo:
    """A running demo.

    `url` is the provider's address, `lifetimes_s` how long its caches really live, `processes` the
    pids of the living agents by name, `ended` the exit codes of those that are gone; governed agents
    are their engine's, and in neither.
    """

    def __init__(self, plans: Sequence[Plan] | None = None, time_scale: float = TIME_SCALE) -> None:
        self.plans = list(cast(time_scale) if plans is None else plans)
        self.time_scale = time_scale
        self.root = Path(tempfile.gettempdir()).resolve() / f"cockpit-demo-{secrets.token_hex(4)}"
        self.home = self.root / "home"
        self.url = ""
        self.lifetimes_s: dict[str, float] = {}
        self.processes: dict[str, int] = {}
        self.ended: dict[str, int] = {}
        self.changed = asyncio.Event()
        self._provider: asyncio.subprocess.Process | None = None
        self._nursery: asyncio.subprocess.Process | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Demo":
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def operate(self, client: Client) -> None:
        """What the demo's operator does: starts runs behind the gateway, and caps some of the others."""
        for plan in self.plans:
            if plan.governed:
                wish = wanted(plan, self._place(plan), self.root / "programs", self._agents())
                await client.ask("begin", **wish)
        waiting = {plan.session: plan.budget for plan in self.plans if not plan.governed}
        waiting = {session: budget for session, budget in waiting.items() if budget is not None}
        if waiting:
            async for fleet in client.fleets():
                for run in fleet.runs.values():
                    if run.session in waiting and run.parent is None:
                        await client.set_budget(run.id, waiting.pop(run.session))
                if not waiting:
                    break

    def _agents(self) -> dict[str, str]:
        return {**git_identity(self.home), **self.environment()}

    def _place(self, plan: Plan) -> Place:
        workspace = str(self.workspace(plan))
        return Place(home=str(self.home), workspace=workspace, provider=self.url)

    def environment(self) -> dict[str, str]:
        """Variables under which cockpit sees the demo's agents and writes into its directory.

        The price file there tells how long the demo's caches live.
        """
        cockpit = str(self.root / "cockpit")
        return {"HOME": str(self.home), "COCKPIT_HOME": cockpit, **agent_homes(self.home)}

    def workspace(self, plan: Plan) -> Path:
        return self.root / "work" / plan.name

    async def served(self, count: int = 0, begun: int = 0) -> dict[str, Any]:
        """The provider's account: `served` (every request), `streaming`, `lifetimes_s`, `time_scale`.

        Answers as soon as at least `count` requests were served, and the answers to `begun` had begun.
        """
        query = f"count={count}&begun={begun}"
        return await asyncio.to_thread(fetch, f"{self.url}/_served?{query}")

    async def until(self, *names: str) -> None:
        """Wait until agents with these names have started."""
        while not {*names} <= {*self.processes, *self.ended}:
            self.changed.clear()
            await self.changed.wait()

    async def stop(self) -> None:
        """End every process of the demo and remove its directory."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        for process in (self._nursery, self._provider):
            if process is not None:
                await _end(process)
        await asyncio.to_thread(shutil.rmtree, self.root, ignore_errors=True)

    async def _start(self) -> None:
        for directory in (self.root, self.home, self.root / "logs", self.root / "cockpit"):
            directory.mkdir(mode=0o700, exist_ok=True)
        self._nursery = await self._spawn("nursery", str(self.root), ROOM)
        self._provider = await self._spawn("provider", "--time-scale", str(self.time_scale))
        await asyncio.to_thread(self._make_workspaces)
        announced = await self._announced(self._provider)
        self.url, self.lifetimes_s = announced["url"], announced["lifetimes_s"]
        self._write_prices()
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._bear())]

    async def _spawn(self, module: str, *arguments: str) -> asyncio.subprocess.Process:
        with (self.root / "logs" / f"{module}.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                f"cockpit.demo.{module}",
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                cwd=self.root,
                env={**os.environ, **self._agents(), **FORK_SAFE},
            )

    async def _announced(self, provider: asyncio.subprocess.Process) -> dict[str, Any]:
        """The first line of the provider: its address."""
        assert provider.stdout is not None
        line = await asyncio.wait_for(provider.stdout.readline(), START_S)
        if not line:
            log = (self.root / "logs" / "provider.log").read_text(errors="replace")
            raise DemoError(f"the demo's provider did not start: {log[-2000:].strip()}")
        announced: dict[str, Any] = msgspec.json.decode(line)
        return announced

    def _make_workspaces(self) -> None:
        for plan in self.plans:
            make_workspace(plan, self.workspace(plan), self.home)

    def _write_prices(self) -> None:
        path = self.root / "cockpit" / "config" / "prices.toml"
        path.parent.mkdir(mode=0o700)
        path.write_text(price_file(self.lifetimes_s))

    async def _bear(self) -> None:
        """Hand the plans to the nursery, one after the other."""
        assert self._nursery is not None
        assert self._nursery.stdin is not None
        for plan in self.plans:
            if not plan.governed:
                birth = msgspec.json.encode(Birth(plan, self._place(plan)))
                self._nursery.stdin.write(birth + b"\n")
                await self._nursery.stdin.drain()
                await asyncio.sleep(STAGGER_S)

    async def _listen(self) -> None:
        """Keep account of the agents that start and end."""
        assert self._nursery is not None
        assert self._nursery.stdout is not None
        while line := await self._nursery.stdout.readline():
            notice = msgspec.json.decode(line, type=Notice)
            if notice.ended:
                self.processes.pop(notice.name, None)
                self.ended[notice.name] = notice.code
            else:
                self.processes[notice.name] = notice.pid
            self.changed.set()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Close its standard input, on which both children of the demo end; insist after a while."""
    assert process.stdin is not None
    process.stdin.close()
    for insist in (process.terminate, process.kill, None):
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_S)
            return
        if insist is not None:
            insist()


def fetch(url: str) -> dict[str, Any]:
    """What the provider tells of itself."""
    with urllib.request.urlopen(url, timeout=60) as response:
        found: dict[str, Any] = msgspec.json.decode(response.read())
    return found
