"""Real agents that go on with a session: one task, one purse, and books over both lives.

See tests/engine/station.py for what it needs.
"""

import pytest

from tests.engine.station import Station, classes, ended, every_agent

pytestmark = pytest.mark.real_agents


@pytest.fixture
def station():
    station = Station()
    yield station
    station.end()


def session_of(row):
    """As the agent itself calls it."""
    return row["governed"]["session"]


@every_agent
def test_a_resumed_session_is_the_same_run_with_what_is_left_of_its_purse(station, agent):
    run = station.begin_agent(agent, "look at the project", "--turns", "40")
    station.until_row(run, ended, 90)
    first = station.until_row(run, session_of, 20)
    again = station.begin_agent(agent, "look once more", session=session_of(first))
    assert again == run
    station.until_row(run, lambda row: row["calls"] > first["calls"], 60)
    row = station.until_row(run, ended, 90)
    assert row["budget"]["turns"] == 40
    assert row["calls"] == len(station.paid())
    assert classes(row["tokens"]) == classes(station.served_tokens())
    assert row["mark"] == "exact"


LATEST = {
    "claude": {"words": ("--continue",)},
    "codex": {"session": "--last"},
    "opencode": {"words": ("-c",)},
}
"""Who says on the wire which session it goes on with."""


@pytest.mark.parametrize("agent", list(LATEST))
def test_going_on_with_the_latest_session_draws_on_the_same_purse(station, agent):
    run = station.begin_agent(agent, "look at the project", "--turns", "40")
    station.until_row(run, ended, 90)
    first = station.until_row(run, session_of, 20)
    again = station.begin_agent(agent, "look once more", **LATEST[agent])
    assert again != run
    station.until_row(again, ended, 90)
    row = station.until_row(again, lambda row: row["budget"], 20)
    assert row["budget"]["turns"] == 40
    assert row["ruling"]["used"] == first["turns"] + row["turns"]
    (told,) = station.happened(again, "run_continued")
    assert (told["task"], told["purse"]) == (run, f"run:{run}")
    assert first["calls"] + row["calls"] == len(station.paid())


def test_a_compaction_is_booked_and_the_task_goes_on(station):
    run = station.begin_agent("claude", "look at the project")
    station.until_row(run, ended, 90)
    first = station.until_row(run, session_of, 20)
    session = session_of(first)
    assert station.begin_agent("claude", "/compact", session=session) == run
    station.until_row(run, lambda row: row["calls"] > first["calls"], 60)
    compacted = station.until_row(run, ended, 60)
    assert station.begin_agent("claude", "go on", session=session) == run
    station.until_row(run, lambda row: row["calls"] > compacted["calls"], 60)
    row = station.until_row(run, ended, 60)
    assert classes(row["tokens"]) == classes(station.served_tokens())
    assert row["calls"] == len(station.paid())


def test_the_dearer_writes_of_an_hour_are_told_apart(station):
    station.own["ENABLE_PROMPT_CACHING_1H"] = "1"
    run = station.begin_agent("claude", "look at the project")
    row = station.until_row(run, ended, 90)
    assert row["tokens"]["cache_write_1h"] > 0
    assert classes(row["tokens"]) == classes(station.served_tokens())
