"""Model calls in Claude Code transcripts.

One answer is written as several lines, one for each content block; all carry the same `message.id`
and the whole usage, of which `output_tokens` may grow. Rules: lines of type `assistant`, never of
model `<synthetic>`; one call an id, figure by figure the largest (the index merges what different
blocks and files tell). The compaction request, and requests that were killed before an answer, are
in no line.

Gigabytes of history must be read before a person gets impatient, so a line is read in one of two
ways. The short way recognises lines as Claude Code writes them: by a head seen before, by the end
of the line as one regular expression, and, for further lines of a message, by what is equal in all
of them. Whatever it does not recognise is decoded as JSON, so nothing depends on the order of keys
or on white space.
"""

import re
from datetime import datetime
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from cockpit.agents import loose
from cockpit.agents.adapter import Books, Call, Source
from cockpit.core.tokens import Tokens

MINUTES_5 = 5 * 60_000
HOUR = 3_600_000
LONG_WINDOW = 1_000_000

NO_END = "no line tells how the answer ended: its output is at least this"
CUT_OFF = "the answer was cut off: its output is at least this"

BOM = b"\xef\xbb\xbf"
NEW_LINE = b"\n"
USAGE = b'usage"'
USAGE_OBJECT = b'"usage":{"input_tokens":'
STOP_REASON = b'],"stop_reason":'
STOPPED = b'],"stop_reason":"'
CLOSING = ord("}")
LAST = b'Z"}'
"""How a line ends whose last value is its time."""
TOOL = b'{"type":"tool_use","id":"'
MORE_TOOLS = b'},{"type":"tool_use","id":"'
SIDECHAIN = b'"isSidechain":true'
TIMESTAMP = b'"timestamp":"'
LOOK_BACK = 64 * 1024
ZULU, POINT = ord("Z"), ord(".")
API_ERROR = b'"subtype":"api_error"'
REQUEST = b'{"type":"api-request",'
ANSWER = b'"type":"assistant","uuid":'
SYNTHETIC = "<synthetic>"
NO_STOP = b'"stop_reason":null,"stop_sequence":null,'
NO_STOP_LENGTH = len(NO_STOP)

_HEAD = re.compile(
    rb'\{"parentUuid":"[^"]{36}"(,(?:"\w+":(?:"[^"]*"|[\w.+-]+),)*?)'
    rb'(?:"type":"user"|"message":\{(?:"model"|"id"):)'
).match
_HEAD_LENGTH = len('{"parentUuid":""') + 36
_MESSAGE = re.compile(
    rb'("message":\{(?:"model":"([^"\\]*)","id":"|"id":"))[^"\\]*'
    rb'("(?:,"type":"message","role":"assistant","model":"([^"\\]*)"|,"type":"message","role":"assistant")'
    rb',"content":\[)'
).match
_USAGE = (
    rb'"usage":\{"input_tokens":(\d{1,15}),"cache_creation_input_tokens":(\d{1,15}),'
    rb'"cache_read_input_tokens":(\d{1,15}),"cache_creation":\{"ephemeral_5m_input_tokens":'
    rb'(\d{1,15}),"ephemeral_1h_input_tokens":(\d{1,15})\},"output_tokens":(\d{1,15})'
)
_FIGURES = re.compile(_USAGE).match
_TAIL = re.compile(
    rb'\],"stop_reason":(?:null|"[^"]*"),"stop_sequence":(?:null|"[^"]*"),'
    + _USAGE.replace(b"(", b"(?:")
    + rb'(,"service_tier":"([^"]*)"(?:,"inference_geo":"([^"]*)")?\}\},"requestId":")[^"]*'
    rb'","type":"assistant","uuid":"[^"]{36}","timestamp":"[^"]{23}Z"\}$'
).match
ENDING = b'","type":"assistant","uuid":"'
ENDING_LENGTH = len(ENDING) + 36 + len('","timestamp":"') + 24 + len('"}')
_AGENT = re.compile(rb'.*"agentId":"([^"\\]*)"').match
_TOOL = re.compile(rb'\{"type":"tool_use","id":"[^"]*","name":"([^"\\]*)"').match


