"""Answers of every wire as their vendors write them, and what each of them cost."""

import itertools
import json

import msgspec

from cockpit.core.tokens import Tokens
from cockpit.gateway.wire.registry import dialect_of

SSE = "text/event-stream; charset=utf-8"
NDJSON = "application/x-ndjson"
JSON = "application/json"


class Case(msgspec.Struct, frozen=True):
    """One answer: what was asked where, what came, and what it used."""

    wire: str
    path: str
    request: dict
    content_type: str
    answer: bytes
    tokens: Tokens
    message: str = ""
    searches: int = 0

    @property
    def body(self):
        return json.dumps(self.request).encode()

    def meter(self, status=200):
        dialect, asked = dialect_of(self.path, {}, self.body)
        assert dialect.name == self.wire
        return dialect.meter(asked, status, self.content_type)


def events(*given, named=True, end="\n"):
    told = ""
    for event in given:
        if named and isinstance(event, dict):
            told += f"event: {event['type']}{end}"
        text = event if isinstance(event, str) else json.dumps(event, ensure_ascii=False)
        told += f"data: {text}{end}{end}"
    return told.encode()


def lines(*given):
    return b"".join(json.dumps(line).encode() + b"\n" for line in given)


START = {
    "type": "message_start",
    "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-5",
        "content": [], "stop_reason": None,
        "usage": {
            "input_tokens": 12, "cache_creation_input_tokens": 5300,
            "cache_read_input_tokens": 70_000,
            "cache_creation": {"ephemeral_5m_input_tokens": 1300, "ephemeral_1h_input_tokens": 4000},
            "output_tokens": 1, "service_tier": "standard", "inference_geo": "us",
        },
    },
}  # fmt: skip


def text_delta(text):
    delta = {"type": "text_delta", "text": text}
    return {"type": "content_block_delta", "index": 0, "delta": delta}


CLAUDE_EVENTS = (
    START,
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    text_delta('He said "usage" and 日本語 — {"usage":{"output_tokens":1}}\n\ndata: no'),
    {
        "type": "message_delta", "delta": {"stop_reason": None},
        "usage": {"output_tokens": 40, "input_tokens": None},
    },
    text_delta("more"),
    {
        "type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {
            "output_tokens": 90, "input_tokens": None, "cache_read_input_tokens": 70_000,
            "output_tokens_details": {"thinking_tokens": 30},
            "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
        },
    },
    {"type": "message_stop"},
)  # fmt: skip
CLAUDE_TOKENS = Tokens(12, 1300, 4000, 70_000, 90, 30)

CHAT_USAGE = {
    "prompt_tokens": 2006, "completion_tokens": 300, "total_tokens": 2306,
    "prompt_tokens_details": {"cached_tokens": 1920, "cache_write_tokens": 80},
    "completion_tokens_details": {"reasoning_tokens": 192},
}  # fmt: skip
CHAT_TOKENS = Tokens(6, 80, 0, 1920, 300, 192)


def chunk(delta=None, finish=None, usage=None, choices=True):
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return {
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-6.1-sol",
        "service_tier": "default", "choices": [choice] if choices else [], "usage": usage,
    }  # fmt: skip


CALL = {"index": 0, "id": "call_1", "type": "function"}
CHAT_EVENTS = (
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": 'the "prompt_tokens" are \u20ac 5'}),
    chunk({"tool_calls": [{**CALL, "function": {"name": "ls", "arguments": '{"a":1}'}}]}),
    chunk(finish="tool_calls"),
)
CHAT_END = (chunk(usage=CHAT_USAGE, choices=False), "[DONE]")

RESPONSE_USAGE = {
    "input_tokens": 5000,
    "input_tokens_details": {
        "cached_tokens": 4000, "cache_write_tokens": 900,
        "cache_write_tokens_details": {"ttl_30m_tokens": 600, "ttl_12h_tokens": 300},
    },
    "output_tokens": 250, "output_tokens_details": {"reasoning_tokens": 128},
    "total_tokens": 5250,
}  # fmt: skip
RESPONSE_TOKENS = Tokens(100, 600, 300, 4000, 250, 128)


def response(status, usage=None):
    return {
        "id": "resp_1", "object": "response", "status": status, "model": "gpt-6.1-sol",
        "service_tier": "priority", "output": [], "usage": usage, "error": None,
        "instructions": 'say "usage"',
    }  # fmt: skip


RESPONSE_EVENTS = (
    {"type": "response.created", "sequence_number": 0, "response": response("in_progress")},
    {"type": "response.output_text.delta", "sequence_number": 1, "delta": "Hello — \n\n world"},
    {"type": "response.function_call_arguments.delta", "sequence_number": 2, "delta": '{"a'},
    {
        "type": "response.output_item.done", "sequence_number": 3,
        "item": {"type": "web_search_call", "id": "ws_1", "status": "completed"},
    },
)  # fmt: skip
RESPONSE_END = {
    "type": "response.completed",
    "sequence_number": 4,
    "response": response("completed", RESPONSE_USAGE),
}


def gemini_part(text, usage=None, finish=None):
    candidate = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    part = {"candidates": [candidate], "modelVersion": "gemini-3.8-flash", "responseId": "g1"}
    return part | ({"usageMetadata": usage} if usage else {})


