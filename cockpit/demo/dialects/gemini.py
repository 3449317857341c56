"""Gemini `generateContent`: the model stands in the path, thoughts beside the answer, the cache is implicit.

`promptTokenCount` is the total with the cached part in it; `candidatesTokenCount` leaves thoughts out.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import uuid4

from cockpit.core.tokens import Tokens
from cockpit.demo.account import Account
from cockpit.demo.cache import Block, implicit_request, positions
from cockpit.demo.conversation import (
    Chunk,
    Conversation,
    Reply,
    Said,
    Tool,
    canonical,
    count_tokens,
    pieces,
)
from cockpit.demo.dialects import Body

CONTENT_TYPE = "text/event-stream"

_PATH = re.compile(r"/v1(?:beta)?/models/([^/:]+):(\w+)")

_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


def called(path: str) -> tuple[str, str] | None:
    """Model and method of a path such as `/v1beta/models/M:generateContent`; None for others."""
    match = _PATH.fullmatch(path)
    return (match[1], match[2]) if match else None


def read(body: Body) -> Conversation:
    settings = body.get("generationConfig") or {}
    return Conversation(
        model=str(body["model"]),
        said=tuple(_said(body.get("contents", []))),
        tools=tuple(_tools(body)),
        stream=bool(body.get("stream")),
        limit=settings.get("maxOutputTokens"),
        schema=settings.get("responseJsonSchema") or settings.get("responseSchema"),
    )


def _tools(body: Body) -> Iterator[Tool]:
    for group in body.get("tools") or []:
        for tool in group.get("functionDeclarations") or []:
            schema = tool.get("parametersJsonSchema") or tool.get("parameters") or {}
            yield Tool(str(tool.get("name", "")), schema)


def _said(contents: Iterable[Body]) -> Iterator[Said]:
    for content in contents:
        role = "assistant" if content.get("role") == "model" else "user"
        for part in content.get("parts") or []:
            if "functionCall" in part:
                call = part["functionCall"]
                yield Said("call", canonical(call.get("args")), str(call.get("id", "")))
            elif "functionResponse" in part:
                result = part["functionResponse"]
                yield Said("result", _flat(result.get("response")), str(result.get("id", "")))
            elif part.get("text") and not part.get("thought"):
                yield Said(role, str(part["text"]))


def _flat(response: Any) -> str:  # noqa: ANN401 - what the tool answered
    if isinstance(response, dict) and isinstance(response.get("output"), str):
        return str(response["output"])
    return canonical(response)


def blocks(body: Body) -> list[Block]:
    """System, tools and contents in the order of the prefix."""
    texts = [canonical(body[name]) for name in ("systemInstruction", "tools") if body.get(name)]
    texts += [canonical(content) for content in body.get("contents", [])]
    return [Block(text, count_tokens(text)) for text in texts]


def bill(body: Body, account: Account, now: int, first_byte: int) -> Tokens:
    prefix = positions(str(body["model"]), blocks(body))
    return implicit_request(account.gemini, prefix, now=now, first_byte=first_byte)


def count(body: Body) -> Body:
    """The answer of `countTokens`: no cache logic."""
    asked = body.get("generateContentRequest") or body
    return {"totalTokens": sum(block.tokens for block in blocks(asked))}


def new_id() -> str:
    return f"demo{uuid4().hex[:20]}"


def new_call_id() -> str:
    return uuid4().hex[:8]


def usage(reply: Reply, output: int) -> Body:
    """The usage so far: every chunk of a stream repeats it, grown."""
    tokens = reply.tokens
    thoughts = min(tokens.reasoning, output)
    told: Body = {
        "promptTokenCount": tokens.prompt,
        "candidatesTokenCount": output - thoughts,
        "totalTokenCount": tokens.prompt + output,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens.prompt}],
    }
    if thoughts:
        told["thoughtsTokenCount"] = thoughts
    if tokens.cache_read:
        told["cachedContentTokenCount"] = tokens.cache_read
        told["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": tokens.cache_read}]
    return told


def _parts(reply: Reply) -> list[tuple[Body, int]]:
    """Parts of the answer, and the tokens of each that the reader sees."""
    made: list[tuple[Body, int]] = [
        ({"text": text, "thought": True}, 0) for text in pieces(reply.answer.thinking)
    ]
    made += [({"text": text}, count_tokens(text)) for text in pieces(reply.answer.text)]
    for call_id, call in reply.numbered_calls():
        function = {"id": call_id, "name": call.name, "args": call.arguments}
        size = count_tokens(call.name + canonical(call.arguments))
        made.append(({"functionCall": function, "thoughtSignature": "ZGVtbw=="}, size))
    return made


def _answer(reply: Reply, parts: list[Body], output: int, finish: str | None) -> Body:
    candidate: Body = {"content": {"role": "model", "parts": parts}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate],
        "usageMetadata": usage(reply, output),
        "modelVersion": reply.model,
        "responseId": reply.id,
    }


def whole(body: Body, reply: Reply) -> Body:  # noqa: ARG001 - every dialect takes the request
    thoughts = [{"text": reply.answer.thinking, "thought": True}] if reply.answer.thinking else []
    text = [{"text": reply.answer.text}] if reply.answer.text else []
    calls = [part for part, _ in _parts(reply) if "functionCall" in part]
    return _answer(reply, thoughts + text + calls, reply.tokens.output, _finish(reply))


def _finish(reply: Reply) -> str:
    return "MAX_TOKENS" if reply.cut else "STOP"


def stream(body: Body, reply: Reply) -> Iterator[Chunk]:  # noqa: ARG001 - every dialect takes it
    written = reply.tokens.reasoning
    for part, size in _parts(reply):
        written = min(written + size, reply.tokens.output)
        yield _data(_answer(reply, [part], written, None), written)
    output = reply.tokens.output
    yield _data(_answer(reply, [{"text": ""}], output, _finish(reply)), output)


def _data(data: Body, output: int) -> Chunk:
    return Chunk(f"data: {canonical(data)}\r\n\r\n".encode(), output)


def error(status: int, message: str) -> Body:
    name = _STATUS.get(status, "UNAVAILABLE" if status >= 500 else "FAILED_PRECONDITION")
    return {"error": {"code": status, "message": message, "status": name}}


def broken(status: int, message: str) -> bytes:
    return f"data: {canonical(error(status, message))}\r\n\r\n".encode()


def model_list(models: Iterable[str]) -> Body:
    return {"models": [model(name) for name in models]}


def model(name: str) -> Body:
    return {
        "name": f"models/{name}",
        "displayName": name,
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    }
