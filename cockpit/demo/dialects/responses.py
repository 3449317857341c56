"""OpenAI Responses: typed items in and out, usage in the terminal event."""

from collections.abc import Iterable, Iterator
from itertools import count as counted
from typing import Any
from uuid import uuid4

from cockpit.core.tokens import Tokens
from cockpit.demo.account import Account
from cockpit.demo.cache import Block, Lifetime, openai_request, positions
from cockpit.demo.conversation import (
    Call,
    Chunk,
    Conversation,
    Reply,
    Said,
    Tool,
    canonical,
    count_tokens,
    pieces,
    whole_seconds,
)
from cockpit.demo.dialects import Body, chat

CONTENT_TYPE = "text/event-stream"

ADDITIONAL_TOOLS = "additional_tools"
WEB_SEARCH = "web_search"

error = chat.error


def read(body: Body) -> Conversation:
    return Conversation(
        model=str(body["model"]),
        said=tuple(_said(_items(body))),
        tools=tuple(_tools(body)),
        stream=bool(body.get("stream")),
        limit=body.get("max_output_tokens"),
    )


def _tools(body: Body) -> Iterator[Tool]:
    yield from _flat_tools(body.get("tools"))
    for item in _items(body):
        if _kind(item) == ADDITIONAL_TOOLS:
            yield from _flat_tools(item.get("tools"))


def _flat_tools(tools: Iterable[Body] | None, namespace: str = "") -> Iterator[Tool]:
    for tool in tools or []:
        match tool.get("type"):
            case "namespace":
                yield from _flat_tools(tool.get("tools"), str(tool.get("name", "")))
            case "function":
                name, schema = str(tool.get("name", "")), tool.get("parameters") or {}
                yield Tool(name, schema, namespace=namespace)
            case "web_search" | "web_search_preview":
                yield Tool(WEB_SEARCH, {})
            case "custom":
                yield Tool(str(tool.get("name", "")), {}, freeform=True)


def _items(body: Body) -> list[Body]:
    given = body.get("input", [])
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    return [item for item in given if isinstance(item, dict)]


def _kind(item: Body) -> str:
    return str(item.get("type") or "message")


def _said(items: Iterable[Body]) -> Iterator[Said]:
    for item in items:
        match _kind(item):
            case "message":
                yield Said(str(item.get("role")), chat.flat(item.get("content")))
            case "function_call" | "custom_tool_call":
                yield Said("call", canonical(item), str(item.get("call_id", "")))
            case "function_call_output" | "custom_tool_call_output":
                yield Said("result", _output(item.get("output")), str(item.get("call_id", "")))


def _output(output: Any) -> str:  # noqa: ANN401 - text or a list of parts
    return output if isinstance(output, str) else chat.flat(output)


def blocks(body: Body) -> list[Block]:
    """Tools, instructions, then one block per item; implicit breakpoints where OpenAI puts them."""
    items = _items(body)
    made = [_block({"tools": body["tools"]}, None, opening=False)] if body.get("tools") else []
    if body.get("instructions"):
        first = {"type": "message", "role": "developer", "content": body["instructions"]}
        items = [first, *items]
    for at, item in enumerate(items):
        following = items[at + 1] if at + 1 < len(items) else None
        made.append(_block(item, following, opening=_all_system(items[: at + 1])))
    return made


def _all_system(items: Iterable[Body]) -> bool:
    return all(_role(item) == "system" for item in items)


def _role(item: Body | None) -> str:
    if item is None:
        return ""
    if _kind(item) == "message":
        role = str(item.get("role", ""))
        return "system" if role in chat.SYSTEM_ROLES else role
    if _kind(item) == ADDITIONAL_TOOLS:
        return "system"
    return "tool" if _kind(item).endswith("_output") else ""


def _block(item: Body, following: Body | None, *, opening: bool) -> Block:
    role, after = _role(item), _role(following)
    ends = role == "user" or (role in {"tool", "system"} and after != role)
    if role == "system":
        ends = ends and opening
    mark: Lifetime | None = "short" if item.get("prompt_cache_breakpoint") else None
    content = canonical({key: item[key] for key in item if key != "prompt_cache_breakpoint"})
    return Block(content, count_tokens(content), mark, ends_message=ends, opening=opening)


def cache_key(body: Body) -> str:
    names = ("model", "text", "reasoning", "parallel_tool_calls", "prompt_cache_key")
    return canonical({name: body.get(name) for name in names})


def bill(body: Body, account: Account, now: int, first_byte: int) -> Tokens:
    options = body.get("prompt_cache_options") or {}
    return openai_request(
        account.openai,
        positions(cache_key(body), blocks(body)),
        now=now,
        first_byte=first_byte,
        lifetime="long" if options.get("ttl") == "12h" else "short",
        implicit=options.get("mode") != "explicit",
    )


def count(body: Body) -> Body:
    """The answer of `input_tokens`: no cache logic."""
    total = sum(block.tokens for block in blocks(body))
    return {"object": "response.input_tokens", "input_tokens": total}


def new_id() -> str:
    return f"resp_demo{uuid4().hex[:24]}"


new_call_id = chat.new_call_id


