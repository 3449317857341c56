import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.gateway.wire.tool_calls import ToolCall, tool_calls

BODIES = {
    "anthropic": {
        "messages": [
            {"role": "user", "content": "a prompt"},
            {"role": "assistant", "content": [{"type": "text", "text": "so"}, {"type": "tool_use", "id": "1", "name": "sh", "input": {"c": "ls"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "2", "name": "sh", "input": {}}]},
        ]
    },
    "chat": {
        "messages": [
            {"role": "user", "content": "a prompt"},
            {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "sh", "arguments": '{"c": "ls"}'}}]},
            {"role": "tool", "tool_call_id": "1", "content": "a\nb"},
            {"role": "assistant", "tool_calls": [{"id": "2", "function": {"name": "sh", "arguments": ""}}]},
        ]
    },
    "responses": {
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "a prompt"}]},
            {"type": "function_call", "call_id": "1", "name": "sh", "arguments": '{"c": "ls"}'},
            {"type": "function_call_output", "call_id": "1", "output": "a\nb"},
            {"type": "function_call", "call_id": "2", "name": "sh", "arguments": "{}"},
        ]
    },
    "gemini": {
        "contents": [
            {"role": "user", "parts": [{"text": "a prompt"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "sh", "args": {"c": "ls"}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "sh", "response": {"output": "a\nb"}}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "sh", "args": {}}}]},
        ]
    },
    "ollama": {
        "messages": [
            {"role": "user", "content": "a prompt"},
            {"role": "assistant", "tool_calls": [{"function": {"name": "sh", "arguments": {"c": "ls"}}}]},
            {"role": "tool", "content": "a\nb"},
            {"role": "assistant", "tool_calls": [{"function": {"name": "sh", "arguments": {}}}]},
        ]
    },
}  # fmt: skip


@pytest.mark.parametrize("dialect", BODIES)
def test_every_wire_tells_the_same_calls(dialect):
    first, second = tool_calls(dialect, json.dumps(BODIES[dialect]).encode())
    assert (first.name, first.arguments, first.output, first.ok) == (
        "sh",
        {"c": "ls"},
        "a\nb",
        True,
    )
    assert (second.name, second.arguments, second.output) == ("sh", {}, None)


def test_a_failure_is_told():
    body = {"messages": [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "sh", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "is_error": True, "content": "no"}]},
    ]}  # fmt: skip
    assert tool_calls("anthropic", json.dumps(body).encode()) == [
        ToolCall("1", "sh", {}, "no", False)
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["messages", "content", "parts", "type", "tool_calls", "function", "id", "name", "input", "contents", "functionCall"]),
        inner,
        max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


@given(st.sampled_from(list(BODIES)), JSON)
def test_nothing_breaks_it(dialect, value):
    tool_calls(dialect, json.dumps(value).encode())


@given(st.sampled_from(list(BODIES)), st.binary(max_size=50))
def test_neither_does_what_is_no_json(dialect, body):
    assert tool_calls(dialect, body) == []
