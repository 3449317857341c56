"""Model calls in Claude Code transcripts.

One answer is written as several lines, one for each content block; all carry the same `message.id`
and the whole usage, of which `output_tokens` may grow. Rules: lines of type `assistant`, never of
model `<synthetic>`; one call an id, figure by figure the largest (the index merges what different
blocks and files tell). The compaction request, and requests that were killed before an answer, are
in no line.

Gigabytes of history must be read before a person gets impatient: the lines of a block are decoded
all at once, and in ever smaller parts only where that is refused.
"""

from collections.abc import Sequence

from msgspec import Struct

from cockpit.agents import claude_line, loose
from cockpit.agents.adapter import Books, History, Source
from cockpit.agents.claude_line import ASSISTANT, NO_USAGE, Line, Tools, Usage
from cockpit.agents.claude_line import HOUR as HOUR
from cockpit.agents.claude_line import MINUTES_5 as MINUTES_5
from cockpit.agents.claude_line import SYNTHETIC as SYNTHETIC
from cockpit.core.call import Told, as_call

BOM = b"\xef\xbb\xbf"
NEW_LINE = b"\n"
PARTS = 16
USER, REQUEST, API_ERROR = "user", "api-request", "api_error"


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
    reading = _Reading(source, loose.unpack(memory, Memory), tools=True)
    reading.read(block, len(block))
    calls = [as_call(told) for told in reading.told]
    return Books(calls, reading.bad_lines, loose.pack(reading.memory))


def history(block: bytes, end: int, source: Source, memory: bytes) -> History:
    """The same without the tools, a third quicker."""
    reading = _Reading(source, loose.unpack(memory, Memory), tools=False)
    reading.read(block, end)
    return History(reading.told, reading.bad_lines, loose.pack(reading.memory))


def owner_of(entry: loose.Table, source: Source) -> str:
    """The run that a decoded line tells of."""
    sidechain = entry.get("isSidechain") is True
    return claude_line.owner(
        Line(is_sidechain=sidechain, agent_id=loose.text(entry.get("agentId"))), source
    )


class _Reading:
    """One pass over a block."""

    def __init__(self, source: Source, memory: Memory, *, tools: bool) -> None:
        self.told: list[Told] = []
        self.bad_lines = 0
        self.memory = memory
        self._source = source
        self._tools: Tools = () if tools else None

    def read(self, block: bytes, end: int) -> None:
        """Tells every call: an answer's lines follow each other, and say the same but for the output."""
        id_, usage, output, ended, tools = "", NO_USAGE, 0, False, self._tools
        opened: Line | None = None
        lines = self._lines(block, len(BOM) if block.startswith(BOM) else 0, end)
        for line in lines:
            message = line.message
            now = message.usage
            if now is None:
                continue
            if (
                not message.id or line.type != ASSISTANT or message.model == SYNTHETIC
            ) and not self._is_answer(line):
                continue
            figure, now.output_tokens = now.output_tokens, 0
            if message.id == id_ and now == usage:
                if figure > output:
                    output = figure
            else:
                if opened is not None:
                    self._tell(opened, usage, output, ended, tools)
                opened, id_, usage, output = line, message.id, now, figure
                ended, tools = False, self._tools
            if message.stop_reason is not None:
                ended = True
            if tools is not None:
                tools = tuple(dict.fromkeys(tools + claude_line.tools_of(line)))
        if opened is not None:
            self._tell(opened, usage, output, ended, tools)
        self._remember(lines, opened)

    def _remember(self, lines: Sequence[Line], opened: Line | None) -> None:
        """Tells when the last call, which began with the line `opened`, was asked for.

        What follows its first line may tell of a request that still waits for its answer.
        """
        memory, first = self.memory, len(lines)
        asked: str | None = None
        while first > 0 and (line := lines[first := first - 1]) is not opened:
            if asked is None:
                asked = _asked(line)
        if opened is not None:
            self._ask(self._moment(lines, first))
            asked = asked or ""
        memory.asked = memory.asked if asked is None else asked
        memory.last = self._moment(lines, len(lines))

    def _moment(self, lines: Sequence[Line], until: int) -> int:
        """The time of the last line before this place that has one."""
        for place in range(until - 1, -1, -1):
            if at := lines[place].timestamp:
                return claude_line.instant(at)
        return self.memory.last

    def _lines(self, block: bytes, start: int, end: int) -> Sequence[Line]:
        """The lines between two places, all at once; part by part where one is not written as expected."""
        decode = claude_line.lines if self._tools is None else claude_line.whole_lines
        try:
            return decode(memoryview(block)[start:end])
        except claude_line.REFUSED:
            parts = _parts(block, start, end)
            if len(parts) == 1:
                return self._damaged(block[start:end].strip())
            return [line for here, there in parts for line in self._lines(block, here, there)]

    def _damaged(self, raw: bytes) -> Sequence[Line]:
        """What can be read of a line that is not written as expected."""
        line = claude_line.patient(raw)
        if line is not None:
            return [line]
        try:
            return claude_line.whole_lines(raw)  # two may lack the new line between them
        except claude_line.REFUSED:
            self.bad_lines += 1
            return []

    def _is_answer(self, line: Line) -> bool:
        """Whether a line tells of a call after all: what it lacks is told by other keys."""
        message = line.message
        if not line.type and message.role == ASSISTANT:
            line.type = ASSISTANT
        if line.type != ASSISTANT or _failed(line):
            return False
        if not message.id:
            claude_line.identify(line, self._source)
        return True

    def _tell(self, line: Line, usage: Usage, output: int, ended: bool, tools: Tools) -> None:
        source, memory = self._source, self.memory
        run = claude_line.owner(line, source) if line.is_sidechain else source.run
        told, memory.lifetime = claude_line.tell(
            line, usage, run, output, ended, memory.lifetime, tools
        )
        self.told.append(told)

    def _ask(self, asked: int) -> None:
        """Tells when the last call was asked for: at the time of the line before its first."""
        id_, run, at, _, *more = self.told[-1]
        if asked <= at:
            self.told[-1] = (id_, run, at, asked, *more)  # type: ignore[assignment]


def _asked(line: Line) -> str | None:
    """The request that waits for its answer after this line: none is empty, None says nothing of it."""
    if line.type == USER:
        return None
    if line.type == REQUEST:
        return line.id
    return "" if _failed(line) else None


def _failed(line: Line) -> bool:
    return line.subtype == API_ERROR or claude_line.cleaned(line.message.model) == SYNTHETIC


def _parts(block: bytes, start: int, end: int) -> list[tuple[int, int]]:
    """The lines between two places in some sixteen parts; one part is one line."""
    step, found = (end - start) // PARTS, []
    while start < end:
        near = start + step
        stop = (
            block.rfind(NEW_LINE, start, near) + 1 or block.find(NEW_LINE, near, end - 1) + 1 or end
        )
        found.append((start, stop))
        start = stop
    return found
