"""aider: `.aider.chat.history.md` in the repository it worked in, Markdown that is appended to.

There is no central folder: `AIDER_CHAT_HISTORY_FILE`, the folders that the settings name and the
directories of live processes are looked at. One file holds many runs, each under a header with
its local time, the only time told. A call is a line `Tokens: 2.5k sent, 55 received.`, rounded
and often itself an estimate, so that every figure is marked.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from cockpit.agents import folders, loose
from cockpit.agents.adapter import Books, Call, InterruptRule, Live, ProcessMark, Source
from cockpit.agents.told import mark
from cockpit.core import events as e
from cockpit.core.text import one_line
from cockpit.core.tokens import Tokens

HISTORY = ".aider.chat.history.md"
PROMPT, EDITED = "#### ", "> Applied edit to "
LINES_KEPT = 400
REASON = "aider writes rounded counts, which are often estimates of its own"
STEPS = {"": 1, "k": 1_000, "m": 1_000_000}

_HEADER = re.compile(r"# aider chat started at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)")
_MODEL = re.compile(r"> (?:Main m|M)odel: (\S+)")
_TOKENS = re.compile(r">? ?Tokens: (.{1,200}? received)")
_FIGURE = re.compile(r"([\d.]{1,12})([kKmM]?) (sent|cache write|cache hit|received)")


class Memory(Struct):
    """The run that the lines belong to, and what was gathered for it so far."""

    run: str = ""
    at: int = 0
    model: str = ""
    calls: int = 0
    prompt: list[str] = []
    reply: list[str] = []


class Aider:
    """The adapter."""

    name = "aider"
    short = "aider"
    process = ProcessMark(names=("aider",), scripts=("/bin/aider",))
    interrupt = InterruptRule(group=False, first="SIGINT", grace_ms=3_000)
    """It runs no tools of its own and ends at once."""

    def roots(self, home: Path, environment: Mapping[str, str]) -> list[Path]:
        named = environment.get("AIDER_CHAT_HISTORY_FILE")
        return [Path(named)] if named else []

    def sources(self, root: Path) -> Iterable[Source]:
        """The history in a repository, or in the repositories of a folder, or the file itself."""
        if root.is_file():
            yield self._source(root)
            return
        for folder in (root, *(root / name for name in folders.directories(root))):
            if (folder / HISTORY).is_file():
                yield self._source(folder / HISTORY)

    def source(self, path: Path, root: Path) -> Source | None:
        inside = path.name == HISTORY and len(folders.below(path, root)) in (1, 2)
        return self._source(path) if inside or path == root else None

    def _source(self, path: Path) -> Source:
        return Source(self.name, str(path), "lines")

    def calls(self, block: bytes, source: Source, memory: bytes) -> Books:
        reading = _Reading(source, memory)
        reading.read(block)
        return Books(reading.calls, 0, loose.pack(reading.memory))

    def story(self, block: bytes, source: Source, memory: bytes) -> list[e.Event]:
        reading = _Reading(source, memory)
        reading.read(block)
        return reading.events

    def registry(self, home: Path, environment: Mapping[str, str]) -> list[Live]:
        return []


class _Reading:
    """One pass over a block, for the calls and the story at once."""

    def __init__(self, source: Source, memory: bytes) -> None:
        self.source = source
        self.session = f"{mark(source.path):08x}"
        self.memory = loose.unpack(memory, Memory)
        self.calls: list[Call] = []
        self.events: list[e.Event] = []

    def read(self, block: bytes) -> None:
        for line in block.decode("utf-8", "replace").split("\n"):
            self.take(line.rstrip())

    def take(self, line: str) -> None:
        header = _HEADER.match(line)
        if header:
            self.begin(header[1])
        elif line.startswith(PROMPT):
            prompt = [*self.memory.prompt, line.removeprefix(PROMPT).strip()]
            self.memory.prompt = prompt[:LINES_KEPT]
        elif line:
            self.tell_prompt()
            self.take_words(line)

    def begin(self, started: str) -> None:
        """A header: another run, in the same file."""
        at = _local(started)
        run = f"aider/{self.session}:{at}"
        self.memory = Memory(run=run, at=at)
        self.events.append(
            e.RunSeen(
                run=run,
                at=at,
                agent=self.source.agent,
                session=f"{self.session}:{at}",
                source=self.source.path,
            )
        )
        project = one_line(str(Path(self.source.path).parent))
        self.events.append(e.RunDescribed(run=run, at=at, project=project))
        self.events.append(e.RunCaveat(run=run, at=at, reason=REASON))

    def take_words(self, line: str) -> None:
        model, tokens = _MODEL.match(line), _TOKENS.match(line)
        if tokens:
            self.take_tokens(tokens[1])
        elif model:
            self.memory.model = loose.name(model[1].rpartition("/")[2])
            self.tell(e.RunDescribed(run=self.run, at=self.memory.at, model=self.memory.model))
        elif line.startswith(EDITED):
            self.take_edit(loose.name(line.removeprefix(EDITED)))
        elif line.startswith(("> ^C", "> KeyboardInterrupt")):
            self.tell(e.RunInterrupted(run=self.run, at=self.memory.at))
        elif line.startswith("> litellm."):
            said = loose.body(line.removeprefix("> "))
            self.tell(e.CallFailed(run=self.run, at=self.memory.at, message=said))
        elif not line.startswith(">"):
            self.memory.reply = [*self.memory.reply, line][:LINES_KEPT]

    @property
    def run(self) -> str:
        return self.memory.run or f"aider/{self.session}"

    def tell(self, event: e.Event) -> None:
        self.events.append(event)

    def tell_prompt(self) -> None:
        if self.memory.prompt:
            said = loose.body("\n".join(self.memory.prompt))
            self.memory.prompt, self.memory.reply = [], []
            self.tell(e.PromptGiven(run=self.run, at=self.memory.at, text=said))

    def take_edit(self, path: str) -> None:
        tool, at = f"{path}#{self.memory.calls}", self.memory.at
        self.tell(e.ToolStarted(run=self.run, at=at, tool=tool, name="edit", summary=path))
        self.tell(e.ToolEnded(run=self.run, at=at, tool=tool))
        self.tell(e.TurnEnded(run=self.run, at=at))

    def take_tokens(self, report: str) -> None:
        """The line behind an answer: what it cost, and that the answer is over."""
        memory, at = self.memory, self.memory.at
        reply = loose.body("\n".join(memory.reply))
        if reply:
            self.tell(e.ReplyGiven(run=self.run, at=at, text=reply))
        memory.reply = []
        memory.calls += 1
        self.calls.append(
            Call(
                id=f"{self.run}:{memory.calls}",
                run=self.run,
                at=at,
                model=memory.model,
                tokens=_tokens(report),
                mark="estimated",
                reason=REASON,
            )
        )
        self.tell(e.TurnEnded(run=self.run, at=at))


def _local(started: str) -> int:
    """Milliseconds of a time without a zone: that of this machine, as aider writes it."""
    try:
        return max(0, int(datetime.fromisoformat(started).astimezone().timestamp() * 1000))
    except (ValueError, OverflowError):
        return 0


def _tokens(report: str) -> Tokens:
    """Tokens from `2.5k sent, 1.1k cache write, 1k cache hit, 55 received`; sent holds the cache."""
    told = {what: _figure(digits, step) for digits, step, what in _FIGURE.findall(report)}
    write, hit = told.get("cache write", 0), told.get("cache hit", 0)
    return Tokens(
        input=max(0, told.get("sent", 0) - write - hit),
        cache_write_5m=write,
        cache_read=hit,
        output=told.get("received", 0),
    )


def _figure(digits: str, step: str) -> int:
    try:
        return loose.count(round(float(digits) * STEPS[step.lower()]))
    except ValueError:
        return 0
