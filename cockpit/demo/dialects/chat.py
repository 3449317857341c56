"""OpenAI Chat Completions: `prompt_tokens` is the total, cached and written tokens are parts of it."""

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import uuid4

from cockpit.core.tokens import Tokens
from cockpit.demo.account import Account
from cockpit.demo.cache import Block, openai_request, positions
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

SYSTEM_ROLES = ("system", "developer")


def read(body: Body) -> Conversation:
    return Conversation(
        model=str(body["model"]),
        said=tuple(_said(body.get("messages", []))),
        tools=tuple(tools(body)),
        stream=bool(body.get("stream")),
        limit=body.get("max_completion_tokens") or body.get("max_tokens"),
    )


def tools(body: Body) -> Iterator[Tool]:
    """Tools of a Chat or an Ollama request."""
    for tool in body.get("tools") or []:
        function = tool.get("function") or {}
        name, schema = str(function.get("name", "")), function.get("parameters") or {}
        yield Tool(name, schema, description=str(function.get("description", "")))


def _said(messages: Iterable[Body]) -> Iterator[Said]:
    for message in messages:
        role = str(message.get("role"))
        text = flat(message.get("content"))
        if role == "tool":
            yield Said("result", text, str(message.get("tool_call_id", "")))
        elif text:
            yield Said(role, text)
        for call in message.get("tool_calls") or []:
            yield Said("call", canonical(call.get("function")), str(call.get("id", "")))


def flat(content: Any) -> str:  # noqa: ANN401 - text or a list of parts
    """The text of a message's content."""
    if isinstance(content, str):
        return content
    return "\n".join(str(part.get("text", "")) for part in content or [] if isinstance(part, dict))


def blocks(body: Body) -> list[Block]:
    """Tools, then one block per message; implicit breakpoints where OpenAI puts them."""
    messages = body.get("messages", [])
    made = [_plain("tools" + canonical(body["tools"]))] if body.get("tools") else []
    for at, message in enumerate(messages):
        following = messages[at + 1].get("role") if at + 1 < len(messages) else None
        made.append(_block(message, following, opening=_all_system(messages[: at + 1])))
    return made


def _all_system(messages: Iterable[Body]) -> bool:
    return all(message.get("role") in SYSTEM_ROLES for message in messages)


def _block(message: Body, following: str | None, *, opening: bool) -> Block:
    role, content = message.get("role"), canonical(message)
    ends = (
        role == "user"
        or (role == "tool" and following != "tool")
        or (opening and following not in SYSTEM_ROLES)
    )
    return Block(content, count_tokens(content), ends_message=ends, opening=opening)


def _plain(content: str) -> Block:
    return Block(content, count_tokens(content))


def cache_key(body: Body) -> str:
    names = ("model", "response_format", "reasoning_effort", "verbosity", "prompt_cache_key")
    return canonical({name: body.get(name) for name in names})


def bill(body: Body, account: Account, now: int, first_byte: int) -> Tokens:
    prefix = positions(cache_key(body), blocks(body))
    return openai_request(account.openai, prefix, now=now, first_byte=first_byte)


def new_id() -> str:
    return f"chatcmpl-demo{uuid4().hex[:20]}"


def new_call_id() -> str:
    return f"call_demo{uuid4().hex[:16]}"


def usage(reply: Reply) -> Body:
    """The usage object; `cache_ttl_s` announces the lifetime in force at this provider."""
    tokens = reply.tokens
    return {
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.total,
        "prompt_tokens_details": {
            "cached_tokens": tokens.cache_read,
            "cache_write_tokens": tokens.cache_write_5m + tokens.cache_write_1h,
            "cache_ttl_s": whole_seconds(reply.lifetimes_s[0]),
        },
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning},
    }


def _finish_reason(reply: Reply) -> str:
    if reply.cut:
        return "length"
    return "tool_calls" if reply.answer.calls else "stop"


def _calls(reply: Reply) -> list[Body]:
    return [
        {
            "id": call_id,
            "type": "function",
            "function": {"name": call.name, "arguments": canonical(call.arguments)},
        }
        for call_id, call in reply.numbered_calls()
    ]


def whole(body: Body, reply: Reply) -> Body:  # noqa: ARG001 - every dialect takes the request
    message: Body = {"role": "assistant", "content": reply.answer.text or None, "refusal": None}
    if reply.answer.calls:
        message["tool_calls"] = _calls(reply)
    choice = {"index": 0, "message": message, "finish_reason": _finish_reason(reply)}
    return {**_head(reply, "chat.completion"), "choices": [choice], "usage": usage(reply)}


def _head(reply: Reply, kind: str) -> Body:
    return {
        "id": reply.id,
        "object": kind,
        "created": reply.created // 1000,
        "model": reply.model,
        "service_tier": "default",
    }


def stream(body: Body, reply: Reply) -> Iterator[Chunk]:
    head = _head(reply, "chat.completion.chunk")
    written = reply.tokens.reasoning
    yield _delta(head, 0, {"role": "assistant", "content": ""})
    for text in pieces(reply.answer.text):
        written = min(written + count_tokens(text), reply.tokens.output)
        yield _delta(head, written, {"content": text})
    for index, call in enumerate(_calls(reply)):
        written = min(written + count_tokens(canonical(call)), reply.tokens.output)
        yield _delta(head, written, {"tool_calls": [{"index": index, **call}]})
    yield _delta(head, reply.tokens.output, {}, _finish_reason(reply))
    if (body.get("stream_options") or {}).get("include_usage"):
        yield _data({**head, "choices": [], "usage": usage(reply)}, reply.tokens.output)
    yield Chunk(b"data: [DONE]\n\n", reply.tokens.output)


def _delta(head: Body, written: int, delta: Body, finish: str | None = None) -> Chunk:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return _data({**head, "choices": [choice]}, written)


def _data(data: Body, output: int) -> Chunk:
    return Chunk(f"data: {canonical(data)}\n\n".encode(), output)


def error(status: int, message: str) -> Body:
    kind = "invalid_request_error" if status < 500 else "server_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def broken(status: int, message: str) -> bytes:
    return f"data: {canonical(error(status, message))}\n\n".encode()


def model_list(models: Iterable[str]) -> Body:
    return {"object": "list", "data": [model(name) for name in models]}


def model(name: str) -> Body:
    return {"id": name, "object": "model", "created": 1767225600, "owned_by": "demo"}
