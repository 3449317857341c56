"""Gemini's answers: every part repeats the usage so far, the last names why it finished."""

from typing import Any

import msgspec
from msgspec import Struct

from cockpit.core.tokens import Tokens
from cockpit.gateway.wire.answer import Answer
from cockpit.gateway.wire.dialect import Metered
from cockpit.gateway.wire.meter import error_kind
from cockpit.gateway.wire.untrusted import count, rows, size, table, told, word


class _Said(Struct, gc=False, rename="camel"):
    text: Any = None
    thought: Any = None
    function_call: Any = None
    executable_code: Any = None


class _Content(Struct, gc=False):
    parts: list[_Said] | None = None


class _Usage(Struct, gc=False, rename="camel"):
    prompt_token_count: Any = None
    cached_content_token_count: Any = None
    tool_use_prompt_token_count: Any = None
    candidates_token_count: Any = None
    thoughts_token_count: Any = None
    traffic_type: Any = None


class _Candidate(Struct, gc=False):
    content: _Content | None = None
    finish: Any = msgspec.field(default=None, name="finishReason")
    grounding: Any = msgspec.field(default=None, name="groundingMetadata")


class _Part(Struct, gc=False, rename="camel"):
    candidates: list[_Candidate] | None = None
    usage_metadata: _Usage | None = None
    model_version: Any = None
    response_id: Any = None
    prompt_feedback: Any = None
    error: Any = None
    response: Any = None


_decode = msgspec.json.Decoder(_Part).decode
_convert = msgspec.convert


TIERS = frozenset({"flex", "priority"})


class GeminiAnswer(Answer):
    """One answer of generateContent or streamGenerateContent."""

    _latest: _Usage | None = None

    def read_payload(self, payload: bytes) -> None:
        part = _decode(payload)
        if part.response is not None:
            part = _convert(part.response, _Part)
        if not self.message and part.response_id is not None:
            self.message = word(part.response_id)
            self.model = word(part.model_version) or self.model
        for candidate in part.candidates or ():
            self._candidate(candidate)
        self._latest = part.usage_metadata or self._latest
        if part.error is not None:
            self.failure = error_kind({"error": part.error})
        if part.prompt_feedback is not None and table(part.prompt_feedback).get("blockReason"):
            self.complete = True

    def _candidate(self, candidate: _Candidate) -> None:
        if candidate.content is not None:
            for said in candidate.content.parts or ():
                self._said(said)
        if candidate.finish is not None:
            self.complete = True
        if candidate.grounding is not None:
            queries = rows(table(candidate.grounding).get("webSearchQueries"))
            self.searches = max(self.searches, len(queries))

    def _said(self, said: _Said) -> None:
        if said.thought is True:
            self.thought += size(said.text)
        else:
            self.shown += size(said.text) + size(said.function_call) + size(said.executable_code)

    def observed(self) -> Tokens:
        self._settle()
        return super().observed()

    def bill(self, *, cut: bool) -> Metered:
        self._settle()
        return super().bill(cut=cut)

    def _settle(self) -> None:
        """Only the latest usage counts, so the others are not worked out."""
        latest, self._latest = self._latest, None
        if latest is not None:
            self._usage(latest)
        self.final = self.complete and self.input_told

    def _usage(self, usage: _Usage) -> None:
        """`promptTokenCount` has the cached part inside; thoughts are apart from candidates."""
        self.input_told = told(usage.prompt_token_count) is not None
        whole = count(usage.prompt_token_count) + count(usage.tool_use_prompt_token_count)
        read = min(whole, count(usage.cached_content_token_count))
        self.unveiled = told(usage.thoughts_token_count) is not None
        thoughts = count(usage.thoughts_token_count)
        output = count(usage.candidates_token_count) + thoughts
        tier = word(usage.traffic_type).lower().removeprefix("on_demand").lstrip("_")
        self.tier = tier if tier in TIERS else self.tier
        self.tokens = Tokens(whole - read, 0, 0, read, output, thoughts)
