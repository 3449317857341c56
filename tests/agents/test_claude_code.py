import json
import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.agents import claude_books
from cockpit.agents.adapter import Source
from cockpit.agents.claude_books import Memory
from cockpit.agents.claude_code import ClaudeCode
from cockpit.core import events as e
from cockpit.core.tokens import Tokens
from cockpit.journal.rows import merge
from tests.agents import promises
from tests.agents.reading import as_truth, folded, home, read_all, sources, total, truth

CLAUDE = ClaudeCode()
EXACT = ("basic", "ctl-interrupt-tool", "http402-x99-std", "resume", "steer-stdin", "subagent")
SOURCE = Source("claude-code", "/nowhere/s.jsonl", "lines", "claude-code/s", "s")


def answer(
    id_: str = "msg_1",
    *,
    output: object = 10,
    stop: str | None = "end_turn",
    content: object = None,
    parent: str | None = "0" * 36,
    usage: dict | None = None,
    message: dict | None = None,
    **more: object,
) -> dict:
    """A line as versions 2.0 to 2.1.37 write it."""
    return {
        "parentUuid": parent,
        "isSidechain": False,
        "userType": "external",
        "cwd": "/home/dev/work",
        "sessionId": "s",
        "version": "2.1.30",
        "gitBranch": "main",
        "message": {
            "model": "claude-opus-4-5-20251101",
            "id": id_,
            "type": "message",
            "role": "assistant",
            "content": content or [{"type": "text", "text": "hello"}],
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": {
                "input_tokens": 3,
                "cache_creation_input_tokens": 200,
                "cache_read_input_tokens": 4000,
                "cache_creation": {
                    "ephemeral_5m_input_tokens": 200,
                    "ephemeral_1h_input_tokens": 0,
                },
                "output_tokens": output,
                "service_tier": "standard",
                **(usage or {}),
            },
            **(message or {}),
        },
        "requestId": "req_1",
        "type": "assistant",
        "uuid": "1" * 36,
        "timestamp": "2026-06-01T10:00:00.000Z",
        **more,
    }


def compact(entry: object) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


def lines(*entries: object) -> bytes:
    return b"".join(compact(entry) for entry in entries)


def books(data: bytes, source: Source = SOURCE, memory: bytes = b""):
    return CLAUDE.calls(data, source, memory)


def by_id(calls):
    kept = {}
    for call in calls:
        kept[call.id] = merge(kept[call.id], call) if call.id in kept else call
    return kept


# --- recorded runs


@pytest.mark.parametrize("case", EXACT)
def test_recorded_runs_count_exactly_what_was_served(case: str):
    found, events, bad = read_all(CLAUDE, home("claude_code", case))
    served = truth("claude_code", case) | {"reasoning": 0}
    assert as_truth(found) == served
    assert {call.mark for call in by_id(found).values()} == {"exact"}
    assert not [event for event in events if isinstance(event, e.RunCaveat)]
    assert bad == 0


def test_a_compaction_is_a_caveat_because_its_request_is_in_no_line():
    found, events, _ = read_all(CLAUDE, home("claude_code", "compaction"))
    (run,) = folded(events).runs.values()
    assert len(run.caveats) == 1
    (compaction,) = [event for event in events if isinstance(event, e.ContextCompacted)]
    assert compaction.before == 188_693
    assert total(found).output == 197


def test_a_cut_answer_is_estimated():
    found, events, _ = read_all(CLAUDE, home("claude_code", "sigint-stream"))
    marks = {call.id: call.mark for call in by_id(found).values()}
    assert sorted(marks.values()) == ["estimated", "exact"]
    assert any(isinstance(event, e.RunInterrupted) for event in events)
    exact = [call for call in found if marks[call.id] == "exact"]
    assert as_truth(exact) == truth("claude_code", "sigint-stream") | {"reasoning": 0}


def test_a_fork_tells_the_calls_of_its_origin_under_the_same_ids():
    found, _, _ = read_all(CLAUDE, home("claude_code", "resume"))
    runs = {call.run for call in found}
    assert len(runs) == 2
    assert len(by_id(found)) == 10


