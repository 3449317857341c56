import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.agents.adapter import Source
from cockpit.agents.vibe import Vibe
from cockpit.core import events as e
from tests.agents import promises
from tests.agents.reading import (
    as_truth,
    folded,
    home,
    read_all,
    read_block,
    sources,
    truth,
    writes_as_input,
)

AGENT = Vibe()
SOURCE = Source("vibe", "/x/s/journal/0000000000000001.jsonl", "lines", "vibe/s", "s")
META = Source("vibe", "/x/s/meta.json", "document", session="s")


def line(kind: str, payload: object) -> bytes:
    return json.dumps({"payload": payload, "type": kind}).encode() + b"\n"


def result(value: object) -> bytes:
    return line("action_result", {"action_id": "a", "result": {"result": value}})


def test_totals_are_exact():
    calls, _, bad = read_all(AGENT, home("vibe", "basic"))
    assert as_truth(calls) == writes_as_input(truth("vibe", "basic")) | {"reasoning": 0}
    assert {call.mark for call in calls} == {"exact"}
    assert {call.model for call in calls} == {"mock-model"}
    assert all(call.at for call in calls)
    assert bad == 0


def test_the_repetition_of_a_result_is_not_counted():
    usage = {"usage": {"input_tokens": 5, "output_tokens": 2}}
    again = line("core_input", {"input": {"command": {"action_id": "a", "result": usage}}})
    assert len(AGENT.calls(result(usage) + again, SOURCE, b"").calls) == 1


def test_a_journal_whose_predecessors_are_gone_has_a_caveat(tmp_path):
    journal = tmp_path / "0000000000000083.jsonl"
    source = Source("vibe", str(journal), "lines", "vibe/s", "s")
    block = line("projection_delta", {"delta": [{"op": "set_envelope", "state": {}}]})
    books, events = read_block(AGENT, source, block)
    assert [type(event) for event in events] == [e.RunCaveat]
    assert AGENT.story(block, source, books.memory) == []
    (tmp_path / "0000000000000001.jsonl").touch()
    assert AGENT.story(block, source, b"") == []


def test_story_of_a_run():
    _, events, _ = read_all(AGENT, home("vibe", "basic"))
    (run,) = folded(events).runs.values()
    assert run.name == "[[basic]] add a mul function to calc.py and run the tests"
    assert (run.project, run.model) == ("/home/operator/src/mistral-vibe/basic/repo", "mock-model")
    assert run.phase == "waiting"
    started = [(ev.name, ev.summary) for ev in events if isinstance(ev, e.ToolStarted)]
    assert started[0] == ("bash", "ls -la")
    ended = {ev.tool: ev for ev in events if isinstance(ev, e.ToolEnded)}
    assert [ev.ok for ev in ended.values()].count(False) == 1
    assert len([ev for ev in events if isinstance(ev, e.TurnEnded)]) == 1


def test_a_turn_cut_short_and_a_question():
    state = {"latestTurn": {"id": "t", "status": "cancelled"}, "activeCallbacks": []}
    block = line("projection_delta", {"delta": [{"op": "set_envelope", "state": state}]})
    assert [type(event) for event in AGENT.story(block, SOURCE, b"")] == [e.RunInterrupted]
    state = {"activeCallbacks": [{"path": "rm -rf build"}]}
    block = line("projection_delta", {"delta": [{"op": "set_envelope", "state": state}]})
    (event,) = AGENT.story(block, SOURCE, b"")
    assert isinstance(event, e.QuestionAsked)
    assert event.text == "rm -rf build"


def test_the_environment_moves_its_home(tmp_path):
    assert AGENT.roots(tmp_path, {"VIBE_HOME": "/v"})[0] == Path("/v/logs/session/unified")
    promises.agrees_on_sources(AGENT, home("vibe", "basic"))
    assert len(sources(AGENT, home("vibe", "basic"))) == 3


@given(st.lists(st.integers(0, 90_000), max_size=4))
@settings(max_examples=20, deadline=None)
def test_blocks_may_end_anywhere(cuts):
    promises.holds_when_split(AGENT, home("vibe", "basic"), cuts)


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_read(data):
    promises.holds_for_bytes(AGENT, SOURCE, data)
    promises.holds_for_bytes(AGENT, META, data)


@given(promises.JSON)
@settings(max_examples=100, deadline=None)
def test_any_values_are_read(value):
    for kind in ("action_result", "projection_delta"):
        promises.holds_for_bytes(AGENT, SOURCE, line(kind, value))
    promises.holds_for_bytes(AGENT, SOURCE, result(value))
    promises.holds_for_bytes(AGENT, SOURCE, result({"usage": value, "parts": value}))
    for field in ("entry", "state"):
        for op in ("append_entry", "replace_entry", "set_envelope"):
            for kind in ("message", "effect"):
                base = {"type": kind, "content": value, "detail": value, "state": value}
                change = {"op": op, "entry": base, "state": {"latestTurn": value}} | {field: value}
                promises.holds_for_bytes(
                    AGENT, SOURCE, line("projection_delta", {"delta": [change]})
                )
    meta = {"title": value, "config": value, "environment": value, "start_time": value}
    promises.holds_for_bytes(AGENT, META, json.dumps(meta).encode())
