import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.agents.adapter import Source
from cockpit.agents.kimi import Kimi
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

AGENT = Kimi()
SOURCE = Source("kimi", "/x/sessions/p/s/wire.jsonl", "lines", "kimi/s", "s")


def line(kind: object, payload: object) -> bytes:
    message = {"type": kind, "payload": payload}
    return json.dumps({"timestamp": 1795321560.5, "message": message}).encode() + b"\n"


def test_totals_are_exact():
    calls, _, bad = read_all(AGENT, home("kimi", "basic"))
    assert as_truth(calls) == writes_as_input(truth("kimi", "basic")) | {"reasoning": 0}
    assert {call.mark for call in calls} == {"exact"}
    assert {(call.model, call.window) for call in calls} == {("mock-model", 200_000)}
    assert all(call.id.startswith("chatcmpl-") for call in calls)
    assert calls[3].tools == ("Shell", "Shell")
    assert bad == 0


def test_story_of_a_run():
    _, events, _ = read_all(AGENT, home("kimi", "basic"))
    (run,) = folded(events).runs.values()
    assert run.name == "[[basic]] add a mul function to calc.py and run the tests"
    assert (run.project, run.phase) == ("/home/operator/src/kimi-cli/basic/repo", "waiting")
    ended = [event for event in events if isinstance(event, e.ToolEnded)]
    assert [event.ok for event in ended] == [True, True, True, True, True, False]
    assert any("+def mul(a, b):" in event.diff for event in ended)


def test_a_sub_agent_is_found_under_its_parent():
    usage = {"token_usage": {"input_other": 3, "output": 4}, "message_id": "m"}
    inner = {"type": "StatusUpdate", "payload": usage}
    books, events = read_block(
        AGENT, SOURCE, line("SubagentEvent", {"agent_id": "a", "event": inner})
    )
    assert [(call.run, call.tokens.total) for call in books.calls] == [("kimi/s/a", 7)]
    assert folded(events).runs["kimi/s/a"].parent == "kimi/s"


def test_what_else_happens():
    kinds = {
        "StepInterrupted": e.RunInterrupted,
        "StepRetry": e.CallFailed,
        "CompactionEnd": e.ContextCompacted,
        "ApprovalRequest": e.QuestionAsked,
    }
    for kind, event in kinds.items():
        assert isinstance(AGENT.story(line(kind, {}), SOURCE, b"")[-1], event)


def test_the_environment_moves_its_home(tmp_path):
    assert AGENT.roots(tmp_path, {"KIMI_SHARE_DIR": "/k"}) == [Path("/k/sessions")]
    promises.agrees_on_sources(AGENT, home("kimi", "basic"))
    assert len(sources(AGENT, home("kimi", "basic"))) == 1


@given(st.lists(st.integers(0, 8_000), max_size=4))
@settings(max_examples=30, deadline=None)
def test_blocks_may_end_anywhere(cuts):
    promises.holds_when_split(AGENT, home("kimi", "basic"), cuts)


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_read(data):
    promises.holds_for_bytes(AGENT, SOURCE, data)


@given(promises.JSON)
@settings(max_examples=100, deadline=None)
def test_any_values_are_read(value):
    kinds = ("TurnBegin", "ContentPart", "ToolCall", "ToolResult", "StatusUpdate", "StepRetry")
    for kind in (*kinds, "SubagentEvent", "QuestionRequest", "ApprovalRequest", value):
        promises.holds_for_bytes(AGENT, SOURCE, line(kind, value))
        fields = ("token_usage", "function", "return_value", "event", "text", "user_input", "id")
        promises.holds_for_bytes(AGENT, SOURCE, line(kind, dict.fromkeys(fields, value)))
    inner = {"display": [{"type": "diff", "old_text": value, "new_text": value}], "output": value}
    promises.holds_for_bytes(AGENT, SOURCE, line("ToolResult", {"return_value": inner}))