class Memory(Struct, array_like=True):
    """What the books of a transcript remember from block to block.

    `lifetime` is that of the last cache write, `asked` the `api-request` that has no answer yet,
    `last` the time of the last line that had one.
    """

    lifetime: int = 0
    asked: str = ""
    last: int = 0


def books(block: bytes, source: Source, memory: bytes) -> Books:
    """The calls in a block of lines.

    `requested` is told only for the last call of a block, the one whose cache may still be warm.
    """
    reading = _Reading(block, source, loose.unpack(memory, Memory))
    reading.read()
    return Books(reading.calls, reading.bad_lines, loose.pack(reading.memory()))


def owner(source: Source, *, sidechain: bool, agent: str) -> str:
    """The run that a line tells of: older versions wrote sub-agents into the session's file."""
    if not sidechain or source.parent is not None:
        return source.run
    return f"{source.run}/{agent or 'sidechain'}"


def owner_of(entry: loose.Table, source: Source) -> str:
    """`owner` of a decoded line."""
    agent = loose.name(entry.get("agentId"))
    return owner(source, sidechain=entry.get("isSidechain") is True, agent=agent)


class _Shape:
    """What the lines of a session have in common, learned from lines that were matched in full.

    Every line begins with the parent's id. Behind it comes `users` or `answers` (up to the id of
    the message), behind the message's id `named` (up to its content), and between the digits of
    the output and the id of the request `between`.
    """

    __slots__ = (
        "answers", "between", "geo", "head", "model", "named", "run", "source", "tier", "users",
    )  # fmt: skip

    def __init__(self, head: bytes, run: str, source: str) -> None:
        self.head = head
        self.run = run
        self.source = source
        self.model = self.tier = self.geo = ""
        self.users = head + b'"type":"user"'
        self.answers = self.named = self.between = NEW_LINE

    def learn(self, line: bytes) -> None:
        """Takes in an answer, if it is written in the way that can be read quickly."""
        message = _MESSAGE(line, _HEAD_LENGTH + len(self.head))
        tail = _TAIL(line, line.rfind(STOP_REASON)) if message else None
        model = _text(message[2] or message[4] or b"") if message else ""
        if message is None or tail is None or model in ("", SYNTHETIC):
            return
        self.answers = self.head + message[1]
        self.named = message[3]
        self.model = model
        self.between = tail[1]
        self.tier = _tier(_text(tail[2]), "")
        self.geo = _geo(_text(tail[3] or b""))


def _tools(block: bytes, begin: int, end: int, known: tuple[str, ...]) -> tuple[str, ...]:
    """The known tools and those that the content of a line asks for."""
    at = begin if block.startswith(TOOL, begin) else block.find(MORE_TOOLS, begin, end) + 2
    while at > 1:
        found = _TOOL(block, at, end)
        names = _names_of(found[1]) if found else ()
        if names and names[0] not in known:
            known += names
        at = block.find(MORE_TOOLS, at, end) + 2
    return known


@lru_cache(maxsize=256)
def _names_of(raw: bytes) -> tuple[str, ...]:
    name = _text(raw)
    return (name,) if name else ()


_shapes: dict[str, _Shape] = {}
SHAPES_LIMIT = 64


def _learned(source: Source) -> _Shape:
    """The shape that the last block of the same file left, to be learned only once a file."""
    shape = _shapes.get(source.path)
    if shape is not None and shape.source == source.run:
        return shape
    if len(_shapes) > SHAPES_LIMIT:
        _shapes.clear()
    return _Shape(NEW_LINE, source.run, source.run)


