"""Gemini CLI: `~/.gemini/tmp/<project>/chats/session-<time>-<id>.jsonl` (`GEMINI_CLI_HOME`).

A message is written again, with the same id, after its tools ended, and `$set` lines replace
fields of the session, sometimes all messages. Repeated figures never shrink, so the last line of
an id is also the largest. `input` holds what was cached, `output` leaves out the thoughts, and
tokens of tool prompts come on top. Older versions wrote one JSON document a session.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from cockpit.agents import folders, loose
from cockpit.agents.adapter import Books, Call, InterruptRule, Live, ProcessMark, Source
from cockpit.agents.loose import Table
from cockpit.agents.told import keep, mark, recall
from cockpit.core import events as e
from cockpit.core.tokens import Tokens

CONTEXT_PREFIX = "<session_context>"
FAILED = ("error", "cancelled")
EXIT_CODE = re.compile(r"^Exit Code: [1-9]", re.MULTILINE)
"""A command that failed is a success of the tool: only its text tells."""

_SESSION_FILE = re.compile(r"session-.+-([0-9a-f]{8})\.jsonl?$")
_LINE_ID = re.compile(rb'^\s*\{"id":"([^"\\]{1,200})"', re.MULTILINE)


class Gemini:
    """The adapter."""

    name = "gemini"
    short = "gemini"
    process = ProcessMark(names=("gemini",), scripts=("/bin/gemini", "/gemini-cli/dist/index.js"))
    interrupt = InterruptRule(group=True, first="SIGINT", grace_ms=3_000)
    """The wrapper swallows both signals, so the group; its tools survive and are swept."""

    def roots(self, home: Path, environment: Mapping[str, str]) -> list[Path]:
        base = environment.get("GEMINI_CLI_HOME")
        return [(Path(base) if base else home) / ".gemini" / "tmp"]

    def sources(self, root: Path) -> Iterable[Source]:
        for project in folders.directories(root):
            chats = root / project / "chats"
            yield from self._sources_in(chats)

    def _sources_in(self, chats: Path) -> Iterator[Source]:
        for name in folders.files(chats):
            source = self._main(chats / name)
            if source is not None:
                yield source
        for session in folders.directories(chats):
            for name in folders.files(chats / session):
                source = self._child(chats / session / name)
                if source is not None:
                    yield source

    def source(self, path: Path, root: Path) -> Source | None:
        match folders.below(path, root):
            case (_, "chats", _):
                return self._main(path)
            case (_, "chats", _, _):
                return self._child(path)
            case _:
                return None

    def _main(self, path: Path) -> Source | None:
        named = _SESSION_FILE.match(path.name)
        if named is None:
            return None
        run, session = f"gemini/{named[1]}", named[1]
        if path.suffix == ".json":
            return Source(self.name, str(path), "document", run, session)
        return Source(self.name, str(path), "lines", run, session)

    def _child(self, path: Path) -> Source | None:
        if path.suffix != ".jsonl":
            return None
        parent = f"gemini/{path.parent.name[:8]}"
        return Source(self.name, str(path), "lines", f"gemini/{path.stem}", path.stem, parent)

    def calls(self, block: bytes, source: Source, memory: bytes) -> Books:
        told: list[int] = []
        found: list[Call] = []
        bad = 0
        for message in _messages(block, source, only_calls=True):
            if message is None:
                bad += 1
                continue
            told.extend(_ids(message))
            try:
                found.extend(_calls(message, source))
            except ValueError:
                bad += 1
        told.extend(mark(id_.decode("utf-8", "replace")) for id_ in _LINE_ID.findall(block))
        return Books(found, bad, keep(memory, told))

    def story(self, block: bytes, source: Source, memory: bytes) -> list[e.Event]:
        told = recall(memory)
        events: list[e.Event] = []
        for message in _messages(block, source, only_calls=False):
            if message is not None:
                events.extend(_events(message, source, told))
                told.update(_ids(message))
        return events

    def registry(self, home: Path, environment: Mapping[str, str]) -> list[Live]:
        return []


def _messages(block: bytes, source: Source, *, only_calls: bool) -> Iterator[Table | None]:
    """The messages in a block, those inside patches too, and session headers; None for bad lines."""
    if source.form == "document":
        session = loose.decode(block)
        if not isinstance(session, dict):
            yield None
            return
        yield session
        yield from loose.tables(session.get("messages"))
        return
    for line in loose.objects(block, having=b'"gemini"' if only_calls else b""):
        yield line
        if line is not None and "$set" in line:
            yield from loose.tables(loose.table(line["$set"]).get("messages"))


def _ids(message: Table) -> Iterator[int]:
    id_ = loose.text(message.get("id"))
    if id_:
        yield mark(id_)
    for tool in loose.tables(message.get("toolCalls")):
        yield mark(loose.text(tool.get("id")))


def _calls(message: Table, source: Source) -> Iterator[Call]:
    told, id_ = loose.table(message.get("tokens")), loose.text(message.get("id"))
    if message.get("type") != "gemini" or not told or not id_:
        return
    read, thoughts = loose.figure(told.get("cached")), loose.figure(told.get("thoughts"))
    yield Call(
        id=f"gemini:{id_}",
        run=source.run,
        at=loose.instant(message.get("timestamp")),
        model=loose.name(message.get("model")),
        provider="google",
        tokens=Tokens(
            input=max(0, loose.figure(told.get("input")) - read) + loose.figure(told.get("tool")),
            cache_read=read,
            output=loose.figure(told.get("output")) + thoughts,
            reasoning=thoughts,
        ),
        tools=tuple(loose.name(t.get("name")) for t in loose.tables(message.get("toolCalls"))),
    )


def _events(message: Table, source: Source, told: set[int]) -> Iterator[e.Event]:
    if "sessionId" in message and "id" not in message:
        yield from _header(message, source)
        return
    run, at = source.run, loose.instant(message.get("timestamp"))
    if mark(loose.text(message.get("id"))) not in told:
        said = _said(message.get("content"))
        match message.get("type"):
            case "user" if said and not said.startswith(CONTEXT_PREFIX):
                yield e.PromptGiven(run=run, at=at, text=said)
            case "gemini":
                yield from _answer(message, run, at, said)
            case "error":
                yield e.CallFailed(run=run, at=at, message=said)
            case "info" if "cancel" in said.lower():
                yield e.RunInterrupted(run=run, at=at, text=said)
            case _:
                pass
    for tool in loose.tables(message.get("toolCalls")):
        if mark(loose.text(tool.get("id"))) not in told:
            yield from _tool(tool, run, at if message.get("tokens") else 0)


def _header(session: Table, source: Source) -> Iterator[e.Event]:
    at, run = loose.instant(session.get("startTime")), source.run
    chats = Path(source.path).parent
    tmp = chats.parent.parent if source.parent else chats.parent
    yield e.RunSeen(
        run=run,
        at=at,
        agent=source.agent,
        session=loose.name(session.get("sessionId")) or source.session,
        parent=source.parent,
        source=source.path,
    )
    project = loose.name(folders.line_of(tmp / ".project_root"))
    title = loose.name(session.get("summary"))
    yield e.RunDescribed(
        run=run, at=at, project=project or None, name=title or None, titled=bool(title)
    )


def _said(content: object) -> str:
    if isinstance(content, str):
        return loose.body(content)
    return loose.body(
        "\n".join(loose.text(part.get("text")) for part in loose.tables(content)).strip()
    )


def _answer(message: Table, run: str, at: int, said: str) -> Iterator[e.Event]:
    for thought in loose.tables(message.get("thoughts")):
        about = f"{loose.text(thought.get('subject'))}\n{loose.text(thought.get('description'))}"
        yield e.ThoughtGiven(run=run, at=at, text=loose.body(about.strip()))
    if said.strip():
        yield e.ReplyGiven(run=run, at=at, text=said)


def _tool(tool: Table, run: str, at: int) -> Iterator[e.Event]:
    """A tool call that has ended; `at` is 0 in lines that gather the tools of several answers."""
    id_, arguments = loose.name(tool.get("id")), loose.table(tool.get("args"))
    output, ended = _output(tool), loose.instant(tool.get("timestamp"))
    yield e.ToolStarted(
        run=run,
        at=at or ended,
        tool=id_,
        name=loose.name(tool.get("name")),
        summary=loose.summary(arguments),
        arguments=loose.body(arguments),
    )
    shown = tool.get("resultDisplay")
    yield e.ToolEnded(
        run=run,
        at=ended or at,
        tool=id_,
        ok=tool.get("status") not in FAILED and not EXIT_CODE.search(output),
        output=output or (loose.body(shown) if isinstance(shown, str) else ""),
        diff=loose.body(loose.table(shown).get("fileDiff")),
    )


def _output(tool: Table) -> str:
    answers = [
        loose.table(loose.table(part.get("functionResponse")).get("response"))
        for part in loose.tables(tool.get("result"))
    ]
    return loose.body("\n".join(loose.text(a.get("output") or a.get("error")) for a in answers))
