"""Anthropic Messages: explicit breakpoints, usage that leaves cached tokens out of `input_tokens`."""

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import uuid4

from cockpit.core.tokens import NO_TOKENS, Tokens
from cockpit.demo.account import Account
from cockpit.demo.cache import Block, Lifetime, anthropic_request, positions
from cockpit.demo.conversation import (
    FOUND_TOKENS,
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
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
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
    prompt = anthropic_request(
        account.anthropic,
        positions(cache_key(body), blocks(body)),
        now=now,
        first_byte=first_byte,
        minimum=MINIMUM_TOKENS.get(str(body["model"]), 512),
    )
    if not _compacts(body, prompt):
        return prompt
    body[COMPACTION] = prompt + Tokens(output=count_tokens(SUMMARY))
    return Tokens(input=count_tokens(SUMMARY) + blocks(body)[-1].tokens) + compaction(body)


COMPACTION = "_compaction"
COMPACT_AT = 150_000
SUMMARY = "What happened so far: the project was looked at, and a note was kept. " * 8


def _compacts(body: Body, prompt: Tokens) -> bool:
    """Whether the compaction beta acts on this request."""
    edits = (body.get("context_management") or {}).get("edits") or []
    for edit in edits:
        if str(edit.get("type", "")).startswith("compact_"):
            trigger = (edit.get("trigger") or {}).get("value", COMPACT_AT)
            return prompt.prompt >= int(trigger)
    return False


def compaction(body: Body) -> Tokens:
    """What the model call that compacted used: the usage at the top leaves it out."""
    spent: Tokens = body.get(COMPACTION) or NO_TOKENS
    return spent


def count(body: Body) -> Body:
    """The answer of `count_tokens`: no cache logic."""
    return {"input_tokens": sum(block.tokens for block in blocks(body))}


def new_id() -> str:
    return f"msg_demo{uuid4().hex[:20]}"


def new_call_id() -> str:
    return f"toolu_demo{uuid4().hex[:20]}"


def usage(body: Body, reply: Reply, output: int, *, searched: bool = True) -> Body:
    """The usage object; `ttl_s` announces the lifetimes in force at this provider.

    `searched` is whether the searches of the web have been run: they add to the input.
    """
    compacted = compaction(body)
    tokens = reply.tokens - compacted
    if not searched:
        tokens = tokens - Tokens(input=reply.answer.searches * FOUND_TOKENS)
    told = {**_counts(tokens, output, reply.lifetimes_s), "service_tier": "standard"}
    told["output_tokens_details"] = {"thinking_tokens": min(tokens.reasoning, output)}
    if reply.answer.searches and searched:
        told["server_tool_use"] = {"web_search_requests": reply.answer.searches}
    if compacted.total:
        first = {"type": "compaction", **_counts(compacted, compacted.output, reply.lifetimes_s)}
        last = {"type": "message", **_counts(tokens, output, reply.lifetimes_s)}
        told["iterations"] = [first, last]
    return told


def _counts(tokens: Tokens, output: int, lifetimes_s: tuple[float, float]) -> Body:
    short, long = lifetimes_s
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
    }


def _content(body: Body, reply: Reply) -> list[Body]:
    made: list[Body] = []
    if compaction(body).total:
        made.append({"type": "compaction", "content": SUMMARY})
    if reply.answer.thinking:
        made.append(
            {"type": "thinking", "thinking": reply.answer.thinking, "signature": "ZGVtbw=="}
        )
    for number in range(reply.answer.searches):
        made += _searched(f"srvtoolu_{reply.id}{number}")
    if reply.answer.text:
        made.append({"type": "text", "text": reply.answer.text})
    for call_id, call in reply.numbered_calls():
        made.append({"type": "tool_use", "id": call_id, "name": call.name, "input": call.arguments})
    return made


def _searched(unique: str) -> list[Body]:
    query = {"query": "what is new"}
    found = {
        "type": "web_search_result",
        "title": "What is new",
        "url": "https://example.org/new",
        "encrypted_content": "ZGVtbw==",
        "page_age": None,
    }
    return [
        {"type": "server_tool_use", "id": unique, "name": "web_search", "input": query},
        {"type": "web_search_tool_result", "tool_use_id": unique, "content": [found]},
    ]


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
        "content": [] if body.get("max_tokens") == 0 else _content(body, reply),
        "stop_reason": _stop_reason(reply),
        "stop_sequence": None,
        "usage": usage(body, reply, reply.tokens.output - compaction(body).output),
    }


def stream(body: Body, reply: Reply) -> Iterator[Chunk]:
    before, total = compaction(body).output, reply.tokens.output
    opening = {
        **whole(body, reply),
        "content": [],
        "stop_reason": None,
        "usage": usage(body, reply, 1, searched=False),
    }
    yield _event(before + 1, {"type": "message_start", "message": opening})
    written = before + reply.tokens.reasoning - count_tokens(reply.answer.thinking)
    for index, part in enumerate(_content(body, reply)):
        yield _event(written, {"type": "content_block_start", "index": index, **_opened(part)})
        for delta, size in _deltas(part):
            written = min(written + size, total)
            yield _event(written, {"type": "content_block_delta", "index": index, "delta": delta})
        yield _event(written, {"type": "content_block_stop", "index": index})
    last = {"stop_reason": _stop_reason(reply), "stop_sequence": None}
    final = usage(body, reply, total - before)
    del final["cache_creation"]
    yield _event(total, {"type": "message_delta", "delta": last, "usage": final})
    yield _event(total, {"type": "message_stop"})


_STREAMED: dict[str, Body] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "compaction": {"content": None},
    "tool_use": {"input": {}},
    "server_tool_use": {"input": {}},
}


def _opened(part: Body) -> Body:
    return {"content_block": {**part, **_STREAMED.get(part["type"], {})}}


def _deltas(part: Body) -> Iterator[tuple[Body, int]]:
    match part["type"]:
        case "text":
            for text in pieces(part["text"]):
                yield {"type": "text_delta", "text": text}, count_tokens(text)
        case "thinking":
            for text in pieces(part["thinking"]):
                yield {"type": "thinking_delta", "thinking": text}, count_tokens(text)
            yield {"type": "signature_delta", "signature": part["signature"]}, 0
        case "compaction":
            yield {"type": "compaction_delta", "content": part["content"]}, 0
        case "tool_use" | "server_tool_use":
            for text in pieces(canonical(part["input"])):
                size = count_tokens(text) if part["type"] == "tool_use" else 0
                yield {"type": "input_json_delta", "partial_json": text}, size


def _event(output: int, data: Body) -> Chunk:
    return Chunk(f"event: {data['type']}\ndata: {canonical(data)}\n\n".encode(), output)


def error(status: int, message: str) -> Body:
    return {
        "type": "error",
        "error": {"type": _ERROR_TYPES.get(status, "api_error"), "message": message},
        "request_id": f"req_demo{uuid4().hex[:12]}",
    }


def broken(status: int, message: str) -> bytes:
    return f"event: error\ndata: {canonical(error(status, message))}\n\n".encode()


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
