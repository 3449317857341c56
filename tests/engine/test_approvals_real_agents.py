"""Claude Code and Codex want to push: asked about, and nothing runs without a yes.

See tests/engine/station.py for what it needs.
"""

import pytest

from tests.engine.station import ASKING, Station, ended

pytestmark = [
    pytest.mark.real_agents,
    pytest.mark.parametrize("agent", list(ASKING)),
]


@pytest.fixture
def station():
    station = Station()
    station.a_place_to_push_to()
    yield station
    station.end()


def asks(row):
    return row["state"] == "asks"


def asked(station, agent):
    """A run that waits for the operator's word before it pushes."""
    run = station.begin_agent(agent, "[[push]] publish it")
    row = station.until_row(run, lambda row: asks(row) or ended(row), 60)
    assert asks(row), row["evidence"] + station.log()
    (waiting,) = row["governed"]["approvals"]
    assert waiting["rule"] == "git push"
    assert "git push origin HEAD" in waiting["text"]
    assert not station.pushed()
    return run


def heard(station):
    return " ".join(one["heard"] for one in station.paid())


def test_a_no_is_told_to_the_model_and_nothing_ran(station, agent):
    run = asked(station, agent)
    assert station.run("answer", run, "no").returncode == 0
    row = station.until_row(run, ended, 60)
    assert not station.pushed()
    assert "denied by operator" in heard(station)
    assert "exit 0" in row["evidence"]


def test_a_yes_lets_it_run(station, agent):
    run = asked(station, agent)
    assert station.run("answer", run, "yes").returncode == 0
    station.until_row(run, ended, 60)
    assert station.pushed()
    assert "denied" not in heard(station)


def test_silence_is_a_no(station, agent):
    station.settings('[approve]\ntimeout = "2s"\n')
    run = asked(station, agent)
    station.until_row(run, ended, 60)
    assert not station.pushed()
    assert "denied by the time-out (2 s)" in heard(station)


def test_an_engine_that_dies_allows_nothing(station, agent):
    run = asked(station, agent)
    station.kill()
    station.start()
    row = station.until_row(run, ended, 60)
    assert not station.pushed()
    assert not row["governed"]["approvals"]
    assert station.left_alive(run) == []


def test_a_stop_while_it_asks_allows_nothing(station, agent):
    run = asked(station, agent)
    assert station.run("stop", run).returncode == 0
    assert not station.pushed()
    assert station.left_alive(run) == []
