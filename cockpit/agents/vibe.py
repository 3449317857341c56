"""Mistral Vibe: `~/.vibe/logs/session/unified/<id>/{meta.json,journal/*.jsonl}` (`VIBE_HOME`).

A call is an `action_result` with usage, once for each `action_id`; the `core_input` behind it
repeats the same figures and is left alone. `input_tokens` holds what was cached. Results carry no
time: the last one told before them stands for it. When a session is resumed its earlier journals
are packed away without the figures, so that what cockpit did not see then is missing.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from cockpit.agents import folders, loose
from cockpit.agents.adapter import Books, Call, InterruptRule, Live, ProcessMark, Source
from cockpit.agents.loose import Table
from cockpit.agents.told import keep, mark, recall
from cockpit.core import events as e
from cockpit.core.tokens import Tokens

CAVEAT = "Vibe packed away the journal of earlier turns, whose calls are missing if not seen then"
FIRST_JOURNAL = "0000000000000001.jsonl"

_UPDATED = re.compile(rb'"updatedAt":(\d{13})')


class Memory(Struct):
    """What the records before told: the last time, the model, and what is not told twice."""

    at: int = 0
    model: str = ""
    turn: str = ""
    question: str = ""
    begun: bool = False


class Vibe:
    """The adapter."""

    name = "vibe"
    short = "vibe"
    process = ProcessMark(names=("vibe-rs", "vibe"), scripts=("/bin/vibe",))
    interrupt = InterruptRule(group=False, first="SIGINT", grace_ms=4_000)
    """Either signal ends it with its tools, in about two seconds."""

    def roots(self, home: Path, environment: Mapping[str, str]) -> list[Path]:
        base = environment.get("VIBE_HOME")
        return [(Path(base) if base else home / ".vibe") / "logs" / "session" / "unified"]

    def sources(self, root: Path) -> Iterable[Source]:
        """`meta.json` names no run of its own: the journal is the run's source."""
        for session in folders.directories(root):
            directory = root / session
            names = [name for name in folders.files(directory) if name == "meta.json"]
            names += [f"journal/{name}" for name in folders.files(directory / "journal")]
            for name in names:
                source = self.source(directory / name, root)
                if source is not None:
                    yield source

    def source(self, path: Path, root: Path) -> Source | None:
        match folders.below(path, root):
            case (session, "meta.json"):
                return Source(self.name, str(path), "document", session=session)
            case (session, "journal", name) if name.endswith(".jsonl"):
                return Source(self.name, str(path), "lines", f"vibe/{session}", session)
            case _:
                return None

    def calls(self, block: bytes, source: Source, memory: bytes) -> Books:
        if source.form == "document":
            meta = loose.decode(block)
            bad = 0 if isinstance(meta, dict) else 1
            return Books([], bad, keep(memory, [_state_of(loose.table(meta))]))
        reading = _Reading(source, memory)
        reading.read(block)
        return Books(reading.calls, reading.bad_lines, loose.pack(reading.memory))

    def story(self, block: bytes, source: Source, memory: bytes) -> list[e.Event]:
        if source.form == "document":
            meta = loose.table(loose.decode(block))
            known = not meta or _state_of(meta) in recall(memory)
            return [] if known else list(_meta_events(meta, source))
        reading = _Reading(source, memory)
        reading.read(block)
        return reading.events

    def registry(self, home: Path, environment: Mapping[str, str]) -> list[Live]:
        return []


def _state_of(meta: Table) -> int:
    model = loose.table(meta.get("config")).get("model_name")
    return mark(meta.get("title"), model, meta.get("git_branch"))


def _meta_events(meta: Table, source: Source) -> Iterator[e.Event]:
    run, at = f"vibe/{source.session}", loose.instant(meta.get("start_time"))
    parent, title = loose.name(meta.get("parent_session_id")), loose.name(meta.get("title"))
    yield e.RunSeen(
        run=run,
        at=at,
        agent=source.agent,
        session=source.session,
        parent=f"vibe/{parent}" if parent else None,
    )
    where = loose.table(meta.get("environment")).get("working_directory")
    yield e.RunDescribed(
        run=run,
        at=at,
        name=title or None,
        titled=bool(title),
        model=loose.name(loose.table(meta.get("config")).get("model_name")) or None,
        project=loose.name(where) or None,
        branch=loose.name(meta.get("git_branch")) or None,
    )


