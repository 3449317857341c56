"""Anthropic Messages: explicit breakpoints, usage that leaves cached tokens out of `input_tokens`."""

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import uuid4

from cockpit.core.tokens import Tokens
from cockpit.demo.account import Account
from cockpit.demo.cache import Block, Lifetime, anthropic_request, positions
from cockpit.demo.conversation import (
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
from cockpit.demo.dialects import Body

CONTENT_TYPE = "text/event-stream"

MINIMUM_TOKENS = {
    "claude-opus-4-8": 1024,
    "claude-sonnet-5": 1024,
    "claude-sonnet-4-6": 1024,
    "claude-sonnet-4-5": 1024,
    "claude-opus-4-7": 2048,
    "claude-opus-4-6": 4096,
    "claude-opus-4-5": 4096,
    "claude-haiku-4-5": 4096,
}
"""Shortest prefix that is cached, where it is not 512."""

_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
}


def read(body: Body) -> Conversation:
    return Conversation(
        model=str(body["model"]),
        said=tuple(_said(body.get("messages", []))),
        tools=tuple(_tools(body)),
        stream=bool(body.get("stream")),
        limit=body.get("max_tokens"),
    )


def _tools(body: Body) -> Iterator[Tool]:
    for tool in body.get("tools") or []:
        yield Tool(str(tool.get("name", "")), tool.get("input_schema") or {})


def _said(messages: Iterable[Body]) -> Iterator[Said]:
    for message in messages:
        for part in _parts(message.get("content")):
            match part.get("type"):
                case "text":
                    yield Said(str(message.get("role")), str(part.get("text", "")))
                case "tool_use":
                    yield Said("call", canonical(part.get("input")), str(part.get("id", "")))
                case "tool_result":
                    yield Said("result", _flat(part.get("content")), str(part.get("tool_use_id")))


def _parts(content: Any) -> list[Body]:  # noqa: ANN401 - text or a list of blocks
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [part for part in content or [] if isinstance(part, dict)]


def _flat(content: Any) -> str:  # noqa: ANN401 - text or a list of blocks
    return "\n".join(str(part.get("text", "")) for part in _parts(content))


def blocks(body: Body) -> list[Block]:
    """Tools, system and messages in the order of the prefix; `cache_control` is not hashed."""
    made = [_block("tool", tool) for tool in body.get("tools") or []]
    made += [_block("system", part) for part in _parts(body.get("system"))]
    for message in body.get("messages", []):
        made += [_block(str(message.get("role")), part) for part in _parts(message.get("content"))]
    automatic = body.get("cache_control")
    if automatic and made:
        made[-1] = Block(made[-1].content, made[-1].tokens, _lifetime(automatic))
    return made


def _block(role: str, part: Body) -> Block:
    bare = {key: value for key, value in part.items() if key != "cache_control"}
    content = role + canonical(bare)
    return Block(content, count_tokens(content), _lifetime(part.get("cache_control")))


def _lifetime(control: Any) -> Lifetime | None:  # noqa: ANN401 - what the client sent
    if not isinstance(control, dict):
        return None
    return "long" if control.get("ttl") == "1h" else "short"


def cache_key(body: Body) -> str:
    """What separates caches. Coarser than the vendor's levels: any change here misses everything."""
    names = ("model", "speed", "thinking", "tool_choice", "output_config")
    return canonical({name: body.get(name) for name in names})


def bill(body: Body, account: Account, now: int, first_byte: int) -> Tokens:
    return anthropic_request(
        account.anthropic,
        positions(cache_key(body), blocks(body)),
        now=now,
        first_byte=first_byte,
        minimum=MINIMUM_TOKENS.get(str(body["model"]), 512),
    )


def count(body: Body) -> Body:
    """The answer of `count_tokens`: no cache logic."""
    return {"input_tokens": sum(block.tokens for block in blocks(body))}


def new_id() -> str:
    return f"msg_demo{uuid4().hex[:20]}"


def new_call_id() -> str:
    return f"toolu_demo{uuid4().hex[:20]}"


def usage(reply: Reply, output: int) -> Body:
    """The usage object; `ttl_s` announces the lifetimes in force at this provider."""
    tokens = reply.tokens
    short, long = reply.lifetimes_s
    return {
        "input_tokens": tokens.input,
        "cache_creation_input_tokens": tokens.cache_write_5m + tokens.cache_write_1h,
        "cache_read_input_tokens": tokens.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": tokens.cache_write_5m,
            "ephemeral_1h_input_tokens": tokens.cache_write_1h,
            "ttl_s": {"5m": whole_seconds(short), "1h": whole_seconds(long)},
        },
        "output_tokens": output,
        "output_tokens_details": {"thinking_tokens": min(tokens.reasoning, output)},
        "service_tier": "standard",
    }


def _content(reply: Reply) -> list[Body]:
    made: list[Body] = []
    if reply.answer.text:
        made.append({"type": "text", "text": reply.answer.text})
    for call_id, call in reply.numbered_calls():
        made.append({"type": "tool_use", "id": call_id, "name": call.name, "input": call.arguments})
    return made


def _stop_reason(reply: Reply) -> str:
    if reply.cut:
        return "max_tokens"
    return "tool_use" if reply.answer.calls else "end_turn"


def whole(body: Body, reply: Reply) -> Body:
    return {
        "id": reply.id,
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": [] if body.get("max_tokens") == 0 else _content(reply),
        "stop_reason": _stop_reason(reply),
        "stop_sequence": None,
        "usage": usage(reply, reply.tokens.output),
    }


def stream(body: Body, reply: Reply) -> Iterator[Chunk]:
    empty = {**whole(body, reply), "content": [], "stop_reason": None, "usage": usage(reply, 1)}
    yield _event(1, {"type": "message_start", "message": empty})
    written = 1
    for index, part in enumerate(_content(reply)):
        yield _event(written, {"type": "content_block_start", "index": index, **_opened(part)})
        for delta, size in _deltas(part):
            written = min(written + size, reply.tokens.output)
            yield _event(written, {"type": "content_block_delta", "index": index, "delta": delta})
        yield _event(written, {"type": "content_block_stop", "index": index})
    last = {"stop_reason": _stop_reason(reply), "stop_sequence": None}
    final = usage(reply, reply.tokens.output)
    del final["cache_creation"]
    yield _event(reply.tokens.output, {"type": "message_delta", "delta": last, "usage": final})
    yield _event(reply.tokens.output, {"type": "message_stop"})


def _opened(part: Body) -> Body:
    if part["type"] == "text":
        return {"content_block": {"type": "text", "text": ""}}
    return {"content_block": {**part, "input": {}}}


def _deltas(part: Body) -> Iterator[tuple[Body, int]]:
    if part["type"] == "text":
        for text in pieces(part["text"]):
            yield {"type": "text_delta", "text": text}, count_tokens(text)
    else:
        for text in pieces(canonical(part["input"])):
            yield {"type": "input_json_delta", "partial_json": text}, count_tokens(text)


def _event(output: int, data: Body) -> Chunk:
    return Chunk(f"event: {data['type']}\ndata: {canonical(data)}\n\n".encode(), output)


def error(status: int, message: str) -> Body:
    return {
        "type": "error",
        "error": {"type": _ERROR_TYPES.get(status, "api_error"), "message": message},
        "request_id": f"req_demo{uuid4().hex[:12]}",
    }


def model_list(models: Iterable[str]) -> Body:
    return {"data": [model(name) for name in models], "has_more": False}


def model(name: str) -> Body:
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": "2026-01-01T00:00:00Z",
        "max_input_tokens": 1_000_000,
        "max_tokens": 128_000,
    }
