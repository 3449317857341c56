"""Anthropic's answers: usage told at the start, then in cumulative deltas."""

from typing import Any

import msgspec
from msgspec import Struct

from cockpit.core.tokens import NO_TOKENS, Tokens
from cockpit.gateway.wire.answer import Answer, lifetime_ms
from cockpit.gateway.wire.meter import error_kind
from cockpit.gateway.wire.untrusted import Table, count, rows, size, table, told, word


class _Delta(Struct, gc=False):
    text: Any = None
    thinking: Any = None
    partial_json: Any = None
    stop_reason: Any = None


class _Event(Struct, gc=False):
    """An event of a stream, or a whole message: they share `type`."""

    type: Any = None
    delta: _Delta | None = None
    message: Any = None
    content_block: Any = None
    usage: Any = None
    error: Any = None
    content: Any = None
    id: Any = None
    model: Any = None


_decode = msgspec.json.Decoder(_Event).decode


class AnthropicAnswer(Answer):
    """One Messages answer."""

    _thinks = False

    def read_payload(self, payload: bytes) -> None:
        event = _decode(payload)
        match event.type:
            case "content_block_delta":
                self._delta(event.delta)
            case "content_block_start":
                self._block(table(event.content_block))
            case "message_start":
                start = table(event.message)
                self._head(start.get("id"), start.get("model"))
                self._usage(start.get("usage"))
            case "message_delta":
                self._usage(event.usage)
                self._ends(event)
            case "message_stop":
                self.complete = True
            case "message":
                self._head(event.id, event.model)
                self.shown += size(event.content)
                self._usage(event.usage)
                self.complete = True
                self.final = told(table(event.usage).get("output_tokens")) is not None
            case "error":
                self.failure = error_kind({"error": event.error})

    def _delta(self, delta: _Delta | None) -> None:
        if delta is not None:
            self.shown += size(delta.text) + size(delta.partial_json)
            self.thought += size(delta.thinking)

    def _block(self, block: Table) -> None:
        """Redacted thinking comes at once; an answer without thinking begins with another block."""
        kind = word(block.get("type"))
        self._thinks = self._thinks or "thinking" in kind
        self.unveiled = not self._thinks
        self.veiled += size(block.get("data")) if kind == "redacted_thinking" else 0
        self.shown += size(block.get("name"))

    def _head(self, message: object, model: object) -> None:
        self.message = word(message)
        self.model = word(model) or self.model

    def _ends(self, event: _Event) -> None:
        """The delta that names a reason to stop carries the count that is billed."""
        if event.delta is not None and event.delta.stop_reason is not None:
            self.final = told(table(event.usage).get("output_tokens")) is not None

    def _usage(self, usage: object) -> None:
        given = table(usage)
        if not given:
            return
        top = self._counts(given, self.tokens)
        parts = [self._counts(table(part), NO_TOKENS) for part in rows(given.get("iterations"))]
        self.tokens = sum(parts, NO_TOKENS).largest(top) if parts else top
        self.input_told = self.input_told or told(given.get("input_tokens")) is not None
        searched = table(given.get("server_tool_use")).get("web_search_requests")
        self.searches = max(self.searches, count(searched))
        self._conditions(given)

    def _counts(self, given: Table, before: Tokens) -> Tokens:
        """What is not told, or told as null, stays as it was."""
        short, long = self._written(given, before)
        output = _latest(given.get("output_tokens"), before.output)
        thinking = table(given.get("output_tokens_details")).get("thinking_tokens")
        return Tokens(
            input=_latest(given.get("input_tokens"), before.input),
            cache_write_5m=short,
            cache_write_1h=long,
            cache_read=_latest(given.get("cache_read_input_tokens"), before.cache_read),
            output=output,
            reasoning=min(output, _latest(thinking, before.reasoning)),
        )

    def _written(self, given: Table, before: Tokens) -> tuple[int, int]:
        """Writes by lifetime; deltas only tell their sum, and growth takes the lifetime asked."""
        split = table(given.get("cache_creation"))
        short = _latest(split.get("ephemeral_5m_input_tokens"), before.cache_write_5m)
        long = _latest(split.get("ephemeral_1h_input_tokens"), before.cache_write_1h)
        more = _latest(given.get("cache_creation_input_tokens"), short + long) - short - long
        if more <= 0:
            return short, long
        return (short, long + more) if self.asked.lifetime == "1h" else (short + more, long)

    def _conditions(self, given: Table) -> None:
        self.geo = word(given.get("inference_geo")) or self.geo
        fast = given.get("speed") == "fast"
        self.tier = "fast" if fast else word(given.get("service_tier")) or self.tier
        tokens = self.tokens
        if tokens.cache_write_1h or tokens.cache_write_5m or tokens.cache_read:
            self.lifetime_ms = self._lifetime(table(given.get("cache_creation")))

    def _lifetime(self, split: Table) -> int | None:
        """What was written tells; what was only read lives as long as was asked.

        `ttl_s` names the lifetimes of a provider whose clock runs faster.
        """
        name = self.asked.lifetime or "5m"
        if self.tokens.cache_write_1h or self.tokens.cache_write_5m:
            name = "1h" if self.tokens.cache_write_1h else "5m"
        announced = told(table(split.get("ttl_s")).get(name))
        if announced is not None:
            return announced * 1000
        return self.lifetime_ms or lifetime_ms(name)


def _latest(value: object, before: int) -> int:
    now = told(value)
    return before if now is None else now
