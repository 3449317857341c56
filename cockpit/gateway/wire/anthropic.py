"""Anthropic Messages, and every host that speaks it."""

import re
from collections.abc import Mapping

from cockpit.gateway.wire import media, refusals
from cockpit.gateway.wire.anthropic_answer import AnthropicAnswer
from cockpit.gateway.wire.contents import FOR_SCHEMA, FOR_SEARCH, FOR_SERVER_TOOL, Contents
from cockpit.gateway.wire.dialect import Asked, DialectName, Meter, Refusal
from cockpit.gateway.wire.framing import framing_of
from cockpit.gateway.wire.meter import AnswerMeter, meter_of
from cockpit.gateway.wire.splice import (
    Members,
    block,
    changed,
    framed,
    lowered,
    raw,
    value,
    with_block,
    with_last,
)
from cockpit.gateway.wire.thinking import UNSEEN_BY_EFFORT
from cockpit.gateway.wire.untrusted import (
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
        return changed(body, lambda given: _limited(given, max_output) | _noted(given, note))

    def meter(self, asked: Asked, status: int, content_type: str) -> Meter:
        framing = framing_of(content_type, stream=asked.stream)
        return meter_of(asked, status, lambda: AnswerMeter(AnthropicAnswer(asked), framing))

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


def _noted(given: Members, note: str) -> Members:
    """The note as a last block of the last user message; marks for the cache stay in front."""
    if not note:
        return {}
    text = framed(note)
    said = {"role": "user", "content": [block(text)]}

    def change(message: Members) -> Members:
        if value(message.get("role")) != "user":
            return {}
        return {"content": with_block(message.get("content"), text)}

    return {"messages": with_last(given.get("messages"), change, said)}
