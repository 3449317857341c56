"""Runner killed, engine killed, both killed: nothing is left, and no stranger is touched."""

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from cockpit.core.events import ProcessFound, RunEnded, RunStopped, StopRequested
from cockpit.engine import cgroups, kernel, records
from tests.engine import hostile
from tests.engine.yard import TREES, Yard, now_ms, until

ALL = list(TREES)


@pytest.fixture(autouse=True)
def _home(monkeypatch):
    monkeypatch.setenv("COCKPIT_HOME", "")
    monkeypatch.setattr(cgroups, "base", lambda: None)


@pytest.fixture
async def yard():
    yard = Yard()
    await yard.runners.start()
    yield yard
    await yard.close()
    yard.clean_up()


class Engine:
    """A stand-in engine in a process of its own."""

    def __init__(self, yard):
        self.yard = yard

    async def start(self, lease, names):
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.engine.stand_in",
            self.yard.home, self.yard.nest.mark, str(lease), *names,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        line = await asyncio.wait_for(self.process.stdout.readline(), 60)
        self.runs = json.loads(line)
        return self.runs

    async def kill(self):
        self.process.kill()
        await self.process.wait()


@pytest.fixture
async def aside():
    """A yard whose runners were not begun: another engine, a stand-in, is."""
    yard = Yard()
    yield yard, Engine(yard)
    await yard.close()
    yard.clean_up()


def seen(run, pids):
    """Whether the runner has written down that it saw these processes."""
    known = {pid for pid, _ in records.kin(run).processes}
    return known.issuperset(pids)


@pytest.mark.parametrize("tree", ALL)
async def test_a_killed_runner_leaves_nothing(yard, tree):
    code, pids = TREES[tree]
    rein, _ = await yard.start(code, pids)
    os.kill(rein.record.runner, signal.SIGKILL)
    await yard.gone(rein.run)
    assert yard.nest.alive() == []
    assert "death of its runner" in yard.of(RunEnded, rein.run)[0].outcome
    assert [event.by for event in yard.of(StopRequested, rein.run)] == [
        f"the engine: its runner (pid {rein.record.runner}) is gone"
    ]
    assert not list(records.directory().iterdir())


@pytest.mark.parametrize("tree", ALL)
async def test_panic_after_the_runner_was_killed(yard, tree):
    code, pids = TREES[tree]
    rein, _ = await yard.start(code, pids)
    os.kill(rein.record.runner, signal.SIGKILL)
    await until(lambda: yard.runners.rein(rein.run) is None)
    began = time.monotonic()
    outcome, _ = await yard.stop(rein.run)
    assert isinstance(outcome, RunStopped), outcome
    assert time.monotonic() - began < 2
    assert yard.nest.alive() == []
    await yard.gone(rein.run)


async def test_a_killed_engine_leaves_nothing_once_the_leases_are_over(aside):
    yard, engine = aside
    runs = await engine.start(0.5, ALL)
    await engine.kill()
    runners = [run["runner"] for run in runs.values()]
    await until(lambda: not any(map(kernel.row, runners)), seconds=60)
    assert yard.nest.alive() == []
    await yard.runners.start()
    for run in runs:
        ended = await yard.gone(run)
        assert ended.by == "its runner: no engine was there"


async def test_a_new_engine_adopts_and_panics(aside):
    yard, engine = aside
    runs = await engine.start(30, ALL)
    await engine.kill()
    assert yard.nest.alive()
    await yard.runners.start()
    for run in runs:
        assert yard.of(ProcessFound, run)[0].evidence == "its runner answers"
    began = time.monotonic()
    outcomes = await asyncio.gather(*(yard.stop(run) for run in runs))
    assert all(isinstance(outcome, RunStopped) for outcome, _ in outcomes)
    assert time.monotonic() - began < 2
    assert yard.nest.alive() == []
    for run in runs:
        await yard.gone(run)


async def test_the_exit_code_of_an_adopted_run_is_kept(aside):
    yard, engine = aside
    (run,) = await engine.start(30, ["plain"])
    await engine.kill()
    await yard.runners.start()
    yard.runners.rein(run).signal("SIGTERM", to="agent")
    ended = await yard.gone(run)
    assert ended.code == 128 + signal.SIGTERM


async def test_both_killed_and_a_new_engine_sweeps(aside):
    yard, engine = aside
    runs = await engine.start(30, ALL)
    await until(lambda: all(seen(run, told["pids"]) for run, told in runs.items()))
    await engine.kill()
    for told in runs.values():
        os.kill(told["runner"], signal.SIGKILL)
    assert yard.nest.alive()
    await yard.runners.start()
    for run in runs:
        await yard.gone(run, seconds=40)
    assert yard.nest.alive() == []
    assert not list(records.directory().iterdir())


async def test_an_engine_with_another_secret_governs_nothing(yard):
    rein, _ = await yard.start(hostile.PLAIN)
    stranger = Yard(yard.home, yard.nest.mark)
    assert not await stranger.runners._adopt(replace(rein.record, secret="guessed"))
    assert yard.runners.rein(rein.run) is rein
    await yard.stop(rein.run)
    await yard.gone(rein.run)
    stranger.lookout.close()


