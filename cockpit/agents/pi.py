"""pi: `~/.pi/agent/sessions/--<cwd>--/<time>_<session>.jsonl` (`PI_CODING_AGENT_DIR`).

A call is an assistant message with usage, written once, under the provider's response id; branches
copy messages with their ids and times. Its totals are exact, but over `openai-completions` pi
takes cache writes out of the reads, so that with cache writes the split is marked. The call that
makes a summary is not stored.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from cockpit.agents import folders, loose
from cockpit.agents.adapter import Books, Call, InterruptRule, Live, ProcessMark, Source
from cockpit.agents.loose import Table
from cockpit.core import events as e
from cockpit.core.tokens import Tokens

SPLIT = "pi's split between input and cache reads is wrong where an OpenAI-like API tells writes"
SUMMARY = "pi does not store the call that makes a summary"
CAVEAT_TOLD = b"split"


class Pi:
    """The adapter."""

    name = "pi"
    short = "pi"
    process = ProcessMark(names=("pi",), scripts=("/bin/pi", "/pi-coding-agent/dist/cli.js"))
    interrupt = InterruptRule(group=False, first="SIGTERM", grace_ms=3_000)
    """SIGTERM ends it with its tools; SIGINT leaves them behind."""

    def roots(self, home: Path, environment: Mapping[str, str]) -> list[Path]:
        base = environment.get("PI_CODING_AGENT_DIR")
        return [(Path(base) if base else home / ".pi" / "agent") / "sessions"]

    def sources(self, root: Path) -> Iterable[Source]:
        for project in folders.directories(root):
            for name in folders.files(root / project):
                if name.endswith(".jsonl"):
                    yield self._source(root / project / name)

    def source(self, path: Path, root: Path) -> Source | None:
        if path.suffix != ".jsonl" or len(folders.below(path, root)) != 2:
            return None
        return self._source(path)

    def _source(self, path: Path) -> Source:
        session = path.stem.rpartition("_")[2]
        return Source(self.name, str(path), "lines", f"pi/{session}", session)

    def calls(self, block: bytes, source: Source, memory: bytes) -> Books:
        found: list[Call] = []
        bad = 0
        for line in loose.objects(block, having=b'"usage"'):
            if line is None:
                bad += 1
                continue
            try:
                found.extend(_calls(loose.table(line.get("message")), source))
            except ValueError:
                bad += 1
        told = memory == CAVEAT_TOLD or any(call.reason for call in found)
        return Books(found, bad, CAVEAT_TOLD if told else b"")

    def story(self, block: bytes, source: Source, memory: bytes) -> list[e.Event]:
        told = memory == CAVEAT_TOLD
        events: list[e.Event] = []
        for line in loose.objects(block, having=b""):
            if line is None:
                continue
            events.extend(_events(line, source))
            if not told and _is_split_wrong(loose.table(line.get("message"))):
                told = True
                at = loose.instant(line.get("timestamp"))
                events.append(e.RunCaveat(run=source.run, at=at, reason=SPLIT))
        return events

    def registry(self, home: Path, environment: Mapping[str, str]) -> list[Live]:
        return []


def _is_split_wrong(message: Table) -> bool:
    writes = loose.count(loose.table(message.get("usage")).get("cacheWrite"))
    return bool(writes) and message.get("api") == "openai-completions"


def _calls(message: Table, source: Source) -> Iterator[Call]:
    usage = loose.table(message.get("usage"))
    tokens = Tokens(
        input=loose.figure(usage.get("input")),
        cache_write_5m=loose.figure(usage.get("cacheWrite")),
        cache_read=loose.figure(usage.get("cacheRead")),
        output=loose.figure(usage.get("output")),
        reasoning=loose.figure(usage.get("reasoning")),
    )
    if message.get("role") != "assistant" or not tokens.total:
        return
    at, model = loose.instant(message.get("timestamp")), loose.name(message.get("model"))
    wrong = _is_split_wrong(message)
    yield Call(
        id=loose.name(message.get("responseId")) or f"pi:{at}:{model}:{tokens.total}",
        run=source.run,
        at=at,
        requested=at,
        model=model,
        provider=loose.name(message.get("provider")),
        tokens=tokens,
        mark="estimated" if wrong else "exact",
        reason=SPLIT if wrong else "",
        tools=tuple(loose.name(part.get("name")) for part in _parts(message, "toolCall")),
    )


def _parts(message: Table, kind: str) -> list[Table]:
    return [part for part in loose.tables(message.get("content")) if part.get("type") == kind]


def _said(message: Table) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return loose.body(content)
    return loose.body("\n".join(loose.text(part.get("text")) for part in _parts(message, "text")))


def _events(line: Table, source: Source) -> Iterator[e.Event]:
    run, at = source.run, loose.instant(line.get("timestamp"))
    match line.get("type"):
        case "session":
            yield e.RunSeen(
                run=run, at=at, agent=source.agent, session=source.session, source=source.path
            )
            project, model = loose.name(line.get("cwd")), loose.name(line.get("modelId"))
            yield e.RunDescribed(run=run, at=at, project=project or None, model=model or None)
        case "model_change":
            yield e.RunDescribed(run=run, at=at, model=loose.name(line.get("modelId")) or None)
        case "session_info":
            title = loose.name(line.get("name"))
            yield e.RunDescribed(run=run, at=at, name=title or None, titled=bool(title))
        case "compaction":
            before = loose.count(line.get("tokensBefore"))
            yield e.ContextCompacted(run=run, at=at, before=before)
            yield e.RunCaveat(run=run, at=at, reason=SUMMARY)
        case "branch_summary":
            yield e.RunCaveat(run=run, at=at, reason=SUMMARY)
        case "message":
            yield from _message_events(loose.table(line.get("message")), run, at)
        case _:
            pass


def _message_events(message: Table, run: str, at: int) -> Iterator[e.Event]:
    match message.get("role"):
        case "user":
            said = _said(message)
            if said.strip():
                yield e.PromptGiven(run=run, at=at, text=said)
        case "assistant":
            yield from _answer(message, run, at)
        case "toolResult":
            details = loose.table(message.get("details"))
            yield e.ToolEnded(
                run=run,
                at=at,
                tool=loose.name(message.get("toolCallId")),
                ok=message.get("isError") is not True,
                output=_said(message),
                diff=loose.body(details.get("diff")),
            )
        case _:
            pass


def _answer(message: Table, run: str, at: int) -> Iterator[e.Event]:
    for part in _parts(message, "thinking"):
        yield e.ThoughtGiven(run=run, at=at, text=loose.body(part.get("thinking")))
    said = _said(message)
    if said.strip():
        yield e.ReplyGiven(run=run, at=at, text=said)
    for part in _parts(message, "toolCall"):
        yield e.ToolStarted(
            run=run,
            at=at,
            tool=loose.name(part.get("id")),
            name=loose.name(part.get("name")),
            summary=loose.summary(part.get("arguments")),
            arguments=loose.body(part.get("arguments")),
        )
    why, error = loose.name(message.get("stopReason")), loose.body(message.get("errorMessage"))
    if why == "aborted":
        yield e.RunInterrupted(run=run, at=at, text=error)
    elif why == "error":
        yield e.CallFailed(run=run, at=at, message=error)
    elif why and why != "toolUse":
        yield e.TurnEnded(run=run, at=at, reason=why)