class _Reading:
    """One pass over a block."""

    def __init__(self, block: bytes, source: Source, memory: Memory) -> None:
        self.calls: list[Call] = []
        self.bad_lines = 0
        self._lifetime, self._asked, self._last = memory.lifetime, memory.asked, memory.last
        self._block = block
        self._source = source
        self._shape = _learned(source)
        self._latest = -1

    def memory(self) -> Memory:
        return Memory(self._lifetime, self._asked, self._last)

    def read(self) -> None:  # noqa: C901 - one call a line would cost as much as the reading
        """Every line; the long way for those that the short one does not know.

        While a message is open, `same` is how its further lines begin behind the parent's id,
        `told` their usage up to the digits of the output, `after` what follows the digits up to the
        line's own id, and `rest` the length from the digits to the end.
        """
        block, find, rfind = self._block, self._block.find, self._block.rfind
        starts, shape = block.startswith, self._shape
        end, start = len(block), len(BOM) if starts(BOM) else 0
        users, answers, named, between = shape.users, shape.answers, shape.named, shape.between
        same = told = after = id_ = time = NEW_LINE
        figures: tuple[bytes, ...] = ()
        tools: tuple[str, ...] = ()
        rest = output = opened = 0
        stopped = False
        while start < end:
            stop = find(NEW_LINE, start)
            if stop < 0:
                stop = end
            body = start + _HEAD_LENGTH
            if body >= stop:
                pass
            elif starts(same, body):
                usage = rfind(told, body, stop)
                comma = stop - rest
                digits = block[usage + len(told) : comma]
                if usage > 0 and digits.isdigit() and starts(after, comma) and starts(LAST, stop - 3):  # fmt: skip
                    if int(digits) > output:
                        output = int(digits)
                    if not starts(NO_STOP, usage - NO_STOP_LENGTH):
                        stopped = rfind(STOPPED, usage - 120, usage) > 0 or stopped
                    content = body + len(same)
                    if starts(TOOL, content) or find(MORE_TOOLS, content, usage) > 0:
                        tools = _tools(block, content, usage, tools)
                    start = stop + 1
                    continue
            elif starts(users, body):
                if block[stop - 1] == CLOSING:
                    start = stop + 1
                    continue
            elif starts(answers, body):
                name = body + len(answers)
                quote = find(b'"', name, stop)
                usage = rfind(USAGE_OBJECT, name, stop)
                found = _FIGURES(block, usage, stop) if usage > 0 else None
                if found and starts(named, quote):
                    digits_end, ending = found.end(), stop - ENDING_LENGTH
                    if (
                        starts(between, digits_end)
                        and starts(ENDING, ending)
                        and find(b'"', digits_end + len(between), stop) == ending
                        and starts(LAST, stop - 3)
                    ):
                        if figures:
                            self._book(opened, id_, figures, time, output, stopped, tools)
                        opened, id_, figures = start, block[name:quote], found.groups()
                        time, output, tools = block[stop - 26 : stop - 2], int(figures[5]), ()
                        content = quote + len(named)
                        same, told = block[body:content], block[usage : found.start(6)]
                        after, rest = block[digits_end : ending + len(ENDING)], stop - digits_end
                        stopped = (
                            not starts(NO_STOP, usage - NO_STOP_LENGTH)
                            and rfind(STOPPED, usage - 120, usage) > 0
                        )
                        if starts(TOOL, content) or find(MORE_TOOLS, content, usage) > 0:
                            tools = _tools(block, content, usage, tools)
                        start = stop + 1
                        continue
            if figures:
                self._book(opened, id_, figures, time, output, stopped, tools)
                figures, same = (), NEW_LINE
            self._long(start, stop)
            if self._shape is not shape:
                shape = self._shape
                users, answers = shape.users, shape.answers
                named, between = shape.named, shape.between
            start = stop + 1
        if figures:
            self._book(opened, id_, figures, time, output, stopped, tools)
        self._finish()

    # --- the short way

    def _book(
        self,
        start: int,
        id_: bytes,
        figures: tuple[bytes, ...],
        time: bytes,
        output: int,
        stopped: bool,
        tools: tuple[str, ...],
    ) -> None:
        """Books a message whose lines were read the short way."""
        fresh, written, read, five, hour, _ = map(int, figures)
        if five + hour < written:
            five = written - hour
        shape = self._shape
        if hour:
            self._lifetime = HOUR
        elif five:
            self._lifetime = MINUTES_5
        call = Call(
            id_.decode("utf-8", "replace"),
            shape.run,
            _instant(time),
            shape.model,
            Tokens(fresh, five, hour, read, output),
            "",
            "exact" if stopped else "estimated",
            "" if stopped else NO_END,
            0,
            self._lifetime or None,
            None,
            shape.tier,
            shape.geo,
            0,
            tools,
        )
        self._add(start, call)

    # --- the long way

    def _long(self, start: int, stop: int) -> None:
        line = self._block[start:stop].strip()
        if not line:
            return
        if not (line.startswith(b"{") and line.endswith(b"}")):
            self.bad_lines += 1
            return
        if line.startswith(REQUEST):
            self._asked = loose.text(loose.table(loose.decode(line)).get("id"))
            return
        self._learn(line)
        if self._asked and API_ERROR in line:
            self._asked = ""
        if USAGE not in line:
            return
        entry = loose.decode(line)
        try:
            call = self._call(loose.table(entry)) if entry is not None else None
        except ValueError:
            self.bad_lines += 1
            return
        if not isinstance(entry, dict):
            self.bad_lines += 1
        elif call is not None:
            self._add(start, call)

    def _learn(self, line: bytes) -> None:
        """Keeps how a line is written, to know the next ones by."""
        head = _HEAD(line)
        if head is None:
            return
        if head[1] != self._shape.head or ANSWER in line:
            agent = _AGENT(head[1])
            name = _text(agent[1]) if agent else ""
            run = owner(self._source, sidechain=SIDECHAIN in head[1], agent=name)
            self._shape = _Shape(head[1], run, self._source.run)
            self._shape.learn(line)
            _shapes[self._source.path] = self._shape

    def _call(self, entry: loose.Table) -> Call | None:
        """The call an entry tells of, if it does.

        Raises:
            ValueError: when a figure is none.
        """
        message = loose.table(entry.get("message"))
        usage = loose.table(message.get("usage"))
        kind = entry.get("type", "assistant" if message.get("role") == "assistant" else "")
        model = loose.name(message.get("model"))
        if model == SYNTHETIC:
            self._asked = ""
        if not usage or kind != "assistant" or model == SYNTHETIC:
            return None
        run = owner_of(entry, self._source)
        stopped = isinstance(message.get("stop_reason"), str)
        cut = entry.get("isAbortedMidStream") is True
        tokens = _tokens(usage)
        return Call(
            id=loose.text(message.get("id")) or f"{run}:{_own_id(entry, tokens)}",
            run=run,
            at=loose.instant(entry.get("timestamp")),
            model=model,
            tokens=tokens,
            mark="exact" if stopped else "estimated",
            reason="" if stopped else CUT_OFF if cut else NO_END,
            lifetime_ms=_announced(usage) or self._lives(tokens),
            window=LONG_WINDOW
            if loose.text(entry.get("requestedModel")).endswith("[1m]")
            else None,
            tier=_tier(loose.name(usage.get("service_tier")), loose.name(usage.get("speed"))),
            geo=_geo(loose.name(usage.get("inference_geo"))),
            searches=loose.count(
                loose.table(usage.get("server_tool_use")).get("web_search_requests")
            ),
            tools=_names(message.get("content")),
        )

    # --- both

    def _lives(self, tokens: Tokens) -> int | None:
        """How long the written prefix lives; a call that wrote nothing keeps the last one's."""
        if tokens.cache_write_1h:
            self._lifetime = HOUR
        elif tokens.cache_write_5m:
            self._lifetime = MINUTES_5
        return self._lifetime or None

    def _add(self, start: int, call: Call) -> None:
        if not self.calls or self.calls[-1].id != call.id:
            self._latest = start
        self._asked = ""
        self.calls.append(call)

    def _finish(self) -> None:
        """Tells when the last call was asked for: at the time of the line before its first."""
        if self.calls:
            asked = self._time_before(self._latest) or self._last
            call = self.calls[-1]
            if asked <= call.at:
                self.calls[-1] = replace(call, requested=asked)
        self._last = self._time_before(len(self._block)) or self._last

    def _time_before(self, end: int) -> int:
        found = self._block.rfind(TIMESTAMP, max(0, end - LOOK_BACK), end)
        if found < 0:
            return 0
        begin = found + len(TIMESTAMP)
        return _instant(self._block[begin : self._block.find(b'"', begin, begin + 40)])