def test_a_sub_agent_is_a_child_named_by_its_task():
    runs = folded(read_all(CLAUDE, home("claude_code", "subagent"))[1]).runs
    child = next(run for run in runs.values() if run.parent)
    assert child.parent in runs
    assert child.id == f"{child.parent}/a2c0d1e0b7e6b4ca2"
    assert child.name == "Count files"


def test_the_story_of_a_run():
    events = read_all(CLAUDE, home("claude_code", "basic"))[1]
    (run,) = folded(events).runs.values()
    assert run.name == "[[basic]] add a mul function to calc.py and run the tests"
    assert run.project == "/home/operator/agent/work/claude-code/basic/repo"
    assert run.branch == "feat/mul"
    assert run.phase == "waiting"
    assert run.open_tools == ()
    prompts = [event for event in events if isinstance(event, e.PromptGiven)]
    assert len(prompts) == 1
    started = [event for event in events if isinstance(event, e.ToolStarted)]
    ended = [event for event in events if isinstance(event, e.ToolEnded)]
    assert [event.tool for event in started] == [event.tool for event in ended]
    assert started[0].summary == "ls -la"
    assert "+def mul(a, b):" in next(event.diff for event in ended if event.diff)
    assert [event.ok for event in ended][-1] is False
    assert sum(isinstance(event, e.CallStarted) for event in events) == 6


def test_a_word_said_in_the_middle_of_a_turn_is_a_prompt():
    events = read_all(CLAUDE, home("claude_code", "steer-stdin"))[1]
    prompts = [event.text for event in events if isinstance(event, e.PromptGiven)]
    assert prompts == ["[[steer]] go", "STEER: also write docs, please (no marker)"]


def test_a_refused_call_is_told_with_its_status():
    events = read_all(CLAUDE, home("claude_code", "http402-x99-std"))[1]
    (failed,) = [event for event in events if isinstance(event, e.CallFailed)]
    assert (failed.status, failed.message) == (402, "API Error: 402 cockpit: budget of run spent (402)")  # fmt: skip


def test_the_last_call_knows_when_it_was_asked_for():
    found, _, _ = read_all(CLAUDE, home("claude_code", "basic"))
    assert 0 < found[-1].at - found[-1].requested < 1_000
    assert found[-1].lifetime_ms == claude_books.MINUTES_5


# --- one line, many ways to write it


def test_lines_of_one_message_are_one_call_with_the_largest_figures():
    first = answer(output=1, stop=None)
    last = answer(output=700, stop="tool_use", content=[{"type": "tool_use", "id": "t", "name": "Bash", "input": {}}])  # fmt: skip
    (call,) = by_id(books(lines(first, first, last, first)).calls).values()
    assert call.tokens == Tokens(input=3, cache_write_5m=200, cache_read=4000, output=700)
    assert call.tools == ("Bash",)
    assert call.mark == "exact"


def test_a_message_whose_end_no_line_tells_is_estimated():
    (call,) = by_id(books(lines(answer(stop=None), answer(stop=None))).calls).values()
    assert call.mark == "estimated"
    assert call.reason


def test_writes_that_live_an_hour_are_told_apart():
    split = {"ephemeral_5m_input_tokens": 50, "ephemeral_1h_input_tokens": 150}
    data = lines(answer(), answer("msg_2"), answer("msg_3", usage={"cache_creation": split}))
    last = books(data).calls[-1]
    assert (last.tokens.cache_write_5m, last.tokens.cache_write_1h) == (50, 150)
    assert last.lifetime_ms == claude_books.HOUR


def test_writes_of_an_untold_lifetime_live_five_minutes():
    (call,) = books(lines(answer(usage={"cache_creation": None}))).calls
    assert call.tokens.cache_write_5m == 200


def test_what_changes_the_price_is_told():
    usage = {
        "speed": "fast",
        "inference_geo": "us",
        "server_tool_use": {"web_search_requests": 3},
        "output_tokens_details": {"thinking_tokens": 4},
    }
    (call,) = books(lines(answer(usage=usage, requestedModel="claude-opus-4-8[1m]"))).calls
    assert (call.tier, call.geo, call.searches) == ("fast", "us", 3)
    assert call.tokens.reasoning == 4
    assert call.window == 1_000_000


