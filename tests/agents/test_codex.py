import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.agents.adapter import Source
from cockpit.agents.codex import Codex
from cockpit.core import events as e
from tests.agents import promises
from tests.agents.reading import as_truth, folded, home, merged, read_all, sources, total, truth

CODEX = Codex()
CASES = ("basic", "appserver-int-tool", "http402-x99-std", "resume", "sigint-stream", "subagent")
SOURCE = Source("codex", "/nowhere/rollout.jsonl", "lines", "codex/thread", "thread")


def line(kind: str, payload: dict, at: str = "2026-06-01T10:00:00.000Z") -> bytes:
    entry = {"timestamp": at, "type": kind, "payload": payload}
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


def usage(read: int, fresh: int, output: int, reasoning: int = 0) -> dict:
    return {
        "input_tokens": read + fresh,
        "cached_input_tokens": read,
        "output_tokens": output,
        "reasoning_output_tokens": reasoning,
        "total_tokens": read + fresh + output,
    }


def count(total_: dict, last: dict) -> bytes:
    info = {"total_token_usage": total_, "last_token_usage": last, "model_context_window": 258400}
    return line("event_msg", {"type": "token_count", "info": info})


def calls(data: bytes, source: Source = SOURCE):
    return CODEX.calls(data, source, b"").calls


@pytest.mark.parametrize("case", CASES)
def test_recorded_runs_count_exactly_what_was_served(case: str):
    found, _, bad = read_all(CODEX, home("codex", case))
    assert as_truth(found) == truth("codex", case)
    assert all(call.mark == "exact" for call in found)
    assert bad == 0


def test_a_call_knows_its_model_window_tools_and_when_it_was_asked_for():
    found, _, _ = read_all(CODEX, home("codex", "basic"))
    first, *_, last = found
    assert first.model == "gpt-5.3-codex"
    assert first.window == 258_400
    assert first.tools == ("exec_command",)
    assert last.tools == ()
    assert 0 < first.requested <= first.at
    assert all(
        before.at <= after.requested <= after.at for before, after in itertools.pairwise(found)
    )


def test_sub_agents_are_children_and_forks_are_not():
    runs = folded(read_all(CODEX, home("codex", "subagent"))[1]).runs
    parents = [run.parent for run in runs.values()]
    root = next(run.id for run in runs.values() if run.parent is None)
    assert sorted(parents, key=str) == sorted([None, root, root], key=str)
    forked = folded(read_all(CODEX, home("codex", "resume"))[1]).runs
    assert [run.parent for run in forked.values()] == [None, None]


def test_a_broken_off_answer_is_a_caveat_but_an_interrupted_tool_is_none():
    broken = folded(read_all(CODEX, home("codex", "sigint-stream"))[1]).runs
    stopped = folded(read_all(CODEX, home("codex", "appserver-int-tool"))[1]).runs
    assert [len(run.caveats) for run in broken.values()] == [1]
    assert [len(run.caveats) for run in stopped.values()] == [0]


def test_the_story_of_a_run():
    events = read_all(CODEX, home("codex", "basic"))[1]
    (run,) = folded(events).runs.values()
    assert run.name == "[[basic]] add a mul function to calc.py and run the tests"
    assert run.project == "/home/operator/agent/work/codex/basic/repo"
    assert run.branch == "feat/mul"
    assert run.phase == "waiting"
    assert run.open_tools == ()
    started = [event for event in events if isinstance(event, e.ToolStarted)]
    ended = [event for event in events if isinstance(event, e.ToolEnded)]
    assert started[0].summary == "ls -la"
    assert {event.tool for event in started} == {event.tool for event in ended}
    assert [event.ok for event in ended] == [True] * (len(ended) - 1) + [False]


def test_a_refused_call_is_told_with_its_status():
    events = read_all(CODEX, home("codex", "http402-x99-std"))[1]
    (failed,) = [event for event in events if isinstance(event, e.CallFailed)]
    assert failed.status == 402
    assert "budget of run spent" in failed.message


def test_an_interrupted_turn_waits():
    events = read_all(CODEX, home("codex", "appserver-int-tool"))[1]
    assert any(isinstance(event, e.RunInterrupted) for event in events)


# --- the format before `token_usage_record`


def test_totals_repeated_on_abort_and_retry_count_once():
    first, second = usage(100, 50, 10, 4), usage(150, 60, 20, 8)
    both = {key: first[key] + second[key] for key in first}
    data = count(first, first) + count(first, first) + count(both, second) + count(both, second)
    found = calls(data)
    assert [call.tokens.output for call in found] == [10, 20]
    assert total(found).cache_read == 250
    assert total(found).input == 110
    assert total(found).reasoning == 12


def test_a_fork_does_not_count_what_its_parent_spent():
    before, new = usage(9_000, 1_000, 500), usage(10, 20, 30)
    after = {key: before[key] + new[key] for key in before}
    assert [call.tokens.total for call in calls(count(after, new))] == [60]


