import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.agents.adapter import Source
from cockpit.agents.pi import Pi
from cockpit.core import events as e
from tests.agents import promises
from tests.agents.reading import folded, home, merged, read_all, sources, total, truth

AGENT = Pi()
SOURCE = Source("pi", "/x/a_s.jsonl", "lines", "pi/s", "s")


def line(kind: str = "message", **fields) -> bytes:
    base = {"type": kind, "id": "l", "timestamp": "2026-06-24T05:20:45.000Z"}
    return json.dumps(base | fields).encode() + b"\n"


def answer(**fields) -> dict:
    usage = {"input": 5, "output": 2, "cacheRead": 3, "cacheWrite": 1}
    base = {"role": "assistant", "api": "anthropic-messages", "model": "m", "timestamp": 1}
    return base | {"usage": usage, "content": []} | fields


def test_totals_are_exact_and_the_wrong_split_is_marked():
    calls, events, bad = read_all(AGENT, home("pi", "basic"))
    told, tokens = truth("pi", "basic"), total(calls)
    assert tokens.prompt == told["input"] + told["cache_read"] + told["cache_write"]
    assert (tokens.output, tokens.cache_write_5m) == (told["output"], told["cache_write"])
    assert {call.mark for call in calls} == {"estimated"}
    assert len([event for event in events if isinstance(event, e.RunCaveat)]) == 1
    assert bad == 0


def test_other_apis_are_exact():
    (call,) = AGENT.calls(line(message=answer()), SOURCE, b"").calls
    assert (call.mark, call.tokens.total) == ("exact", 11)


def test_a_branch_is_not_counted_again():
    other = Source("pi", "/x/b_t.jsonl", "lines", "pi/t", "t")
    for message in (answer(), answer(responseId="resp_1")):
        first = AGENT.calls(line(message=message), SOURCE, b"").calls
        second = AGENT.calls(line(message=message), other, b"").calls
        assert len(merged(first + second)) == 1


def test_a_broken_off_message_costs_nothing_here():
    message = answer(usage={"input": 0, "output": 0}, stopReason="aborted")
    assert AGENT.calls(line(message=message), SOURCE, b"").calls == []
    assert [type(event) for event in AGENT.story(line(message=message), SOURCE, b"")] == [
        e.RunInterrupted
    ]


def test_a_summary_is_told_with_its_caveat():
    events = AGENT.story(line("compaction", tokensBefore=9), SOURCE, b"")
    assert [type(event) for event in events] == [e.ContextCompacted, e.RunCaveat]


def test_story_of_a_run():
    _, events, _ = read_all(AGENT, home("pi", "basic"))
    (run,) = folded(events).runs.values()
    assert run.name == "[[basic]] add a mul function to calc.py and run the tests"
    assert (run.project, run.model) == ("/home/operator/src/pi/basic/repo", "mock-model")
    assert run.phase == "waiting"
    ended = [event for event in events if isinstance(event, e.ToolEnded)]
    assert [event.ok for event in ended] == [True, True, True, True, True, False]
    started = [event.summary for event in events if isinstance(event, e.ToolStarted)]
    assert started[0] == "ls -la"


def test_the_environment_moves_its_home(tmp_path):
    assert AGENT.roots(tmp_path, {"PI_CODING_AGENT_DIR": "/p"})[0].as_posix() == "/p/sessions"
    promises.agrees_on_sources(AGENT, home("pi", "basic"))
    assert len(sources(AGENT, home("pi", "basic"))) == 1


@given(st.lists(st.integers(0, 7_000), max_size=4))
@settings(max_examples=30, deadline=None)
def test_blocks_may_end_anywhere(cuts):
    promises.holds_when_split(AGENT, home("pi", "basic"), cuts)


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_read(data):
    promises.holds_for_bytes(AGENT, SOURCE, data)


@given(promises.JSON)
@settings(max_examples=100, deadline=None)
def test_any_values_are_read(value):
    for field in ("usage", "content", "stopReason", "timestamp", "responseId", "role", "details"):
        for role in ("user", "assistant", "toolResult"):
            promises.holds_for_bytes(
                AGENT, SOURCE, line(message=answer(role=role) | {field: value})
            )
    for kind in ("session", "model_change", "compaction", "session_info", "message"):
        fields = {"message": value, "cwd": value, "name": value, "tokensBefore": value}
        promises.holds_for_bytes(AGENT, SOURCE, line(kind, **fields, usage=1))


@pytest.mark.parametrize("why", ["stop", "length"])
def test_the_turn_ends(why):
    events = AGENT.story(line(message=answer(stopReason=why)), SOURCE, b"")
    assert isinstance(events[-1], e.TurnEnded)