def test_steps_count_where_they_carry_more_than_the_top():
    step = {"type": "compaction", "input_tokens": 1000, "output_tokens": 90}
    message = {"type": "message", "input_tokens": 3, "output_tokens": 10}
    (call,) = books(lines(answer(usage={"iterations": [step, message]}))).calls
    assert (call.tokens.input, call.tokens.output) == (1003, 100)
    assert call.tokens.cache_read == 4000


def test_synthetic_answers_are_no_calls():
    data = lines(answer(message={"model": "<synthetic>"}), answer("msg_2", message={"model": "<synthetic>"}))  # fmt: skip
    assert books(data).calls == []


def test_a_line_that_only_quotes_a_usage_is_no_call():
    quoting = answer(content=[{"type": "tool_use", "id": "t", "name": "Send", "input": answer("msg_x", output=9)}])  # fmt: skip
    result = {"type": "user", "message": {"role": "user", "content": []}, "toolUseResult": {"usage": answer()["message"]["usage"]}}  # fmt: skip
    found = by_id(books(lines(answer("msg_0"), quoting, result, quoting)).calls)
    assert set(found) == {"msg_0", "msg_1"}
    assert found["msg_1"].tokens.output == 10
    assert found["msg_1"].tools == ("Send",)


def test_sub_agents_written_into_the_session_are_children():
    data = lines(answer(), answer("msg_2") | {"isSidechain": True, "agentId": "abc"}, answer("msg_3") | {"isSidechain": True})  # fmt: skip
    assert [call.run for call in books(data).calls] == [
        "claude-code/s",
        "claude-code/s/abc",
        "claude-code/s/sidechain",
    ]


def test_a_request_without_an_answer_is_a_caveat_at_the_next_one():
    request = {"type": "api-request", "id": "r1", "timestamp": "2026-06-01T10:00:00.000Z", "params": {"model": "m"}}  # fmt: skip
    block = lines(request)
    memory = books(block).memory
    again = lines(request | {"id": "r2"})
    events = CLAUDE.story(again, SOURCE, memory)
    assert [type(event) for event in events] == [e.RunCaveat, e.CallStarted]
    answered = books(lines(answer()), memory=memory).memory
    assert [type(event) for event in CLAUDE.story(again, SOURCE, answered)] == [e.CallStarted]


@pytest.mark.parametrize(
    ("block", "waits"),
    [
        ([], "r0"),
        ([{"type": "user", "id": "u"}, {"type": "system", "subtype": "turn_duration"}], "r0"),
        ([{"type": "api-request", "id": "r1"}, {"type": "system"}], "r1"),
        ([{"type": "api-request", "id": "r1"}, {"type": "api-request", "id": "r2"}], "r2"),
        ([{"type": "api-request", "id": "r1"}, {"type": "system", "subtype": "api_error"}], ""),
        ([{"type": "system", "subtype": "api_error"}, {"type": "api-request", "id": "r1"}], "r1"),
        ([answer()], ""),
        ([answer(message={"model": "<synthetic>"})], ""),
        ([{"type": "api-request", "id": "r1"}, answer()], ""),
        ([answer(), {"type": "api-request", "id": "r1"}], "r1"),
        ([answer(), {"type": "api-request", "id": "r1"}, answer()], "r1"),
        ([answer(), {"type": "api-request", "id": "r1"}, answer("msg_2")], ""),
    ],
)
def test_which_request_still_waits_behind_a_block(block, waits):
    """The lines of one answer need not follow each other: a second one answers no later request."""
    memory = msgspec.msgpack.encode(Memory(asked="r0"))
    told = books(lines(*block), memory=memory).memory
    assert msgspec.msgpack.decode(told, type=Memory).asked == waits


# --- bad lines: two good lines around a bad one, and a second good file

GOOD = answer(output=1000)
AFTER = answer("msg_2", output=20_000)
ELSEWHERE = answer("msg_3", output=300_000)
TRUTH = 321_000

