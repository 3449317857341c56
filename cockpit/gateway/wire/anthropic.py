"""Anthropic Messages, and every host that speaks it."""

import re
from collections.abc import Mapping

import msgspec

from cockpit.gateway.wire import media, refusals
from cockpit.gateway.wire.anthropic_answer import AnthropicAnswer
from cockpit.gateway.wire.contents import FOR_SCHEMA, FOR_SEARCH, FOR_SERVER_TOOL, Contents
from cockpit.gateway.wire.dialect import Asked, DialectName, Meter, Refusal
from cockpit.gateway.wire.framing import framing_of
from cockpit.gateway.wire.meter import AnswerMeter, ErrorMeter, FreeMeter
from cockpit.gateway.wire.splice import (
    Members,
    elements,
    framed,
    lowered,
    members,
    raw,
    value,
    with_block,
)
from cockpit.gateway.wire.thinking import UNSEEN_BY_EFFORT
from cockpit.gateway.wire.untrusted import (
    UNREADABLE,
    Table,
    count,
    decoded,
    header,
    limit,
    rows,
    table,
    word,
)

_COUNT = re.compile(r"(?:^|/)messages/count_tokens$")
_LIST = re.compile(r"^$|(?:^|/)models(?:/[^/:]+)?$")
_PAID = re.compile(r"(?:^|/)messages$")
_THINKS = re.compile(r"fable|mythos|(?:opus|sonnet|haiku)-[5-9]")
"""Models that think unless they are told not to."""
SEARCHES_WHEN_UNLIMITED = 10
SMALLEST_THINKING = 1024


class Anthropic:
    """The Messages wire."""

    name: DialectName = "anthropic"
    keep_alive = b'event: ping\ndata: {"type": "ping"}\n\n'

    def asked(self, path: str, headers: Mapping[str, str], body: bytes) -> Asked | None:
        where = path.rstrip("/")
        if _COUNT.search(where) or (_LIST.search(where) and not body):
            return Asked(dialect=self.name, path=path, paid=False, session=_session(headers))
        return _asked(path, headers, decoded(body)) if _PAID.search(where) else None

    def prepared(self, body: bytes, *, max_output: int | None, note: str) -> bytes:
        try:
            given = members(body)
            changes = _limited(given, max_output)
            if note:
                changes["messages"] = _noted(given.get("messages"), framed(note))
        except UNREADABLE:
            return body
        return msgspec.json.encode({**given, **changes}) if changes else body

    def meter(
        self,
        asked: Asked,
        body: bytes,  # noqa: ARG002 - a dialect
        status: int,
        content_type: str,
    ) -> Meter:
        if not asked.paid:
            return FreeMeter(asked)
        if not 200 <= status < 300:
            return ErrorMeter(asked, status)
        return AnswerMeter(AnthropicAnswer(asked), framing_of(content_type, stream=asked.stream))

    def refusal(self, sentence: str, agent: str) -> Refusal:
        status = refusals.status_for(agent)
        return refusals.refused(status, _error("billing_error", sentence))

    def retry_later(self, sentence: str, seconds: int) -> Refusal:
        return refusals.later(429, seconds, _error("rate_limit_error", sentence))

    def broken_off(self, sentence: str) -> bytes:
        return refusals.event(_error("api_error", sentence), "error")


def _error(kind: str, sentence: str) -> Table:
    return {"type": "error", "error": {"type": kind, "message": sentence}}


def _session(headers: Mapping[str, str]) -> str:
    return header(headers, "x-claude-code-session-id", "x-session-id", "session-id")


def _asked(path: str, headers: Mapping[str, str], body: Table) -> Asked:
    contents = Contents(word(body.get("model")))
    lifetimes = {_ttl(body)}
    for part in _blocks(body.get("system")):
        contents.add("system", part.get("text"))
        lifetimes.add(_ttl(part))
    contents.tools(body.get("tools"))
    lifetimes.update(_ttl(table(tool)) for tool in rows(body.get("tools")))
    for message in rows(body.get("messages")):
        contents.message()
        _read_message(contents, lifetimes, table(message))
    searches = _unseen_parts(contents, body)
    return Asked(
        dialect="anthropic",
        path=path,
        model=word(body.get("model")),
        stream=body.get("stream") is True,
        prompt=contents.prompt(),
        max_output=limit(body.get("max_tokens")),
        lifetime="1h" if "1h" in lifetimes else "5m" if "5m" in lifetimes else "",
        tier="fast" if body.get("speed") == "fast" else "",
        geo=word(body.get("inference_geo")),
        session=_session(headers),
        searches=searches,
        unseen=_unseen(body),
        composition=contents.composition(),
    )


