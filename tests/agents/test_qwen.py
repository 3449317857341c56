import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.agents.adapter import Source
from cockpit.agents.qwen import Qwen
from cockpit.core import events as e
from tests.agents import promises
from tests.agents.reading import as_truth, folded, home, read_all, sources, truth, writes_as_input

AGENT = Qwen()
SOURCE = Source("qwen", "/x/chats/s.jsonl", "lines", "qwen/s", "s")


def line(**fields) -> bytes:
    base = {"uuid": "u", "parentUuid": "p", "type": "assistant", "model": "q"}
    return json.dumps(base | fields).encode() + b"\n"


@pytest.mark.parametrize("case", ["basic", "subagent"])
def test_totals_are_exact(case):
    calls, _, bad = read_all(AGENT, home("qwen", case))
    assert as_truth(calls) == writes_as_input(truth("qwen", case))
    assert {call.mark for call in calls} == {"exact"}
    assert bad == 0


def test_every_call_has_a_model_and_main_ones_a_window():
    calls, _, _ = read_all(AGENT, home("qwen", "subagent"))
    assert {call.model for call in calls} == {"qwen3-coder-plus"}
    assert {call.window for call in calls if call.run.count("/") == 1} == {1_000_000}


@pytest.mark.parametrize(("total", "output"), [(15, 5), (18, 8)])
def test_the_total_tells_whether_thoughts_are_in_the_output(total, output):
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 3}
    (call,) = AGENT.calls(line(usageMetadata=usage | {"totalTokenCount": total}), SOURCE, b"").calls
    assert (call.tokens.output, call.tokens.reasoning) == (output, 3)


def test_telemetry_is_not_counted():
    telemetry = {"uiEvent": {"event.name": "qwen-code.api_response", "input_token_count": 5}}
    assert AGENT.calls(line(type="system", systemPayload=telemetry), SOURCE, b"").calls == []


def test_sub_agent_is_found_under_its_parent():
    _, events, _ = read_all(AGENT, home("qwen", "subagent"))
    runs = folded(events).runs
    child = next(run for run in runs.values() if run.parent)
    assert child.parent in runs
    assert child.name == "Count files"


def test_story_of_a_run():
    _, events, _ = read_all(AGENT, home("qwen", "basic"))
    (run,) = folded(events).runs.values()
    assert run.name == "[[basic]] add a mul function to calc.py and run the tests"
    assert (run.project, run.branch) == ("/home/operator/src/qwen-code/basic/repo", "feat/mul")
    assert run.phase == "waiting"
    assert not run.open_tools
    ended = [event for event in events if isinstance(event, e.ToolEnded)]
    assert [event.ok for event in ended] == [True, True, True, True, True, False]
    assert any("+def mul(a, b):" in event.diff for event in ended)


def test_a_refused_call_is_told():
    telemetry = {"uiEvent": {"event.name": "qwen-code.api_error", "status_code": 429}}
    (event,) = AGENT.story(line(type="system", systemPayload=telemetry), SOURCE, b"")
    assert isinstance(event, e.CallFailed)
    assert event.status == 429


def test_the_environment_moves_its_home(tmp_path):
    assert AGENT.roots(tmp_path, {"QWEN_HOME": "/q"})[0].as_posix() == "/q/projects"
    promises.agrees_on_sources(AGENT, home("qwen", "subagent"))
    assert len(sources(AGENT, home("qwen", "subagent"))) == 2


@given(st.lists(st.integers(0, 30_000), max_size=4))
@settings(max_examples=30, deadline=None)
def test_blocks_may_end_anywhere(cuts):
    promises.holds_when_split(AGENT, home("qwen", "basic"), cuts)
    promises.holds_when_split(AGENT, home("qwen", "subagent"), cuts)


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_read(data):
    promises.holds_for_bytes(AGENT, SOURCE, data)


@given(promises.JSON)
@settings(max_examples=150, deadline=None)
def test_any_values_are_read(value):
    for field in ("usageMetadata", "message", "toolCallResult", "systemPayload", "uuid", "type"):
        for kind in ("assistant", "user", "tool_result", "system"):
            fields = {"type": kind, "usageMetadata": {"promptTokenCount": 1}} | {field: value}
            promises.holds_for_bytes(AGENT, SOURCE, line(**fields))
    parts = [value, {"functionCall": value}, {"functionResponse": value}, {"text": value}]
    for kind in ("assistant", "user", "tool_result"):
        promises.holds_for_bytes(AGENT, SOURCE, line(type=kind, message={"parts": parts}))
