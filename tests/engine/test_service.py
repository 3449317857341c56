"""The engine as a process: started, asked, ended, killed."""

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import time
from contextlib import suppress
from itertools import pairwise

import psutil
import pytest

from cockpit.core.budget import Budget
from cockpit.core.events import CallSettled, PromptGiven, ReplyGiven, StopRequested
from cockpit.engine import lock
from cockpit.engine.client import Client, EngineError
from cockpit.journal.store import Journal
from tests.engine.live import now_ms, prompt, reply
from tests.engine.machine import Machine, alive, asked


@pytest.fixture
def machine():
    machine = Machine()
    yield machine
    machine.end()


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def engines(machine):
    """Pids of the engines of this machine."""
    found = []
    for row in psutil.process_iter():
        with suppress(psutil.Error):
            ours = row.environ().get("COCKPIT_HOME") == str(machine.cockpit_home)
            if ours and "cockpit.engine" in row.cmdline() and alive(row.pid):
                found.append(row.pid)
    return found


def test_start_status_log_stop(machine):
    assert machine.run("engine", "status").returncode == 1
    pid = machine.start()
    status = json.loads(machine.run("engine", "status", "--json").stdout)
    assert (status["running"], status["pid"]) == (True, pid)
    assert machine.start() == pid
    assert f"engine {pid} begins" in machine.run("engine", "log").stdout
    assert machine.run("engine", "stop").stdout == "engine stopped\n"
    machine.until(lambda: not alive(pid))
    assert f"engine {pid} ends" in machine.run("engine", "log").stdout
    assert machine.run("engine", "stop").stdout == "no engine was running\n"
    assert json.loads(machine.run("engine", "status", "--json").stdout) == {"running": False}


def test_files_are_private(machine):
    machine.start()
    assert stat.S_ISSOCK(machine.socket.stat().st_mode)
    assert mode(machine.socket) == 0o600
    for directory in ("state", "data", "cache"):
        assert mode(machine.cockpit_home / directory) == 0o700
        for path in (machine.cockpit_home / directory).iterdir():
            assert mode(path) == (0o700 if path.is_dir() else 0o600), path


def test_an_engine_started_inside_a_run_is_not_of_that_run(machine):
    subprocess.run(
        [sys.executable, "-m", "cockpit", "engine", "start"],
        env={**machine.environment, "COCKPIT_RUN": "run-x"}, check=True, timeout=60,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    assert "COCKPIT_RUN" not in psutil.Process(machine.pid()).environ()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_two_that_start_at_once_have_one_engine(machine):
    starts = [machine.begin("engine", "start") for _ in range(6)]
    said = [child.communicate(timeout=60) for child in starts]
    assert {child.returncode for child in starts} == {0}, said
    assert len({out for out, _ in said}) == 1, said
    machine.until(lambda: engines(machine) == [machine.pid()])


def test_a_killed_engine_leaves_nothing_in_the_way(machine):
    machine.start()
    machine.kill()
    assert machine.socket.exists()
    assert machine.run("engine", "status").returncode == 1
    machine.start()
    assert machine.run("engine", "status").returncode == 0


def test_a_stale_lock_with_a_living_pid_is_no_engine(machine):
    """The text of the lock names a process that has nothing to do with us, and it stays unharmed."""
    machine.state.mkdir(parents=True)
    (machine.state / "engine.lock").write_text(f"{os.getpid()}\n")
    machine.socket.write_text("a file in the socket's place")
    assert machine.run("engine", "stop").stdout == "no engine was running\n"
    pid = machine.start()
    assert pid != os.getpid()
    assert lock.holder(machine.state / "engine.lock") == pid


def test_the_lock_is_given_to_one_while_others_look(tmp_path):
    """Looking takes the lock for a moment; a new engine must not take that for another engine."""
    path = tmp_path / "engine.lock"
    script = (
        "import pathlib, sys; from cockpit.engine import lock\n"
        "path = pathlib.Path(sys.argv[1]); print('ready', flush=True)\n"
        "while True: lock.holder(path)"
    )
    os.close(lock.acquire(path))
    looker = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE)
    try:
        looker.stdout.readline()
        for _ in range(200):
            os.close(lock.acquire(path))
    finally:
        looker.kill()
        looker.wait()
        looker.stdout.close()


def test_a_socket_directory_of_others_is_refused(machine):
    machine.state.mkdir(parents=True)
    machine.state.chmod(0o777)
    done = machine.run("engine", "start")
    assert done.returncode == 1
    assert "can be written to by others" in done.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
async def test_a_socket_of_another_user_is_refused(machine):
    machine.state.mkdir(parents=True)
    machine.socket.touch()
    os.chown(machine.socket, 12345, 12345)
    with pytest.raises(EngineError, match="belongs to another user"):
        await Client.connect(machine.socket)


def test_settings_that_are_wrong_are_said_at_the_start(machine):
    settings = machine.cockpit_home / "config" / "settings.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text('recnt = "2h"\n')
    done = machine.run("engine", "start")
    assert done.returncode == 1
    assert "did you mean 'recent'" in done.stderr


