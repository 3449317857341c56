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
TAIL_LIMIT = 2_000
"""The tail of a line, from `stop_reason` on, is shorter than this, or the line is read the long way."""

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
    return Books(reading.calls, reading.bad_lines, loose.pack(reading.memory))


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

    __slots__ = ("answers", "between", "geo", "head", "model", "named", "run", "tier", "users")

    def __init__(self, head: bytes, run: str) -> None:
        self.head = head
        self.run = run
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


class _Answer:
    """A message, by its first line, and by what further lines of it are recognised.

    `same` is how they begin behind the parent's id, `told` their usage up to the digits of the
    output, `after` what follows the digits up to the line's own id, `rest` the length from the
    digits to the end.
    """

    __slots__ = (
        "after", "figures", "id", "output", "rest", "same", "shape", "start", "stopped", "time",
        "told", "tools",
    )  # fmt: skip

    def __init__(self, shape: _Shape, id_: bytes, figures: tuple[bytes, ...], time: bytes) -> None:
        self.shape = shape
        self.id = id_
        self.figures = figures
        self.time = time
        self.output = int(figures[5])
        self.stopped = False
        self.tools: tuple[str, ...] = ()
        self.start = self.rest = 0
        self.same = self.told = self.after = NEW_LINE


def _add_tools(answer: _Answer, block: bytes, begin: int, end: int) -> None:
    at = begin if block.startswith(TOOL, begin) else block.find(MORE_TOOLS, begin, end) + 2
    while at > 1:
        found = _TOOL(block, at, end)
        name = _text(found[1]) if found else ""
        if name and name not in answer.tools:
            answer.tools += (name,)
        at = block.find(MORE_TOOLS, at, end) + 2


