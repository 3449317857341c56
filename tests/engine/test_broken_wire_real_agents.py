"""What goes wrong on the wire of real agents is booked: exact where it was told, else never too low.

See tests/engine/station.py for what it needs.
"""

import pytest

from tests.engine.station import Station, classes, ended, every_agent, prompt_of

pytestmark = pytest.mark.real_agents

AFTER = 14
"""Tokens of output after which an answer breaks off: behind its first piece, before its last."""


@pytest.fixture
def station():
    station = Station()
    yield station
    station.end()


def mishap(kind, **more):
    return {"kind": kind, "with_tools": True, **more}


def never_below(ours, truth):
    assert prompt_of(ours) >= prompt_of(truth)
    assert ours["output"] >= truth["output"]


@every_agent
def test_a_storm_is_free_and_what_follows_is_booked(station, agent):
    station.plan(mishap("status", status=529, times=2))
    run = station.begin_agent(agent, "look at the project")
    row = station.until_row(run, ended, 120)
    storm = sum(one["status"] == 529 for one in station.served())
    assert storm == 2
    assert classes(row["tokens"]) == classes(station.served_tokens())
    assert row["mark"] == "exact"


@every_agent
@pytest.mark.parametrize("kind", ["cut", "truncate"])
def test_an_answer_that_breaks_off_is_estimated(station, agent, kind):
    station.plan(mishap(kind, after=AFTER))
    run = station.begin_agent(agent, "look at the project")
    row = station.until_row(run, ended, 120)
    assert [one["ended_by"] for one in station.paid()].count(kind) == 1
    never_below(row["tokens"], station.served_tokens())
    assert row["mark"] == "estimated"


@every_agent
def test_an_answer_that_tells_no_usage_is_estimated(station, agent):
    station.plan(mishap("no-usage"))
    run = station.begin_agent(agent, "look at the project")
    row = station.until_row(run, ended, 120)
    never_below(row["tokens"], station.served_tokens())
    assert row["mark"] == "estimated"
