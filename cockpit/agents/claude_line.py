"""One line of a Claude Code transcript as a model call, whatever the order of its keys.

A line is decoded into typed structs, which skips the content: by far the larger part, and a tenth
of the time that dictionaries take. What does not fit the types is read once more with patience.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

from cockpit.agents import loose
from cockpit.agents.adapter import Source
from cockpit.core.call import KindKey, Told
from cockpit.core.tokens import Tokens

MINUTES_5 = 5 * 60_000
HOUR = 3_600_000
LONG_WINDOW = 1_000_000

NO_END = "no line tells how the answer ended: its output is at least this"
CUT_OFF = "the answer was cut off: its output is at least this"
SYNTHETIC = "<synthetic>"
ASSISTANT = "assistant"
OTHER = "?"

Tools = tuple[str, ...] | None
Figures = tuple[int, int, int, int, int, int]
Figure = Annotated[int, Meta(ge=0, lt=loose.FIGURE_LIMIT)]
Instant = Annotated[datetime, Meta(tz=True)] | int
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


class Writes(Struct, gc=False):
    """Cache writes by lifetime; `ttl_s` only from providers with lifetimes of their own."""

    ephemeral_5m_input_tokens: Figure = 0
    ephemeral_1h_input_tokens: Figure = 0
    ttl_s: dict[str, int] | None = None


class Details(Struct, gc=False):
    """What the output was made of."""

    thinking_tokens: Figure = 0


class Searches(Struct, gc=False):
    """What the provider itself looked up."""

    web_search_requests: Figure = 0


class Step(Struct, gc=False):
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


class Usage(Step, gc=False):
    """Figures of a call, and the conditions that change its price."""

    iterations: list[Step] | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    server_tool_use: Searches | None = None


NO_USAGE = Usage()


class Part(Struct, gc=False):
    """A piece of an answer."""

    type: str = ""
    name: str = ""


class Message(Struct, gc=False):
    """The provider's answer, or a piece of it."""

    id: str = ""
    model: str = ""
    role: str = ""
    stop_reason: str | None = None
    usage: Usage | None = None


class WholeMessage(Message, gc=False):
    """With its content."""

    content: list[Part] | str | None = None


class Line(Struct, rename="camel", gc=False):
    """What the books need of a line; `type` is empty where it is absent."""

    message: Message = field(default_factory=Message)
    type: str = ""
    timestamp: Instant = 0
    uuid: str = ""
    request_id: str = ""
    is_sidechain: bool | None = None
    agent_id: str | None = None
    requested_model: str | None = None
    is_aborted_mid_stream: bool | None = None
    subtype: str = ""
    id: str = ""


class WholeLine(Line, rename="camel", gc=False):
    """With the tools that an answer asks for."""

    message: WholeMessage = field(default_factory=WholeMessage)


lines = msgspec.json.Decoder(Line).decode_lines
"""Decodes lines that are written as expected, with their keys in any order. Raises what `REFUSED` names."""
whole_lines = msgspec.json.Decoder(WholeLine).decode_lines
REFUSED = (msgspec.MsgspecError, RecursionError)


def patient(raw: bytes) -> WholeLine | None:
    """The same of a line that does not fit the types; None when it cannot be read at all."""
    entry = loose.decode(raw)
    if not isinstance(entry, dict):
        return None
    message = loose.table(entry.get("message"))
    usage = loose.table(message.get("usage"))
    try:
        figures = _usage(usage) if usage else None
    except ValueError:
        return None
    return WholeLine(
        message=WholeMessage(
            id=loose.text(message.get("id")),
            model=loose.text(message.get("model")),
            role=loose.text(message.get("role")),
            stop_reason=loose.text(message.get("stop_reason")) or None,
            usage=figures,
            content=[
                Part(loose.text(part.get("type")), loose.text(part.get("name")))
                for part in loose.tables(message.get("content"))
            ],
        ),
        type=(loose.text(entry["type"]) or OTHER) if "type" in entry else "",
        timestamp=loose.instant(entry.get("timestamp")),
        is_sidechain=entry.get("isSidechain") is True,
        agent_id=loose.text(entry.get("agentId")),
        requested_model=loose.text(entry.get("requestedModel")),
        is_aborted_mid_stream=entry.get("isAbortedMidStream") is True,
        subtype=loose.text(entry.get("subtype")),
        id=loose.text(entry.get("id")),
        uuid=loose.text(entry.get("uuid")),
        request_id=loose.text(entry.get("requestId")),
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


def identify(line: Line, source: Source) -> None:
    """Gives a message without an id one that is the same whatever file holds its line."""
    usage = line.message.usage or NO_USAGE
    own = line.request_id or line.uuid or f"{instant(line.timestamp)}:{usage.tokens().total}"
    line.message.id = f"{owner(line, source)}:{own}"


def tell(
    line: Line, usage: Usage, run: str, output: int, stopped: bool, last: int, tools: Tools
) -> tuple[Told, int]:
    """The call that a line tells of, with what only its neighbours know.

    What was written lives as long as its class says; a call that wrote nothing keeps the `last`
    one's lifetime. Also gives what is the last one's now.
    """
    message, at = line.message, line.timestamp
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
    figures = (
        usage.input_tokens, five, hour, usage.cache_read_input_tokens, output,
        0 if details is None else details.thinking_tokens,
    )  # fmt: skip
    if usage.iterations:
        figures = _with_steps(figures, usage.iterations)
    kind = _kind(
        message.model, usage.service_tier, usage.speed, usage.inference_geo,
        line.requested_model, line.is_aborted_mid_stream, stopped, announced or last,
    )  # fmt: skip
    searches = usage.server_tool_use
    return (
        message.id.encode("utf-8", "replace"), run, instant(at), 0, kind, *figures,
        0 if searches is None else searches.web_search_requests, tools,
    ), last  # fmt: skip


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


def tools_of(line: Line) -> tuple[str, ...]:
    """The tools an answer asks for, each once; only of whole lines."""
    content = line.message.content if isinstance(line, WholeLine) else None
    parts = content if isinstance(content, list) else ()
    asked = (cleaned(part.name) for part in parts if part.type == "tool_use")
    return tuple(dict.fromkeys(asked))


def owner(line: Line, source: Source) -> str:
    """The run that a line tells of: older versions wrote sub-agents into the session's file."""
    if not line.is_sidechain or source.parent is not None:
        return source.run
    return f"{source.run}/{cleaned(line.agent_id or '') or 'sidechain'}"


@lru_cache(maxsize=1024)
def cleaned(text: str) -> str:
    """A name as it may be shown."""
    return loose.name(text)


@lru_cache(maxsize=1024)
def _kind(
    model: str, service: str | None, speed: str | None, place: str | None, requested: str | None,
    aborted: bool | None, stopped: bool, lifetime: int,
) -> KindKey:  # fmt: skip
    """What many calls have in common; tier and geography only where they change the price."""
    tier, geo = loose.name(service), loose.name(place)
    if loose.name(speed) == "fast":
        tier = "fast"
    return (
        loose.name(model), "",
        "" if tier in ("standard", "default") else tier,
        "" if geo in ("not_available", "global") else geo,
        "exact" if stopped else "estimated",
        "" if stopped else CUT_OFF if aborted else NO_END,
        lifetime or None,
        LONG_WINDOW if requested is not None and requested.endswith("[1m]") else None,
    )  # fmt: skip


def instant(told: Instant) -> int:
    """Milliseconds since the epoch."""
    return loose.instant(told) if isinstance(told, int) else (told - EPOCH) // MILLISECOND
