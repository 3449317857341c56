"""Real agents behind the gateway: metered to the token, refused at their cap, stopped for good.

See tests/engine/station.py for what it needs.
"""

import json
import time

import pytest

from tests.engine.station import Station, classes, ended, every_agent, prompt_of

pytestmark = pytest.mark.real_agents


@pytest.fixture
def station():
    station = Station()
    yield station
    station.end()


@every_agent
@pytest.mark.parametrize("prompt", ["look at the project", "[[delegate]] let somebody look"])
def test_the_ledger_equals_what_was_served(station, agent, prompt):
    run = station.begin_agent(agent, prompt)
    row = station.until_row(run, ended, 90)
    assert "exit 0" in row["evidence"], row["evidence"] + station.log()
    assert classes(row["tokens"]) == classes(station.served_tokens())
    assert row["mark"] == "exact"
    assert len(station.paid()) == row["calls"]


@every_agent
def test_zero_is_one_refused_request_and_raising_goes_on(station, agent):
    run = station.begin_agent(agent, "look at the project", "--turns", "2")
    row = station.until_row(run, lambda row: row["state"] == "deferred", 60)
    station.until_row(run, lambda row: row["pid"] is None, 30)
    assert len([one for one in station.paid() if one["status"] == 200]) == 2
    refused = station.row(run)["governed"]["refused"]
    assert refused <= (2 if agent in ("codex", "opencode") else 1), refused
    assert row["tokens"]["output"] > 0
    done = station.run("budget", run, "--turns", "40")
    assert done.returncode == 0, done.stderr
    row = station.until_row(run, lambda row: row["state"] == "ended", 90)
    assert len(station.paid()) > 2
    assert classes(row["tokens"]) == classes(station.served_tokens())


@every_agent
def test_raising_goes_on_after_a_restart_of_the_engine_too(station, agent):
    run = station.begin_agent(agent, "look at the project", "--turns", "2")
    station.until_row(run, lambda row: row["state"] == "deferred" and row["pid"] is None, 90)
    session = station.until_row(run, lambda row: row["governed"]["session"], 30)["governed"]
    station.run("engine", "stop")
    station.run("engine", "start")
    assert station.run("budget", run, "--turns", "40").returncode == 0
    row = station.until_row(run, lambda row: row["state"] == "ended", 120)
    assert row["governed"]["session"] == session["session"]
    assert len(station.paid()) > 2
    assert classes(row["tokens"]) == classes(station.served_tokens())


@every_agent
@pytest.mark.parametrize("prompt", ["[[slow]] tell me all", "[[sleep]] build it"])
def test_a_stop_leaves_nobody(station, agent, prompt):
    run = station.begin_agent(agent, prompt)
    station.begun()
    if "sleep" in prompt:
        station.until(lambda: ["sleep", "600"] in station.left_alive(run), 60)
    began = time.monotonic()
    done = station.run("stop", run, "--json")
    took = time.monotonic() - began
    assert done.returncode == 0, done.stdout + station.log()
    assert station.left_alive(run) == []
    row = station.row(run)
    truth = station.served_tokens()
    assert prompt_of(row["tokens"]) >= prompt_of(truth)
    assert row["tokens"]["output"] >= truth["output"]
    assert row["mark"] == ("estimated" if "slow" in prompt else "exact")
    print(f"{agent} {prompt}: {took:.2f} s, {json.loads(done.stdout)[0]['took_ms']} ms")
