"""Copilot CLI: `~/.copilot/session-state/<session>/events.jsonl` (`COPILOT_HOME`).

A call is a `session.usage_record`, written once, under the provider's own id; `inputTokens` holds
cache reads and writes. Sub-agents speak in the same file, told apart by `agentId`. Versions before
1.0.100 have no usage records: there each answer tells its output only, and the sums at shutdown
bring the rest; both are marked.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from cockpit.agents import folders, loose
from cockpit.agents.adapter import Books, Call, InterruptRule, Live, ProcessMark, Source
from cockpit.agents.loose import Table
from cockpit.core import events as e
from cockpit.core.tokens import Tokens

REASON = "this version of Copilot tells the tokens it read only when a session is shut down"
EVENTS = "events.jsonl"


class Seen(Struct):
    """Whether usage records were seen, and the output booked without them, by model."""

    records: bool = False
    outputs: dict[str, int] = {}


class Copilot:
    """The adapter."""

    name = "copilot"
    short = "copilot"
    process = ProcessMark(
        names=("copilot",), scripts=("/bin/copilot", "/copilot/index.js", "/copilot/npm-loader.js")
    )
    interrupt = InterruptRule(group=True, first="SIGINT", grace_ms=3_000)
    """The wrapper alone dies and the agent works on, so the group."""

    def roots(self, home: Path, environment: Mapping[str, str]) -> list[Path]:
        base = environment.get("COPILOT_HOME")
        return [(Path(base) if base else home / ".copilot") / "session-state"]

    def sources(self, root: Path) -> Iterable[Source]:
        for session in folders.directories(root):
            if not session.startswith(".") and (root / session / EVENTS).exists():
                yield self._source(root / session / EVENTS, session)
        for name in folders.files(root):
            if name.endswith(".jsonl"):
                yield self._source(root / name, name.removesuffix(".jsonl"))

    def source(self, path: Path, root: Path) -> Source | None:
        match folders.below(path, root):
            case (session, "events.jsonl") if not session.startswith("."):
                return self._source(path, session)
            case (name,) if name.endswith(".jsonl"):
                return self._source(path, path.stem)
            case _:
                return None

    def _source(self, path: Path, session: str) -> Source:
        return Source(self.name, str(path), "lines", f"copilot/{session}", session)

    def calls(self, block: bytes, source: Source, memory: bytes) -> Books:
        seen = loose.unpack(memory, Seen)
        found: list[Call] = []
        bad = 0
        for line in loose.objects(block, having=b"okens"):
            if line is None:
                bad += 1
                continue
            try:
                found.extend(_calls(line, source, seen))
            except ValueError:
                bad += 1
        return Books(found, bad, loose.pack(seen))

    def story(self, block: bytes, source: Source, memory: bytes) -> list[e.Event]:
        return [
            event
            for line in loose.objects(block)
            if line is not None
            for event in _events(line, source)
        ]

    def registry(self, home: Path, environment: Mapping[str, str]) -> list[Live]:
        return []


def _run(line: Table, source: Source) -> str:
    agent = loose.name(line.get("agentId"))
    return f"{source.run}/{agent}" if agent else source.run


def _calls(line: Table, source: Source, seen: Seen) -> Iterator[Call]:
    data, at = loose.table(line.get("data")), loose.instant(line.get("timestamp"))
    match line.get("type"):
        case "session.usage_record":
            seen.records = True
            yield _record(loose.table(data.get("usage")), line, source, at)
        case "assistant.message" if not seen.records and loose.count(data.get("outputTokens")):
            model, output = loose.name(data.get("model")), loose.count(data.get("outputTokens"))
            seen.outputs[model] = seen.outputs.get(model, 0) + output
            yield Call(
                id=_id(data.get("apiCallId"), line, source),
                run=_run(line, source),
                at=at,
                model=model,
                tokens=Tokens(output=output),
                mark="estimated",
                reason=REASON,
                tools=_asked(data),
            )
        case "session.shutdown" if not seen.records:
            for model, metrics in loose.table(data.get("modelMetrics")).items():
                yield _rest(loose.name(model), loose.table(metrics), source, at, seen)
        case _:
            pass


def _id(provided: object, line: Table, source: Source) -> str:
    own = loose.text(line.get("id")) or f"{source.session}:{loose.text(line.get('timestamp'))}"
    return loose.name(provided) or f"copilot:{own}"


def _record(usage: Table, line: Table, source: Source, at: int) -> Call:
    return Call(
        id=_id(usage.get("apiCallId"), line, source),
        run=_run(line, source),
        at=at,
        requested=max(0, at - loose.count(usage.get("duration"))),
        model=loose.name(usage.get("model")),
        tokens=_tokens(usage),
        window=loose.count(usage.get("maxPromptTokens")) or None,
        tools=tuple(map(loose.name, loose.table(usage.get("toolCounts")))),
    )


def _rest(model: str, metrics: Table, source: Source, at: int, seen: Seen) -> Call:
    """What the sums at shutdown hold beyond the answers that were booked one by one."""
    usage = loose.table(metrics.get("usage"))
    tokens = _tokens(usage) - Tokens(output=seen.outputs.get(model, 0))
    return Call(
        id=f"copilot:{source.session}:{model}:shutdown",
        run=source.run,
        at=at,
        model=model,
        tokens=tokens.largest(Tokens()),
        mark="estimated",
        reason=REASON,
    )


def _tokens(usage: Table) -> Tokens:
    read = loose.figure(usage.get("cacheReadTokens"))
    write = loose.figure(usage.get("cacheWriteTokens"))
    return Tokens(
        input=max(0, loose.figure(usage.get("inputTokens")) - read - write),
        cache_write_5m=write,
        cache_read=read,
        output=loose.figure(usage.get("outputTokens")),
        reasoning=loose.figure(usage.get("reasoningTokens")),
    )


def _asked(data: Table) -> tuple[str, ...]:
    return tuple(loose.name(tool.get("name")) for tool in loose.tables(data.get("toolRequests")))


def _events(line: Table, source: Source) -> Iterator[e.Event]:
    run, at = _run(line, source), loose.instant(line.get("timestamp"))
    data, kind = loose.table(line.get("data")), loose.text(line.get("type"))
    if kind.startswith("session."):
        yield from _session_events(kind, data, source, run, at)
    elif kind.startswith("tool."):
        yield from _tool_events(kind, data, run, at)
    elif kind.startswith("subagent."):
        yield from _child_events(kind, data, source, run, at)
    else:
        yield from _talk_events(kind, data, run, at)


def _session_events(kind: str, data: Table, source: Source, run: str, at: int) -> Iterator[e.Event]:
    match kind:
        case "session.start":
            context = loose.table(data.get("context"))
            yield e.RunSeen(
                run=run, at=at, agent=source.agent, session=source.session, source=source.path
            )
            yield e.RunDescribed(
                run=run,
                at=at,
                model=loose.name(data.get("selectedModel")) or None,
                project=loose.name(context.get("cwd")) or None,
                branch=loose.name(context.get("branch")) or None,
            )
        case "session.model_change":
            yield e.RunDescribed(run=run, at=at, model=loose.name(data.get("newModel")) or None)
        case "session.title_changed":
            title = loose.name(data.get("title"))
            yield e.RunDescribed(run=run, at=at, name=title or None, titled=bool(title))
        case "session.compaction_complete":
            before = loose.count(data.get("preCompactionTokens"))
            yield e.ContextCompacted(run=run, at=at, before=before)
        case "session.error":
            yield _failed(data, run, at)
        case "session.idle":
            yield e.TurnEnded(run=run, at=at)
        case "session.shutdown":
            yield e.RunEnded(run=run, at=at, outcome=loose.name(data.get("shutdownType")))
        case _:
            pass


def _failed(data: Table, run: str, at: int) -> e.CallFailed:
    said = loose.body(data.get("message") or data.get("errorMessage"))
    return e.CallFailed(run=run, at=at, status=loose.count(data.get("statusCode")), message=said)


def _child_events(kind: str, data: Table, source: Source, run: str, at: int) -> Iterator[e.Event]:
    if run == source.run:
        return
    if kind == "subagent.started":
        yield e.RunSeen(
            run=run,
            at=at,
            agent=source.agent,
            session=run.rpartition("/")[2],
            parent=source.run,
            source=source.path,
        )
        task = loose.name(data.get("agentDescription")) or loose.name(data.get("agentDisplayName"))
        model = loose.name(data.get("model"))
        yield e.RunDescribed(run=run, at=at, name=task or None, titled=True, model=model or None)
    elif kind in ("subagent.completed", "subagent.failed"):
        yield e.RunEnded(run=run, at=at, outcome=kind.removeprefix("subagent."))


def _tool_events(kind: str, data: Table, run: str, at: int) -> Iterator[e.Event]:
    tool = loose.name(data.get("toolCallId"))
    if kind == "tool.execution_start":
        arguments = data.get("arguments")
        yield e.ToolStarted(
            run=run,
            at=at,
            tool=tool,
            name=loose.name(data.get("toolName")),
            summary=loose.summary(arguments),
            arguments=loose.body(arguments),
        )
    elif kind == "tool.execution_complete":
        result, error = loose.table(data.get("result")), loose.table(data.get("error"))
        exit_code = loose.table(data.get("shellExecution")).get("exitCode")
        yield e.ToolEnded(
            run=run,
            at=at,
            tool=tool,
            ok=data.get("success") is True and exit_code in (0, None),
            output=loose.body(result.get("content") or error.get("message")),
            diff=_diff(loose.text(result.get("detailedContent"))),
        )


def _diff(text: str) -> str:
    """The text if it is a diff that changes something: a file merely viewed is shown as one too."""
    if not text.lstrip().startswith("diff --git"):
        return ""
    body = text.partition("\n@@")[2]
    return loose.body(text.strip()) if "\n+" in body or "\n-" in body else ""


def _talk_events(kind: str, data: Table, run: str, at: int) -> Iterator[e.Event]:
    said = loose.body(data.get("content"))
    match kind:
        case "user.message" if said:
            yield e.PromptGiven(run=run, at=at, text=said)
        case "assistant.message":
            thought = loose.body(data.get("reasoningText"))
            if thought:
                yield e.ThoughtGiven(run=run, at=at, text=thought)
            if said.strip():
                yield e.ReplyGiven(run=run, at=at, text=said)
            if not _asked(data):
                yield e.TurnEnded(run=run, at=at)
        case "permission.requested" | "user_input.requested" | "elicitation.requested":
            asked = data.get("question") or data.get("message") or data.get("permissionRequest")
            yield e.QuestionAsked(run=run, at=at, text=loose.body(asked))
        case "model.call_failure":
            yield _failed(data, run, at)
        case "abort":
            yield e.RunInterrupted(run=run, at=at, text=loose.name(data.get("reason")))
        case _:
            pass
