"""Model calls in Claude Code transcripts.

One answer is written as several lines, one for each content block; all carry the same `message.id`
and the whole usage, of which `output_tokens` may grow. Rules: lines of type `assistant`, never of
model `<synthetic>`; one call an id, figure by figure the largest (the index merges what different
blocks and files tell). The compaction request, and requests that were killed before an answer, are
in no line.

Gigabytes of history must be read before a person gets impatient, and there one step of Python a
line is what costs: to walk over all lines takes a fifth of the time of the fastest reader in Rust,
to decode every line more than all of it. So a line is read in the first of these ways that fits:

1. It begins as the open message began and ends as its last line did: only the digits of its output
   can be new, and they stand at a known distance from its end.
2. It begins as this session's user lines do: no call.
3. It begins as this session's answers do: what stands behind the content is decoded.
4. Any other line that has a usage is decoded as a whole; ways 1 to 3 are learned from it.
"""

import re
from functools import lru_cache

from msgspec import Struct

from cockpit.agents import claude_line, loose
from cockpit.agents.adapter import Books, History, Source
from cockpit.agents.claude_line import ASSISTANT, NO_LINE, Line, Usage
from cockpit.agents.claude_line import HOUR as HOUR
from cockpit.agents.claude_line import MINUTES_5 as MINUTES_5
from cockpit.agents.claude_line import SYNTHETIC as SYNTHETIC
from cockpit.agents.claude_shape import HEAD_LENGTH, NEVER, shape_of
from cockpit.core.call import Told, as_call

BOM = b"\xef\xbb\xbf"
NEW_LINE = b"\n"
USAGE = b'usage"'
USAGE_KEY = b'"usage":{'
OUTPUT = b'"output_tokens":'
STOP_REASON = b'],"stop_reason":'
STOPPED = b'],"stop_reason":"'
TOOL = b'{"type":"tool_use","id":"'
MORE_TOOLS = b'},{"type":"tool_use","id":"'
NO_STOP = b'"stop_reason":null,"stop_sequence":null,'
NO_STOP_LENGTH = len(NO_STOP)
STOP_ROOM = 120
"""How far before the usage the reason of a stop begins."""
WITHOUT_CONTENT = b'{"message":{"content":['
"""Put before what stands behind the content, it makes an object of it again."""
OPENING, CLOSING = ord("{"), ord("}")
LAST = b'Z"}'
"""How a line ends whose last value is its time."""
ENDING = b'"type":"assistant","uuid":"'
ENDING_LENGTH = len(ENDING) + 36 + len('","timestamp":"') + 24 + len('"}')
ID_LENGTH = ENDING_LENGTH - len(ENDING)
DIGITS = 16
"""More than a figure can have."""
GLUED = b'}{"'
ANOTHER = b'{"parentUuid":'
"""Begins a line; within one it tells that two were written without a new line between them."""
TIMESTAMP = b'"timestamp":"'
LOOK_BACK = 64 * 1024
API_ERROR = b'"subtype":"api_error"'
REQUEST = b'{"type":"api-request",'

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
    reading = _Reading(block, source, loose.unpack(memory, Memory), len(block), tools=True)
    reading.read()
    calls = [as_call(told) for told in reading.told]
    return Books(calls, reading.bad_lines, loose.pack(reading.memory()))


def history(block: bytes, end: int, source: Source, memory: bytes) -> History:
    """The same as quickly as can be: without the tools, a sixth of the time."""
    reading = _Reading(block, source, loose.unpack(memory, Memory), end, tools=False)
    reading.read()
    return History(reading.told, reading.bad_lines, loose.pack(reading.memory()))


def owner_of(entry: loose.Table, source: Source) -> str:
    """The run that a decoded line tells of."""
    agent = loose.name(entry.get("agentId"))
    return claude_line.owner(source, sidechain=entry.get("isSidechain") is True, agent=agent)


