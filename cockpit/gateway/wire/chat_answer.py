"""Chat Completions answers: deltas, then one chunk of usage where it was asked for."""

import re
from typing import Any

import msgspec
from msgspec import Struct

from cockpit.gateway.wire.answer import Answer
from cockpit.gateway.wire.dialect import Asked
from cockpit.gateway.wire.framing import events
from cockpit.gateway.wire.meter import AnswerMeter, error_kind
from cockpit.gateway.wire.openai_usage import (
    cache_lifetime_ms,
    tier_of,
    tokens_of,
    told_input,
    told_usage,
)
from cockpit.gateway.wire.untrusted import UNREADABLE, count, rows, size, table, word


class _Delta(Struct, gc=False):
    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: Any = None
    tool_calls: Any = None
    function_call: Any = None


class _Choice(Struct, gc=False):
    delta: _Delta | None = None
    message: Any = None
    text: Any = None
    finish_reason: Any = None
    usage: Any = None


class _Chunk(Struct, gc=False):
    """A chunk of a stream, or a whole completion."""

    id: Any = None
    object: Any = None
    model: Any = None
    choices: list[_Choice] | None = None
    usage: Any = None
    error: Any = None
    service_tier: Any = None
    x_groq: Any = None


class _Ends(Struct, gc=False):
    """Only what tells a chunk of usage apart."""

    choices: list[msgspec.Raw] | None = None
    usage: Any = None


_decode = msgspec.json.Decoder(_Chunk).decode
_decode_ends = msgspec.json.Decoder(_Ends).decode

_DONE = b"[DONE]"
_END_OF_EVENT = re.compile(rb"\r?\n\r?\n|\r\r")
_ENDS = (b"\n\n", b"\r\n\r\n")
_COUNTS = b'_tokens"'
"""Only a usage object has this as a name of members; inside of a text the quote is escaped."""


class ChatAnswer(Answer):
    """One Chat Completions answer, an older completion or an embedding."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self._told = self._finished = self._tiered = False

    def read_payload(self, payload: bytes) -> None:
        if payload.strip() == _DONE:
            self.complete = True
            self._close()
            return
        chunk = _decode(payload)
        if not self.message and chunk.id is not None:
            self.message = word(chunk.id)
            self.model = word(chunk.model) or self.model
        for choice in chunk.choices or ():
            self._choice(choice)
        self._rare(chunk)

    def _rare(self, chunk: _Chunk) -> None:
        if chunk.service_tier is not None and not self._tiered:
            self.tier, self._tiered = tier_of(chunk.service_tier), True
        if chunk.usage is not None:
            self._usage(chunk.usage)
        if chunk.x_groq is not None:
            self._usage(table(chunk.x_groq).get("usage"))
        if chunk.error is not None:
            self.failure = error_kind({"error": chunk.error})
        if self._told and chunk.object != "chat.completion.chunk" and not self.asked.stream:
            self.complete = True
        self._close()

    def _choice(self, choice: _Choice) -> None:
        delta = choice.delta
        if delta is not None:
            self.shown += size(delta.content) + size(delta.refusal)
            self.thought += size(delta.reasoning_content) or size(delta.reasoning)
            if delta.tool_calls is not None:
                self._calls(delta.tool_calls)
            if delta.function_call is not None:
                self.shown += size(table(delta.function_call).get("arguments"))
        elif choice.text is not None:
            self.shown += size(choice.text)
        elif choice.message is not None:
            self.shown += size(choice.message)
            self._finished = self.complete = True
        if choice.finish_reason is not None:
            self._finished = True
        if choice.usage is not None:
            self._usage(choice.usage)

    def _calls(self, calls: object) -> None:
        for call in rows(calls):
            function = table(table(call).get("function"))
            self.shown += size(function.get("name")) + size(function.get("arguments"))

    def _usage(self, usage: object) -> None:
        """The latest counts: some hosts repeat them, growing, in every chunk."""
        if not told_usage(usage):
            return
        self.tokens = tokens_of(usage)
        self._told = self.input_told = told_input(usage)
        self.lifetime_ms = cache_lifetime_ms(usage, self.tokens, self.asked.lifetime)
        tools = table(table(usage).get("server_tool_use"))
        self.searches = count(tools.get("web_search_requests"))

    def _close(self) -> None:
        """Counts are final once the answer was finished; a host may leave out its `[DONE]`."""
        if self._told and (self._finished or self.complete):
            self.final = self.complete = True


class StrippedMeter(AnswerMeter):
    """Takes out the chunk of usage that we asked for and the client did not.

    Whole events are passed on, the beginning of one waits for its end; a client could not have used
    it before.
    """

    _held = b""

    def feed(self, chunk: bytes) -> bytes:
        super().feed(chunk)
        if not self._held and chunk.endswith(_ENDS) and _COUNTS not in chunk:
            return chunk
        given, kept, start = self._held + chunk, [], 0
        for end in _END_OF_EVENT.finditer(given):
            event = given[start : end.end()]
            start = end.end()
            if not _is_usage_alone(event):
                kept.append(event)
        self._held = given[start:]
        return b"".join(kept)

    def rest(self) -> bytes:
        held, self._held = self._held, b""
        return b"" if _is_usage_alone(held) else held


def _is_usage_alone(event: bytes) -> bool:
    if _COUNTS not in event:
        return False
    try:
        ends = [_decode_ends(payload) for payload in events(event, True)[0]]
    except UNREADABLE:
        return False
    return any(end.choices == [] and end.usage is not None for end in ends)