def _names(content: object) -> tuple[str, ...]:
    tools = [loose.name(part.get("name")) for part in loose.tables(content) if part.get("type") == "tool_use"]  # fmt: skip
    return tuple(dict.fromkeys(tools))


def _own_id(entry: loose.Table, tokens: Tokens) -> str:
    """Tells lines without a message id apart, the same way whatever file holds them."""
    return (
        loose.text(entry.get("requestId"))
        or loose.text(entry.get("uuid"))
        or (f"{loose.text(entry.get('timestamp'))}:{tokens.total}")
    )


def _announced(usage: loose.Table) -> int | None:
    """A provider that keeps prefixes for other times than the usual ones says so: `ttl_s`."""
    created = loose.table(usage.get("cache_creation"))
    seconds = loose.table(created.get("ttl_s"))
    long_lived = loose.count(created.get("ephemeral_1h_input_tokens")) > 0
    return loose.count(seconds.get("1h" if long_lived else "5m")) * 1000 or None


def _tokens(usage: loose.Table) -> Tokens:
    """Usage as tokens: what the provider's own steps add up to, where that is more than the top.

    With compaction on the provider's side the top level leaves the compaction out.
    """
    top = _plain_tokens(usage)
    steps = loose.tables(usage.get("iterations"))
    return top.largest(sum(map(_plain_tokens, steps), Tokens())) if steps else top


