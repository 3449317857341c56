"""OpenAI Responses answers: typed events, usage in the last one."""

from typing import Any

import msgspec
from msgspec import Struct

from cockpit.gateway.wire.answer import Answer
from cockpit.gateway.wire.meter import error_kind
from cockpit.gateway.wire.openai_usage import (
    cache_lifetime_ms,
    tier_of,
    tokens_of,
    told_input,
    told_usage,
)
from cockpit.gateway.wire.untrusted import rows, size, table, word


class _Response(Struct, gc=False):
    """A response, alone or inside an event."""

    id: Any = None
    object: Any = None
    model: Any = None
    status: Any = None
    usage: Any = None
    error: Any = None
    service_tier: Any = None


class _Event(Struct, gc=False):
    type: Any = None
    delta: Any = None
    item: Any = None
    response: _Response | None = None
    code: Any = None
    error: Any = None


class _Whole(_Response, gc=False):
    type: Any = None
    output: Any = None


_decode = msgspec.json.Decoder(_Event).decode
_decode_whole = msgspec.json.Decoder(_Whole).decode

_LAST = frozenset({"completed", "incomplete", "failed", "cancelled"})
_BEFORE_THE_END = frozenset({"queued", "in_progress", "failed", "cancelled"})
_THINKING = "response.reasoning"
_NOT_TEXT = ("response.audio.", "response.image")


class ResponsesAnswer(Answer):
    """One Responses answer or compaction; one without thinking begins with another item."""

    _thinks = False

    def read_payload(self, payload: bytes) -> None:
        event = _decode(payload)
        kind = event.type
        if kind is None:
            self._whole(payload)
        elif event.delta is not None and isinstance(kind, str):
            self._delta(kind, event.delta)
        elif event.response is not None:
            self._response(event.response)
        elif kind == "response.output_item.added":
            self._thinks = self._thinks or table(event.item).get("type") == "reasoning"
            self.unveiled = not self._thinks
        elif kind == "response.output_item.done":
            self._item(table(event.item))
        elif kind == "error":
            self.failure = error_kind({"error": event.error or {"code": event.code}})

    def _delta(self, kind: str, delta: object) -> None:
        if kind.startswith(_THINKING):
            self.thought += size(delta)
        elif isinstance(delta, str) and not kind.startswith(_NOT_TEXT):
            self.shown += size(delta)

    def _item(self, item: dict[str, Any]) -> None:
        match item.get("type"):
            case "web_search_call":
                self.searches += 1
            case "reasoning":
                self.veiled += size(item.get("encrypted_content")) * 3 // 4

    def _whole(self, payload: bytes) -> None:
        whole = _decode_whole(payload)
        for item in rows(whole.output):
            self._item(table(item))
        self.shown += size(whole.output)
        self._response(whole)
        if word(whole.status) not in _BEFORE_THE_END and self.input_told and not self.failure:
            self.final = self.complete = True

    def _response(self, response: _Response) -> None:
        self.message = word(response.id) or self.message
        self.model = word(response.model) or self.model
        self.tier = tier_of(response.service_tier) or self.tier
        if told_usage(response.usage):
            self.tokens = tokens_of(response.usage)
            self.input_told = told_input(response.usage)
            asked = self.asked.lifetime
            self.lifetime_ms = cache_lifetime_ms(response.usage, self.tokens, asked)
        status = word(response.status)
        if status in _LAST:
            self.final = self.input_told
            self.complete = status in {"completed", "incomplete"}
        if response.error is not None:
            self.failure = error_kind({"error": response.error})
