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
from collections.abc import Iterator
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
CLOSING = ord("}")
TOOL = b'{"type":"tool_use","id":"'
MORE_TOOLS = b'},{"type":"tool_use","id":"'
SIDECHAIN = b'"isSidechain":true'
TIMESTAMP = b'"timestamp":"'
LOOK_BACK = 64 * 1024
ZULU = ord("Z")
API_ERROR = b'"subtype":"api_error"'
REQUEST = b'{"type":"api-request",'
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
    rb'"message":\{(?:"model":"([^"\\]*)","id":"([^"\\]*)","type":"message","role":"assistant"'
    rb'|"id":"([^"\\]*)","type":"message","role":"assistant","model":"([^"\\]*)"),"content":\['
).match
_AGENT = re.compile(rb'.*"agentId":"([^"\\]*)"').match
_TOOL = re.compile(rb'\{"type":"tool_use","id":"[^"]*","name":"([^"\\]*)"').match
_TAIL = re.compile(
    rb'\],"stop_reason":(null|"[^"]*"),"stop_sequence":(?:null|"[^"]*"),(?:"stop_details":null,)?'
    rb'("usage":\{"input_tokens":(\d{1,15}),"cache_creation_input_tokens":(\d{1,15}),'
    rb'"cache_read_input_tokens":(\d{1,15}),'
    rb'(?:"cache_creation":\{"ephemeral_5m_input_tokens":(\d{1,15}),'
    rb'"ephemeral_1h_input_tokens":(\d{1,15})\},)?'
    rb'"output_tokens":)(\d{1,15})'
    rb'((?:,"output_tokens_details":\{"thinking_tokens":(\d{1,15})\})?'
    rb'(?:,"server_tool_use":\{"web_search_requests":(\d{1,15})(?:,"web_fetch_requests":\d{1,15})?\})?'
    rb',"service_tier":(?:"([^"]*)"|null)'
    rb'(?:,"cache_creation":\{"ephemeral_1h_input_tokens":(\d{1,15}),'
    rb'"ephemeral_5m_input_tokens":(\d{1,15})\})?'
    rb'(?:,"inference_geo":(?:"([^"]*)"|null))?(?:,"iterations":(?:\[\]|null))?'
    rb'(?:,"speed":(?:"([^"]*)"|null))?(?:,"fallback_credit":null)?\}'
    rb'(?:,"\w+":null)*\}(?:,"\w+":(?:"[^"]*"|[\w.+-]+))*?,"type":"assistant","uuid":")[^"]*'
    rb'","timestamp":"([^"]*)"((?:,"\w+":(?:"[^"]*"|[\w.+-]+))*)\}$'
).match


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


class _Answer:
    """A message as its first line tells it, and by what its further lines are recognised.

    `same` is how they begin behind the parent's id, `told` their usage up to the digits of the
    output, `after` what follows the digits up to the line's own id, `rest` the length from the
    digits to the end.
    """

    __slots__ = (
        "after", "figures", "id", "model", "output", "rest", "run", "same", "start", "stopped",
        "thinking", "told", "tools",
    )  # fmt: skip

    def __init__(self, same: bytes, message: re.Match[bytes], tail: re.Match[bytes]) -> None:
        self.same = same
        self.model = message[1] or message[4]
        self.id = message[2] or message[3]
        self.figures = tail.groups()
        self.told, self.after = self.figures[1], self.figures[8]
        self.rest = tail.end() - tail.end(8)
        self.output = int(self.figures[7])
        self.thinking = int(self.figures[9] or 0)
        self.stopped = self.figures[0] != b"null"
        self.tools: tuple[str, ...] = ()
        self.run = ""
        self.start = 0

    def grow(self, line: "_Answer") -> bool:
        """Takes in another line of the message; False when more than its output differs."""
        if self.id != line.id or self.told != line.told:
            return False
        self.output = max(self.output, line.output)
        self.thinking = max(self.thinking, line.thinking)
        self.stopped = self.stopped or line.stopped
        return True

    def add_tools(self, block: bytes, begin: int, end: int) -> None:
        for tool in _tools(block, begin, end):
            if tool not in self.tools:
                self.tools += (tool,)


def _tools(block: bytes, begin: int, end: int) -> Iterator[str]:
    at = begin if block.startswith(TOOL, begin) else block.find(MORE_TOOLS, begin, end) + 2
    while at > 1:
        found = _TOOL(block, at, end)
        if found:
            yield loose.name(found[1].decode("utf-8", "replace"))
        at = block.find(MORE_TOOLS, at, end) + 2