GEMINI_USAGE = {
    "promptTokenCount": 9000, "cachedContentTokenCount": 8192, "candidatesTokenCount": 100,
    "thoughtsTokenCount": 50, "toolUsePromptTokenCount": 40, "totalTokenCount": 9190,
}  # fmt: skip
GEMINI_TOKENS = Tokens(848, 0, 0, 8192, 150, 50)
GEMINI_PARTS = (
    gemini_part('a "}" and {', {"promptTokenCount": 9000, "candidatesTokenCount": 3}),
    gemini_part("b \\", GEMINI_USAGE, "STOP"),
)

OLLAMA_END = {
    "model": "qwen3-coder:30b", "message": {"role": "assistant", "content": ""}, "done": True,
    "done_reason": "stop", "load_duration": 5, "prompt_eval_count": 77, "eval_count": 33,
}  # fmt: skip
OLLAMA_LINES = (
    {"model": "qwen3-coder:30b", "message": {"content": "", "thinking": "so"}, "done": False},
    {"model": "qwen3-coder:30b", "message": {"content": "hi \u20ac\n"}, "done": False},
    OLLAMA_END,
)

CLAUDE_ASKED = {"model": "claude-opus-5", "max_tokens": 4096, "stream": True, "messages": []}
CHAT_ASKED = {
    "model": "gpt-6.1-sol", "stream": True, "stream_options": {"include_usage": True},
    "messages": [],
}  # fmt: skip
RESPONSES_ASKED = {"model": "gpt-6.1-sol", "stream": True, "input": "hi"}
OLLAMA_ASKED = {"model": "qwen3-coder:30b", "messages": [{"role": "user", "content": "hi"}]}
GEMINI_STREAM = "/v1beta/models/gemini-3.8-flash:streamGenerateContent"

STREAMS = {
    "claude": Case(
        "anthropic", "/v1/messages", CLAUDE_ASKED, SSE, events(*CLAUDE_EVENTS), CLAUDE_TOKENS,
        "msg_1", 2,
    ),
    "claude, data only, CRLF": Case(
        "anthropic", "/anthropic/v1/messages", CLAUDE_ASKED, SSE,
        events(*CLAUDE_EVENTS, named=False, end="\r\n"), CLAUDE_TOKENS, "msg_1", 2,
    ),
    "chat": Case(
        "chat", "/v1/chat/completions", CHAT_ASKED, SSE,
        b": OPENROUTER PROCESSING\n\n" + events(*CHAT_EVENTS, *CHAT_END, named=False),
        CHAT_TOKENS, "chatcmpl-1",
    ),
    "responses": Case(
        "responses", "/openai/v1/responses", RESPONSES_ASKED, SSE,
        events(*RESPONSE_EVENTS, RESPONSE_END), RESPONSE_TOKENS, "resp_1", 1,
    ),
    "gemini": Case(
        "gemini", GEMINI_STREAM, {}, SSE, events(*GEMINI_PARTS, named=False, end="\r\n"),
        GEMINI_TOKENS, "g1",
    ),
    "gemini, an array": Case(
        "gemini", GEMINI_STREAM, {}, JSON, json.dumps(GEMINI_PARTS, indent=2).encode(),
        GEMINI_TOKENS, "g1",
    ),
    "ollama": Case(
        "ollama", "/api/chat", OLLAMA_ASKED, NDJSON, lines(*OLLAMA_LINES), Tokens(77, output=33)
    ),
}  # fmt: skip
"""Streams that end as they should."""

WHOLE = {
    "claude": Case(
        "anthropic", "/v1/messages", {**CLAUDE_ASKED, "stream": False}, JSON,
        json.dumps({
            **START["message"], "content": [{"type": "text", "text": "hi"}],
            "usage": {**START["message"]["usage"], "output_tokens": 90},
        }).encode(),
        Tokens(12, 1300, 4000, 70_000, 90), "msg_1",
    ),
    "chat": Case(
        "chat", "/v1/chat/completions", {**CHAT_ASKED, "stream": False}, JSON,
        json.dumps({
            "id": "chatcmpl-2", "object": "chat.completion", "model": "gpt-6.1-sol",
            "choices": [{"index": 0, "message": {"content": "x"}, "finish_reason": "stop"}],
            "usage": CHAT_USAGE,
        }, indent=1).encode(),
        CHAT_TOKENS, "chatcmpl-2",
    ),
    "responses": Case(
        "responses", "/v1/responses", {**RESPONSES_ASKED, "stream": False}, JSON,
        json.dumps(response("completed", RESPONSE_USAGE)).encode(), RESPONSE_TOKENS, "resp_1",
    ),
    "gemini": Case(
        "gemini", "/v1beta/models/gemini-3.8-flash:generateContent", {}, JSON,
        json.dumps(GEMINI_PARTS[1], indent=2).encode(), GEMINI_TOKENS, "g1",
    ),
    "ollama": Case(
        "ollama", "/api/chat", {**OLLAMA_ASKED, "stream": False}, JSON,
        json.dumps(OLLAMA_END, indent=2).encode(), Tokens(77, output=33),
    ),
    "an embedding": Case(
        "chat", "/v1/embeddings", {"model": "text-embedding-3-small", "input": ["a", "b"]}, JSON,
        json.dumps({
            "object": "list", "data": [], "model": "text-embedding-3-small",
            "usage": {"prompt_tokens": 8, "total_tokens": 8},
        }).encode(),
        Tokens(8),
    ),
}  # fmt: skip
"""Answers in one piece."""


def cut_at(data, places):
    """The data in pieces, cut at the places; some may be empty."""
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def passed(meter, pieces):
    """What the client gets of an answer that comes in these pieces."""
    return b"".join([*map(meter.feed, pieces), meter.rest()])