def test_it_survives_its_terminal(machine):
    """Started from a session whose leader dies: the hang-up reaches everybody but the engine."""
    script = f"{sys.executable} -m cockpit engine start; kill -HUP 0; kill -9 $$"
    subprocess.run(
        ["setsid", "sh", "-c", script], env=machine.environment, capture_output=True, check=False
    )
    pid = machine.pid()
    os.kill(pid, signal.SIGHUP)
    assert machine.run("engine", "status").returncode == 0
    assert alive(pid)
    assert os.getsid(pid) == pid


def test_it_ends_in_order_while_it_reads(machine):
    for number in range(40):
        with machine.transcript(f"s{number}").open("ab") as file:
            file.writelines(reply(f"{number}-{n}", f"s{number}") for n in range(300))
    machine.start()
    began = time.monotonic()
    machine.run("engine", "stop")
    assert time.monotonic() - began < 10
    assert "Traceback" not in machine.log()
    spent = json.loads(machine.run("spend", "--json").stdout)
    assert spent["total"]["calls"] == 40 * 300


# --- the operator API


async def raw(machine, *lines):
    reader, writer = await asyncio.open_unix_connection(str(machine.socket))
    for line in lines:
        writer.write(line)
    await writer.drain()
    return reader, writer


@pytest.mark.parametrize(
    ("request_line", "said"),
    [
        (
            b'{"id": 7, "do": "sing"}',
            "accepted: answer, approve, begin, budget, cap, caps, fleet, fleets",
        ),
        (b'{"id": 7}', "unknown request"),
        (b'{"id": 7, "do": ["fleet"]}', "unknown request"),
        (b'{"id": 7, "do": "stop"}', 'stop needs "runs"'),
        (b'{"id": 7, "do": "stop", "runs": ["nobody"]}', "no run 'nobody'"),
        (b'{"id": 7, "do": "stop", "runs": [], "mode": "hug"}', "mode"),
        (b'{"id": 7, "do": "budget", "run": "nobody"}', "no run 'nobody'"),
        (b'{"id": 7, "do": "story", "run": 3}', "no run 3"),
        (b'{"id": 7, "do": "transcript", "run": "nobody"}', "no run 'nobody'"),
        (b"[1, 2]", "object"),
        (b"not json", "malformed"),
    ],
)
async def test_bad_requests_get_clear_answers(request_line, said):
    """One engine for all of them would do, but each must leave it answering."""
    machine = SHARED[0]
    reader, writer = await raw(machine, request_line + b"\n", b'{"id": 8, "do": "status"}\n')
    answers = {}
    for _ in range(2):
        answer = json.loads(await asyncio.wait_for(reader.readline(), 10))
        answers[answer["id"]] = answer
    writer.close()
    refused = answers.get(7) or answers[0]
    assert said in refused["error"]
    assert answers[8]["ok"]["runs"] == 1


SHARED: list[Machine] = []


@pytest.fixture(scope="module", autouse=True)
def shared():
    machine = Machine()
    machine.transcript("s").write_bytes(prompt(0) + reply(1))
    machine.start()
    asyncio.run(asked(machine, "sync"))
    SHARED.append(machine)
    yield machine
    SHARED.clear()
    machine.end()


async def test_arguments_of_a_wrong_kind_are_refused(shared):
    for arguments in ({"limit": "many"}, {"limit": [1]}, {"budget": {"money": "x"}}):
        do = "budget" if "budget" in arguments else "transcript"
        with pytest.raises(EngineError):
            await asked(shared, do, run="claude-code/s", **arguments)


async def test_a_giant_request_is_refused(shared):
    reader, writer = await raw(shared)
    writer.write(b'{"id": 1, "do": "' + b"x" * (3 * 1024 * 1024))
    answer = json.loads(await asyncio.wait_for(reader.readline(), 10))
    assert "at most 1048576 bytes" in answer["error"]
    writer.close()
    assert json.loads(await asked(shared, "status"))["runs"] == 1


async def test_snapshots_come_at_most_four_times_a_second_and_the_newest(machine):
    path = machine.transcript("s")
    path.write_bytes(reply(1))
    machine.start()
    await asked(machine, "sync")
    client = await machine.client()
    seen, moments = [], []

    async def follow():
        async for fleet in client.fleets():
            seen.append(fleet)
            moments.append(time.monotonic())
            if fleet.runs and fleet.runs["claude-code/s"].calls == 61:
                return

    following = asyncio.create_task(follow())
    with path.open("ab") as file:
        for number in range(2, 62):
            file.write(reply(number))
            file.flush()
            await asyncio.sleep(0.03)
    await asyncio.wait_for(following, 10)
    await client.close()
    versions = [fleet.version for fleet in seen]
    assert versions == sorted(versions)
    gaps = [after - before for before, after in pairwise(moments[1:])]
    assert sum(moments[-1] - at < 1.0 for at in moments) <= 5
    assert min(gaps) > 0.15


