"""Ollama's own API: newline-delimited JSON; cached tokens are inside `prompt_eval_count`, unseen."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from cockpit.core.tokens import Tokens
from cockpit.demo.account import Account
from cockpit.demo.cache import Block, positions
from cockpit.demo.conversation import (
    Chunk,
    Conversation,
    Reply,
    Said,
    canonical,
    count_tokens,
    pieces,
)
from cockpit.demo.dialects import Body, chat

CONTENT_TYPE = "application/x-ndjson"

LOAD_NS = 900_000_000
PROMPT_NS_PER_TOKEN = 250_000
"""The simulated machine: 0.9 s to load a model, 4,000 prompt tokens evaluated per second."""

CONTEXT_LENGTH = 32_768

_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}


def read(body: Body) -> Conversation:
    options = body.get("options") or {}
    return Conversation(
        model=str(body["model"]),
        said=tuple(_said(body.get("messages", []))),
        tools=tuple(chat.tools(body)),
        stream=bool(body.get("stream", True)),
        limit=options.get("num_predict"),
    )


def _said(messages: Iterable[Body]) -> Iterator[Said]:
    for message in messages:
        role = str(message.get("role"))
        text = str(message.get("content") or "")
        if role == "tool":
            yield Said("result", text)
        elif text:
            yield Said(role, text)
        for call in message.get("tool_calls") or []:
            yield Said("call", canonical(call.get("function")))


def blocks(body: Body) -> list[Block]:
    """Tools, then one block per message."""
    texts = ["tools" + canonical(body["tools"])] if body.get("tools") else []
    texts += [canonical(message) for message in body.get("messages", [])]
    return [Block(text, count_tokens(text)) for text in texts]


def bill(body: Body, account: Account, now: int, first_byte: int) -> Tokens:  # noqa: ARG001
    """All of the prompt counts as input: the wire tells nothing of what was still cached."""
    prefix = positions(str(body["model"]), blocks(body))
    evaluation = account.resident(str(body["model"])).begin(prefix, now)
    body["_timing"] = {
        "load_duration": 0 if evaluation.loaded else LOAD_NS,
        "prompt_eval_duration": evaluation.fresh * PROMPT_NS_PER_TOKEN,
    }
    return Tokens(input=evaluation.cached + evaluation.fresh)


def keep_alive_ms(body: Body, account: Account) -> int:
    """Seconds as a number, a duration like `10m`, or the server's own; negative keeps forever."""
    asked: Any = body.get("keep_alive")
    if isinstance(asked, int | float):
        return round(asked * 1000)
    for unit, scale in _UNITS.items():
        if isinstance(asked, str) and asked.endswith(unit):
            try:
                return round(float(asked.removesuffix(unit)) * scale)
            except ValueError:
                continue
    return account.keep_alive_ms


def finished(body: Body, account: Account, now: int) -> None:
    """The keep-alive starts when a request ends, however it ended."""
    account.resident(str(body["model"])).end(now, keep_alive_ms(body, account))


def new_id() -> str:
    return f"ollama-demo{uuid4().hex[:20]}"


def new_call_id() -> str:
    return f"call_demo{uuid4().hex[:16]}"


def _calls(reply: Reply) -> list[Body]:
    return [
        {"function": {"name": call.name, "arguments": call.arguments}}
        for call in reply.answer.calls
    ]


def _last(body: Body, reply: Reply) -> Body:
    timing = body.get("_timing") or {"load_duration": 0, "prompt_eval_duration": 0}
    speed = max(reply.answer.tokens_per_s, 1.0)
    evaluated = round(reply.tokens.output / speed * 1_000_000_000)
    return {
        "done": True,
        "done_reason": "length" if reply.cut else "stop",
        "total_duration": sum(timing.values()) + evaluated,
        **timing,
        "prompt_eval_count": reply.tokens.prompt,
        "eval_count": reply.tokens.output,
        "eval_duration": evaluated,
    }


def _line(reply: Reply, message: Body) -> Body:
    return {
        "model": reply.model,
        "created_at": rfc3339(reply.created),
        "message": {"role": "assistant", "content": "", **message},
        "done": False,
    }


def whole(body: Body, reply: Reply) -> Body:
    message: Body = {"content": reply.answer.text}
    if reply.answer.thinking:
        message["thinking"] = reply.answer.thinking
    if reply.answer.calls:
        message["tool_calls"] = _calls(reply)
    return {**_line(reply, message), **_last(body, reply)}


def stream(body: Body, reply: Reply) -> Iterator[Chunk]:
    written = reply.tokens.reasoning - count_tokens(reply.answer.thinking)
    for text in pieces(reply.answer.thinking):
        written += count_tokens(text)
        yield _chunk(_line(reply, {"thinking": text}), written)
    for text in pieces(reply.answer.text):
        written = min(written + count_tokens(text), reply.tokens.output)
        yield _chunk(_line(reply, {"content": text}), written)
    if reply.answer.calls:
        yield _chunk(_line(reply, {"tool_calls": _calls(reply)}), reply.tokens.output)
    yield _chunk({**_line(reply, {}), **_last(body, reply)}, reply.tokens.output)


def _chunk(data: Body, output: int) -> Chunk:
    return Chunk(canonical(data).encode() + b"\n", output)


def error(status: int, message: str) -> Body:  # noqa: ARG001 - every dialect takes the status
    return {"error": message}


def broken(status: int, message: str) -> bytes:
    return canonical(error(status, message)).encode() + b"\n"


def rfc3339(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat().replace("+00:00", "Z")


def _described(name: str) -> Body:
    return {"name": name, "model": name, "size": 19_000_000_000, "digest": "demo", "details": {}}


def process_list(account: Account, now: int) -> Body:
    """`/api/ps`: what is in memory, and until when; a model kept for ever says the year 2318."""
    forever = 11_000_000_000_000
    return {
        "models": [
            {
                **_described(name),
                "size_vram": 19_000_000_000,
                "expires_at": rfc3339(forever if expires is None else expires),
                "context_length": CONTEXT_LENGTH,
            }
            for name, expires in account.loaded(now).items()
        ]
    }


def tag_list(models: Iterable[str]) -> Body:
    return {
        "models": [{**_described(name), "modified_at": "2026-01-01T00:00:00Z"} for name in models]
    }
