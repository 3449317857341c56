"""Tool calls and their answers, as the requests of an agent repeat them to its model.

For agents that write no transcript this is all that anybody sees of their work. Prompts and replies
are not looked at.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from cockpit.gateway.wire.dialect import DialectName
from cockpit.gateway.wire.untrusted import UNREADABLE, Table, decoded, rows, table, word


class ToolCall(Struct, frozen=True):
    """`output` is None while the request tells no answer."""

    id: str
    name: str
    arguments: dict[str, Any]
    output: str | None = None
    ok: bool = True


def tool_calls(dialect: DialectName, body: bytes) -> list[ToolCall]:
    """Every tool call in the request's history, in order. Never raises on bad input."""
    asked: dict[str, ToolCall] = {}
    for call in _READERS[dialect](decoded(body)):
        known = asked.get(call.id)
        if known is None:
            asked[call.id] = call
        elif call.output is not None:
            asked[call.id] = ToolCall(known.id, known.name, known.arguments, call.output, call.ok)
    return [call for call in asked.values() if call.name]


def _anthropic(body: Table) -> Iterator[ToolCall]:
    for message in map(table, rows(body.get("messages"))):
        for part in map(table, rows(message.get("content"))):
            if part.get("type") == "tool_use":
                yield ToolCall(
                    word(part.get("id")), word(part.get("name")), table(part.get("input"))
                )
            elif part.get("type") == "tool_result":
                ok = part.get("is_error") is not True
                yield ToolCall(
                    word(part.get("tool_use_id")), "", {}, _text(part.get("content")), ok
                )


def _chat(body: Table) -> Iterator[ToolCall]:
    for message in map(table, rows(body.get("messages"))):
        for call in map(table, rows(message.get("tool_calls"))):
            function = table(call.get("function"))
            given = _arguments(function.get("arguments"))
            yield ToolCall(word(call.get("id")), word(function.get("name")), given)
        if message.get("role") == "tool":
            yield ToolCall(word(message.get("tool_call_id")), "", {}, _text(message.get("content")))


def _responses(body: Table) -> Iterator[ToolCall]:
    for item in map(table, rows(body.get("input"))):
        id_ = word(item.get("call_id") or item.get("id"))
        match item.get("type"):
            case "function_call":
                yield ToolCall(id_, word(item.get("name")), _arguments(item.get("arguments")))
            case "custom_tool_call":
                yield ToolCall(id_, word(item.get("name")), {"input": _text(item.get("input"))})
            case "function_call_output" | "custom_tool_call_output":
                yield ToolCall(id_, "", {}, _text(item.get("output")))


def _gemini(body: Table) -> Iterator[ToolCall]:
    """Calls without ids: the answers come in the order of the calls, by name."""
    asked, answered = 0, 0
    for content in map(table, rows(body.get("contents"))):
        for part in map(table, rows(content.get("parts"))):
            call, response = table(part.get("functionCall")), table(part.get("functionResponse"))
            if call:
                asked += 1
                id_ = word(call.get("id")) or f"#{asked}"
                yield ToolCall(id_, word(call.get("name")), table(call.get("args")))
            elif response:
                answered += 1
                told = table(response.get("response"))
                text = _text(told.get("output", told.get("error", told)))
                id_ = word(response.get("id")) or f"#{answered}"
                yield ToolCall(id_, "", {}, text, "error" not in told)


def _ollama(body: Table) -> Iterator[ToolCall]:
    asked, answered = 0, 0
    for message in map(table, rows(body.get("messages"))):
        for call in map(table, rows(message.get("tool_calls"))):
            asked += 1
            function = table(call.get("function"))
            yield ToolCall(
                f"#{asked}", word(function.get("name")), _arguments(function.get("arguments"))
            )
        if message.get("role") == "tool":
            answered += 1
            yield ToolCall(f"#{answered}", "", {}, _text(message.get("content")))


def _arguments(value: object) -> Table:
    """Some wires send them as an object, some as JSON in a string, some tools take plain text."""
    if not isinstance(value, str):
        return table(value)
    given = decoded(value.encode("utf-8", "replace"))
    return given or ({} if value.strip() in ("", "{}") else {"input": value})


def _text(value: object) -> str:
    """What a tool answered, as text; other parts of it are left out."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        texts = [table(part).get("text") for part in value]
        return "\n".join(text for text in texts if isinstance(text, str))
    try:
        return "" if value is None else msgspec.json.encode(value).decode()
    except UNREADABLE:
        return ""


_READERS = {
    "anthropic": _anthropic,
    "chat": _chat,
    "responses": _responses,
    "gemini": _gemini,
    "ollama": _ollama,
}
