"""One line of a Claude Code transcript as a model call, whatever the order of its keys.

A line is decoded into typed structs, which skips the content: by far the larger part, and a tenth
of the time that dictionaries take. What does not fit the types is read once more with patience.
"""

from datetime import datetime
from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from cockpit.agents import loose
from cockpit.agents.adapter import Source
from cockpit.core.call import Told
from cockpit.core.price import Mark
from cockpit.core.tokens import Tokens

MINUTES_5 = 5 * 60_000
HOUR = 3_600_000
LONG_WINDOW = 1_000_000

NO_END = "no line tells how the answer ended: its output is at least this"
CUT_OFF = "the answer was cut off: its output is at least this"
SYNTHETIC = "<synthetic>"
ASSISTANT = "assistant"
OTHER = "?"

Figures = tuple[int, int, int, int, int, int]
Figure = Annotated[int, Meta(ge=0, lt=loose.FIGURE_LIMIT)]


class Writes(Struct):
    """Cache writes by lifetime; `ttl_s` only from providers with lifetimes of their own."""

    ephemeral_5m_input_tokens: Figure = 0
    ephemeral_1h_input_tokens: Figure = 0
    ttl_s: dict[str, int] | None = None


class Details(Struct):
    """What the output was made of."""

    thinking_tokens: Figure = 0


class Searches(Struct):
    """What the provider itself looked up."""

    web_search_requests: Figure = 0


class Step(Struct):
    """Figures of a call, or of a step of it on the provider's side."""

    input_tokens: Figure = 0
    cache_creation_input_tokens: Figure = 0
    cache_read_input_tokens: Figure = 0
    cache_creation: Writes | None = None
    output_tokens: Figure = 0
    output_tokens_details: Details | None = None

    def tokens(self) -> Tokens:
        """By class; writes of an untold lifetime live five minutes."""
        written, hour, five = self.cache_creation_input_tokens, 0, 0
        if self.cache_creation is not None:
            hour = self.cache_creation.ephemeral_1h_input_tokens
            five = self.cache_creation.ephemeral_5m_input_tokens
        details = self.output_tokens_details
        return Tokens(
            self.input_tokens,
            five if five + hour >= written else written - hour,
            hour,
            self.cache_read_input_tokens,
            self.output_tokens,
            0 if details is None else details.thinking_tokens,
        )


class Usage(Step):
    """Figures of a call, and the conditions that change its price."""

    iterations: list[Step] | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    server_tool_use: Searches | None = None


NO_USAGE = Usage()


class Part(Struct):
    """A piece of an answer."""

    type: str = ""
    name: str = ""


class Message(Struct, frozen=True):
    """The provider's answer, or a piece of it."""

    id: str = ""
    model: str = ""
    role: str = ""
    stop_reason: str | None = None
    usage: Usage | None = None
    content: list[Part] | None = None


NO_MESSAGE = Message()


class Line(Struct, rename="camel"):
    """What the books need of a line; `type` is empty where it is absent."""

    message: Message = NO_MESSAGE
    type: str = ""
    timestamp: str | int = ""
    uuid: str = ""
    request_id: str = ""
    requested_model: str | None = None
    is_sidechain: bool | None = None
    agent_id: str | None = None
    is_aborted_mid_stream: bool | None = None


NO_LINE = Line()
typed = msgspec.json.Decoder(Line).decode
"""Decodes a line that is written as expected, in any order. Raises what `REFUSED` names."""
REFUSED = (msgspec.MsgspecError, RecursionError)


def patient(entry: loose.Table) -> Line:
    """The same of a decoded line that does not fit the types.

    Raises:
        ValueError: when a figure is none.
    """
    message = loose.table(entry.get("message"))
    usage = loose.table(message.get("usage"))
    timestamp = entry.get("timestamp")
    return Line(
        message=Message(
            id=loose.text(message.get("id")),
            model=loose.text(message.get("model")),
            role=loose.text(message.get("role")),
            stop_reason=loose.text(message.get("stop_reason")) or None,
            usage=_usage(usage) if usage else None,
            content=[
                Part(loose.text(part.get("type")), loose.text(part.get("name")))
                for part in loose.tables(message.get("content"))
            ],
        ),
        type=(loose.text(entry["type"]) or OTHER) if "type" in entry else "",
        timestamp=timestamp if isinstance(timestamp, str) else loose.instant(timestamp),
        uuid=loose.text(entry.get("uuid")),
        request_id=loose.text(entry.get("requestId")),
        requested_model=loose.text(entry.get("requestedModel")),
        is_sidechain=entry.get("isSidechain") is True,
        agent_id=loose.text(entry.get("agentId")),
        is_aborted_mid_stream=entry.get("isAbortedMidStream") is True,
    )


def _usage(usage: loose.Table) -> Usage:
    searches = loose.table(usage.get("server_tool_use")).get("web_search_requests")
    return Usage(
        **msgspec.structs.asdict(_step(usage)),
        iterations=[_step(one) for one in loose.tables(usage.get("iterations"))],
        service_tier=loose.text(usage.get("service_tier")),
        speed=loose.text(usage.get("speed")),
        inference_geo=loose.text(usage.get("inference_geo")),
        server_tool_use=Searches(loose.count(searches)),
    )


