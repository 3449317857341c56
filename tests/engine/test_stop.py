"""The ladder against real processes that try everything to stay."""

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from cockpit.agents.adapter import InterruptRule
from cockpit.core.events import RunStopped, StopFailed
from cockpit.engine import grip
from cockpit.engine import stop as ladder
from cockpit.engine.grip import Grip
from cockpit.engine.lookout import Lookout
from cockpit.engine.processes import created, snapshot
from cockpit.engine.stop import stop
from cockpit.engine.tree import Target
from tests.engine import hostile
from tests.engine.hostile import Hostile

QUICK = InterruptRule(grace_ms=150)
PATIENT = InterruptRule(grace_ms=10_000)
"""For what ends by itself: a slow machine must not make the ladder climb."""


@pytest.fixture
def nest():
    nest = Hostile()
    yield nest
    nest.clean_up()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(ladder, "TERMINATE_GRACE_MS", 200)


@pytest.fixture
def lookout():
    looking = Lookout()
    yield looking
    looking.close()


def open_descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def dead(process):
    """Waits for the end of a process and leaves it a zombie."""
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


def now_ms():
    return time.time_ns() // 1_000_000


def target_of(process, **more):
    return Target(run="run", roots=((process.pid, created(process.pid)),), **more)


async def end(target, rule=QUICK, mode="stop", **more):
    """The outcome of a stop, and the rungs it climbed."""
    said = []
    outcome = await stop(target, rule, mode=mode, emit=said.append, now=now_ms, **more)
    return outcome, [event.rung for event in said]


async def test_a_plain_process_ends_on_the_first_rung(nest, lookout):
    process, _ = nest.start(hostile.PLAIN)
    await lookout.fresh()
    outcome, rungs = await end(target_of(process), PATIENT, lookout=lookout)
    assert isinstance(outcome, RunStopped)
    assert rungs == ["interrupt", "census"]
    assert process.wait() == -signal.SIGINT
    assert nest.alive() == []


@pytest.mark.parametrize(
    ("script", "pids"),
    [
        (hostile.WITH_CHILDREN, 0),
        (hostile.ORPHAN_IN_GROUP, 0),
        (hostile.SETSID_CHILD, 1),
        (hostile.DEAF, 0),
        (hostile.STOPPED, 0),
        (hostile.RESPAWNER, 0),
        (hostile.LEADER_THREAD_GONE, 0),
    ],
    ids=[
        "children", "orphan-in-group", "setsid", "deaf", "stopped", "respawner", "leader-thread-gone",
    ],
)  # fmt: skip
@pytest.mark.parametrize("mode", ["stop", "panic"])
async def test_no_shape_of_tree_survives(nest, lookout, script, pids, mode):
    process, _ = nest.start(script, pids=pids)
    await lookout.fresh()
    outcome, rungs = await end(target_of(process), mode=mode, lookout=lookout)
    assert isinstance(outcome, RunStopped), outcome
    assert nest.alive() == []
    assert rungs[-1] == "census"
    assert mode == "stop" or rungs == ["kill", "census"]


async def test_a_daemon_is_traced_home_by_what_its_environment_says(nest):
    process, _ = nest.start(
        hostile.DAEMON, pids=1, CLAUDE_CODE_SESSION_ID="session-1", CLAUDE_PID="999999999"
    )
    target = target_of(process, agent="claude-code", session="session-1")
    outcome, _ = await end(target)
    assert isinstance(outcome, RunStopped)
    assert nest.alive() == []


async def test_a_daemon_seen_before_it_left_needs_no_mark(nest, lookout):
    process, pids = nest.start(hostile.GRANDCHILD, pids=2)
    await lookout.fresh()
    os.kill(pids[0], signal.SIGKILL)  # the grandchild, a session of its own, is nobody's child now
    outcome, _ = await end(target_of(process), lookout=lookout)
    assert isinstance(outcome, RunStopped)
    assert nest.alive() == []


async def test_a_session_made_inside_is_swept_though_its_leader_and_its_marks_are_gone(nest):
    process, _ = nest.start(hostile.LEADERLESS_SESSION, pids=2, CLAUDE_CODE_SESSION_ID="session-1")
    target = target_of(process, agent="claude-code", session="session-1")
    outcome, _ = await end(target)
    assert isinstance(outcome, RunStopped)
    assert nest.alive() == []


async def test_the_marks_of_another_session_are_left_alone(nest):
    process, _ = nest.start(hostile.PLAIN, CLAUDE_CODE_SESSION_ID="mine")
    other, _ = nest.start(hostile.PLAIN, CLAUDE_CODE_SESSION_ID="theirs")
    outcome, _ = await end(target_of(process, agent="claude-code", session="mine"))
    assert isinstance(outcome, RunStopped)
    assert nest.alive() == [other.pid]