BAD = {
    "truncated": (compact(answer("msg_bad"))[:120], 1),
    "truncated behind its usage": (compact(answer("msg_bad"))[:-40], 1),
    "NUL run": (b"\x00" * 64, 1),
    "NUL run inside": (b'{"type":"user","message":{"content":"a' + b"\x00" * 8 + b'b"}}', 1),
    "cut short by a line that holds no usage": (b'{"type":"user","mess{"type":"user"}', 1),
    "text": (b"not json at all", 1),
    "invalid UTF-8": (b'\xff\xfe{"type":"user"}', 1),
    "a page of binary": (bytes(range(256)).replace(b"\n", b""), 1),
    "null": (b"null", 1),
    "list": (b"[]", 1),
    "list of objects": (compact([answer("msg_bad")])[:-1], 1),
    "number": (b"42", 1),
    "string": (b'"x"', 1),
    "5000 deep": (b'{"usage":' * 5000 + b"{}" + b"}" * 5000, 1),
    "message null": (b'{"type":"assistant","message":null,"timestamp":null}', 0),
    "message a list": (b'{"type":"assistant","message":[{"usage":1}]}', 0),
    "no usage": (b'{"type":"assistant","message":{"role":"assistant","content":[]}}', 0),
    "usage null": (b'{"type":"assistant","message":{"id":"msg_bad","usage":null}}', 0),
    "usage a number": (b'{"type":"assistant","message":{"id":"msg_bad","usage":7}}', 0),
    "empty": (b"", 0),
    "blank": (b"   \t", 0),
    "carriage return": (b"\r", 0),
    "30 MB": (compact({"type": "user", "message": {"content": "x" * 30_000_000}})[:-1], 0),
    "lone surrogate": (b'{"type":"user","message":{"content":"\\ud800"},"usage":1}', 0),
    "prototype keys": (b'{"__proto__":{"usage":{"output_tokens":5}},"constructor":1}', 0),
    "unknown type": (b'{"type":"hologram","usage":{"output_tokens":5}}', 0),
    "output a string": (compact(answer("msg_bad", output="7"))[:-1], 1),
    "output negative": (compact(answer("msg_bad", output=-500))[:-1], 1),
    "output 1e30": (compact(answer("msg_bad", output=1e30))[:-1], 1),
    "output true": (compact(answer("msg_bad", output=True))[:-1], 1),
    "output a fraction": (compact(answer("msg_bad", output=0.5))[:-1], 1),
}


def output_of(*files: bytes) -> int:
    found = by_id(call for data in files for call in books(data).calls)
    return sum(call.tokens.output for call in found.values())


def test_control():
    assert output_of(lines(GOOD, AFTER), lines(ELSEWHERE)) == TRUTH


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_line_costs_no_good_one(kind: str):
    line, bad = BAD[kind]
    data = compact(GOOD) + line + b"\n" + compact(AFTER)
    assert output_of(data, lines(ELSEWHERE)) == TRUTH
    assert books(data).bad_lines == bad


@pytest.mark.parametrize("kind", [kind for kind in BAD if kind.startswith("output")])
def test_a_bad_figure_is_seen_among_lines_that_look_alike(kind: str):
    line, _ = BAD[kind]
    data = lines(GOOD, GOOD) + line + b"\n" + compact(answer("msg_bad", output=0)) + line + b"\n" + compact(AFTER)  # fmt: skip
    assert output_of(data, lines(ELSEWHERE)) == TRUTH
    assert books(data).bad_lines == 2


def test_a_file_without_a_last_new_line_a_byte_order_mark_and_spaces_all_count():
    assert output_of(lines(GOOD, AFTER)[:-1], lines(ELSEWHERE)) == TRUTH
    assert output_of(b"\xef\xbb\xbf" + lines(GOOD, AFTER), lines(ELSEWHERE)) == TRUTH
    spaced = b"".join(json.dumps(entry).encode() + b"\r\n" for entry in (GOOD, AFTER))
    assert output_of(spaced, lines(ELSEWHERE)) == TRUTH


def test_two_lines_glued_together_both_count():
    glued = compact(GOOD)[:-1] + compact(AFTER)
    for data in (glued, lines(ELSEWHERE) + glued):
        assert output_of(data, lines(ELSEWHERE)) == TRUTH
        assert books(data).bad_lines == 0