def test_a_total_that_fell_counts_its_last_call():
    large, small = usage(9_000, 1_000, 500), usage(10, 20, 30)
    found = calls(count(large, large) + count(small, small))
    assert [call.tokens.total for call in found] == [10_500, 60]


def test_replayed_history_falls_together_with_its_origin():
    first, second = usage(100, 50, 10), usage(150, 60, 20)
    both = {key: first[key] + second[key] for key in first}
    meta = line("session_meta", {"id": "origin", "cwd": "/x"})
    origin = meta + count(first, first)
    replay = line("session_meta", {"id": "fork", "forked_from_id": "origin"}) + origin
    fork = Source("codex", "/nowhere/fork.jsonl", "lines", "codex/fork", "fork")
    found = [*calls(origin), *calls(replay + count(both, second), fork)]
    assert len(merged(found)) == 2
    assert total(found).output == 30


def test_records_and_totals_of_one_rollout_are_counted_once():
    first, second = usage(100, 50, 10), usage(150, 60, 20)
    both = {key: first[key] + second[key] for key in first}
    record = {"response_id": "resp_2", "usage": second, "thread_token_usage": both}
    data = count(first, first) + line("token_usage_record", record) + count(both, second)
    assert [call.tokens.output for call in calls(data)] == [10, 20]


def test_a_patch_is_told_with_its_diff():
    change = {"/x/a.py": {"type": "update", "unified_diff": "@@ -1 +1 @@\n-a\n+b\n"}}
    patch = "*** Begin Patch\n*** Update File: a.py\n@@\n-a\n+b\n*** End Patch"
    data = line(
        "response_item",
        {"type": "custom_tool_call", "call_id": "c", "name": "apply_patch", "input": patch},
    ) + line(
        "event_msg", {"type": "patch_apply_end", "call_id": "c", "success": True, "changes": change}
    )
    started, ended = CODEX.story(data, SOURCE, b"")
    assert isinstance(started, e.ToolStarted)
    assert isinstance(ended, e.ToolEnded)
    assert (started.name, started.summary) == ("apply_patch", "a.py")
    assert "-a\n+b" in ended.diff


@pytest.mark.parametrize("figure", ['"7"', "-500", "1e30", "true", "[]"])
def test_a_figure_that_is_none_is_a_bad_line(figure: str):
    good = usage(100, 50, 10)
    bad = count(good, good).replace(b'"output_tokens":10', b'"output_tokens":' + figure.encode())
    books = CODEX.calls(bad + count(good, good), SOURCE, b"")
    assert books.bad_lines == 1
    assert [call.tokens.output for call in books.calls] == [10]


def test_a_damaged_line_is_counted_though_it_can_hold_no_usage():
    output = line("response_item", {"type": "function_call_output", "output": "a"})
    books = CODEX.calls(output + output.replace(b'"a"', b'"\\x"'), SOURCE, b"")
    assert books.bad_lines == 1


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(0, 60_000), max_size=6))
@pytest.mark.parametrize("case", ["basic", "subagent"])
def test_blocks_may_end_anywhere(case: str, cuts: list[int]):
    promises.holds_when_split(CODEX, home("codex", case), cuts)


LINES = st.lists(
    st.one_of(
        st.binary(max_size=60),
        st.builds(
            lambda kind, payload: json.dumps(
                {"timestamp": "2026-06-01T10:00:00Z", "type": kind, "payload": payload}
            ).encode(),
            st.sampled_from(
                [
                    "event_msg",
                    "response_item",
                    "session_meta",
                    "turn_context",
                    "token_usage_record",
                    "compacted",
                ]
            ),
            st.one_of(
                promises.JSON,
                st.fixed_dictionaries(
                    {
                        "type": st.sampled_from(
                            [
                                "token_count",
                                "task_started",
                                "task_complete",
                                "turn_aborted",
                                "reasoning",
                                "function_call",
                                "custom_tool_call",
                                "function_call_output",
                                "patch_apply_end",
                                "item_completed",
                                "error",
                                "user_message",
                            ]
                        ),
                        "info": promises.JSON,
                        "usage": promises.JSON,
                        "item": promises.JSON,
                        "arguments": promises.JSON,
                        "changes": promises.JSON,
                        "output": promises.JSON,
                        "error": promises.JSON,
                    }
                ),
            ),
        ),
    ),
    max_size=6,
)


@settings(max_examples=80, deadline=None)
@given(LINES)
def test_any_lines_are_read_without_an_exception(lines: list[bytes]):
    promises.holds_for_bytes(CODEX, SOURCE, b"\n".join(lines) + b"\n")


def test_runs_are_named_by_thread():
    (source,) = sources(CODEX, home("codex", "basic"))
    assert source.run == f"codex/{source.session}"
    assert Path(source.path).stem.endswith(source.session)
    assert len(source.session) == 36
