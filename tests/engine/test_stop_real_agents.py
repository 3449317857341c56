"""Real Claude Code and Codex, at work on a tool that sleeps, are found, matched and stopped.

Needs `claude` and `codex` on the PATH: `npm install @anthropic-ai/claude-code @openai/codex`, then
`PATH=node_modules/.bin:$PATH pytest -m real_agents`.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import time

import pytest

from cockpit.agents.registry import chosen
from cockpit.core.events import RunStopped
from cockpit.core.fleet import Run
from cockpit.demo.provider import Provider
from cockpit.engine.found import agents
from cockpit.engine.lookout import Lookout
from cockpit.engine.matching import match_runs, target
from cockpit.engine.processes import open_files
from cockpit.engine.stop import stop

pytestmark = [
    pytest.mark.real_agents,
    pytest.mark.skipif(
        not (shutil.which("claude") and shutil.which("codex")), reason="no claude or codex on PATH"
    ),
]

PROMPT = "[[sleep]] build it"
PATIENCE_S = 60


def claude(url):
    environment = {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": "key",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    return ["claude", "-p", PROMPT, "--allowedTools", "Bash"], environment


def codex(url):
    gateway = f'{{name="demo",base_url="{url}/v1",env_key="DEMO_KEY",wire_api="responses"}}'
    settings = [f"model_providers.demo={gateway}", 'model_provider="demo"', 'model="gpt-6.1-sol"']
    options = [word for setting in settings for word in ("-c", setting)]
    free = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]
    return ["codex", "exec", *free, *options, PROMPT], {"DEMO_KEY": "key"}


class AtWork:
    """A real agent whose tool sleeps, and what the table says about it."""

    def __init__(self, agent, home, lookout):
        self.agent = agent
        self.home = home
        self.lookout = lookout
        self.project = home / "project"
        self.environment = {"HOME": str(home), "PATH": os.environ["PATH"], "TERM": "dumb"}

    def start(self, command, environment):
        self.project.mkdir()
        (self.home / ".codex").mkdir()
        self.started = time.time_ns() // 1_000_000
        self.process = subprocess.Popen(
            command,
            cwd=self.project,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=(self.home / "out").open("wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    async def mine(self):
        """Everything alive that works below the agent's home."""
        table = await self.lookout.fresh()
        rows = [row for row in table.values() if row.alive and row.cwd.startswith(str(self.home))]
        return table, rows

    async def until_its_tool_sleeps(self):
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            table, rows = await self.mine()
            if any(row.argv == ("sleep", "600") for row in rows):
                return table
            assert self.process.poll() is None, (self.home / "out").read_text()
            await asyncio.sleep(0.1)
        raise AssertionError((self.home / "out").read_text())

    def run(self, found):
        """The run as its transcript tells it."""
        [session] = found.sessions
        [source] = [path for path in self.home.rglob(f"*{session}.jsonl") if path.is_file()]
        return Run(
            id=f"{self.agent}/{session}", agent=self.agent, session=session,
            project=str(self.project), source=str(source), started=self.started,
            last_event=self.started,
        )  # fmt: skip


@pytest.fixture
def lookout():
    looking = Lookout()
    yield looking
    looking.close()


@pytest.fixture(params=["claude-code", "codex"])
async def at_work(request, tmp_path, lookout):
    work = AtWork(request.param, tmp_path.resolve(), lookout)
    async with Provider() as provider:
        work.start(*{"claude-code": claude, "codex": codex}[work.agent](provider.url))
        yield work
        for row in (await work.mine())[1]:
            os.kill(row.pid, signal.SIGKILL)
        work.process.wait()


async def find(work):
    """The adapter, the process of the agent, and its run."""
    [adapter] = chosen([work.agent])
    table = await work.until_its_tool_sleeps()
    listed = [each for each in agents(table, [adapter]) if each.cwd == str(work.project)]
    assert len(listed) == 1
    return adapter, listed[0], work.run(listed[0])


async def test_it_is_matched_by_what_it_says_itself(at_work):
    adapter, found, run = await find(at_work)
    registry = {at_work.agent: adapter.registry(at_work.home, at_work.environment)}
    told = match_runs([found], [run], registry, opened=open_files)[run.id]
    assert told.found == found
    evidence = {"claude-code": "own list of live sessions", "codex": "keeps the transcript open"}
    assert evidence[at_work.agent] in told.evidence
    by_environment = match_runs([found], [run], {})[run.id]
    assert by_environment.found == found
    assert "environment" in by_environment.evidence


@pytest.mark.parametrize("mode", ["stop", "panic"])
async def test_it_is_stopped_with_its_tool(at_work, mode):
    adapter, found, run = await find(at_work)
    rungs = []
    outcome = await stop(
        target(run, found), adapter.interrupt, mode=mode, emit=lambda event: rungs.append(event.rung),
        now=lambda: time.time_ns() // 1_000_000, lookout=at_work.lookout,
    )  # fmt: skip
    assert isinstance(outcome, RunStopped), outcome
    assert rungs == (["interrupt", "census"] if mode == "stop" else ["kill", "census"])
    assert (await at_work.mine())[1] == []
    print(f"\n{at_work.agent} {mode}: {outcome.took_ms} ms, {outcome.processes} processes")


async def test_the_tools_of_an_agent_that_was_killed_are_swept(at_work):
    adapter, found, run = await find(at_work)
    for pid, _ in found.roots:
        os.kill(pid, signal.SIGKILL)
    at_work.process.wait()
    fresh = Lookout()  # nothing is remembered of who was whose child
    outcome = await stop(
        target(run, found), adapter.interrupt, mode="stop", emit=lambda _: None,
        now=lambda: time.time_ns() // 1_000_000, lookout=fresh,
    )  # fmt: skip
    fresh.close()
    assert isinstance(outcome, RunStopped), outcome
    assert (await at_work.mine())[1] == []
