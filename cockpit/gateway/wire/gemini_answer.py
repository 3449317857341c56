"""Gemini's answers: every part repeats the usage so far, the last names why it finished."""

from typing import Any

import msgspec
from msgspec import Struct

from cockpit.core.tokens import Tokens
from cockpit.gateway.wire.answer import Answer
from cockpit.gateway.wire.meter import error_kind
from cockpit.gateway.wire.untrusted import Table, count, rows, size, table, told, word


class _Content(Struct, gc=False):
    parts: Any = None


class _Candidate(Struct, gc=False):
    content: _Content | None = None
    finish: Any = msgspec.field(default=None, name="finishReason")
    grounding: Any = msgspec.field(default=None, name="groundingMetadata")


class _Part(Struct, gc=False, rename="camel"):
    candidates: list[_Candidate] | None = None
    usage_metadata: Any = None
    model_version: Any = None
    response_id: Any = None
    prompt_feedback: Any = None
    error: Any = None
    response: Any = None


_decode = msgspec.json.Decoder(_Part).decode
_convert = msgspec.convert


class GeminiAnswer(Answer):
    """One answer of generateContent or streamGenerateContent."""

    def read_payload(self, payload: bytes) -> None:
        part = _decode(payload)
        if part.response is not None:
            part = _convert(part.response, _Part)
        self.message = self.message or word(part.response_id)
        if part.model_version is not None:
            self.model = word(part.model_version) or self.model
        for candidate in part.candidates or ():
            self._candidate(candidate)
        if part.usage_metadata is not None:
            self._usage(table(part.usage_metadata))
        if part.error is not None:
            self.failure = error_kind({"error": part.error})
        if table(part.prompt_feedback).get("blockReason"):
            self.complete = True
        self.final = self.complete and self.input_told

    def _candidate(self, candidate: _Candidate) -> None:
        for part in rows(candidate.content.parts) if candidate.content else ():
            self._content(table(part))
        if candidate.finish is not None:
            self.complete = True
        if candidate.grounding is not None:
            queries = rows(table(candidate.grounding).get("webSearchQueries"))
            self.searches = max(self.searches, len(queries))

    def _content(self, part: Table) -> None:
        text = size(part.get("text"))
        if part.get("thought") is True:
            self.thought += text
        else:
            self.shown += text + size(part.get("functionCall")) + size(part.get("executableCode"))

    def _usage(self, usage: Table) -> None:
        """`promptTokenCount` has the cached part inside; thoughts are apart from candidates."""
        prompt = told(usage.get("promptTokenCount"))
        if prompt is None:
            return
        whole = prompt + count(usage.get("toolUsePromptTokenCount"))
        read = min(whole, count(usage.get("cachedContentTokenCount")))
        thoughts = count(usage.get("thoughtsTokenCount"))
        output = count(usage.get("candidatesTokenCount")) + thoughts
        self.tokens = Tokens(whole - read, 0, 0, read, output, thoughts)
        self.input_told = True