async def test_the_newest_engine_takes_over(yard):
    rein, _ = await yard.start(hostile.PLAIN)
    second = Yard(yard.home, yard.nest.mark)
    assert await second.runners._adopt(rein.record)
    await asyncio.wait_for(asyncio.shield(rein.left), 5)
    outcome, _ = await second.stop(rein.run)
    assert isinstance(outcome, RunStopped)
    await second.gone(rein.run)
    await second.runners.close()
    second.lookout.close()


def on_record(bystander, **changes):
    """A record that wrongly names a living process which is none of ours."""
    row = kernel.row(bystander.pid)
    record = records.Record(
        run="run-past", secret="s", pid=row.pid, ticks=row.ticks - 100, sid=row.sid,
        boot=kernel.boot(), runner=row.pid, runner_ticks=row.ticks - 101, born=now_ms(),
    )  # fmt: skip
    record = replace(record, **changes)
    records.write(record)
    rows = [[row.pid, row.ticks - 100, row.sid], [row.pid, row.ticks + 100, row.sid]]
    (records.directory() / "run-past.tree").write_bytes(msgspec.json.encode({"rows": rows}))
    return record


async def test_a_reused_pid_is_never_signalled(aside):
    yard, _ = aside
    bystander, _ = yard.nest.start(hostile.WITH_CHILDREN)
    family = yard.nest.alive()
    on_record(bystander)
    await yard.runners.start()
    await yard.gone("run-past")
    assert sorted(yard.nest.alive()) == sorted(family)
    assert yard.of(StopRequested, "run-past") == []


async def test_pids_of_another_boot_mean_nothing(aside):
    yard, _ = aside
    bystander, _ = yard.nest.start(hostile.PLAIN)
    row = kernel.row(bystander.pid)
    on_record(bystander, boot="another", ticks=row.ticks, runner_ticks=row.ticks)
    await yard.runners.start()
    ended = await yard.gone("run-past")
    assert "started anew" in ended.by
    assert yard.nest.alive() == [bystander.pid]


async def test_a_session_whose_number_is_anothers_now_is_left_alone(aside):
    yard, _ = aside
    leader, pids = yard.nest.start(hostile.LEADERLESS_SESSION, pids=2)
    stranger = kernel.row(pids[0])
    on_record(leader, sid=stranger.sid)
    await yard.runners.start()
    await yard.gone("run-past")
    assert set(pids) < set(yard.nest.alive())


async def test_the_mark_in_the_environment_is_enough(aside):
    yard, _ = aside
    bystander, _ = yard.nest.start(hostile.PLAIN)
    marked, _ = yard.nest.start(hostile.PLAIN, COCKPIT_RUN="run-past")
    on_record(bystander)
    await yard.runners.start()
    await yard.gone("run-past")
    assert yard.nest.alive() == [bystander.pid]
    assert marked.wait() != 0


async def test_a_control_group_finds_whom_nothing_else_would(aside, monkeypatch):
    monkeypatch.undo()
    if cgroups.base() is None:
        pytest.skip("no control group to be had here")
    yard, engine = aside
    os.environ["COCKPIT_HOME"] = yard.home
    (run,) = runs = await engine.start(30, ["wiped-daemon"])
    await engine.kill()
    os.kill(runs[run]["runner"], signal.SIGKILL)
    (records.directory() / f"{run}.tree").unlink(missing_ok=True)
    await yard.runners.start()
    await yard.gone(run)
    assert yard.nest.alive() == []
    assert not list(cgroups.base().glob(f"{run}*"))


async def test_a_broken_record_is_removed(aside):
    yard, _ = aside
    (records.directory() / "run-broken.json").write_text("{")
    await yard.runners.start()
    assert not list(records.directory().iterdir())


INSIDE = """
import asyncio, pathlib, sys, time
from cockpit.engine import records
from cockpit.engine.reins import Rein, connect

async def govern(home):
    while not (home / "go").exists():
        time.sleep(0.01)
    record = next(records.every())
    rein = Rein(record.run, record.secret, connect(records.socket_of(record.run)))
    await rein.open()
    await rein.greet()
    (home / "governs").touch()
    ended = await rein.ended
    await rein.farewell()
    (home / "said").write_text(f"{ended.code} {rein.left.done()}")

asyncio.run(govern(pathlib.Path(sys.argv[1])))
"""


async def test_an_engine_that_was_started_inside_a_run_outlives_it(yard):
    home = Path(yard.home)
    agent = f'setsid {sys.executable} -c "$CODE" "$HERE" & while ! [ -e "$HERE/governs" ]; do sleep 0.05; done; exit 4'
    await yard.spawn(["sh", "-c", agent], environment={"CODE": INSIDE, "HERE": str(home)})
    await yard.runners.close()
    (home / "go").touch()
    await until((home / "said").exists)
    await until(lambda: (home / "said").read_text() != "")
    assert (home / "said").read_text() == "4 True"