async def test_a_child_born_during_the_grace_is_swept(nest):
    process, _ = nest.start(hostile.LAST_WILL)
    outcome, rungs = await end(target_of(process), PATIENT)
    assert isinstance(outcome, RunStopped)
    assert rungs == ["interrupt", "terminate", "census"]
    assert outcome.took_ms < 6_000, "the agent was gone: nobody will end its tools"
    assert nest.alive() == []


async def test_a_child_born_of_sigterm_is_terminated_too(nest, monkeypatch):
    monkeypatch.setattr(ladder, "TERMINATE_GRACE_MS", 5_000)
    process, _ = nest.start(hostile.LAST_WILL_AT_TERM)
    outcome, rungs = await end(target_of(process))
    assert isinstance(outcome, RunStopped)
    assert rungs == ["interrupt", "terminate", "census"]
    assert nest.alive() == []


async def test_a_stopped_agent_is_woken_to_hear_the_interrupt(nest):
    process, _ = nest.start(hostile.STOPPED)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)  # noqa: ASYNC222
    _, rungs = await end(target_of(process), PATIENT)
    assert rungs == ["interrupt", "census"]


async def test_a_stopped_tool_is_woken_to_hear_sigterm(nest, monkeypatch):
    monkeypatch.setattr(ladder, "TERMINATE_GRACE_MS", 5_000)
    process, _ = nest.start(hostile.STOPPED_ELSEWHERE, pids=1)
    _, rungs = await end(target_of(process))
    assert rungs == ["interrupt", "terminate", "census"]


async def test_who_needs_time_to_save_gets_it(nest, tmp_path):
    saved = tmp_path / "saved"
    process, _ = nest.start(hostile.SLOW_TO_SAVE, argument=str(saved))
    outcome, rungs = await end(target_of(process), PATIENT)
    assert rungs == ["interrupt", "census"]
    assert saved.read_text() == "saved"
    assert 400 <= outcome.took_ms < 9_000


async def test_a_bystander_in_the_same_group_survives_every_rung(nest):
    bystander, _ = nest.start(hostile.PLAIN, session=False, group=0)
    process, _ = nest.start(hostile.DEAF, session=False, group=bystander.pid)
    outcome, rungs = await end(target_of(process))
    assert isinstance(outcome, RunStopped)
    assert rungs == ["interrupt", "terminate", "kill", "census"]
    assert nest.alive() == [bystander.pid]


async def test_the_other_end_of_the_agents_pipe_survives(nest):
    process, _ = nest.start(hostile.PLAIN, session=False, group=0)
    reader, _ = nest.start(hostile.PLAIN, session=False, group=process.pid)
    outcome, _ = await end(target_of(process))
    assert isinstance(outcome, RunStopped)
    assert nest.alive() == [reader.pid]


@pytest.mark.parametrize(
    ("group", "heard"), [(False, {b"agent heard"}), (True, {b"agent heard", b"tool heard"})]
)
async def test_the_agent_alone_or_its_group_hears_the_interrupt(nest, group, heard):
    process, _ = nest.start(hostile.HEARS, pids=1)
    outcome, _ = await end(target_of(process), InterruptRule(group=group, grace_ms=1_000))
    assert isinstance(outcome, RunStopped)
    assert set(process.stdout.read().splitlines()) - {b"ready"} == heard


async def test_a_reused_pid_is_never_signalled(nest):
    process, _ = nest.start(hostile.PLAIN)
    born = created(process.pid)
    target = Target(run="run", roots=((process.pid, born - 60_000),))
    outcome, rungs = await end(target, mode="panic")
    assert isinstance(outcome, StopFailed)
    assert outcome.pids == ()
    assert "another process" in outcome.reason
    assert rungs == []
    assert nest.alive() == [process.pid]


async def test_a_process_that_is_gone_is_stopped(nest):
    process, _ = nest.start(hostile.PLAIN)
    target = target_of(process)
    process.kill()
    process.wait()
    outcome, rungs = await end(target)
    assert isinstance(outcome, RunStopped)
    assert rungs == ["census"]


async def test_a_zombie_is_not_alive(nest):
    process, _ = nest.start(hostile.PLAIN)
    target = target_of(process)
    process.kill()
    dead(process)
    outcome, _ = await end(target)
    assert isinstance(outcome, RunStopped)


