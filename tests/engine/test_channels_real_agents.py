"""Real agents driven by their own protocols: a word, an interrupt and a question go straight to them.

See tests/engine/station.py for what it needs.
"""

import json

import pytest

from tests.engine.station import Station, ended

pytestmark = pytest.mark.real_agents

CHANNELS = {"claude": "stream-json", "codex": "app-server", "opencode": "serve", "gemini": "acp"}
WORDS = [agent for agent in CHANNELS if agent != "gemini"]
CLOSED_SECONDS = 0.2


@pytest.fixture
def station():
    station = Station()
    yield station
    station.end()


@pytest.mark.parametrize("agent", WORDS)
def test_a_word_is_seen_in_the_very_next_request(station, agent):
    station.plan({"kind": "slow", "skip": 1, "ms": 10_000, "with_tools": True})
    run = station.begin_agent(agent, "look at the project")
    station.until_served(1)
    station.until_row(run, lambda row: row["turns"] or row["calls"])
    done = station.run("say", run, "--json", "prefer", "uv")
    assert json.loads(done.stdout)["channel"] == CHANNELS[agent], done.stderr + station.log()
    before = len(station.paid())
    row = station.until_row(
        run, lambda row: ended(row) and row["governed"]["notes"][0]["delivered"], 120
    )
    assert "exit 0" in row["evidence"]
    (note,) = row["governed"]["notes"]
    assert note["channel"] == row["governed"]["channel"] == CHANNELS[agent]
    heard = ["prefer uv" in one["heard"] for one in station.paid()]
    assert heard[before + 1] or heard[before], heard  # the next to leave after it was said
    assert sum(heard) == 1


def ended_stream(station):
    """The moment (ms) at which the provider saw the stream closed."""
    return [one for one in station.served() if one["cancelled"]][-1]["ended"]


@pytest.mark.parametrize(
    ("agent", "prompt"),
    [
        *((agent, "[[slow]] tell me all") for agent in WORDS),
        *((agent, "[[sleep]] build it") for agent in CHANNELS if agent != "opencode"),
    ],
)
def test_an_interrupt_is_the_agents_own(station, agent, prompt):
    run = station.begin_agent(agent, prompt, "--channel")
    station.begun()
    if "sleep" in prompt:
        station.until(lambda: ["sleep", "600"] in station.left_alive(run), 90)
    done = station.run("stop", run, "--json")
    assert done.returncode == 0, done.stdout + station.log()
    assert station.left_alive(run) == []
    (stopped,) = json.loads(done.stdout)
    climbed = rungs(station, run)
    assert climbed[0] == ("interrupt", CHANNELS[agent]), climbed
    assert "kill" not in dict(climbed)
    closed = ""
    if "slow" in prompt:
        asked = station.happened(run, "stop_requested")[0]["at"]
        assert ended_stream(station) - asked < CLOSED_SECONDS * 1000
        closed = f", stream closed {ended_stream(station) - asked} ms after the key"
    print(f"\n{agent} {prompt}: {stopped['took_ms']} ms{closed}, rungs {climbed}")


def rungs(station, run):
    climbed = station.happened(run, "stop_climbed")
    return [(one["rung"], one.get("channel", "")) for one in climbed]


# --- questions of ACP


def asked(station):
    run = station.begin_agent("gemini", "[[push]] publish it", "--channel")
    row = station.until_row(run, lambda row: row["state"] == "asks" or ended(row), 120)
    assert row["state"] == "asks", row["evidence"] + station.log()
    (waiting,) = row["governed"]["approvals"]
    assert waiting["rule"] == "git push"
    assert not station.pushed()
    return run


@pytest.fixture
def pushing(station):
    station.a_place_to_push_to()
    return station


def test_a_yes_lets_it_run(pushing):
    run = asked(pushing)
    assert pushing.run("answer", run, "yes").returncode == 0
    pushing.until_row(run, ended, 60)
    assert pushing.pushed()


def test_a_no_is_told_to_the_model_and_nothing_ran(pushing):
    run = asked(pushing)
    assert pushing.run("answer", run, "no").returncode == 0
    pushing.until_row(run, ended, 60)
    assert not pushing.pushed()


def test_silence_is_a_no(pushing):
    pushing.settings('[approve]\ntimeout = "2s"\n')
    run = asked(pushing)
    pushing.until_row(run, ended, 60)
    assert not pushing.pushed()


def test_a_stop_while_it_asks_allows_nothing(pushing):
    run = asked(pushing)
    assert pushing.run("stop", run).returncode == 0
    assert not pushing.pushed()
    assert pushing.left_alive(run) == []


def test_without_a_channel_it_is_the_plain_command(station):
    run = station.begin_agent("claude", "look at the project", "--no-channel")
    row = station.until_row(run, ended, 90)
    assert row["governed"]["channel"] == ""
    assert "exit 0" in row["evidence"]
