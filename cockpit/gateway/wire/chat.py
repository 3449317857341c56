"""OpenAI Chat Completions, older completions and embeddings, and the many hosts that speak them."""

import re
from collections.abc import Iterable, Mapping

from msgspec import Raw

from cockpit.gateway.wire import media, refusals
from cockpit.gateway.wire.chat_answer import ChatAnswer, StrippedMeter
from cockpit.gateway.wire.contents import FOR_SCHEMA, FOR_SEARCH, FOR_SERVER_TOOL, Contents
from cockpit.gateway.wire.dialect import Asked, DialectName, Meter, Refusal
from cockpit.gateway.wire.framing import events, framing_of
from cockpit.gateway.wire.meter import AnswerMeter, meter_of
from cockpit.gateway.wire.splice import (
    Members,
    changed,
    framed,
    is_text,
    joined,
    lowered,
    raw,
    value,
    with_block,
    with_last,
)
from cockpit.gateway.wire.thinking import UNSEEN_BY_EFFORT
from cockpit.gateway.wire.untrusted import (
    Table,
    answers,
    decoded,
    header,
    limit,
    rows,
    table,
    word,
)

_FREE = re.compile(r"^$|(?:^|/)models(?:/[^:]+)?$")
_PAID = re.compile(r"(?:^|/)(?:chat/completions|completions|embeddings)$")
_OF_OPENAI = re.compile(r"(?:^|/)(?:gpt-|chatgpt|o\d)")
_HIDES_THINKING = re.compile(r"(?:^|/)(?:gpt-[5-9]|o\d)")
LIFETIMES = ("24h", "12h", "1h", "30m", "5m")
"""Longest first."""


class Chat:
    """The Chat Completions wire."""

    name: DialectName = "chat"
    keep_alive = b": held\n\n"

    def asked(self, path: str, headers: Mapping[str, str], body: bytes) -> Asked | None:
        where = path.rstrip("/")
        if _FREE.search(where):
            return None if body else Asked(dialect=self.name, path=path, paid=False)
        return _asked(path, headers, decoded(body)) if _PAID.search(where) else None

    def prepared(self, body: bytes, *, max_output: int | None, note: str) -> bytes:
        return changed(
            body,
            lambda given: _limited(given, max_output) | _with_usage(given) | _noted(given, note),
        )

    def meter(self, asked: Asked, status: int, content_type: str) -> Meter:
        framing = framing_of(content_type, stream=asked.stream)
        strips = asked.stream and not asked.reports_usage and framing is events
        meter = StrippedMeter if strips else AnswerMeter
        return meter_of(asked, status, lambda: meter(ChatAnswer(asked), framing))

    def refusal(self, sentence: str, agent: str) -> Refusal:
        status = refusals.status_for(agent, 400)
        return refusals.refused(status, error("billing_error", sentence, "budget_reached"))

    def retry_later(self, sentence: str, seconds: int) -> Refusal:
        return refusals.later(429, seconds, error("rate_limit_error", sentence, "paused"))

    def broken_off(self, sentence: str) -> bytes:
        return refusals.event(error("stopped_error", sentence, "stopped"))


def error(kind: str, sentence: str, code: str) -> Table:
    """OpenAI's shape of an error."""
    return {"error": {"message": sentence, "type": kind, "param": None, "code": code}}


def session_of(headers: Mapping[str, str]) -> str:
    """The client's session: Codex, OpenCode and what others send."""
    return header(
        headers,
        "x-claude-code-session-id", "session-id", "session_id", "thread-id", "conversation_id",
        "x-session-id", "x-session-affinity",
    )  # fmt: skip


def longest_lifetime(named: Iterable[object]) -> str:
    """The longest of the cache lifetimes that are known."""
    given = {name for name in named if isinstance(name, str)}
    return next((known for known in LIFETIMES if known in given), "")


def lifetime_asked(body: Table) -> str:
    """The lifetime asked for by either of OpenAI's options."""
    options = table(body.get("prompt_cache_options"))
    return longest_lifetime((options.get("ttl"), body.get("prompt_cache_retention")))


def unseen(model: str, effort: object, asked: object) -> int:
    """Thinking that never shows: by the effort asked for, on models that hide it or when asked."""
    if effort is None and not asked and not _HIDES_THINKING.search(model):
        return 0
    return UNSEEN_BY_EFFORT.get(str(effort or "medium"), 0)


def tier_asked(body: Table) -> str:
    """The tier asked for; `auto` and `default` are none."""
    tier = word(body.get("service_tier"))
    return "" if tier in {"auto", "default"} else tier


