"""What is changed in a request: the limit, the report of usage, the note; and nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.gateway.wire.registry import DIALECTS
from tests.gateway.wire.answers import CHAT_ASKED
from tests.gateway.wire.test_asked import CONVERSATIONS

NOTE = 'use "uv",\nnot pip'
FRAMED = f"[Note from the operator] {NOTE}"

each_wire = pytest.mark.parametrize("wire", CONVERSATIONS)


def prepared(wire, body, max_output=None, note=""):
    given = json.dumps(body, indent=1).encode()
    return json.loads(DIALECTS[wire].prepared(given, max_output=max_output, note=note))


@each_wire
def test_the_same_object_when_nothing_changes(wire):
    body = json.dumps(CONVERSATIONS[wire]).encode()
    assert DIALECTS[wire].prepared(body, max_output=None, note="") is body


@each_wire
@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"null", b'"x"', b"\xff", b"{}"])
def test_what_cannot_be_read_is_left(wire, body):
    out = DIALECTS[wire].prepared(body, max_output=None, note="")
    assert out is body
    if body != b"{}":
        assert DIALECTS[wire].prepared(body, max_output=5, note="x") is body


@pytest.mark.parametrize(
    ("wire", "place"),
    [
        ("anthropic", ("max_tokens",)),
        ("chat", ("max_completion_tokens",)),
        ("responses", ("max_output_tokens",)),
        ("gemini", ("generationConfig", "maxOutputTokens")),
        ("ollama", ("options", "num_predict")),
    ],
)
def test_limits_are_written_where_the_wire_has_them(wire, place):
    def limited(given, granted):
        body = dict(CONVERSATIONS[wire])
        if given is not None:
            body[place[0]] = given if len(place) == 1 else {"top_k": 4, place[1]: given}
        out = prepared(wire, body, granted)
        for name in place:
            out = out.get(name, {})
        return out

    assert limited(None, 700) == 700
    assert limited(9000, 700) == 700
    assert limited(300, 700) == 300
    assert limited(0, 700) == 0


def test_other_settings_beside_a_limit_stay():
    body = {**CONVERSATIONS["gemini"], "generationConfig": {"temperature": 1.0}}
    assert prepared("gemini", body, 9)["generationConfig"] == {
        "temperature": 1.0, "maxOutputTokens": 9,
    }  # fmt: skip
    body = {**CONVERSATIONS["ollama"], "options": {"num_ctx": 4096}}
    assert prepared("ollama", body, 9)["options"] == {"num_ctx": 4096, "num_predict": 9}


@pytest.mark.parametrize(
    ("model", "given", "expected"),
    [
        ("gpt-6.1-sol", {}, {"max_completion_tokens": 50}),
        ("openai/o3", {}, {"max_completion_tokens": 50}),
        ("deepseek-flash", {}, {"max_tokens": 50}),
        ("gpt-6.1-sol", {"max_tokens": 80}, {"max_tokens": 50}),
        ("kimi-k3", {"max_completion_tokens": 80}, {"max_completion_tokens": 50}),
        ("kimi-k3", {"max_tokens": None}, {"max_tokens": 50}),
    ],
)
def test_chat_keeps_the_field_its_client_and_model_know(model, given, expected):
    out = prepared("chat", {"model": model, "messages": [], **given}, 50)
    assert {name: out[name] for name in out if name.startswith("max_")} == expected


def test_several_answers_share_what_was_granted():
    out = prepared("chat", {"model": "m", "messages": [], "n": 4, "max_tokens": 300}, 1000)
    assert out["max_tokens"] == 250
    config = {"candidateCount": 2, "maxOutputTokens": 300}
    out = prepared("gemini", {"contents": [], "generationConfig": config}, 1000)
    assert out["generationConfig"] == config


def test_a_request_that_only_warms_the_cache_gets_no_limit():
    body = {"model": "gpt-6.1-sol", "input": "x", "prompt_cache_options": {"prewarm": True}}
    assert prepared("responses", body, 50) == body


def test_loading_a_model_gets_no_limit():
    assert prepared("ollama", {"model": "m", "keep_alive": 0}, 50) == {
        "model": "m",
        "keep_alive": 0,
    }


@pytest.mark.parametrize(
    ("granted", "thinking"),
    [
        (9000, {"type": "enabled", "budget_tokens": 8000}),
        (6000, {"type": "enabled", "budget_tokens": 3000}),
        (1500, {"type": "enabled", "budget_tokens": 1024}),
        (900, {"type": "disabled"}),
    ],
)
def test_a_thinking_budget_fits_under_its_limit(granted, thinking):
    budget = {"type": "enabled", "budget_tokens": 8000}
    body = {**CONVERSATIONS["anthropic"], "max_tokens": 32_000, "thinking": budget}
    assert prepared("anthropic", body, granted)["thinking"] == thinking


# The report of usage


def test_streams_are_asked_for_usage():
    body = {name: CHAT_ASKED[name] for name in ("model", "stream", "messages")}
    out = prepared("chat", body)
    assert out == {**body, "stream_options": {"include_usage": True}}
    kept = {**body, "stream_options": {"include_obfuscation": False, "include_usage": False}}
    assert prepared("chat", kept)["stream_options"] == {
        "include_obfuscation": False, "include_usage": True,
    }  # fmt: skip
    given = json.dumps(CHAT_ASKED).encode()
    assert DIALECTS["chat"].prepared(given, max_output=None, note="") is given


def test_answers_in_one_piece_are_not():
    assert "stream_options" not in prepared("chat", {"model": "m", "messages": []}, 5)


# The note


def expected_with_note(wire):
    """The conversation with the note behind the last thing the user or a tool said."""
    body = json.loads(json.dumps(CONVERSATIONS[wire]))
    match wire:
        case "anthropic":
            body["messages"][-1]["content"].append({"type": "text", "text": FRAMED})
        case "chat":
            body["messages"][-1]["content"].append({"type": "text", "text": FRAMED})
        case "responses":
            body["input"][-1]["output"].append({"type": "input_text", "text": FRAMED})
        case "gemini":
            body["contents"][-1]["parts"].append({"text": FRAMED})
        case "ollama":
            body["messages"][-1]["content"] += f"\n\n{FRAMED}"
    return body


@each_wire
def test_the_note_comes_last_and_nothing_before_it_changes(wire):
    assert prepared(wire, CONVERSATIONS[wire], note=NOTE) == expected_with_note(wire)


@each_wire
def test_the_prefix_keeps_its_very_bytes(wire):
    """Numbers as they were written, the order of keys, escapes: a cache may depend on them."""
    list_name = {"responses": "input", "gemini": "contents"}.get(wire, "messages")
    odd = '{ "role":"user",  "content":"\\u65e5 \\/ 1", "parts":[], "n": 1.50, "m":1e3, "a":{"z":1,"b":2} }'
    last = '{"role":"user","content":"end","parts":[{"text":"end"}]}'
    body = f'{{"z": 1.0, "{list_name}": [{odd}, {last}], "temperature": 0.70}}'.encode()
    out = DIALECTS[wire].prepared(body, max_output=10, note=NOTE)
    assert odd.encode() in out
    assert b'"z":1.0,' in out
    assert b'"temperature":0.70' in out
    assert FRAMED in json.dumps(json.loads(out)[list_name][-1], ensure_ascii=False).replace(
        "\\n", "\n"
    ).replace('\\"', '"')
    assert json.loads(out)[list_name][0] == json.loads(odd)


def test_a_plain_text_becomes_the_block_before_the_note():
    out = prepared("anthropic", {"messages": [{"role": "user", "content": "hi"}]}, note=NOTE)
    assert out["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "hi"},
                                     {"type": "text", "text": FRAMED}]}
    ]  # fmt: skip


def test_marks_for_the_cache_stay_where_they_are():
    marked = {"type": "tool_result", "tool_use_id": "t", "content": "x",
              "cache_control": {"type": "ephemeral"}}  # fmt: skip
    out = prepared("anthropic", {"messages": [{"role": "user", "content": [marked]}]}, note=NOTE)
    assert out["messages"][0]["content"] == [marked, {"type": "text", "text": FRAMED}]


def test_what_was_said_after_the_user_stays_behind_the_note():
    said = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "{"}]
    for wire in ("anthropic", "chat", "ollama"):
        out = prepared(wire, {"model": "m", "messages": said}, note=NOTE)["messages"]
        assert out[1] == said[1]
        assert FRAMED in json.dumps(out[0], ensure_ascii=False).replace("\\n", "\n").replace(
            '\\"', '"'
        )


@pytest.mark.parametrize(
    ("wire", "body", "expected"),
    [
        ("chat", {"messages": [{"role": "system", "content": "s"}]},
         {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": FRAMED}]}),
        ("chat", {"messages": [{"role": "tool", "tool_call_id": "t", "content": "out"}]},
         {"messages": [{"role": "tool", "tool_call_id": "t", "content": f"out\n\n{FRAMED}"}]}),
        ("responses", {"input": "hi"}, {"input": f"hi\n\n{FRAMED}"}),
        ("responses", {"input": [{"type": "function_call_output", "call_id": "c", "output": "o"}]},
         {"input": [{"type": "function_call_output", "call_id": "c",
                     "output": f"o\n\n{FRAMED}"}]}),
        ("responses", {"input": [{"type": "reasoning", "id": "r"}]},
         {"input": [{"type": "reasoning", "id": "r"}, {
             "type": "message", "role": "user",
             "content": [{"type": "input_text", "text": FRAMED}]}]}),
        ("gemini", {"contents": [{"parts": [{"text": "hi"}]}]},
         {"contents": [{"parts": [{"text": "hi"}, {"text": FRAMED}]}]}),
        ("ollama", {"model": "m", "prompt": "hi"}, {"model": "m", "prompt": f"hi\n\n{FRAMED}"}),
    ],
)  # fmt: skip
def test_notes_in_other_shapes(wire, body, expected):
    assert prepared(wire, body, note=NOTE) == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@each_wire
@given(content=json_values, more=st.dictionaries(st.text(max_size=3), json_values, max_size=3))
def test_no_shape_breaks_it_and_what_is_not_touched_stays(wire, content, more):
    list_name = {"responses": "input", "gemini": "contents"}.get(wire, "messages")
    said = {"role": "user", "content": content, "parts": content}
    body = {**more, "model": "m", list_name: [{"role": "user", "x": content}, said]}
    out = prepared(wire, body, 10, NOTE)
    assert {name: out[name] for name in more if name not in {"model", list_name}} == {
        name: more[name] for name in more if name not in {"model", list_name}
    }
    assert out[list_name][0] == body[list_name][0]
