"""What metering costs: CPU per streamed chunk, and per megabyte of a request read and changed.

`python -m tests.bench.wire [--chunks 10000] [--megabytes 3]`
"""

import argparse
import json
import random
import time

from cockpit.gateway.wire.registry import DIALECTS, dialect_of
from tests.gateway.wire.answers import (
    CALL,
    CHAT_ASKED,
    CHAT_END,
    CLAUDE_ASKED,
    CLAUDE_EVENTS,
    GEMINI_STREAM,
    GEMINI_USAGE,
    OLLAMA_ASKED,
    OLLAMA_LINES,
    RESPONSE_EVENTS,
    RESPONSES_ASKED,
    SSE,
    START,
    chunk,
    events,
    gemini_part,
    lines,
    text_delta,
)

WORDS = ["def", "return", "self", "the", "function", "\n    ", '"quoted"', "→ é", "{", "0x1f"]
TIMES = 5

STREAMS = {
    "anthropic": ("/v1/messages", CLAUDE_ASKED, events(START), events(text_delta(" some words"))),
    "chat": (
        "/v1/chat/completions", CHAT_ASKED, b"", events(chunk({"content": " words"}), named=False),
    ),
    "chat, usage taken out": (
        "/v1/chat/completions", {**CHAT_ASKED, "stream_options": {}}, b"",
        events(chunk({"content": " words"}), named=False),
    ),
    "responses": (
        "/v1/responses", RESPONSES_ASKED, events(RESPONSE_EVENTS[0]), events(RESPONSE_EVENTS[1]),
    ),
    "gemini": (
        GEMINI_STREAM, {}, b"", events(gemini_part(" words", GEMINI_USAGE), named=False, end="\r\n"),
    ),
    "ollama": ("/api/chat", OLLAMA_ASKED, b"", lines(OLLAMA_LINES[1])),
}  # fmt: skip
ENDS = {"anthropic": events(*CLAUDE_EVENTS[-2:]), "chat": events(*CHAT_END, named=False)}


def best(work):
    """Seconds of CPU of the fastest of several runs."""
    times = []
    for _ in range(TIMES):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def per_chunk(name, count):
    path, request, first, piece = STREAMS[name]
    body = json.dumps(request).encode()
    dialect, asked = dialect_of(path, {}, body)
    content_type = "application/x-ndjson" if name == "ollama" else SSE
    pieces = [first, *[bytes(bytearray(piece)) for _ in range(count)], ENDS.get(dialect.name, b"")]

    def pass_all():
        meter = dialect.meter(asked, 200, content_type)
        for one in pieces:
            meter.feed(one)
        meter.result(cut=False)

    return best(pass_all) / len(pieces) * 1e6


def conversation(wire, megabytes):
    """A long session of tool calls, with files and code in their results."""
    draw = random.Random(1)
    texts = [" ".join(draw.choices(WORDS, k=1200)) for _ in range(40)]
    said, size = [], 0
    while size < megabytes * 1e6:
        text = texts[len(said) % 40]
        said += turn(wire, f"t{len(said)}", text)
        size += len(text.encode())
    name = {"responses": "input", "gemini": "contents"}.get(wire, "messages")
    return json.dumps({"model": "m", "stream": True, name: said}, ensure_ascii=False).encode()


def turn(wire, call, text):
    """A tool call and its result."""
    match wire:
        case "anthropic":
            used = {"type": "tool_use", "id": call, "name": "Read", "input": {"file_path": "/a"}}
            result = {"type": "tool_result", "tool_use_id": call, "content": text}
            return [said("assistant", [used]), said("user", [result])]
        case "responses":
            used = {"type": "function_call", "call_id": call, "name": "read_file", "arguments": ""}
            return [used, {"type": "function_call_output", "call_id": call, "output": text}]
        case "gemini":
            used = {"functionCall": {"name": "read_file", "args": {}}}
            result = {"functionResponse": {"name": "read_file", "response": {"output": text}}}
            return [{"role": "model", "parts": [used]}, {"role": "user", "parts": [result]}]
        case _:
            function = {"name": "read_file", "arguments": "{}"}
            used = {"role": "assistant", "tool_calls": [{**CALL, "id": call, "function": function}]}
            return [used, {**said("tool", text), "tool_call_id": call}]


def said(role, content):
    return {"role": role, "content": content}


def per_megabyte(wire, megabytes):
    dialect, body = DIALECTS[wire], conversation(wire, megabytes)
    path = next(path for path, *_ in STREAMS.values() if dialect.asked(path, {}, b"{}"))
    size = len(body) / 1e6
    read = best(lambda: dialect.asked(path, {}, body))
    change = best(lambda: dialect.prepared(body, max_output=1000, note="look here"))
    return read / size * 1e3, change / size * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=10_000)
    parser.add_argument("--megabytes", type=float, default=3)
    options = parser.parse_args()
    for name in STREAMS:
        print(f"{name:22} {per_chunk(name, options.chunks):6.2f} us of CPU per chunk")
    for wire in DIALECTS:
        read, change = per_megabyte(wire, options.megabytes)
        print(f"{wire:22} {read:6.2f} ms per MB read, {change:6.2f} ms per MB changed")


if __name__ == "__main__":
    main()
