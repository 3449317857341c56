"""kimi-cli: `~/.kimi/sessions/<md5 of cwd>/<session>/wire.jsonl` (`KIMI_SHARE_DIR` for `~/.kimi`).

A call is a `StatusUpdate` with `token_usage`, once a step, under the provider's message id; its
four classes are disjoint. Sub-agents speak in `SubagentEvent` lines. The model stands only in
`config.toml`, the directory only in `kimi.json`.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from cockpit.agents import folders, loose
from cockpit.agents.adapter import Books, Call, InterruptRule, Live, ProcessMark, Source
from cockpit.agents.edits import difference
from cockpit.agents.loose import Table
from cockpit.core import events as e
from cockpit.core.tokens import Tokens

WIRE = "wire.jsonl"
TOOLS_LIMIT = 64


class Memory(Struct):
    """Whether the run was told, the model of its calls, and the sub-agents told."""

    seen: bool = False
    model: str = ""
    tools: list[str] = []
    children: list[str] = []


class Kimi:
    """The adapter."""

    name = "kimi"
    short = "kimi"
    process = ProcessMark(names=("kimi", "kimi-cli"), scripts=("/bin/kimi", "/bin/kimi-cli"))
    interrupt = InterruptRule(group=True, first="SIGINT", grace_ms=3_000)
    """Not measured: the general rule."""

    def roots(self, home: Path, environment: Mapping[str, str]) -> list[Path]:
        base = environment.get("KIMI_SHARE_DIR")
        return [(Path(base) if base else home / ".kimi") / "sessions"]

    def sources(self, root: Path) -> Iterable[Source]:
        for project in folders.directories(root):
            for session in folders.directories(root / project):
                path = root / project / session / WIRE
                if path.exists():
                    yield self._source(path)

    def source(self, path: Path, root: Path) -> Source | None:
        match folders.below(path, root):
            case (_, _, "wire.jsonl"):
                return self._source(path)
            case _:
                return None

    def _source(self, path: Path) -> Source:
        session = path.parent.name
        return Source(self.name, str(path), "lines", f"kimi/{session}", session)

    def calls(self, block: bytes, source: Source, memory: bytes) -> Books:
        reading = _Reading(source, memory)
        reading.read(block)
        return Books(reading.calls, reading.bad_lines, loose.pack(reading.memory))

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
        self.memory = loose.unpack(memory, Memory)
        self.calls: list[Call] = []
        self.bad_lines = 0
        self.events: list[e.Event] = []

    def read(self, block: bytes) -> None:
        for line in loose.objects(block):
            if line is None:
                self.bad_lines += 1
                continue
            at, message = loose.instant(line.get("timestamp")), loose.table(line.get("message"))
            if not at:
                continue
            if not self.memory.seen:
                self.memory.seen = True
                self.events.extend(_first(self.source, at))
            self.take(message, self.source.run, at)

    def take(self, message: Table, run: str, at: int) -> None:
        kind, payload = message.get("type"), loose.table(message.get("payload"))
        if kind == "StatusUpdate":
            self.take_status(payload, run, at)
        elif kind == "SubagentEvent":
            self.take_child(payload, run, at)
        else:
            if kind == "ToolCall" and run == self.source.run:
                self.memory.tools = [*self.memory.tools, _function(payload)][-TOOLS_LIMIT:]
            self.events.extend(_events(kind, payload, run, at))

    def take_status(self, payload: Table, run: str, at: int) -> None:
        usage = loose.table(payload.get("token_usage"))
        if not usage:
            return
        self.memory.model = self.memory.model or _model(self.source)
        tools = tuple(self.memory.tools) if run == self.source.run else ()
        self.memory.tools = []
        id_ = loose.name(payload.get("message_id"))
        try:
            tokens = _tokens(usage)
        except ValueError:
            self.bad_lines += 1
            return
        self.calls.append(
            Call(
                id=id_ or f"{run}:{at}",
                run=run,
                at=at,
                model=self.memory.model,
                tokens=tokens,
                window=loose.count(payload.get("max_context_tokens")) or None,
                tools=tools,
            )
        )

    def take_child(self, payload: Table, run: str, at: int) -> None:
        id_ = payload.get("agent_id") or payload.get("parent_tool_call_id")
        child = f"{run}/{loose.name(id_)}"
        if child not in self.memory.children:
            self.memory.children.append(child)
            self.events.append(
                e.RunSeen(
                    run=child,
                    at=at,
                    agent=self.source.agent,
                    session=loose.name(id_),
                    parent=run,
                    source=self.source.path,
                )
            )
        inner = loose.table(payload.get("event"))
        if inner.get("type") != "SubagentEvent":
            self.take(inner, child, at)


def _tokens(usage: Table) -> Tokens:
    return Tokens(
        input=loose.figure(usage.get("input_other")),
        cache_write_5m=loose.figure(usage.get("input_cache_creation")),
        cache_read=loose.figure(usage.get("input_cache_read")),
        output=loose.figure(usage.get("output")),
    )


def _first(source: Source, at: int) -> Iterator[e.Event]:
    yield e.RunSeen(
        run=source.run, at=at, agent=source.agent, session=source.session, source=source.path
    )
    project, model = _project(source), _model(source)
    if project or model:
        yield e.RunDescribed(run=source.run, at=at, project=project or None, model=model or None)


def _share(source: Source) -> Path:
    return Path(source.path).parents[3]


def _project(source: Source) -> str:
    """The directory of the session: the one whose checksum names the folder."""
    import hashlib  # 5 ms that no other agent needs

    try:
        told = loose.table(loose.decode((_share(source) / "kimi.json").read_bytes()))
    except (OSError, IndexError):
        return ""
    folder = Path(source.path).parent.parent.name
    for entry in loose.tables(told.get("work_dirs")):
        path = loose.text(entry.get("path"))
        digest = hashlib.md5(path.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
        if digest in folder or entry.get("last_session_id") == source.session:
            return loose.name(path)
    return ""


def _model(source: Source) -> str:
    """The model that is configured now: the wire does not name any."""
    import tomllib  # only where a session has no model yet

    try:
        text = (_share(source) / "config.toml").read_text("utf-8", "replace")
        config = loose.table(tomllib.loads(text))
    except (OSError, ValueError, IndexError, RecursionError):
        return ""
    default = loose.text(config.get("default_model"))
    chosen = loose.table(loose.table(config.get("models")).get(default))
    return loose.name(chosen.get("model")) or loose.name(default)


def _function(payload: Table) -> str:
    return loose.name(loose.table(payload.get("function")).get("name"))


def _said(value: object) -> str:
    if isinstance(value, str):
        return loose.body(value)
    return loose.body("\n".join(loose.text(part.get("text")) for part in loose.tables(value)))


def _events(kind: object, payload: Table, run: str, at: int) -> Iterator[e.Event]:
    match kind:
        case "TurnBegin" | "SteerInput":
            yield e.PromptGiven(run=run, at=at, text=_said(payload.get("user_input")))
        case "ContentPart" if payload.get("type") == "think":
            yield e.ThoughtGiven(run=run, at=at, text=loose.body(payload.get("think")))
        case "ContentPart" if loose.text(payload.get("text")).strip():
            yield e.ReplyGiven(run=run, at=at, text=loose.body(payload.get("text")))
        case "ToolCall":
            yield _asked(payload, run, at)
        case "ToolResult":
            yield _result(payload, run, at)
        case _:
            yield from _turns(kind, payload, run, at)


def _turns(kind: object, payload: Table, run: str, at: int) -> Iterator[e.Event]:
    match kind:
        case "TurnEnd":
            yield e.TurnEnded(run=run, at=at)
        case "StepInterrupted":
            yield e.RunInterrupted(run=run, at=at)
        case "StepRetry":
            status, what = loose.count(payload.get("status_code")), payload.get("error_type")
            yield e.CallFailed(run=run, at=at, status=status, message=loose.name(what))
        case "CompactionEnd":
            yield e.ContextCompacted(run=run, at=at)
        case "ApprovalRequest":
            yield e.QuestionAsked(run=run, at=at, text=loose.body(payload.get("description")))
        case "QuestionRequest":
            asked = loose.tables(payload.get("questions"))
            question = asked[0].get("question") if asked else ""
            yield e.QuestionAsked(run=run, at=at, text=loose.body(question))
        case _:
            pass


def _asked(payload: Table, run: str, at: int) -> e.ToolStarted:
    arguments = loose.table(payload.get("function")).get("arguments")
    given = loose.decode(arguments) if isinstance(arguments, str) else arguments
    return e.ToolStarted(
        run=run,
        at=at,
        tool=loose.name(payload.get("id")),
        name=_function(payload),
        summary=loose.summary(given),
        arguments=loose.body(given),
    )


def _result(payload: Table, run: str, at: int) -> e.ToolEnded:
    value = loose.table(payload.get("return_value"))
    shown = [block for block in loose.tables(value.get("display")) if block.get("type") == "diff"]
    return e.ToolEnded(
        run=run,
        at=at,
        tool=loose.name(payload.get("tool_call_id")),
        ok=value.get("is_error") is not True,
        output=_said(value.get("output")) or loose.body(value.get("message")),
        diff="\n".join(
            difference(block.get("old_text"), block.get("new_text"), loose.name(block.get("path")))
            for block in shown
        ),
    )