def _plain_tokens(usage: loose.Table) -> Tokens:
    split = loose.table(usage.get("cache_creation"))
    written = _figure(usage, "cache_creation_input_tokens")
    hour = _figure(split, "ephemeral_1h_input_tokens")
    return Tokens(
        input=_figure(usage, "input_tokens"),
        cache_write_5m=max(_figure(split, "ephemeral_5m_input_tokens"), written - hour),
        cache_write_1h=hour,
        cache_read=_figure(usage, "cache_read_input_tokens"),
        output=_figure(usage, "output_tokens"),
        reasoning=_figure(loose.table(usage.get("output_tokens_details")), "thinking_tokens"),
    )


def _figure(usage: loose.Table, key: str) -> int:
    return loose.figure(usage.get(key))


@lru_cache(maxsize=1024)
def _text(raw: bytes) -> str:
    return loose.name(raw.decode("utf-8", "replace"))


@lru_cache(maxsize=64)
def _tier(service: str, speed: str) -> str:
    """What changes the price; empty for the usual."""
    if speed == "fast":
        return speed
    return "" if service in ("standard", "default") else service


def _geo(place: str) -> str:
    return "" if place in ("not_available", "global") else place


def _instant(raw: bytes) -> int:
    """Milliseconds since the epoch; quickly for `2026-11-22T03:25:58.100Z`."""
    if len(raw) == 24 and raw[23] == ZULU and raw[19] == POINT:
        try:
            minute = _minutes.get(raw[:16]) or _minute(raw[:16])
            return minute + int(raw[17:19] + raw[20:23])
        except ValueError:
            pass
    return loose.instant(raw.decode("utf-8", "replace"))


_minutes: dict[bytes, int] = {}
MINUTES_LIMIT = 50_000


def _minute(raw: bytes) -> int:
    if len(_minutes) > MINUTES_LIMIT:
        _minutes.clear()
    value = int(datetime.fromisoformat(f"{raw.decode()}+00:00").timestamp()) * 1000
    _minutes[raw] = value
    return value