def _asked(path: str, headers: Mapping[str, str], body: Table) -> Asked:
    model = word(body.get("model"))
    contents = Contents(model)
    lifetimes: set[str] = {lifetime_asked(body)}
    contents.tools(body.get("tools") or body.get("functions"))
    _unseen_parts(contents, body)
    for message in rows(body.get("messages")):
        contents.message()
        _read_message(contents, lifetimes, table(message), model)
    embeds = path.rstrip("/").endswith("embeddings")
    for text in ("input",) if embeds else ("prompt", "suffix"):
        contents.add("user", body.get(text))
    effort = body.get("reasoning_effort") or table(body.get("reasoning")).get("effort")
    options = table(body.get("stream_options"))
    return Asked(
        dialect="chat",
        path=path,
        model=model,
        stream=body.get("stream") is True,
        prompt=contents.prompt(),
        max_output=0 if embeds else _most(body),
        lifetime=longest_lifetime(lifetimes),
        tier=tier_asked(body),
        session=session_of(headers),
        unseen=unseen(model, effort, body.get("reasoning")),
        reports_usage=options.get("include_usage") is True,
        composition=contents.composition(),
    )


def _unseen_parts(contents: Contents, body: Table) -> None:
    """Adds what the request makes the provider put in."""
    shape = body.get("response_format")
    if shape:
        contents.add("system", shape)
        contents.unseen(FOR_SCHEMA)
    served = [tool for tool in rows(body.get("tools")) if table(tool).get("type") != "function"]
    searches = len(rows(body.get("plugins"))) + (body.get("web_search_options") is not None)
    contents.unseen(FOR_SERVER_TOOL * len(served) + FOR_SEARCH * searches)


def _most(body: Table) -> int | None:
    """The limit of all answers together; each has the client's own."""
    newer = limit(body.get("max_completion_tokens"))
    most = limit(body.get("max_tokens")) if newer is None else newer
    return None if most is None else most * answers(body.get("n"))


def _read_message(contents: Contents, lifetimes: set[str], message: Table, model: str) -> None:
    role = message.get("role")
    origin = {
        "system": "system",
        "developer": "system",
        "assistant": "assistant",
        "tool": contents.result_of(message.get("tool_call_id")),
        "function": "tool_results",
    }.get(str(role), "user")
    content = message.get("content")
    if isinstance(content, list):
        for part in content:
            _mark(lifetimes, table(part))
            _read_part(contents, origin, table(part), model)
    else:
        contents.add(origin, content)
    for name in ("reasoning_content", "reasoning", "reasoning_details", "thinking"):
        contents.add("thinking", message.get(name))
    for call in rows(message.get("tool_calls")):
        function = table(table(call).get("function"))
        contents.called(table(call).get("id"), function.get("name"), function.get("arguments"))
        contents.add("assistant", call)
    contents.add("assistant", message.get("function_call"))


def _mark(lifetimes: set[str], part: Table) -> None:
    """Anthropic's models have their marks on this wire too."""
    control = part.get("cache_control")
    if isinstance(control, dict):
        lifetimes.add(word(control.get("ttl")) or "5m")


def _read_part(contents: Contents, origin: str, part: Table, model: str) -> None:
    match part.get("type"):
        case "image_url":
            image = table(part.get("image_url")) or {"url": part.get("image_url")}
            contents.media(media.of_url("chat", image.get("url"), image.get("detail"), model))
        case "input_audio":
            sound = table(part.get("input_audio"))
            contents.media(media.of_kind("chat", "audio/", sound.get("data")))
        case "file":
            contents.media(media.document("chat", table(part.get("file")).get("file_data")))
        case "text":
            contents.add(origin, part.get("text"))
        case _:
            contents.add(origin, part)


def _limited(given: Members, granted: int | None) -> Members:
    """A limit in the client's own field; OpenAI's own models know only the newer one."""
    if "messages" not in given and "prompt" not in given:
        return {}
    newer = "max_completion_tokens"
    model = str(value(given.get("model")))
    usual = newer if "messages" in given and _OF_OPENAI.search(model) else "max_tokens"
    fields = [name for name in (newer, "max_tokens") if value(given.get(name)) is not None]
    several = answers(value(given.get("n")))
    limits = {name: lowered(value(given.get(name)), granted, several) for name in fields or [usual]}
    return {name: raw(limit) for name, limit in limits.items() if limit is not None}


def _with_usage(given: Members) -> Members:
    """Streams tell usage only when asked."""
    if value(given.get("stream")) is not True:
        return {}
    options = table(value(given.get("stream_options")))
    if options.get("include_usage") is True:
        return {}
    return {"stream_options": raw({**options, "include_usage": True})}


def _noted(given: Members, note: str) -> Members:
    """The note behind the last message of the user or of a tool."""
    if not note or "messages" not in given:
        return {}
    text = framed(note)

    def change(message: Members) -> Members:
        if word(value(message.get("role"))) not in {"user", "tool", "function"}:
            return {}
        return {"content": _content(message.get("content"), text)}

    return {"messages": with_last(given["messages"], change, {"role": "user", "content": text})}


def _content(content: Raw | None, note: str) -> Raw:
    if content is not None and is_text(content):
        return joined(content, note)
    return with_block(content, note)
