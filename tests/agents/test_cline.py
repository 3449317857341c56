import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.agents.adapter import Source
from cockpit.agents.cline import Cline
from cockpit.core import events as e
from tests.agents import promises
from tests.agents.reading import (
    as_truth,
    folded,
    home,
    merged,
    read_all,
    read_block,
    sources,
    truth,
    writes_as_input,
)

AGENT = Cline()
SOURCE = Source("cline", "/x/s/s.messages.json", "document", "cline/s", "s")


def messages() -> tuple[Source, dict]:
    source = next(s for s in sources(AGENT, home("cline", "basic")) if "messages" in s.path)
    return source, json.loads(Path(source.path).read_bytes())


def test_totals_are_exact():
    calls, _, bad = read_all(AGENT, home("cline", "basic"))
    assert as_truth(calls) == writes_as_input(truth("cline", "basic")) | {"reasoning": 0}
    assert {call.mark for call in calls} == {"exact"}
    assert bad == 0


def test_input_beside_the_cache_is_not_made_negative():
    metrics = {"inputTokens": 5, "cacheReadTokens": 100, "outputTokens": 1}
    message = {"id": "a", "role": "assistant", "ts": 1795319651847, "metrics": metrics}
    (call,) = AGENT.calls(json.dumps({"messages": [message]}).encode(), SOURCE, b"").calls
    assert (call.tokens.input, call.tokens.cache_read) == (5, 100)


def test_a_file_written_again_tells_only_what_is_new():
    source, document = messages()
    parts = document["messages"]
    told, memory, calls = [], b"", []
    for length in range(1, len(parts) + 1):
        data = json.dumps(document | {"messages": parts[:length]}).encode()
        books, events = read_block(AGENT, source, data, memory)
        told += events
        calls += books.calls
        memory = books.memory
    whole, events = read_block(AGENT, source, json.dumps(document).encode())
    assert told == events
    assert merged(calls) == merged(whole.calls)


def test_a_session_file_that_says_the_same_tells_nothing():
    source = next(s for s in sources(AGENT, home("cline", "basic")) if "messages" not in s.path)
    data = Path(source.path).read_bytes()
    books, events = read_block(AGENT, source, data)
    assert [type(event) for event in events] == [e.RunSeen, e.RunDescribed, e.RunEnded]
    assert AGENT.story(data, source, books.memory) == []


def test_story_of_a_run():
    _, events, _ = read_all(AGENT, home("cline", "basic"))
    (run,) = folded(events).runs.values()
    assert run.source.endswith(".messages.json")
    assert run.name == "[[basic]] add a mul function to calc.py and run the tests"
    assert (run.project, run.branch) == ("/home/operator/src/cline/basic/repo", "feat/mul")
    assert (run.phase, run.outcome) == ("ended", "completed")
    prompts = [event.text for event in events if isinstance(event, e.PromptGiven)]
    assert prompts == [run.name]
    ended = [event for event in events if isinstance(event, e.ToolEnded)]
    assert [event.ok for event in ended] == [True, True, True, True, True, False]
    assert all(event.output for event in ended if not event.ok)


def test_the_registry_lists_sessions_without_an_end(tmp_path):
    for session, end in (("1_a", None), ("2_b", "2026-11-22T03:54:13.870Z")):
        directory = tmp_path / ".cline/data/sessions" / session
        directory.mkdir(parents=True)
        told = {"session_id": session, "pid": 42, "cwd": "/r", "status": "running"}
        (directory / f"{session}.json").write_text(json.dumps(told | {"ended_at": end}))
    assert [(live.pid, live.session) for live in AGENT.registry(tmp_path, {})] == [(42, "1_a")]


def test_sources_are_the_session_and_its_messages():
    promises.agrees_on_sources(AGENT, home("cline", "basic"))
    assert len({source.run for source in sources(AGENT, home("cline", "basic"))} - {""}) == 1
    assert len(sources(AGENT, home("cline", "basic"))) == 2


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_read(data):
    promises.holds_for_bytes(AGENT, SOURCE, data)


@given(promises.JSON)
@settings(max_examples=100, deadline=None)
def test_any_values_are_read(value):
    for role in ("user", "assistant", value):
        for field in ("id", "ts", "content", "metrics", "modelInfo"):
            part = {"type": "tool_result", "content": value, "tool_use_id": value}
            base = {"role": role, "content": [part, {"type": "tool_use", "input": value}]}
            data = json.dumps({"messages": [base | {field: value}]}).encode()
            promises.holds_for_bytes(AGENT, SOURCE, data)
    for field in ("messages", "metadata", "started_at", "ended_at", "prompt", "status"):
        promises.holds_for_bytes(AGENT, SOURCE, json.dumps({field: value}).encode())