def usage(reply: Reply) -> Body:
    """The usage object; `cache_ttl_s` announces the lifetime in force at this provider."""
    tokens = reply.tokens
    return {
        "input_tokens": tokens.prompt,
        "input_tokens_details": {
            "cached_tokens": tokens.cache_read,
            "cache_write_tokens": tokens.cache_write_5m + tokens.cache_write_1h,
            "cache_write_tokens_details": {
                "ttl_30m_tokens": tokens.cache_write_5m,
                "ttl_12h_tokens": tokens.cache_write_1h,
            },
            "cache_ttl_s": whole_seconds(reply.lifetimes_s[0]),
        },
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.total,
    }


def _message_item(reply: Reply, text: str) -> Body:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {
        "type": "message",
        "id": reply.id.replace("resp_", "msg_"),
        "role": "assistant",
        "status": "completed",
        "content": [part] if text else [],
    }


def _search_item(reply: Reply, number: int) -> Body:
    unique = f"{reply.id.replace('resp_', 'ws_')}{number}"
    action = {"type": "search", "query": "what is new"}
    return {"type": "web_search_call", "id": unique, "status": "completed", "action": action}


def _call_item(call_id: str, call: Call) -> Body:
    item: Body = {"call_id": call_id, "name": call.name, "status": "completed"}
    if call.namespace:
        item["namespace"] = call.namespace
    if call.freeform:
        unique = call_id.replace("call_", "ctc_")
        return {"type": "custom_tool_call", "id": unique, "input": call.arguments["input"], **item}
    unique = call_id.replace("call_", "fc_")
    arguments = canonical(call.arguments)
    return {"type": "function_call", "id": unique, "arguments": arguments, **item}


def _output_items(reply: Reply) -> list[Body]:
    made = [_search_item(reply, number) for number in range(reply.answer.searches)]
    made += [_message_item(reply, reply.answer.text)] if reply.answer.text else []
    return made + [_call_item(call_id, call) for call_id, call in reply.numbered_calls()]


def whole(body: Body, reply: Reply) -> Body:
    cut = {"reason": "max_output_tokens"} if reply.cut else None
    return {
        **_head(body, reply),
        "status": "incomplete" if reply.cut else "completed",
        "incomplete_details": cut,
        "output": _output_items(reply),
        "usage": usage(reply),
    }


def _head(body: Body, reply: Reply) -> Body:
    return {
        "id": reply.id,
        "object": "response",
        "created_at": reply.created // 1000,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": reply.model,
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": body.get("tools") or [],
        "usage": None,
    }


def stream(body: Body, reply: Reply) -> Iterator[Chunk]:
    numbers = counted()

    def event(written: int, kind: str, **data: Any) -> Chunk:  # noqa: ANN401 - JSON
        numbered = {"type": kind, "sequence_number": next(numbers), **data}
        return Chunk(f"event: {kind}\ndata: {canonical(numbered)}\n\n".encode(), written)

    yield event(0, "response.created", response=_head(body, reply))
    yield event(0, "response.in_progress", response=_head(body, reply))
    written = reply.tokens.reasoning
    for index, item in enumerate(_output_items(reply)):
        for kind, data, size in _item_events(item):
            written = min(written + size, reply.tokens.output)
            yield event(written, kind, output_index=index, **data)
    finished = whole(body, reply)
    yield event(reply.tokens.output, f"response.{finished['status']}", response=finished)


def broken(status: int, message: str) -> bytes:  # noqa: ARG001 - every dialect takes the status
    failed = {"status": "failed", "error": {"code": "server_error", "message": message}}
    event = {"type": "response.failed", "response": {"object": "response", **failed}}
    return f"event: response.failed\ndata: {canonical(event)}\n\n".encode()


_STREAMED = {
    "function_call": ("arguments", "response.function_call_arguments"),
    "custom_tool_call": ("input", "response.custom_tool_call_input"),
}


def _item_events(item: Body) -> Iterator[tuple[str, Body, int]]:
    message = item["type"] == "message"
    empty: Body = {"content": []} if message else {}
    if item["type"] in _STREAMED:
        empty = {_STREAMED[item["type"]][0]: ""}
    started = {**item, "status": "in_progress", **empty}
    yield "response.output_item.added", {"item": started}, 0
    if message:
        yield from _text_events(item)
    elif item["type"] in _STREAMED:
        yield from _call_events(item)
    yield "response.output_item.done", {"item": item}, 0


def _text_events(item: Body) -> Iterator[tuple[str, Body, int]]:
    part, place = item["content"][0], {"item_id": item["id"], "content_index": 0}
    yield "response.content_part.added", {**place, "part": {**part, "text": ""}}, 0
    for text in pieces(part["text"]):
        data = {**place, "delta": text, "logprobs": []}
        yield "response.output_text.delta", data, count_tokens(text)
    yield "response.output_text.done", {**place, "text": part["text"], "logprobs": []}, 0
    yield "response.content_part.done", {**place, "part": part}, 0


def _call_events(item: Body) -> Iterator[tuple[str, Body, int]]:
    field, kind = _STREAMED[item["type"]]
    place = {"item_id": item["id"]}
    for text in pieces(item[field]):
        yield f"{kind}.delta", {**place, "delta": text}, count_tokens(text)
    done = {**place, field: item[field]}
    if item["type"] == "function_call":
        done["name"] = item["name"]
    yield f"{kind}.done", done, 0