def _step(usage: loose.Table) -> Step:
    writes = loose.table(usage.get("cache_creation"))
    seconds = loose.table(writes.get("ttl_s"))
    return Step(
        input_tokens=loose.figure(usage.get("input_tokens")),
        cache_creation_input_tokens=loose.figure(usage.get("cache_creation_input_tokens")),
        cache_read_input_tokens=loose.figure(usage.get("cache_read_input_tokens")),
        cache_creation=Writes(
            loose.figure(writes.get("ephemeral_5m_input_tokens")),
            loose.figure(writes.get("ephemeral_1h_input_tokens")),
            {life: loose.count(value) for life, value in seconds.items()},
        ),
        output_tokens=loose.figure(usage.get("output_tokens")),
        output_tokens_details=Details(
            loose.figure(loose.table(usage.get("output_tokens_details")).get("thinking_tokens"))
        ),
    )


def usage_of(line: Line) -> Usage | None:
    """The usage of a line that tells of a call, None for any other line."""
    message = line.message
    if message.usage is None or cleaned(message.model) == SYNTHETIC:
        return None
    kind = line.type or (ASSISTANT if message.role == ASSISTANT else "")
    return message.usage if kind == ASSISTANT else None


def tell(
    tellings: list[Told],
    line: Line,
    usage: Usage,
    id_: bytes,
    run: str,
    model: str,
    output: int,
    stopped: bool,
    last: int,
    tools: tuple[str, ...] | None,
) -> int:
    """Adds the call that a line tells of, with what only its neighbours know.

    What was written lives as long as its class says; a call that wrote nothing keeps the `last`
    one's lifetime. Returns what is the last one's now.
    """
    written, writes, details = usage.cache_creation_input_tokens, usage.cache_creation, usage.output_tokens_details  # fmt: skip
    hour = five = announced = 0
    if writes is not None:
        five, hour = writes.ephemeral_5m_input_tokens, writes.ephemeral_1h_input_tokens
        if writes.ttl_s:
            announced = writes.ttl_s.get("1h" if hour else "5m", 0) * 1000
    if five + hour < written:
        five = written - hour
    if hour:
        last = HOUR
    elif five:
        last = MINUTES_5
    tier, geo = _conditions(usage.service_tier, usage.speed, usage.inference_geo)
    mark: Mark = "exact" if stopped else "estimated"
    reason = "" if stopped else CUT_OFF if line.is_aborted_mid_stream else NO_END
    asked, searches, at = line.requested_model, usage.server_tool_use, line.timestamp
    window = LONG_WINDOW if asked is not None and asked.endswith("[1m]") else None
    figures = (
        usage.input_tokens, five, hour, usage.cache_read_input_tokens, output,
        0 if details is None else details.thinking_tokens,
    )  # fmt: skip
    if usage.iterations:
        figures = _with_steps(figures, usage.iterations)
    tellings.append((
        id_, run, instant(at), 0,
        (model, "", tier, geo, mark, reason, announced or last or None, window),
        *figures, 0 if searches is None else searches.web_search_requests, tools,
    ))  # fmt: skip
    return last


def _with_steps(top: Figures, steps: list[Step]) -> Figures:
    """What the provider's own steps add up to, where that is more than the top.

    With compaction on the provider's side the top level leaves the compaction out.
    """
    told = sum((step.tokens() for step in steps), Tokens())
    largest = Tokens(*top).largest(told)
    return (
        largest.input, largest.cache_write_5m, largest.cache_write_1h, largest.cache_read,
        largest.output, largest.reasoning,
    )  # fmt: skip


def own_id(line: Line, usage: Usage) -> str:
    """Tells lines without a message id apart, the same way whatever file holds them."""
    total = usage.tokens().total
    return line.request_id or line.uuid or f"{line.timestamp}:{total}"


def tools_of(message: Message) -> tuple[str, ...]:
    """The tools an answer asks for, each once."""
    asked = (cleaned(part.name) for part in message.content or () if part.type == "tool_use")
    return tuple(dict.fromkeys(asked))


def owner(source: Source, *, sidechain: bool, agent: str) -> str:
    """The run that a line tells of: older versions wrote sub-agents into the session's file."""
    if not sidechain or source.parent is not None:
        return source.run
    return f"{source.run}/{agent or 'sidechain'}"


@lru_cache(maxsize=1024)
def cleaned(text: str) -> str:
    """A name as it may be shown."""
    return loose.name(text)


@lru_cache(maxsize=256)
def _conditions(service: str | None, speed: str | None, place: str | None) -> tuple[str, str]:
    """Tier and geography where they change the price; empty for the usual."""
    tier, geo = loose.name(service), loose.name(place)
    if loose.name(speed) == "fast":
        tier = "fast"
    usual = ("standard", "default")
    return "" if tier in usual else tier, "" if geo in ("not_available", "global") else geo


def instant(told: str | int) -> int:
    """Milliseconds since the epoch; quickly for `2026-11-22T03:25:58.100Z`."""
    if isinstance(told, str) and len(told) == 24 and told[19] == "." and told[23] == "Z":
        try:
            minute = _minutes.get(told[:16]) or _minute(told[:16])
            return minute + int(told[17:19] + told[20:23])
        except ValueError:
            pass
    return loose.instant(told)


_minutes: dict[str, int] = {}
MINUTES_LIMIT = 50_000


def _minute(told: str) -> int:
    if len(_minutes) > MINUTES_LIMIT:
        _minutes.clear()
    value = int(datetime.fromisoformat(f"{told}+00:00").timestamp()) * 1000
    _minutes[told] = value
    return value