class _Reading:
    """One pass over a block."""

    def __init__(self, block: bytes, source: Source, memory: Memory) -> None:
        self.calls: list[Call] = []
        self.bad_lines = 0
        self.memory = memory
        self._block = block
        self._source = source
        self._shape = _Shape(NEW_LINE, source.run)
        self._answer: _Answer | None = None
        self._latest = -1

    def read(self) -> None:
        """Every line; the long way for those that the short one does not know."""
        block, find, rfind = self._block, self._block.find, self._block.rfind
        starts = block.startswith
        end, start = len(block), len(BOM) if starts(BOM) else 0
        users = answers = same = told = after = NEW_LINE
        rest = 0
        while start < end:
            stop = find(NEW_LINE, start)
            if stop < 0:
                stop = end
            body = start + _HEAD_LENGTH
            if body >= stop:
                self._long(start, stop)
            elif starts(same, body):
                usage = rfind(told, max(body, stop - TAIL_LIMIT), stop)
                comma = stop - rest
                digits = block[usage + len(told) : comma]
                if (
                    usage > 0
                    and digits.isdigit()
                    and starts(after, comma)
                    and starts(LAST, stop - len(LAST))
                ):
                    self._grow(int(digits), usage, body + len(same))
                else:
                    self._long(start, stop)
            elif starts(users, body) and block[stop - 1] == CLOSING:
                pass
            elif starts(answers, body) and (answer := self._first(start, body, stop)):
                same, told, after, rest = answer.same, answer.told, answer.after, answer.rest
            else:
                self._long(start, stop)
                users, answers = self._shape.users, self._shape.answers
            if self._answer is None:
                same = NEW_LINE
            start = stop + 1
        self._close()
        self._finish()

    # --- the short way

    def _first(self, start: int, body: int, stop: int) -> "_Answer | None":
        """Reads the first line of a message; None when it is not written as its shape says."""
        block, shape = self._block, self._shape
        name = body + len(shape.answers)
        quote = block.find(b'"', name, stop)
        usage = block.rfind(USAGE_OBJECT, max(quote, stop - TAIL_LIMIT), stop)
        figures = _FIGURES(block, usage, stop) if usage > 0 else None
        if figures is None or not block.startswith(shape.named, quote):
            return None
        digits, ending = figures.end(), stop - ENDING_LENGTH
        request = digits + len(shape.between)
        if (
            not block.startswith(shape.between, digits)
            or not block.startswith(ENDING, ending)
            or block.find(b'"', request, stop) != ending
            or not block.startswith(LAST, stop - len(LAST))
        ):
            return None
        self._close()
        content = quote + len(shape.named)
        answer = _Answer(shape, block[name:quote], figures.groups(), block[stop - 26 : stop - 2])
        answer.start = start
        answer.same = block[body:content]
        answer.told = block[usage : figures.start(6)]
        answer.after = block[digits : ending + len(ENDING)]
        answer.rest = stop - digits
        self._answer = answer
        self._grow(0, usage, content)
        return answer

    def _grow(self, output: int, usage: int, content: int) -> None:
        """Adds to the message what one of its lines tells: output, whether it ended, tools."""
        block, answer = self._block, self._answer
        if answer is None:
            return
        if output > answer.output:
            answer.output = output
        if not block.startswith(NO_STOP, usage - len(NO_STOP)):
            answer.stopped = block.rfind(STOPPED, usage - 120, usage) > 0 or answer.stopped
        if block.startswith(TOOL, content) or block.find(MORE_TOOLS, content, usage) > 0:
            _add_tools(answer, block, content, usage)

    def _close(self) -> None:
        """Books the message being read."""
        answer, self._answer = self._answer, None
        if answer is None:
            return
        fresh, written, read, five, hour, _ = map(int, answer.figures)
        five = max(five, written - hour)
        shape = answer.shape
        self._add(
            answer.start,
            Call(
                answer.id.decode("utf-8", "replace"),
                shape.run,
                _instant(answer.time),
                shape.model,
                Tokens(fresh, five, hour, read, answer.output),
                "",
                "exact" if answer.stopped else "estimated",
                "" if answer.stopped else NO_END,
                0,
                self._lifetime(five, hour),
                None,
                shape.tier,
                shape.geo,
                0,
                answer.tools,
            ),
        )

    # --- the long way

    def _long(self, start: int, stop: int) -> None:
        line = self._block[start:stop].strip()
        if not line:
            return
        if not (line.startswith(b"{") and line.endswith(b"}")):
            self.bad_lines += 1
            return
        if line.startswith(REQUEST):
            self.memory.asked = loose.text(loose.table(loose.decode(line)).get("id"))
            return
        self._learn(line)
        if self.memory.asked and API_ERROR in line:
            self.memory.asked = ""
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
            self._close()
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
            self._shape = _Shape(head[1], run)
            self._shape.learn(line)

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
            self.memory.asked = ""
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
            lifetime_ms=_announced(usage)
            or self._lifetime(tokens.cache_write_5m, tokens.cache_write_1h),
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

    def _lifetime(self, five: int, hour: int) -> int | None:
        """How long the written prefix lives; a call that wrote nothing keeps the last one's."""
        if hour or five:
            self.memory.lifetime = HOUR if hour else MINUTES_5
        return self.memory.lifetime or None

    def _add(self, start: int, call: Call) -> None:
        if not self.calls or self.calls[-1].id != call.id:
            self._latest = start
        self.memory.asked = ""
        self.calls.append(call)

    def _finish(self) -> None:
        """Tells when the last call was asked for: at the time of the line before its first."""
        if self.calls:
            asked = self._time_before(self._latest) or self.memory.last
            call = self.calls[-1]
            if asked <= call.at:
                self.calls[-1] = replace(call, requested=asked)
        self.memory.last = self._time_before(len(self._block)) or self.memory.last

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
            return _minute(raw[:16]) + int(raw[17:19] + raw[20:23])
        except ValueError:
            pass
    return loose.instant(raw.decode("utf-8", "replace"))


@lru_cache(maxsize=65536)
def _minute(raw: bytes) -> int:
    return int(datetime.fromisoformat(f"{raw.decode()}+00:00").timestamp()) * 1000
