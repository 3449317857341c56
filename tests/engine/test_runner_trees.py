"""Trees that do not want to end, held by runners: every shape, every way to stop them."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from cockpit.agents.adapter import InterruptRule
from cockpit.core.events import RunEnded, RunStopped, StopFailed
from cockpit.engine import cgroups
from cockpit.engine import stop as ladder
from tests.engine import hostile
from tests.engine.yard import DETACHED_RESPAWNER, TREES, Yard, until


@pytest.fixture(params=["with-groups", "without-groups"])
async def yard(monkeypatch, request):
    monkeypatch.setenv("COCKPIT_HOME", "")
    if request.param == "without-groups":
        monkeypatch.setattr(cgroups, "base", lambda: None)
    elif cgroups.base() is None:
        pytest.skip("no control group to be had here")
    yard = Yard()
    await yard.runners.start()
    yield yard
    await yard.close()
    yard.clean_up()


@pytest.fixture
async def plain_yard(monkeypatch):
    monkeypatch.setenv("COCKPIT_HOME", "")
    monkeypatch.setattr(cgroups, "base", lambda: None)
    yard = Yard()
    await yard.runners.start()
    yield yard
    await yard.close()
    yard.clean_up()


@pytest.mark.parametrize("tree", TREES)
async def test_nothing_survives_a_panic(yard, tree):
    code, pids = TREES[tree]
    rein, _ = await yard.start(code, pids)
    began = time.monotonic()
    outcome, rungs = await yard.stop(rein.run)
    took = time.monotonic() - began
    assert isinstance(outcome, RunStopped), outcome
    assert yard.nest.alive() == []
    assert rungs == ["kill", "census"]
    assert took < 2
    await yard.gone(rein.run)


@pytest.mark.parametrize("tree", TREES)
async def test_nothing_survives_the_ladder(plain_yard, monkeypatch, tree):
    monkeypatch.setattr(ladder, "TERMINATE_GRACE_MS", 200)
    code, pids = TREES[tree]
    rein, _ = await plain_yard.start(code, pids)
    outcome, rungs = await plain_yard.stop(rein.run, mode="stop")
    assert isinstance(outcome, RunStopped), outcome
    assert plain_yard.nest.alive() == []
    assert rungs[-1] == "census"
    await plain_yard.gone(rein.run)


async def test_panic_empties_many_trees_that_grow_again(plain_yard):
    reins = [(await plain_yard.start(DETACHED_RESPAWNER, 1))[0] for _ in range(10)]
    began = time.monotonic()
    outcomes = await asyncio.gather(*(plain_yard.stop(rein.run) for rein in reins))
    took = time.monotonic() - began
    assert plain_yard.nest.alive() == []
    assert all(isinstance(outcome, RunStopped) for outcome, _ in outcomes)
    assert took < 2


async def test_what_comes_first_is_done_before_any_signal(plain_yard):
    rein, _ = await plain_yard.start(hostile.PLAIN)
    order = []

    async def first(mode):
        order.append((mode, plain_yard.nest.alive() != []))

    outcome, _ = await plain_yard.stop(rein.run, mode="stop", first=first)
    assert isinstance(outcome, RunStopped)
    assert order == [("stop", True)]


async def test_a_protocol_that_hangs_does_not_hold_up_the_stop(plain_yard, monkeypatch):
    monkeypatch.setattr(ladder, "FIRST_MS", 100)
    rein, _ = await plain_yard.start(hostile.PLAIN)

    async def first(_):
        await asyncio.Event().wait()

    outcome, _ = await plain_yard.stop(rein.run, mode="stop", first=first)
    assert isinstance(outcome, RunStopped)
    assert plain_yard.nest.alive() == []


async def test_a_protocol_that_breaks_does_not_break_the_stop(plain_yard):
    rein, _ = await plain_yard.start(hostile.PLAIN)

    async def first(_):
        raise ConnectionError

    outcome, _ = await plain_yard.stop(rein.run, mode="stop", first=first)
    assert isinstance(outcome, RunStopped)


async def test_panic_does_not_wait_for_the_protocol(plain_yard):
    rein, _ = await plain_yard.start(hostile.PLAIN)
    asked = []

    async def first(mode):
        asked.append(mode)
        await asyncio.Event().wait()

    began = time.monotonic()
    outcome, _ = await plain_yard.stop(rein.run, first=first)
    assert isinstance(outcome, RunStopped)
    assert asked == ["panic"]
    assert time.monotonic() - began < 2


async def test_who_needs_four_seconds_to_save_gets_them(plain_yard):
    saved = Path(plain_yard.home) / "saved"
    code = """
def save(*_):
    time.sleep(4)
    open(sys.argv[2], "w").write("saved")
    os._exit(0)
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, save)
sleep(600)
""".replace("sys.argv[2]", repr(str(saved)))
    rein, _ = await plain_yard.start(code)
    outcome, rungs = await plain_yard.stop(rein.run, mode="stop", rule=InterruptRule(grace_ms=100))
    assert isinstance(outcome, RunStopped)
    assert rungs == ["interrupt", "terminate", "census"]
    assert saved.read_text() == "saved"


async def test_a_screen_inside_the_tree_lives_on(plain_yard):
    rein, pids = await plain_yard.start(hostile.SETSID_CHILD, 1)
    outcome, _ = await plain_yard.stop(rein.run, spare=pids)
    assert isinstance(outcome, RunStopped)
    await plain_yard.gone(rein.run)
    await until(lambda: rein.left.done())
    assert plain_yard.nest.alive() == pids


async def test_the_runner_is_spared_until_the_census_and_then_goes(plain_yard):
    rein, _ = await plain_yard.start(hostile.WITH_CHILDREN)
    outcome, _ = await plain_yard.stop(rein.run)
    ended = await plain_yard.gone(rein.run)
    assert isinstance(outcome, RunStopped)
    assert outcome.processes == 3
    assert (ended.code, ended.by) == (128 + signal.SIGKILL, "a kill")
    assert len(plain_yard.of(RunEnded, rein.run)) == 1
    await until(lambda: rein.left.done())


async def test_a_runner_that_does_not_answer_is_no_way_out(plain_yard):
    rein, _ = await plain_yard.start(hostile.DEAF)
    os.kill(rein.record.runner, signal.SIGSTOP)
    outcome, _ = await plain_yard.stop(rein.run)
    assert isinstance(outcome, RunStopped), outcome
    assert plain_yard.nest.alive() == []
    os.kill(rein.record.runner, signal.SIGCONT)
    await plain_yard.gone(rein.run)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start another user's process")
async def test_what_cannot_be_killed_is_said(plain_yard, monkeypatch):
    rein, _ = await plain_yard.start(hostile.PLAIN)
    os.kill(rein.record.runner, signal.SIGSTOP)
    with monkeypatch.context() as patch:
        patch.setattr(os, "getuid", lambda: 4242)  # everybody is a stranger to the ladder now
        outcome, _ = await plain_yard.stop(rein.run)
    assert isinstance(outcome, StopFailed)
    assert rein.record.pid in outcome.pids
    os.kill(rein.record.runner, signal.SIGCONT)
    await plain_yard.gone(rein.run)