@pytest.mark.parametrize("pid", [os.getpid(), os.getppid()], ids=["cockpit", "its parent"])
async def test_cockpit_and_its_ancestors_are_refused(pid):
    target = Target(run="run", roots=((pid, created(pid)),))
    outcome, rungs = await end(target, mode="panic")
    assert isinstance(outcome, StopFailed)
    assert outcome.pids == (pid,)
    assert "cockpit itself" in outcome.reason
    assert rungs == []


async def test_the_first_process_and_an_unknown_one_are_refused():
    first, _ = await end(Target(run="run", roots=((1, created(1)),)), mode="panic")
    nobody, _ = await end(Target(run="run", roots=()), mode="panic")
    assert isinstance(first, StopFailed)
    assert isinstance(nobody, StopFailed)
    assert nobody.pids == ()


async def test_a_spared_pid_inside_the_tree_lives(nest):
    process, pids = nest.start(hostile.SETSID_CHILD, pids=1)
    outcome, _ = await end(target_of(process), spare=pids)
    assert isinstance(outcome, RunStopped)
    assert nest.alive() == pids


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start another user's process")
async def test_another_users_process_is_reported_and_not_signalled(nest):
    process, pids = nest.start(hostile.OTHER_USER, pids=1)
    outcome, _ = await end(target_of(process))
    assert isinstance(outcome, StopFailed)
    assert outcome.pids == tuple(pids)
    assert "another user" in outcome.reason
    assert pids[0] in nest.alive()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start another user's process")
async def test_another_users_process_that_leaves_by_itself_is_no_failure(nest):
    process, _ = nest.start(hostile.OTHER_USER_FOLLOWS, pids=1)
    outcome, _ = await end(target_of(process))
    assert isinstance(outcome, RunStopped)
    assert nest.alive() == []


def test_a_grip_holds_no_stranger(nest):
    process, _ = nest.start(hostile.PLAIN)
    row = snapshot()[process.pid]
    with pytest.raises(ProcessLookupError):
        Grip(replace(row, created=row.created - 10))


def test_without_pidfd_every_signal_compares_anew(nest, monkeypatch):
    monkeypatch.setattr(grip, "_HAS_PIDFD", False)
    process, _ = nest.start(hostile.PLAIN)
    held = Grip(snapshot()[process.pid])
    monkeypatch.setattr(grip, "created", lambda _: held.process.created + 10)
    assert held.send(signal.SIGKILL) == ""
    assert process.poll() is None
    monkeypatch.undo()
    held.send(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


async def test_the_operator_climbs_at_once(nest):
    process, _ = nest.start(hostile.DEAF)
    climb = asyncio.Event()
    rungs = []

    def say(event):
        rungs.append(event.rung)
        climb.set()

    rule = InterruptRule(grace_ms=60_000)
    outcome = await stop(target_of(process), rule, mode="stop", emit=say, now=now_ms, climb=climb)
    assert isinstance(outcome, RunStopped)
    assert rungs == ["interrupt", "terminate", "kill", "census"]
    assert outcome.took_ms < 30_000


async def test_the_signal_comes_before_the_word(nest):
    process, _ = nest.start(hostile.PLAIN)

    def say(event):
        if event.rung == "interrupt":
            dead(process)  # hangs if nothing was sent

    outcome = await stop(target_of(process), QUICK, mode="stop", emit=say, now=now_ms)
    assert isinstance(outcome, RunStopped)


async def test_descriptors_running_out_does_not_stop_the_stop(nest, monkeypatch):
    process, _ = nest.start(hostile.WITH_CHILDREN)

    def exhausted(_pid, _flags=0):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "pidfd_open", exhausted)
    outcome, _ = await end(target_of(process))
    assert isinstance(outcome, RunStopped)
    assert nest.alive() == []


async def test_no_descriptor_is_left_open(nest, lookout):
    process, _ = nest.start(hostile.DEAF)
    await lookout.fresh()
    before = open_descriptors()
    await end(target_of(process), lookout=lookout)
    assert open_descriptors() == before


async def test_panic_empties_thirty_trees(nest, lookout):
    trees = [nest.start(hostile.RESPAWNER)[0] for _ in range(30)]
    began = time.monotonic()
    results = await asyncio.gather(
        *(end(target_of(tree), mode="panic", lookout=lookout) for tree in trees)
    )
    assert all(isinstance(outcome, RunStopped) for outcome, _ in results)
    assert nest.alive() == []
    assert time.monotonic() - began < 8


async def test_a_cancelled_stop_lets_go_of_everything(nest):
    process, _ = nest.start(hostile.DEAF)
    rule = InterruptRule(grace_ms=60_000)
    task = asyncio.create_task(end(target_of(process), rule))
    await asyncio.sleep(0.1)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert process.poll() is None