def _blocks(content: object) -> list[Table]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [table(part) for part in rows(content)]


def _ttl(holder: Table) -> str:
    """The lifetime a block is marked with; none marked is empty, none named is the default."""
    control = holder.get("cache_control")
    return ("1h" if control.get("ttl") == "1h" else "5m") if isinstance(control, dict) else ""


def _read_message(contents: Contents, lifetimes: set[str], message: Table) -> None:
    role = word(message.get("role"))
    origin = role if role in {"assistant", "system"} else "user"
    for part in _blocks(message.get("content")):
        if "cache_control" in part:
            lifetimes.add(_ttl(part))
        _read_block(contents, origin, part)


def _read_block(contents: Contents, origin: str, part: Table) -> None:
    match part.get("type"):
        case "text":
            contents.add(origin, part.get("text"))
        case "tool_use":
            contents.called(part.get("id"), part.get("name"), part.get("input"))
            contents.add("assistant", part)
        case "tool_result":
            _read_result(contents, contents.result_of(part.get("tool_use_id")), part)
        case "thinking" | "redacted_thinking":
            contents.add("thinking", part)
        case "image" | "document":
            _read_media(contents, origin, part)
        case str(kind) if kind.endswith("_tool_result"):
            contents.add("tool_results", part)
        case _:
            contents.add(origin, part)


def _read_result(contents: Contents, origin: str, result: Table) -> None:
    for part in _blocks(result.get("content")):
        _read_block(contents, origin, part)


def _read_media(contents: Contents, origin: str, part: Table) -> None:
    source = table(part.get("source"))
    match source.get("type"):
        case "text" | "content":
            contents.add(origin, part)
        case "base64":
            kind = source.get("media_type")
            contents.media(media.of_kind("anthropic", kind, source.get("data")))
        case _:
            kind = "image/" if part.get("type") == "image" else ""
            contents.media(media.named("anthropic", kind))


def _unseen_parts(contents: Contents, body: Table) -> int:
    """Adds what the request makes the provider put in; gives the number of searches allowed."""
    tools = [table(tool) for tool in rows(body.get("tools"))]
    served = [tool for tool in tools if word(tool.get("type")) not in {"", "custom"}]
    served += rows(body.get("mcp_servers"))
    contents.unseen(FOR_SERVER_TOOL * len(served))
    if table(body.get("output_config")).get("format") or body.get("output_format"):
        contents.unseen(FOR_SCHEMA)
    searches = sum(_searches(tool) for tool in tools)
    contents.unseen(FOR_SEARCH * searches)
    return searches


def _searches(tool: Table) -> int:
    if not str(tool.get("type", "")).startswith("web_search"):
        return 0
    return count(tool.get("max_uses")) or SEARCHES_WHEN_UNLIMITED


def _unseen(body: Table) -> int:
    """Thinking that may be going on unseen: its budget, or what its effort usually takes."""
    thinking = table(body.get("thinking"))
    effort = table(body.get("output_config")).get("effort")
    match thinking.get("type"):
        case "disabled":
            return 0
        case "enabled":
            return count(thinking.get("budget_tokens"))
        case "adaptive":
            return UNSEEN_BY_EFFORT.get(str(effort or "high"), 0)
    thinks = _THINKS.search(str(body.get("model")))
    return UNSEEN_BY_EFFORT.get(str(effort or "high"), 0) if thinks else 0


def _limited(given: Members, granted: int | None) -> Members:
    """A lower `max_tokens`, and a thinking budget that fits under it."""
    limit = lowered(value(given.get("max_tokens")), granted)
    if limit is None:
        return {}
    changes = {"max_tokens": raw(limit)}
    thinking = table(value(given.get("thinking")))
    if count(thinking.get("budget_tokens")) >= limit:
        fits = limit > SMALLEST_THINKING
        less = {**thinking, "budget_tokens": max(SMALLEST_THINKING, limit // 2)}
        changes["thinking"] = raw(less if fits else {"type": "disabled"})
    return changes


def _noted(messages: msgspec.Raw | None, note: str) -> msgspec.Raw:
    """The note as a last block of the last user message; marks for the cache stay in front."""
    given = [] if messages is None else elements(messages)
    for at in range(len(given) - 1, -1, -1):
        message = members(given[at])
        if value(message.get("role")) == "user":
            changed = {**message, "content": with_block(message.get("content"), note)}
            return raw([*given[:at], changed, *given[at + 1 :]])
    return raw([*given, {"role": "user", "content": [{"type": "text", "text": note}]}])