def test_bad_lines_among_many_cost_no_good_one():
    """Whatever the place of a bad line in its block: at an end, beside another, behind a long one."""
    good = [compact(answer(f"msg_{number}", output=1)) for number in range(200)]
    good[120] = compact({"type": "user", "message": {"content": "x" * 50_000}})
    for places in ([0], [199], [0, 1, 2], [118, 119, 120], range(200)):
        data = b"".join(b"null\n" * (place in places) + line for place, line in enumerate(good))
        assert books(data).bad_lines == len(places)
        assert output_of(data) == 199


@pytest.mark.parametrize("length", [306, 330, 500, 690])
def test_a_line_cut_short_by_the_next_one_is_counted_as_bad(length: int):
    data = lines(ELSEWHERE) + compact(GOOD)[:length] + compact(AFTER)
    assert books(data).bad_lines == 1
    assert output_of(data) == 300_000


def test_keys_in_any_order_count():
    turned = [dict(reversed(entry.items())) for entry in (GOOD, AFTER)]
    assert output_of(lines(*turned), lines(ELSEWHERE)) == TRUTH


# --- any lines

ENTRIES = st.builds(
    answer,
    st.sampled_from(["msg_1", "msg_2", "msg_3"]),
    output=st.integers(0, 99_999),
    stop=st.sampled_from([None, "end_turn", "tool_use"]),
    parent=st.sampled_from([None, "0" * 36, "short"]),
    content=st.sampled_from(
        [
            [{"type": "text", "text": 'say "usage":{"input_tokens":1} \n'}],
            [{"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": "ls"}}],
            [{"type": "thinking", "thinking": ""}, {"type": "tool_use", "id": "t", "name": "Read", "input": {}}],
        ]
    ),
    usage=st.sampled_from([{}, {"inference_geo": "us"}, {"cache_read_input_tokens": 9}, {"speed": "fast"}]),
)  # fmt: skip
OTHERS = st.sampled_from(
    [
        {"parentUuid": "0" * 36, "isSidechain": False, "type": "user", "message": {"content": "go"}},
        {"type": "summary", "summary": "a title"},
        {"type": "system", "subtype": "turn_duration", "timestamp": "2026-06-01T10:00:01.000Z"},
    ]
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(ENTRIES, OTHERS), max_size=8))
def test_lines_read_at_once_and_one_by_one_tell_the_same(entries: list[dict]):
    """One line that is not written as expected sends every line of a block the long way."""
    odd = {"type": "system", "message": "no object"}
    assert books(lines(*entries)) == books(lines(odd, *entries))


@settings(max_examples=60, deadline=None)
@given(st.lists(ENTRIES, max_size=8), st.randoms())
def test_the_order_of_lines_changes_no_total(entries: list[dict], chance):
    turned = list(entries)
    chance.shuffle(turned)
    before, after = by_id(books(lines(*entries)).calls), by_id(books(lines(*turned)).calls)
    assert {i: (c.tokens, c.mark, set(c.tools)) for i, c in before.items()} == {
        i: (c.tokens, c.mark, set(c.tools)) for i, c in after.items()
    }


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 60_000), max_size=6))
@pytest.mark.parametrize("case", ["basic", "sigint-stream"])
def test_blocks_may_end_anywhere(case: str, cuts: list[int]):
    promises.holds_when_split(CLAUDE, home("claude_code", case), cuts)