async def test_who_does_not_read_blocks_nobody(machine):
    for number in range(60):
        lines = [prompt(0, f"s{number}", text="x" * 500), reply(f"{number}-1", f"s{number}")]
        machine.transcript(f"s{number}").write_bytes(b"".join(lines))
    machine.start()
    await asked(machine, "sync")
    _, lazy = await raw(machine, *[b'{"id": %d, "do": "fleets"}\n' % n for n in range(1, 9)])
    client = await machine.client()
    path = machine.transcript("s0")
    for number in range(2, 12):
        with path.open("ab") as file:
            file.write(reply(f"0-{number}", "s0"))
        await asyncio.sleep(0.1)
        began = time.monotonic()
        await client.ask("sync")
        fleet = await client.fleet()
        assert fleet.runs["claude-code/s0"].calls == number
        assert time.monotonic() - began < 2
    lazy.close()
    await client.close()


# --- what was decided comes back


async def test_budgets_come_back_after_a_kill(machine):
    machine.transcript("s").write_bytes(prompt(0) + reply(1))
    machine.start()
    await asked(machine, "sync")
    client = await machine.client()
    budget = Budget(money=5_000_000_000, turns=80, at_zero="interrupt")
    await client.set_budget("claude-code/s", budget)
    before = (await client.fleet()).runs["claude-code/s"]
    assert (before.budget, before.budget_by) == (budget, "operator")
    await client.close()
    machine.kill()
    with machine.transcript("s").open("ab") as file:
        file.write(reply(2))
    machine.start()
    await asked(machine, "sync")
    client = await machine.client()
    after = (await client.fleet()).runs["claude-code/s"]
    await client.close()
    assert (after.budget, after.budget_by, after.calls) == (budget, "operator", 2)


async def test_a_stop_that_the_engine_did_not_survive_has_failed(machine):
    """The journal as a kill in the middle of a stop leaves it."""
    machine.transcript("s").write_bytes(prompt(0) + reply(1))
    journal = Journal(machine.cockpit_home / "data" / "journal.db")
    begun = StopRequested(run="claude-code/s", at=now_ms(), by="operator", pids=(4711,))
    journal.append(begun).result(10)
    journal.close()
    for _ in range(2):
        machine.start()
        await asked(machine, "sync")
        client = await machine.client()
        fleet = await client.fleet()
        await client.close()
        stopping = fleet.runs["claude-code/s"].stopping
        assert (stopping.since, stopping.done) == (begun.at, "failed")
        assert "the engine ended before" in stopping.reason
        assert sum("STOP FAILED" in notice.text for notice in fleet.feed) == 1
        assert [notice.at for notice in fleet.feed] == sorted(notice.at for notice in fleet.feed)
        machine.run("engine", "stop")


async def test_who_follows_a_run_that_rested_hears_how_it_goes_on(machine):
    """Its family is opened anew by the first news: they must reach the follower all the same."""
    rested = now_ms() - 3 * 3_600_000
    path = machine.transcript("s")
    path.write_bytes(prompt(0, at=rested) + reply(1, at=rested + 1000))
    os.utime(path, (rested / 1000, rested / 1000))
    machine.start()
    await asked(machine, "sync")
    client = await machine.client()
    heard = []

    async def follow():
        async for events in client.story("claude-code/s"):
            heard.extend(events)
            if any(isinstance(event, CallSettled) for event in heard):
                return

    following = asyncio.create_task(follow())
    await client.ask("status")
    with path.open("ab") as file:
        file.write(prompt(2, text="go on") + reply(3, text="gladly"))
    await asyncio.wait_for(following, 10)
    await client.close()
    assert [event.text for event in heard if isinstance(event, PromptGiven)] == ["go on"]
    assert [event.text for event in heard if isinstance(event, ReplyGiven)] == ["gladly"]


async def test_settings_cap_runs_that_are_found(machine):
    settings = machine.cockpit_home / "config" / "settings.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text('[budgets.claude-code]\nmoney = "2usd"\nturns = 9\n')
    machine.transcript("s").write_bytes(prompt(0) + reply(1))
    machine.start()
    await asked(machine, "sync")
    with machine.transcript("t").open("ab") as file:
        file.write(reply("t-1", "t"))
    await asked(machine, "sync")
    client = await machine.client()
    await client.set_budget("claude-code/s", None)
    runs = (await client.fleet()).runs
    await client.close()
    assert runs["claude-code/t"].budget == Budget(money=2 * 10**9, turns=9)
    assert runs["claude-code/t"].budget_by == "settings"
    assert runs["claude-code/s"].budget is None
    machine.kill()
    machine.start()
    await asked(machine, "sync")
    client = await machine.client()
    runs = (await client.fleet()).runs
    await client.close()
    assert (runs["claude-code/s"].budget, runs["claude-code/s"].budget_by) == (None, "operator")
    assert runs["claude-code/t"].budget == Budget(money=2 * 10**9, turns=9)
