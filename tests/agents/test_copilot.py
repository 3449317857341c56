import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.agents.adapter import Source
from cockpit.agents.copilot import Copilot
from cockpit.core import events as e
from tests.agents import promises
from tests.agents.reading import as_truth, folded, home, read_all, sources, total, truth

AGENT = Copilot()
SOURCE = Source("copilot", "/x/s/events.jsonl", "lines", "copilot/s", "s")


def line(kind: str, data: object, **fields) -> bytes:
    base = {"type": kind, "data": data, "timestamp": "2026-06-24T05:20:45.000Z", "id": "l"}
    return json.dumps(base | fields).encode() + b"\n"


@pytest.mark.parametrize("case", ["basic", "subagent"])
def test_totals_are_exact(case):
    calls, _, bad = read_all(AGENT, home("copilot", case))
    assert as_truth(calls) == truth("copilot", case)
    assert {call.mark for call in calls} == {"exact"}
    assert all(call.id.startswith("chatcmpl-") for call in calls)
    assert bad == 0


def test_sub_agent_is_found_under_its_parent_and_ends():
    calls, events, _ = read_all(AGENT, home("copilot", "subagent"))
    runs = folded(events).runs
    child = next(run for run in runs.values() if run.parent)
    assert child.parent in runs
    assert (child.name, child.phase, child.outcome) == ("Count files", "ended", "completed")
    assert {call.run for call in calls} == set(runs)


def test_story_of_a_run():
    _, events, _ = read_all(AGENT, home("copilot", "basic"))
    (run,) = folded(events).runs.values()
    assert run.name == "[[basic]] add a mul function to calc.py and run the tests"
    assert (run.project, run.branch) == ("/home/operator/src/copilot-cli/basic/repo", "feat/mul")
    assert run.phase == "ended"
    ended = [event for event in events if isinstance(event, e.ToolEnded)]
    assert [event.ok for event in ended] == [True, True, False, True, True, False]
    assert {event.diff for event in ended} == {""}


def test_a_version_without_usage_records_is_booked_at_shutdown_and_marked():
    usage = {"inputTokens": 100, "cacheReadTokens": 40, "outputTokens": 9, "reasoningTokens": 2}
    message = line("assistant.message", {"model": "m", "outputTokens": 7, "apiCallId": "resp_1"})
    shutdown = line("session.shutdown", {"modelMetrics": {"m": {"usage": usage}}})
    calls = AGENT.calls(message + shutdown, SOURCE, b"").calls
    tokens = total(calls)
    assert (tokens.input, tokens.cache_read, tokens.output) == (60, 40, 9)
    assert {call.mark for call in calls} == {"estimated"}
    assert calls[0].id == "resp_1"


def test_sums_at_shutdown_are_left_alone_where_records_exist():
    record = line("session.usage_record", {"usage": {"inputTokens": 5, "apiCallId": "a"}})
    usage = {"inputTokens": 5}
    shutdown = line("session.shutdown", {"modelMetrics": {"m": {"usage": usage}}})
    books = AGENT.calls(record, SOURCE, b"")
    assert AGENT.calls(shutdown, SOURCE, books.memory).calls == []


def test_an_edit_shows_its_diff():
    diff = "\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"
    data = {"toolCallId": "t", "success": True, "result": {"detailedContent": diff}}
    (event,) = AGENT.story(line("tool.execution_complete", data), SOURCE, b"")
    assert isinstance(event, e.ToolEnded)
    assert "+b" in event.diff


@pytest.mark.parametrize(
    ("kind", "data", "event"),
    [
        ("abort", {"reason": "user_initiated"}, e.RunInterrupted),
        ("model.call_failure", {"statusCode": 429, "errorMessage": "slow"}, e.CallFailed),
        ("permission.requested", {"permissionRequest": {"kind": "shell"}}, e.QuestionAsked),
        ("session.compaction_complete", {"preCompactionTokens": 9}, e.ContextCompacted),
    ],
)
def test_what_else_happens(kind, data, event):
    assert [type(told) for told in AGENT.story(line(kind, data), SOURCE, b"")] == [event]


def test_the_environment_moves_its_home(tmp_path):
    assert AGENT.roots(tmp_path, {"COPILOT_HOME": "/c"})[0].as_posix() == "/c/session-state"
    promises.agrees_on_sources(AGENT, home("copilot", "basic"))
    assert len(sources(AGENT, home("copilot", "basic"))) == 1


@given(st.lists(st.integers(0, 60_000), max_size=4))
@settings(max_examples=30, deadline=None)
def test_blocks_may_end_anywhere(cuts):
    promises.holds_when_split(AGENT, home("copilot", "basic"), cuts)
    promises.holds_when_split(AGENT, home("copilot", "subagent"), cuts)


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_read(data):
    promises.holds_for_bytes(AGENT, SOURCE, data)


KINDS = (
    "session.start", "session.usage_record", "session.shutdown", "session.error", "abort",
    "assistant.message", "user.message", "tool.execution_start", "tool.execution_complete",
    "subagent.started", "permission.requested", "session.model_change",
)  # fmt: skip
FIELDS = (
    "usage", "modelMetrics", "content", "toolRequests", "arguments", "result", "error",
    "context", "statusCode", "model", "apiCallId", "outputTokens", "permissionRequest",
)  # fmt: skip


@given(promises.JSON)
@settings(max_examples=60, deadline=None)
def test_any_values_are_read(value):
    for kind in KINDS:
        for field in FIELDS:
            data = line(kind, {field: value, "okens": 1}, agentId=value, timestamp=value)
            promises.holds_for_bytes(AGENT, SOURCE, data)
        promises.holds_for_bytes(AGENT, SOURCE, line(kind, value, agentId="a", okens=1))
