"""A runner as on a system without /proc, subreapers and pidfd: what holds there."""

import os
import time

import pytest
from msgspec.structs import replace

from cockpit.core.events import RunStopped
from cockpit.engine import cgroups, kernel, runners
from tests.engine import hostile
from tests.engine.yard import TREES, Yard

ELSEWHERE = (
    "import sys; from cockpit.engine import kernel; kernel.LINUX = False;"
    "from cockpit.engine import runner; runner.main()"
)


@pytest.fixture
async def yard(monkeypatch):
    monkeypatch.setenv("COCKPIT_HOME", "")
    monkeypatch.setattr(cgroups, "base", lambda: None)
    monkeypatch.setattr(runners, "RUNNER", ("-c", ELSEWHERE))
    monkeypatch.setattr(runners, "_record_of", lambda *given: _as_here(record_of(*given)))
    yard = Yard()
    await yard.runners.start()
    yield yard
    await yard.close()
    yard.clean_up()


record_of = runners._record_of


def _as_here(record):
    """The engine of this test lives where there are ticks."""
    agent, owner = kernel.row(record.pid), kernel.row(record.runner)
    return replace(record, ticks=agent.ticks, runner_ticks=owner.ticks)


@pytest.mark.parametrize("tree", ["orphan-in-group", "setsid", "wiped-daemon", "stopped"])
async def test_nothing_survives_a_panic(yard, tree):
    code, pids = TREES[tree]
    rein, pids = await yard.start(code, pids)
    outcome, _ = await yard.stop(rein.run)
    assert isinstance(outcome, RunStopped), outcome
    # Nothing can find the daemon that wiped its environment: the hole that the README tells of.
    assert yard.nest.alive() == (pids if tree == "wiped-daemon" else [])
    await yard.gone(rein.run)


async def test_what_an_agent_leaves_in_its_session_is_ended(yard):
    rein = await yard.spawn(["sh", "-c", "sleep 600 & sleep 600 & exit 4"])
    assert (await yard.gone(rein.run)).code == 4
    assert yard.nest.alive() == []


def test_ps_tells_of_a_tree(monkeypatch):
    nest = hostile.Hostile()
    try:
        process, pids = nest.start(hostile.SETSID_CHILD, pids=1)
        monkeypatch.setattr(kernel, "LINUX", False)
        rows = {row.pid: row for row in kernel.descendants(os.getpid())}
        assert {process.pid, *pids} <= set(rows)
        assert abs(rows[process.pid].ticks - time.time()) < 60
        assert rows[pids[0]].sid == pids[0]
        assert kernel.above(pids[0]) >= {process.pid, os.getpid()}
        assert pids[0] not in {row.pid for row in kernel.descendants(os.getpid(), frozenset(pids))}
        assert not kernel.become_subreaper()
        kernel.send(rows[process.pid]._replace(ticks=1), 9)
        assert process.poll() is None
        kernel.send(rows[process.pid], 9)
        assert process.wait() == -9
    finally:
        nest.clean_up()
