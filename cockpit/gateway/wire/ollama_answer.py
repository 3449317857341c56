"""Ollama's answers: a line a piece, the counts in the last one."""

from typing import Any

import msgspec
from msgspec import Struct

from cockpit.core.tokens import Tokens
from cockpit.gateway.wire.answer import Answer
from cockpit.gateway.wire.untrusted import count, rows, size, table, told, word


class _Message(Struct, gc=False):
    content: Any = None
    thinking: Any = None
    tool_calls: Any = None


class _Line(Struct, gc=False):
    model: Any = None
    message: _Message | None = None
    response: Any = None
    thinking: Any = None
    done: Any = None
    prompt_eval_count: Any = None
    eval_count: Any = None
    error: Any = None


_decode = msgspec.json.Decoder(_Line).decode


class OllamaAnswer(Answer):
    """One answer of `/api/chat` or `/api/generate`."""

    def read_payload(self, payload: bytes) -> None:
        line = _decode(payload)
        message = line.message
        if message is not None:
            self.shown += size(message.content)
            self.thought += size(message.thinking)
            for call in rows(message.tool_calls):
                self.shown += size(table(call).get("function"))
        self.shown += size(line.response)
        self.thought += size(line.thinking)
        if line.done is True:
            self._done(line)
        if line.error is not None:
            self.failure = "error"

    def _done(self, line: _Line) -> None:
        """`prompt_eval_count` has the cached part inside, and old servers leave it out then."""
        self.complete = True
        self.model = word(line.model) or self.model
        prompt = told(line.prompt_eval_count)
        self.input_told = self.final = prompt is not None
        self.tokens = Tokens(input=prompt or 0, output=count(line.eval_count))
