import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.agents.adapter import Source
from cockpit.agents.gemini import Gemini
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

AGENT = Gemini()
SOURCE = Source("gemini", "/x/chats/session-a-0123abcd.jsonl", "lines", "gemini/0123abcd")


def line(**fields) -> bytes:
    return json.dumps(fields).encode() + b"\n"


def answer(id_: str, **fields) -> dict:
    tokens = {"input": 10, "output": 2, "cached": 4, "thoughts": 3, "tool": 5, "total": 20}
    at = "2026-11-22T03:29:00.000Z"
    base = {"id": id_, "type": "gemini", "timestamp": at, "model": "g", "content": "hi"}
    return base | {"tokens": tokens} | fields


@pytest.mark.parametrize("case", ["basic", "subagent"])
def test_totals_are_exact(case):
    calls, _, bad = read_all(AGENT, home("gemini", case))
    assert as_truth(calls) == writes_as_input(truth("gemini", case))
    assert {call.mark for call in calls} == {"exact"}
    assert bad == 0


def test_a_line_written_again_after_its_tools_counts_once():
    calls, _, _ = read_all(AGENT, home("gemini", "basic"))
    assert (len(calls), len(merged(calls))) == (11, 6)


def test_thoughts_are_output_and_tool_prompts_are_input():
    (call,) = AGENT.calls(line(**answer("a")), SOURCE, b"").calls
    tokens = call.tokens
    assert (tokens.input, tokens.cache_read, tokens.output, tokens.reasoning) == (11, 4, 5, 3)


def test_messages_inside_a_patch_count_once():
    patch = line(**{"$set": {"messages": [answer("a"), answer("b")]}})
    books, events = read_block(AGENT, SOURCE, line(**answer("a")) + patch)
    assert set(merged(books.calls)) == {"gemini:a", "gemini:b"}
    assert len([event for event in events if isinstance(event, e.ReplyGiven)]) == 2


def test_a_patch_with_what_was_told_tells_nothing_again():
    first = AGENT.calls(line(**answer("a")), SOURCE, b"")
    patch = line(**{"$set": {"messages": [answer("a")]}})
    assert AGENT.story(patch, SOURCE, first.memory) == []


def test_sub_agent_is_found_under_its_parent():
    _, events, _ = read_all(AGENT, home("gemini", "subagent"))
    runs = folded(events).runs
    child = next(run for run in runs.values() if run.parent)
    assert runs[child.parent].session.startswith(child.parent.removeprefix("gemini/"))
    assert child.project == "/home/operator/src/gemini-cli/subagent/repo"


def test_story_of_a_run():
    _, events, _ = read_all(AGENT, home("gemini", "basic"))
    (run,) = folded(events).runs.values()
    assert run.name == "[[basic]] add a mul function to calc.py and run the tests"
    assert run.project == "/home/operator/src/gemini-cli/basic/repo"
    assert len([event for event in events if isinstance(event, e.PromptGiven)]) == 1
    ended = [event for event in events if isinstance(event, e.ToolEnded)]
    assert [event.ok for event in ended].count(False) == 1
    assert any("+def mul(a, b):" in event.diff for event in ended)


def test_the_older_document_is_read_too(tmp_path):
    chats = tmp_path / ".gemini/tmp/hash/chats"
    chats.mkdir(parents=True)
    session = {"sessionId": "0123abcd-1", "startTime": "2025-09-01T00:00:00Z"}
    session["messages"] = [{"id": "u", "type": "user", "content": "do it"}, answer("a")]
    (chats / "session-2025-09-01T00-00-0123abcd.json").write_text(json.dumps(session))
    calls, events, _ = read_all(AGENT, tmp_path)
    assert [call.run for call in calls] == ["gemini/0123abcd"]
    assert folded(events).runs["gemini/0123abcd"].name == "do it"


def test_the_environment_moves_its_home(tmp_path):
    assert AGENT.roots(tmp_path, {"GEMINI_CLI_HOME": "/g"})[0].as_posix() == "/g/.gemini/tmp"
    promises.agrees_on_sources(AGENT, home("gemini", "subagent"))
    assert len(sources(AGENT, home("gemini", "subagent"))) == 2


@given(st.lists(st.integers(0, 12_000), max_size=4))
@settings(max_examples=30, deadline=None)
def test_blocks_may_end_anywhere(cuts):
    promises.holds_when_split(AGENT, home("gemini", "basic"), cuts)
    promises.holds_when_split(AGENT, home("gemini", "subagent"), cuts)


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_read(data):
    promises.holds_for_bytes(AGENT, SOURCE, data)


@given(promises.JSON)
@settings(max_examples=150, deadline=None)
def test_any_values_are_read(value):
    for field in ("tokens", "toolCalls", "content", "thoughts", "timestamp", "id", "model"):
        promises.holds_for_bytes(AGENT, SOURCE, line(**answer("a", **{field: value})))
    promises.holds_for_bytes(AGENT, SOURCE, line(**{"$set": value}))