class _Reading:
    """One pass over a block."""

    def __init__(self, block: bytes, source: Source, memory: Memory) -> None:
        self.calls: list[Call] = []
        self.bad_lines = 0
        self.memory = memory
        self._block = block
        self._source = source
        self._head = NEW_LINE
        self._run = source.run
        self._answer: _Answer | None = None
        self._same = NEW_LINE
        self._latest = -1

    def read(self) -> None:
        """Every line; the long way for those that the short one does not know."""
        block, find, starts = self._block, self._block.find, self._block.startswith
        end = len(block)
        start = len(BOM) if starts(BOM) else 0
        head = users = answers = same = NEW_LINE
        while start < end:
            stop = find(NEW_LINE, start)
            if stop < 0:
                stop = end
            body = start + _HEAD_LENGTH
            if starts(users, body) and block[stop - 1] == CLOSING:
                pass
            elif starts(answers, body) and (
                (starts(same, body) and self._further(body + len(same), stop))
                or self._first(start, body, stop)
            ):
                same = self._same
            else:
                self._long(start, stop)
                if self._head is not head:
                    head = self._head
                    users, answers = head + b'"type":"user"', head + b'"message":{'
            start = stop + 1
        self._close()
        self._finish()

    # --- the short way

    def _first(self, start: int, body: int, stop: int) -> bool:
        """Reads a line whose head is known; False when the rest of it is not."""
        block = self._block
        message = _MESSAGE(block, body + len(self._head), stop)
        cut = block.rfind(b'],"stop_reason":', max(body, stop - TAIL_LIMIT), stop)
        tail = _TAIL(block, cut, stop) if cut >= 0 else None
        if message is None or tail is None:
            return False
        line = _Answer(self._head + message[0], message, tail)
        known = self._answer
        if known is None or not known.grow(line):
            self._close()
            line.start, line.run = start, self._run
            self._answer = known = line
            self._same = line.same
        known.add_tools(block, message.end(), cut)
        return True

    def _further(self, content: int, stop: int) -> bool:
        """Reads another line of the same message; False when it differs in more than its output."""
        answer, block = self._answer, self._block
        if answer is None:
            return False
        told = block.rfind(answer.told, max(content, stop - TAIL_LIMIT), stop)
        comma = stop - answer.rest
        digits = block[told + len(answer.told) : comma]
        if told < 0 or not digits.isdigit() or len(digits) > 15:
            return False
        if not block.startswith(answer.after, comma) or block[stop - 1] != CLOSING:
            return False
        if not block.startswith(NO_STOP, told - len(NO_STOP)):
            if block.rfind(b'],"stop_reason":"', told - 120, told) < 0:
                return False
            answer.stopped = True
        answer.output = max(answer.output, int(digits))
        answer.add_tools(block, content, told)
        return True

    def _close(self) -> None:
        """Books the message being read."""
        answer, self._answer = self._answer, None
        self._same = NEW_LINE
        if answer is None or answer.model == b"<synthetic>":
            return
        (_, _, fresh, written, read, five, hour, _, _, _, searches, tier, late_hour, late_five,
         geo, speed, time, _) = answer.figures  # fmt: skip
        long_lived = int(hour or late_hour or 0)
        short_lived = max(int(five or late_five or 0), int(written) - long_lived)
        self._add(
            answer.start,
            Call(
                answer.id.decode("utf-8", "replace"),
                answer.run,
                _instant(time),
                _text(answer.model),
                Tokens(
                    int(fresh),
                    short_lived,
                    long_lived,
                    int(read),
                    answer.output,
                    answer.thinking,
                ),
                "",
                "exact" if answer.stopped else "estimated",
                "" if answer.stopped else NO_END,
                0,
                self._lifetime(short_lived, long_lived),
                LONG_WINDOW if b'[1m]"' in answer.after else None,
                _tier(_text(tier or b""), _text(speed or b"")),
                _geo(_text(geo or b"")),
                int(searches or 0),
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
        """Keeps the head of a line, to know the next ones by."""
        head = _HEAD(line)
        if head and head[1] != self._head:
            self._head = head[1]
            agent = _AGENT(head[1])
            name = _text(agent[1]) if agent else ""
            self._run = owner(self._source, sidechain=SIDECHAIN in head[1], agent=name)

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
            lifetime_ms=self._lifetime(tokens.cache_write_5m, tokens.cache_write_1h),
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
    value = usage.get(key)
    if value is None:
        return 0
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value < loose.FIGURE_LIMIT or value != int(value):
        raise ValueError(f"{key} is {value!r:.40}")
    return int(value)


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
    if len(raw) == 24 and raw[23] == ZULU:
        try:
            return (
                _hour(raw[:13])
                + int(raw[14:16]) * 60_000
                + int(raw[17:19]) * 1000
                + int(raw[20:23])
            )
        except ValueError:
            pass
    return loose.instant(raw.decode("utf-8", "replace"))


@lru_cache(maxsize=4096)
def _hour(raw: bytes) -> int:
    return int(datetime.fromisoformat(f"{raw.decode()}:00+00:00").timestamp()) * 1000
