import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.agents.adapter import Source
from cockpit.agents.mini_swe import MiniSwe
from cockpit.core import events as e
from tests.agents import promises
from tests.agents.reading import as_truth, folded, home, merged, read_all, read_block, truth

AGENT = MiniSwe()
SOURCE = Source("mini-swe-agent", "/x/a.traj.json", "document", "mini-swe-agent/a", "a")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A home with the trajectory where the agent writes it by default."""
    folder = tmp_path / ".config/mini-swe-agent"
    folder.mkdir(parents=True)
    shutil.copyfile(home("mini_swe", "basic") / "traj.json", folder / "last_mini_run.traj.json")
    return tmp_path


def test_totals_are_exact_answers_without_a_tool_included(base):
    calls, _, bad = read_all(AGENT, base)
    assert as_truth(calls) == truth("mini_swe", "basic")
    assert {call.mark for call in calls} == {"exact"}
    assert all(call.id.startswith("chatcmpl-") for call in calls)
    assert (len(calls), bad) == (8, 0)


def test_a_file_written_again_tells_only_what_is_new():
    document = json.loads((home("mini_swe", "basic") / "traj.json").read_text())
    document["info"].pop("model_stats")
    told, memory, calls = [], b"", []
    for length in range(4, len(document["messages"]) + 1):
        data = json.dumps(document | {"messages": document["messages"][:length]}).encode()
        books, events = read_block(AGENT, SOURCE, data, memory)
        told += events
        calls += books.calls
        memory = books.memory
    whole, events = read_block(AGENT, SOURCE, json.dumps(document).encode())
    assert told == events
    assert merged(calls) == merged(whole.calls)


def test_the_next_run_in_the_same_file_is_another_run(base):
    path = base / ".config/mini-swe-agent/last_mini_run.traj.json"
    first = {call.run for call in read_all(AGENT, base)[0]}
    path.write_text(path.read_text().replace("17953196", "17953206"))
    second = {call.run for call in read_all(AGENT, base)[0]}
    assert first.isdisjoint(second)


def test_story_of_a_run(base):
    _, events, _ = read_all(AGENT, base)
    (run,) = folded(events).runs.values()
    assert run.name == "[[basic]] add a mul function to calc.py and run the tests"
    assert (run.model, run.phase, run.outcome) == ("mock-model", "ended", "RepeatedFormatError")
    ended = [event for event in events if isinstance(event, e.ToolEnded)]
    assert [event.ok for event in ended] == [True, True, True, True, True, False]
    assert next(event.summary for event in events if isinstance(event, e.ToolStarted)) == "ls -la"


def test_calls_without_usage_are_a_caveat():
    document = {"info": {"model_stats": {"api_calls": 2}}, "messages": [{"role": "exit"}]}
    events = AGENT.story(json.dumps(document).encode(), SOURCE, b"")
    (caveat,) = [event for event in events if isinstance(event, e.RunCaveat)]
    assert "2 of its calls" in caveat.reason


def test_the_list_that_early_versions_wrote(tmp_path):
    messages = [{"role": "user", "content": "do it"}, {"role": "assistant", "content": "done"}]
    books, events = read_block(AGENT, SOURCE, json.dumps(messages).encode())
    assert (books.calls, books.bad_lines) == ([], 0)
    assert folded(events).runs["mini-swe-agent/a"].name == "do it"


def test_the_environment_moves_its_home(base):
    assert AGENT.roots(base, {"MSWEA_GLOBAL_CONFIG_DIR": "/m"}) == [Path("/m")]
    assert AGENT.roots(base, {"XDG_CONFIG_HOME": "/c"}) == [Path("/c/mini-swe-agent")]
    promises.agrees_on_sources(AGENT, base)


def test_a_further_root_is_searched(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x.traj.json").write_text("[]")
    (source,) = AGENT.sources(tmp_path)
    assert source.run == "mini-swe-agent/a/b/x"
    assert AGENT.source(Path(source.path), tmp_path) == source


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_read(data):
    promises.holds_for_bytes(AGENT, SOURCE, data)


@given(promises.JSON)
@settings(max_examples=100, deadline=None)
def test_any_values_are_read(value):
    promises.holds_for_bytes(AGENT, SOURCE, json.dumps(value).encode())
    for role in ("user", "assistant", "tool", "exit", value):
        for field in ("content", "extra", "tool_calls", "tool_call_id"):
            extra = {"response": {"usage": value, "choices": value}, "timestamp": value}
            base = {"role": role, "content": "c", "extra": extra | {"interrupt_type": value}}
            data = {"messages": [base | {field: value}], "info": value}
            promises.holds_for_bytes(AGENT, SOURCE, json.dumps(data).encode())
