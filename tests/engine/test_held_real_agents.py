"""Real agents that are paused and told: held as long as they bear, billed once, the word delivered.

See tests/engine/station.py for what it needs. `HOLD_SECONDS=150` holds for longer than any of them
is left without an answer.
"""

import json
import os
import shutil
import subprocess
import time

import pytest

from tests.engine.station import AGENTS, Station, classes, ended

pytestmark = pytest.mark.real_agents

HOLD_SECONDS = float(os.environ.get("HOLD_SECONDS", "12"))
GENERIC = 'for n in range(4): print(call(f"step {n}", stream=True), flush=True)'


@pytest.fixture
def station():
    station = Station()
    yield station
    station.end()


@pytest.mark.parametrize("agent", [*AGENTS, "generic"])
def test_a_held_call_is_billed_once_and_carries_the_word(station, agent):
    late = {"kind": "slow", "skip": 1, "ms": 12_000}
    station.plan({**late, "with_tools": agent != "generic"})  # time enough for two commands
    if agent == "generic":
        run = station.agent(GENERIC)
    else:
        run = station.begin_agent(agent, "look at the project")
    station.until_served(1)
    assert station.run("pause", run).returncode == 0
    assert station.run("say", run, "prefer", "uv").returncode == 0
    station.until_row(run, lambda row: row["state"] == "held")
    held = time.monotonic()
    time.sleep(HOLD_SECONDS)
    before = len(station.paid())
    assert station.run("resume", run).returncode == 0
    resumed = time.monotonic()
    station.until(lambda: len(station.paid()) > before, 60)
    came = time.monotonic()
    row = station.until_row(run, ended, 90)
    assert "exit 0" in row["evidence"], row["evidence"]
    assert sum("prefer uv" in one["heard"] for one in station.paid()) == 1
    assert len(station.paid()) == row["calls"]
    assert classes(row["tokens"]) == classes(station.served_tokens())
    assert row["mark"] == "exact"
    (note,) = row["governed"]["notes"]
    assert note["delivered"]
    print(f"\n{agent}: held {resumed - held:.0f} s, {came - resumed:.1f} s until the next answer")


def test_a_run_that_was_not_started_here_hears_nothing_and_that_is_said(station):
    if shutil.which("claude") is None:
        pytest.skip("no claude on PATH")
    station.start()
    station.own = {"ANTHROPIC_BASE_URL": f"{station.upstream}/run/a"}
    agent = subprocess.Popen(
        ["claude", "-p", "[[slow]] tell me all", "--model", "claude-opus-5"],
        cwd=station.project, env=station.environment, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    station.children.append(agent)
    station.begun()
    station.until(lambda: json.loads(station.run("ps", "--json").stdout), 20)
    (found,) = json.loads(station.run("ps", "--json").stdout)
    for command in (("say", found["id"], "prefer uv"), ("pause", found["id"])):
        done = station.run(*command)
        assert done.returncode == 1
        assert "was not started by cockpit run" in done.stderr
        assert "Traceback" not in done.stderr
    assert not any("prefer uv" in one["heard"] for one in station.paid())
