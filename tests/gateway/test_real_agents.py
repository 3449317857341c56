"""Real agents through the door: the ledger is the provider's truth, and they stop where it says.

Needs the agents on the PATH, as tests/demo/test_real_agents.py tells.
"""

import asyncio
import contextlib
import os
import shutil

import pytest

from cockpit.core import events as e
from cockpit.demo.mishaps import Mishap
from cockpit.journal.purse import Cap
from tests.demo.test_real_agents import AGENTS
from tests.gateway.line import NANO, Line

pytestmark = pytest.mark.real_agents

agents = pytest.mark.parametrize("agent", ["claude", "codex", "gemini", "qwen", "opencode"])
NAMES = {"claude": "claude-code", "gemini": "gemini-cli", "qwen": "qwen-code"}


@contextlib.asynccontextmanager
async def started(agent, run, place, prompt="look at the project"):
    """The agent at work in a home of its own."""
    home, project = place / "home", place / "project"
    for folder in (home, project):
        folder.mkdir()
    command, environment = AGENTS[agent](run.url, place, prompt)
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} on PATH")
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=project,
        env={"HOME": str(home), "PATH": os.environ["PATH"], "TERM": "dumb", **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        await process.wait()


async def output_of(process, limit=150):
    output, _ = await asyncio.wait_for(process.communicate(), limit)
    return output.decode(errors="replace")


def governed(line, agent, **more):
    return line.run(agent=NAMES.get(agent, agent), **more)


@agents
@pytest.mark.parametrize("prompt", ["look at the project", "[[delegate]] look"])
async def test_the_ledger_is_the_providers_truth(tmp_path, agent, prompt):
    async with Line(tmp_path) as line:
        run = governed(line, agent, cap=100 * NANO)
        line.demo.plan(Mishap(kind="status", status=529, times=2, with_tools=True))
        async with started(agent, run, tmp_path, prompt) as process:
            said = await output_of(process)
        assert process.returncode == 0, said
        served = [one for one in line.demo.served() if one.status == 200 and one.tokens.total]
        settled = line.of(e.CallSettled)
        assert {event.mark for event in settled} == {"exact"}
        assert sorted(event.tokens.total for event in settled) == sorted(
            one.tokens.total for one in served
        )
        assert line.spent().tokens == line.truth() > 0
        assert not line.ledger.open_holds()


@agents
async def test_at_the_cap_it_says_our_sentence_after_one_refusal(tmp_path, agent):
    async with Line(tmp_path) as line:
        run = governed(line, agent, cap=1)
        async with started(agent, run, tmp_path) as process:
            said = await output_of(process, 60)
        assert "Nothing was sent" in said
        assert len(line.of(e.HoldRefused)) <= 2
        assert line.truth() == 0


@agents
async def test_a_pause_and_a_note(tmp_path, agent):
    async with Line(tmp_path) as line:
        run = governed(line, agent, patience_s=50)
        run.pause()
        async with started(agent, run, tmp_path) as process:
            async with asyncio.timeout(60):
                while not run.held:  # noqa: ASYNC110 - a count, which nobody announces
                    await asyncio.sleep(0.05)
            await asyncio.sleep(20)
            assert line.truth() == 0
            note = run.say("Leave the tests alone, please.")
            run.resume()
            said = await output_of(process)
        assert process.returncode == 0, said
        assert note.delivered.done()
        heard = [one.heard for one in line.demo.served() if "Leave the tests" in one.heard]
        assert len(heard) == 1
        assert line.spent().tokens == line.truth()


@agents
async def test_an_interrupted_stream_is_never_zero(tmp_path, agent):
    async with Line(tmp_path) as line:
        run = governed(line, agent)
        async with started(agent, run, tmp_path, "[[slow]] tell me everything") as process:
            async with asyncio.timeout(60):
                await line.demo.until(begun=1)
            await asyncio.sleep(1)
            os.killpg(process.pid, 9)
            await process.wait()
            await line.until(e.CallSettled, limit=30)
        async with asyncio.timeout(10):
            while run.in_flight:  # noqa: ASYNC110 - a count, which nobody announces
                await asyncio.sleep(0.05)
        async with asyncio.timeout(10):
            await line.demo.until(count=len(line.of(e.CallSettled)))
        cut = [one for one in line.demo.served() if one.cancelled]
        estimated = [event for event in line.of(e.CallSettled) if event.mark == "estimated"]
        assert cut
        assert len(estimated) == len(cut)
        assert line.spent().tokens >= line.truth()
        assert not line.ledger.open_holds()


@agents
async def test_raising_the_cap_lets_it_go_on(tmp_path, agent):
    async with Line(tmp_path) as line:
        run = governed(line, agent, cap=1, at_cap="ask")
        async with started(agent, run, tmp_path) as process:
            await line.until(e.HoldRefused, limit=60)
            line.ledger.cap(f"run:{run.run}", Cap(100 * NANO))
            run.admit_again()
            said = await output_of(process)
        assert process.returncode == 0, said
        assert line.spent().tokens == line.truth() > 0
