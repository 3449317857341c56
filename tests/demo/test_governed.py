"""The demo's governed agents: capped, held, steered and asked for real, by a real engine."""

import asyncio
import contextlib
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import psutil

from cockpit.core import events as e
from cockpit.core.budget import Budget
from cockpit.core.money import NANO
from cockpit.demo.cast import cast
from cockpit.demo.exchange import Served
from cockpit.demo.fleet import Demo
from cockpit.demo.governing import end_engine
from cockpit.engine import service

SCALE = 75.0
PATIENCE_S = 60


@asynccontextmanager
async def operated(monkeypatch, *names):
    """A demo of these agents with its engine, and a client of it."""
    demo = Demo([plan for plan in cast(SCALE) if plan.name in names], SCALE)
    for name, place in demo.environment().items():
        monkeypatch.setenv(name, place)
    async with demo:
        client = await service.connect()
        try:
            await demo.operate(client)
            yield demo, client
        finally:
            await client.close()
            await asyncio.to_thread(end_engine)


async def until(client, name, condition):
    """The run of that name once it satisfies a condition."""

    async def seen():
        async for fleet in client.fleets():
            for run in fleet.runs.values():
                if run.name == name and condition(run):
                    return run
        raise AssertionError("the engine has gone")

    return await asyncio.wait_for(seen(), PATIENCE_S)


async def served(demo, name):
    report = await demo.served()
    return [one for one in msgspec.convert(report["served"], list[Served]) if one.run == name]


def subjects(repository):
    command = ["git", "-C", repository, "log", "--all", "--format=%s"]
    return subprocess.check_output(command, text=True).splitlines()


async def quiet(demo):
    """How many calls were served, once the last one has ended and its tools had time to run."""
    count, since = -1, 0.0
    while True:
        report = await demo.served()
        if report["streaming"] or len(report["served"]) != count:
            count, since = len(report["served"]), time.monotonic()
        elif time.monotonic() - since > 2:
            return count
        await asyncio.sleep(0.1)


async def story(client, run, kind):
    page = await client.transcript(run.id)
    return [event for event in page.events if isinstance(event, kind)]


async def test_a_cap_defers_the_run_and_a_higher_one_lets_it_go_on(monkeypatch):
    async with operated(monkeypatch, "docs-rewrite") as (demo, client):
        run = await until(client, "docs-rewrite", lambda run: run.deferred and run.process_gone)
        assert run.nano <= 15 * NANO // 100
        assert "may cost" in run.outcome
        assert run.outcome.startswith("exit 1: API Error: 402 cockpit: ")
        (failed,) = await story(client, run, e.CallFailed)
        assert failed.status == 402
        chapters = len(list((demo.workspace(demo.plans[0]) / "docs").iterdir()))
        await client.set_budget(run.id, Budget(money=NANO, at_zero="defer"))
        later = await until(client, "docs-rewrite", lambda now: now.turns > run.turns)
        assert (later.id, later.deferred) == (run.id, "")
        await until(client, "docs-rewrite", lambda now: now.turns > run.turns + 1)
        assert len(list((demo.workspace(demo.plans[0]) / "docs").iterdir())) > chapters
        total = sum(one.tokens.total for one in await served(demo, "docs-rewrite"))
        assert later.tokens.total <= total


async def test_a_push_waits_for_a_yes_and_heeds_a_no(monkeypatch):
    async with operated(monkeypatch, "release-notes") as (demo, client):
        origin = f"{demo.workspace(demo.plans[0])}.git"
        run = await until(client, "release-notes", lambda run: run.approvals)
        (asked,) = run.approvals
        assert (asked.rule, "git push" in asked.text) == ("git push", True)
        assert subjects(origin) == []
        await client.answer(run.id, asked.tool, allowed=False)
        run = await until(
            client, "release-notes", lambda run: run.approvals and run.approvals[0] != asked
        )
        assert subjects(origin) == []
        await client.answer(run.id, run.approvals[0].tool, allowed=True)
        turns = run.turns
        await until(client, "release-notes", lambda run: run.turns > turns)
        assert subjects(origin) == ["Release 1.5.0", "Release 1.4.0", "Start"]
        replies = [event.text for event in await story(client, run, e.ReplyGiven)]
        assert "It stays with us, then. The next one." in replies


async def test_a_note_is_heeded_and_a_pause_holds_the_next_call(monkeypatch):
    async with operated(monkeypatch, "parser-port") as (demo, client):
        plan = demo.plans[0]
        run = await until(client, "parser-port", lambda run: run.turns >= 1)
        await client.pause([run.id])
        before = await quiet(demo)
        assert await client.say(run.id, "keep the old names") == "gateway"
        await asyncio.sleep(1)
        assert len(await served(demo, "parser-port")) == before
        await client.resume([run.id])
        await until(client, "parser-port", lambda run: run.turns >= before + 2)
        assert "keep the old names" in (demo.workspace(plan) / "OPERATOR.md").read_text()
        heard = [one.heard for one in await served(demo, "parser-port")]
        assert sum("[Note from the operator] keep the old names" in one for one in heard) == 1
        await until(client, "parser-port", lambda run: run.turns >= 6)
        assert "Port rule" in "".join(subjects(demo.workspace(plan)))


async def test_a_slow_timer_behind_the_gateway_shows_its_forecast(monkeypatch):
    async with operated(monkeypatch, "ci-watch") as (_, client):
        run = await until(
            client, "ci-watch", lambda run: run.misses.is_slow_timer(run.last_call_at)
        )
        assert run.authority == "wire"
        assert run.misses.wake is not None


def runners(processes: list[psutil.Process]) -> int:
    """How many of them are runners; an agent's tools come and go while they are asked."""
    count = 0
    for each in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            count += "cockpit.engine.runner" in each.cmdline()
    return count


async def test_nothing_is_left_of_governed_agents(monkeypatch):
    async with operated(monkeypatch, "parser-port", "release-notes", "open-ends") as (demo, client):
        for name in ("parser-port", "release-notes"):
            await until(client, name, lambda run: run.turns >= 1)
        processes = psutil.Process().children(recursive=True)
        assert runners(processes) == 2
    assert psutil.wait_procs(processes, timeout=5)[1] == []
    assert not demo.root.exists()


KILLED = """
import asyncio
import os
from cockpit.demo.cast import cast
from cockpit.demo.fleet import Demo
from cockpit.engine import service

async def main():
    plans = [plan for plan in cast() if plan.name in ("release-notes", "open-ends")]
    demo = Demo(plans)
    os.environ.update(demo.environment())
    async with demo:
        client = await service.connect()
        await demo.operate(client)
        print(demo.root, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def test_governed_agents_end_when_the_starter_is_killed():
    starter = subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True)
    root = Path(starter.stdout.readline().strip())
    processes = psutil.Process(starter.pid).children(recursive=True)
    running = runners(processes)
    starter.kill()
    starter.wait()
    starter.stdout.close()
    assert running == 1
    assert psutil.wait_procs(processes, timeout=20)[1] == []
    assert not root.exists()