ANY = st.lists(
    st.one_of(
        st.binary(max_size=80),
        st.builds(
            lambda kind, message, rest: compact({"type": kind, "timestamp": "2026-06-01T10:00:00Z", "message": message, **rest})[:-1],
            st.sampled_from(["assistant", "user", "system", "attachment", "api-request", "custom-title"]),
            st.one_of(promises.JSON, st.fixed_dictionaries({"usage": promises.JSON, "content": promises.JSON})),
            st.fixed_dictionaries({"toolUseResult": promises.JSON, "attachment": promises.JSON, "error": promises.JSON}),
        ),
    ),
    max_size=6,
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(ANY)
def test_any_lines_are_read_without_an_exception(given_lines: list[bytes]):
    promises.holds_for_bytes(CLAUDE, SOURCE, b"\n".join(given_lines) + b"\n")


# --- where things lie


def test_older_layouts_are_found(tmp_path: Path):
    project = tmp_path / ".claude" / "projects" / "-home-dev"
    (project / "s1" / "subagents").mkdir(parents=True)
    (project / "s1.jsonl").write_bytes(lines(answer()))
    (project / "s1" / "subagents" / "agent-aaa.jsonl").write_bytes(lines(answer()))
    (project / "agent-bbb.jsonl").write_bytes(lines(answer()))
    (project / "notes.txt").touch()
    found = {source.run: source.parent for source in sources(CLAUDE, tmp_path)}
    assert found == {
        "claude-code/s1": None,
        "claude-code/s1/aaa": "claude-code/s1",
        "claude-code/s/bbb": "claude-code/s",
    }


def test_the_registry_pins_a_process_by_its_start(tmp_path: Path):
    (tmp_path / ".claude" / "sessions").mkdir(parents=True)
    ticks = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    entry = {"pid": os.getpid(), "sessionId": "s1", "cwd": "/x", "procStart": ticks, "status": "busy", "name": "n"}  # fmt: skip
    (tmp_path / ".claude" / "sessions" / "1.json").write_text(json.dumps(entry))
    (tmp_path / ".claude" / "sessions" / "2.json").write_text("{")
    (live,) = CLAUDE.registry(tmp_path, {})
    psutil = pytest.importorskip("psutil")
    assert abs(live.created - psutil.Process().create_time() * 1000) <= 10
    assert (live.pid, live.session, live.status) == (os.getpid(), "s1", "busy")


# --- the story, line by line


def told(*entries: dict) -> list[e.Event]:
    return CLAUDE.story(lines(*entries), SOURCE, books(lines(answer())).memory)


def user(content: object, **more: object) -> dict:
    return {"type": "user", "timestamp": "2026-06-01T10:00:00.000Z", "message": {"role": "user", "content": content}, **more}  # fmt: skip


@pytest.mark.parametrize(
    ("content", "prompt"),
    [
        ("do it", "do it"),
        ("<system-reminder>x</system-reminder>do it", "do it"),
        ([{"type": "text", "text": "do"}, {"type": "text", "text": "it"}], "do\nit"),
        ("<command-name>/review</command-name>\n<command-message>r</command-message>\n<command-args>now</command-args>", "/review now"),
        ("<local-command-stdout>done</local-command-stdout>", None),
        ("<task-notification>x</task-notification>", None),
        ("Caveat: The messages below were generated by the user", None),
        ("\x1b]52;c;ZXZpbA==\x07do it", "do it"),
    ],
)  # fmt: skip
def test_only_what_a_person_typed_is_a_prompt(content: object, prompt: str | None):
    prompts = [event.text for event in told(user(content)) if isinstance(event, e.PromptGiven)]
    assert prompts == ([] if prompt is None else [prompt])


@pytest.mark.parametrize("mark", ["isMeta", "isCompactSummary"])
def test_what_claude_code_says_to_itself_is_no_prompt(mark: str):
    assert told(user("do it", **{mark: True})) == []


def test_a_question_to_the_operator_is_asked():
    question = {"questions": [{"question": "Which one?"}]}
    part = {"type": "tool_use", "id": "t", "name": "AskUserQuestion", "input": question}
    events = told(answer(content=[part], stop="tool_use"))
    assert [type(event) for event in events] == [e.ToolStarted, e.QuestionAsked]
    assert events[1].text == "Which one?"


def test_a_title_wins_over_the_first_prompt():
    events = told(user("first"), {"type": "custom-title", "customTitle": "a title"})
    (run,) = folded(events).runs.values()
    assert run.name == "a title"


def test_an_error_of_the_provider_is_told_with_its_status():
    error = {"status": 529, "error": {"error": {"message": "Overloaded"}}}
    (failed,) = told({"type": "system", "subtype": "api_error", "timestamp": "2026-06-01T10:00:00Z", "error": error})  # fmt: skip
    assert (failed.status, failed.message) == (529, "Overloaded")