class _Reading:
    """One pass over a block."""

    def __init__(
        self, block: bytes, source: Source, memory: Memory, end: int, *, tools: bool
    ) -> None:
        self.told: list[Told] = []
        self.bad_lines = 0
        self._lifetime, self._asked, self._last = memory.lifetime, memory.asked, memory.last
        self._block, self._end = block, end
        self._source = source
        self._tools = tools
        self._shape = shape_of(source)
        self._latest = -1

    def memory(self) -> Memory:
        return Memory(self._lifetime, self._asked, self._last)

    def read(self) -> None:  # noqa: C901 - a call for every line would cost as much as the reading
        """Every line, in the first way that fits.

        While a message is `opened`, `same` is how its further lines begin behind the parent's id,
        `told` their usage up to the digits of the output, `after` what follows the digits up to the
        line's own id, and `rest` the length from the digits to the end.
        """
        block, find, rfind, starts = self._block, self._block.find, self._block.rfind, self._block.startswith  # fmt: skip
        typed, refused, with_tools = claude_line.typed, claude_line.REFUSED, self._tools
        shape = self._shape
        users, answers, named = shape.users, shape.answers, shape.named
        opened: Line | None = None
        usage = claude_line.NO_USAGE
        same = told = after = id_ = NEVER
        tools: tuple[str, ...] = ()
        rest = output = told_length = opened_at = 0
        stopped = False
        end, start = self._end, len(BOM) if starts(BOM) else 0
        while start < end:
            stop = find(NEW_LINE, start, end)
            if stop < 0:
                stop = end
            body = start + HEAD_LENGTH
            if body >= stop:
                pass
            elif starts(same, body):
                comma = stop - rest
                if starts(after, comma) and starts(LAST, stop - 3):
                    colon = rfind(b":", comma - DIGITS, comma) + 1
                    digits, usage_at = block[colon:comma], colon - told_length
                    if starts(told, usage_at) and digits.isdigit():
                        figure = int(digits)
                        if figure > output:
                            output = figure
                        if not stopped and not starts(NO_STOP, usage_at - NO_STOP_LENGTH):
                            stopped = rfind(STOPPED, usage_at - STOP_ROOM, usage_at) > 0
                        if with_tools:
                            tools = _tools(block, body + len(same), usage_at, tools)
                        start = stop + 1
                        continue
            elif starts(users, body) and block[stop - 1] == CLOSING:
                start = stop + 1
                continue
            if starts(answers, body):
                name = body + len(answers)
                quote = find(b'"', name, stop)
                content = quote + len(named)
                tail = rfind(STOP_REASON, content, stop) if starts(named, quote) else -1
                try:
                    line = (
                        typed(WITHOUT_CONTENT + block[tail:stop])
                        if tail > 0 and find(ANOTHER, content, tail) < 0
                        else NO_LINE
                    )
                except refused:
                    line = NO_LINE
                message, now = line.message, line.message.usage
                if (
                    now is not None
                    and line.type == ASSISTANT
                    and line.timestamp
                    and line.agent_id == shape.agent
                ):
                    name_, figure, now.output_tokens = block[name:quote], now.output_tokens, 0
                    ended = message.stop_reason is not None
                    if opened is not None and name_ == id_ and now == usage:
                        output, stopped = max(output, figure), stopped or ended
                    else:
                        if opened is not None:
                            self._book(opened_at, id_, opened, usage, output, stopped, tools)
                        opened, opened_at, id_, usage = line, start, name_, now
                        output, stopped, tools = figure, ended, ()
                    same = NEVER
                    if (
                        starts(ENDING, stop - ENDING_LENGTH)
                        and not stopped
                        and not usage.iterations
                    ):
                        digits_at = rfind(OUTPUT, tail, stop) + len(OUTPUT)
                        told_at = find(USAGE_KEY, tail, digits_at)
                        comma = find(b",", digits_at, stop)
                        if told_at > 0 and block[digits_at:comma] == b"%d" % figure:
                            same, told = block[body:content], block[told_at:digits_at]
                            after = block[comma : stop - ID_LENGTH]
                            rest, told_length = stop - comma, digits_at - told_at
                    if with_tools:
                        tools = _tools(block, content, tail, tools)
                    start = stop + 1
                    continue
            if opened is not None:
                self._book(opened_at, id_, opened, usage, output, stopped, tools)
                opened, same = None, NEVER
            self._other(start, stop)
            users, answers, named = shape.users, shape.answers, shape.named
            start = stop + 1
        if opened is not None:
            self._book(opened_at, id_, opened, usage, output, stopped, tools)
        self._finish()

    def _book(
        self,
        start: int,
        id_: bytes,
        line: Line,
        usage: Usage,
        output: int,
        stopped: bool,
        tools: tuple[str, ...],
    ) -> None:
        """Books a message whose lines were read the short ways."""
        shape = self._shape
        self._asked, self._latest = "", start
        self._lifetime = claude_line.tell(self.told, line, usage, id_, shape.run, shape.model, output, stopped, self._lifetime, tools if self._tools else None)  # fmt: skip

    def _other(self, start: int, stop: int) -> None:
        """A line that was not recognised."""
        block = self._block
        if block[start] != OPENING or block[stop - 1] != CLOSING:
            raw = block[start:stop].strip()
            if raw and not (raw.startswith(b"{") and raw.endswith(b"}")):
                self.bad_lines += 1
                return
        if block.startswith(REQUEST, start):
            self._asked = loose.text(loose.table(loose.decode(block[start:stop])).get("id"))
            return
        if self._asked and block.find(API_ERROR, start, stop) > 0:
            self._asked = ""
        if block.find(USAGE, start, stop) > 0:
            self._whole(block[start:stop].strip(), start)
        else:
            self._shape.learn_user(block, start, stop)

    def _whole(self, raw: bytes, start: int) -> None:
        self._shape.learn_user(raw, 0, len(raw))
        line = _decoded(raw)
        if line is None:
            left, glue, right = raw.partition(GLUED)
            if not glue or _decoded(left + b"}") is None or _decoded(b'{"' + right) is None:
                self.bad_lines += 1
                return
            self._whole(left + b"}", start)
            self._whole(b'{"' + right, start)
            return
        message, usage = line.message, claude_line.usage_of(line)
        if message.model == SYNTHETIC:
            self._asked = ""
        if usage is None:
            return
        agent, model = claude_line.cleaned(line.agent_id or ""), claude_line.cleaned(message.model)
        run = claude_line.owner(self._source, sidechain=line.is_sidechain is True, agent=agent)
        id_ = message.id or f"{run}:{claude_line.own_id(line, usage)}"
        stopped, tools = message.stop_reason is not None, claude_line.tools_of(message)
        encoded = id_.encode("utf-8", "replace")
        if not self.told or self.told[-1][0] != encoded:
            self._latest = start
        self._asked = ""
        self._lifetime = claude_line.tell(self.told, line, usage, encoded, run, model, usage.output_tokens, stopped, self._lifetime, tools)  # fmt: skip
        self._shape.learn_answer(raw, line, message, run, model)

    def _finish(self) -> None:
        """Tells when the last call was asked for: at the time of the line before its first."""
        if self.told:
            asked = self._time_before(self._latest) or self._last
            id_, run, at, _, *more = self.told[-1]
            if asked <= at:
                self.told[-1] = (id_, run, at, asked, *more)  # type: ignore[assignment]
        self._last = self._time_before(self._end) or self._last

    def _time_before(self, end: int) -> int:
        found = self._block.rfind(TIMESTAMP, max(0, end - LOOK_BACK), end)
        if found < 0:
            return 0
        begin = found + len(TIMESTAMP)
        told = self._block[begin : self._block.find(b'"', begin, begin + 40)]
        return claude_line.instant(told.decode("utf-8", "replace"))


def _decoded(raw: bytes) -> Line | None:
    try:
        return claude_line.typed(raw)
    except claude_line.REFUSED:
        pass
    entry = loose.decode(raw)
    if not isinstance(entry, dict):
        return None
    try:
        return claude_line.patient(entry)
    except ValueError:
        return None


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
    name = loose.name(raw.decode("utf-8", "replace"))
    return (name,) if name else ()