class _Reading:
    """One pass over a block of a journal, for the calls and the story at once."""

    def __init__(self, source: Source, memory: bytes) -> None:
        self.source = source
        self.run = source.run
        self.memory = loose.unpack(memory, Memory)
        self.calls: list[Call] = []
        self.bad_lines = 0
        self.events: list[e.Event] = []

    def read(self, block: bytes) -> None:
        for line in block.split(b"\n"):
            if line.strip():
                self.take(line)

    def take(self, line: bytes) -> None:
        times = _UPDATED.findall(line)
        self.memory.at = max(self.memory.at, *map(int, times)) if times else self.memory.at
        if b'"action_result"' not in line and b'"projection_delta"' not in line:
            self.bad_lines += not (line.startswith(b"{") and line.rstrip().endswith(b"}"))
            return
        record = loose.decode(line)
        if not isinstance(record, dict):
            self.bad_lines += 1
            return
        payload = loose.table(record.get("payload"))
        if record.get("type") == "action_result":
            self.take_result(payload)
        elif record.get("type") == "projection_delta":
            for change in loose.tables(payload.get("delta")):
                self.take_change(change)

    def take_result(self, payload: Table) -> None:
        outer = loose.table(payload.get("result"))
        result = loose.table(outer.get("result"))
        usage = loose.table(result.get("usage"))
        if usage:
            self.memory.model = self.memory.model or _model_beside(self.source)
            try:
                self.calls.append(self.call(loose.text(payload.get("action_id")), result, usage))
            except ValueError:
                self.bad_lines += 1
        elif loose.text(outer.get("type")).startswith("completion_") and not result:
            said = loose.body(outer.get("error") or outer.get("message"))
            self.events.append(e.CallFailed(run=self.run, at=self.memory.at, message=said))

    def call(self, action: str, result: Table, usage: Table) -> Call:
        read = loose.figure(usage.get("cached_input_tokens"))
        parts = loose.tables(result.get("parts"))
        return Call(
            id=f"vibe:{action}",
            run=self.run,
            at=self.memory.at,
            requested=self.memory.at,
            model=self.memory.model,
            tokens=Tokens(
                input=max(0, loose.figure(usage.get("input_tokens")) - read),
                cache_read=read,
                output=loose.figure(usage.get("output_tokens")),
            ),
            tools=tuple(loose.name(p.get("name")) for p in parts if p.get("type") == "tool_call"),
        )

    def take_change(self, change: Table) -> None:
        if not self.memory.begun and _is_rotated(Path(self.source.path)):
            self.events.append(e.RunCaveat(run=self.run, at=self.memory.at, reason=CAVEAT))
        self.memory.begun = True
        entry = loose.table(change.get("entry"))
        match change.get("op"), entry.get("type"):
            case "append_entry", "message":
                self.events.extend(_message_events(entry, self.run))
            case (("append_entry" | "replace_entry"), "effect"):
                self.events.extend(_tool_events(entry, self.run))
            case "set_envelope", _:
                self.take_state(loose.table(change.get("state")))
            case _:
                pass

    def take_state(self, state: Table) -> None:
        """The session's state after a change: whether the turn ended, what is asked."""
        turn = loose.table(state.get("latestTurn"))
        id_, status = loose.name(turn.get("id")), loose.name(turn.get("status"))
        at = loose.instant(turn.get("completedAt")) or self.memory.at
        if status not in ("", "in_progress") and id_ != self.memory.turn:
            self.memory.turn = id_
            if status == "completed":
                self.events.append(e.TurnEnded(run=self.run, at=at))
            else:
                self.events.append(e.RunInterrupted(run=self.run, at=at, text=status))
        asked = loose.tables(state.get("activeCallbacks"))
        question = loose.summary(asked[0]) if asked else ""
        if question and question != self.memory.question:
            self.events.append(e.QuestionAsked(run=self.run, at=self.memory.at, text=question))
        self.memory.question = question


def _is_rotated(journal: Path) -> bool:
    return journal.name != FIRST_JOURNAL and not journal.with_name(FIRST_JOURNAL).exists()


def _model_beside(source: Source) -> str:
    path = Path(source.path).parent.parent / "meta.json"
    try:
        meta = loose.table(loose.decode(path.read_bytes()))
    except OSError:
        return ""
    return loose.name(loose.table(meta.get("config")).get("model_name"))


def _message_events(entry: Table, run: str) -> Iterator[e.Event]:
    at = loose.instant(entry.get("createdAt"))
    parts = loose.tables(entry.get("content"))
    said = loose.body("\n".join(loose.text(part.get("text")) for part in parts).strip())
    if not said:
        return
    if entry.get("role") == "user":
        yield e.PromptGiven(run=run, at=at, text=said)
    elif entry.get("role") == "assistant":
        yield e.ReplyGiven(run=run, at=at, text=said)


def _tool_events(entry: Table, run: str) -> Iterator[e.Event]:
    detail, state = loose.table(entry.get("detail")), loose.table(entry.get("state"))
    tool, status = loose.name(entry.get("id")), state.get("status")
    if status == "running":
        yield e.ToolStarted(
            run=run,
            at=loose.instant(entry.get("createdAt")),
            tool=tool,
            name=loose.name(detail.get("toolName")).removeprefix("file_system."),
            summary=loose.summary(detail.get("input")),
            arguments=loose.body(detail.get("input")),
        )
    elif entry.get("generationStatus") != "in_progress":
        output = loose.table(state.get("output"))
        content = loose.table(output.get("structured_content"))
        told = [loose.text(content.get(key)) for key in ("stdout", "stderr", "content")]
        shown = loose.table(state.get("display"))
        failed = shown.get("success") is False or content.get("returncode") not in (0, None)
        yield e.ToolEnded(
            run=run,
            at=loose.instant(entry.get("updatedAt")),
            tool=tool,
            ok=status == "completed" and not failed,
            output=loose.body("".join(told) or state.get("outputText")),
        )
