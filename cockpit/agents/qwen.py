"""Qwen Code: `~/.qwen/projects/<cwd>/chats/<session>.jsonl` (`QWEN_HOME` stands for `~/.qwen`).

A call is an `assistant` line with `usageMetadata`; the `ui_telemetry` lines tell the same calls a
second time and are left alone. Each line is written once, so largest and last are the same.
`promptTokenCount` holds what was cached; whether `candidatesTokenCount` holds the thoughts depends
on the provider, and the total tells. Sub-agents: `subagents/<session>/agent-*.jsonl`.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from cockpit.agents import folders, loose
from cockpit.agents.adapter import Books, Call, InterruptRule, Live, ProcessMark, Source
from cockpit.agents.gemini import EXIT_CODE
from cockpit.agents.loose import Table
from cockpit.core import events as e
from cockpit.core.tokens import Tokens


class Qwen:
    """The adapter."""

    name = "qwen"
    short = "qwen"
    process = ProcessMark(names=("qwen",), scripts=("/bin/qwen", "/qwen-code/cli.js"))
    interrupt = InterruptRule(group=True, first="SIGINT", grace_ms=3_000)
    """The wrapper alone dies and the agent works on, so the group."""

    def roots(self, home: Path, environment: Mapping[str, str]) -> list[Path]:
        base = environment.get("QWEN_HOME")
        return [(Path(base) if base else home / ".qwen") / "projects"]

    def sources(self, root: Path) -> Iterable[Source]:
        for project in folders.directories(root):
            chats, children = root / project / "chats", root / project / "subagents"
            for name in folders.files(chats):
                if name.endswith(".jsonl"):
                    yield self._main(chats / name)
            for session in folders.directories(children):
                for name in folders.files(children / session):
                    if name.endswith(".jsonl"):
                        yield self._child(children / session / name)

    def source(self, path: Path, root: Path) -> Source | None:
        if path.suffix != ".jsonl":
            return None
        match folders.below(path, root):
            case (_, "chats", _):
                return self._main(path)
            case (_, "subagents", _, _):
                return self._child(path)
            case _:
                return None

    def _main(self, path: Path) -> Source:
        return Source(self.name, str(path), "lines", f"qwen/{path.stem}", path.stem)

    def _child(self, path: Path) -> Source:
        parent = f"qwen/{path.parent.name}"
        return Source(self.name, str(path), "lines", f"{parent}/{path.stem}", path.stem, parent)

    def calls(self, block: bytes, source: Source, memory: bytes) -> Books:
        found: list[Call] = []
        model, bad = memory.decode("utf-8", "replace"), 0
        for line in loose.objects(block, having=b'"usageMetadata"'):
            if line is None:
                bad += 1
            elif line.get("type") == "assistant" and line.get("usageMetadata"):
                model = loose.name(line.get("model")) or model or _model_beside(source)
                try:
                    found.append(_call(line, source, model))
                except ValueError:
                    bad += 1
        return Books(found, bad, model.encode("utf-8", "replace"))

    def story(self, block: bytes, source: Source, memory: bytes) -> list[e.Event]:
        return [
            event
            for line in loose.objects(block)
            if line is not None
            for event in _events(line, source)
        ]

    def registry(self, home: Path, environment: Mapping[str, str]) -> list[Live]:
        return []


def _meta(source: Source) -> Table:
    """What stands beside a sub-agent's transcript."""
    path = Path(source.path)
    try:
        return loose.table(loose.decode(path.with_name(f"{path.stem}.meta.json").read_bytes()))
    except OSError:
        return {}


def _model_beside(source: Source) -> str:
    return loose.name(_meta(source).get("model")) if source.parent else ""


def _call(line: Table, source: Source, model: str) -> Call:
    at = loose.instant(line.get("timestamp"))
    return Call(
        id=f"qwen:{loose.text(line.get('uuid')) or f'{source.session}:{at}'}",
        run=source.run,
        at=at,
        model=model,
        tokens=_tokens(loose.table(line.get("usageMetadata"))),
        window=loose.count(line.get("contextWindowSize")) or None,
        tools=tuple(loose.name(call.get("name")) for call in _functions(line, "functionCall")),
    )


def _tokens(usage: Table) -> Tokens:
    prompt, read = (
        loose.figure(usage.get("promptTokenCount")),
        loose.figure(usage.get("cachedContentTokenCount")),
    )
    output, thoughts = (
        loose.figure(usage.get("candidatesTokenCount")),
        loose.figure(usage.get("thoughtsTokenCount")),
    )
    apart = loose.count(usage.get("totalTokenCount")) == prompt + output + thoughts
    return Tokens(
        input=max(0, prompt - read),
        cache_read=read,
        output=output + thoughts if apart else output,
        reasoning=thoughts,
    )


def _parts(line: Table) -> list[Table]:
    return loose.tables(loose.table(line.get("message")).get("parts"))


def _functions(line: Table, kind: str) -> list[Table]:
    return [loose.table(part[kind]) for part in _parts(line) if part.get(kind)]


def _events(line: Table, source: Source) -> Iterator[e.Event]:
    at = loose.instant(line.get("timestamp"))
    if line.get("parentUuid") is None and "uuid" in line:
        yield from _first(source, at)
    match line.get("type"):
        case "user":
            yield from _prompt(line, source.run, at)
        case "assistant":
            yield from _answer(line, source.run, at)
        case "tool_result":
            yield from _results(line, source.run, at)
        case "system":
            yield from _system(line, source.run, at)
        case _:
            pass


def _first(source: Source, at: int) -> Iterator[e.Event]:
    meta = _meta(source) if source.parent else {}
    above = loose.name(meta.get("parentAgentId"))
    parent = f"{source.parent}/agent-{above}" if above else source.parent
    task = loose.name(meta.get("description"))
    yield e.RunSeen(
        run=source.run,
        at=at,
        agent=source.agent,
        session=source.session,
        parent=parent,
        source=source.path,
    )
    if task:
        yield e.RunDescribed(run=source.run, at=at, name=task, titled=True)


def _prompt(line: Table, run: str, at: int) -> Iterator[e.Event]:
    yield e.RunDescribed(
        run=run,
        at=at,
        project=loose.name(line.get("cwd")) or None,
        branch=loose.name(line.get("gitBranch")) or None,
    )
    shown = loose.text(loose.table(line.get("systemPayload")).get("displayText"))
    said = shown or "\n".join(loose.text(part.get("text")) for part in _parts(line)).strip()
    if said:
        yield e.PromptGiven(run=run, at=at, text=loose.body(said))


def _answer(line: Table, run: str, at: int) -> Iterator[e.Event]:
    for part in _parts(line):
        said = loose.body(part.get("text"))
        if said and part.get("thought"):
            yield e.ThoughtGiven(run=run, at=at, text=said)
        elif said.strip():
            yield e.ReplyGiven(run=run, at=at, text=said)
    asked = _functions(line, "functionCall")
    for call in asked:
        arguments = loose.table(call.get("args"))
        yield e.ToolStarted(
            run=run,
            at=at,
            tool=loose.name(call.get("id")),
            name=loose.name(call.get("name")),
            summary=loose.summary(arguments),
            arguments=loose.body(arguments),
        )
    if not asked and line.get("usageMetadata"):
        yield e.TurnEnded(run=run, at=at)


def _results(line: Table, run: str, at: int) -> Iterator[e.Event]:
    told = loose.table(line.get("toolCallResult"))
    shown = loose.table(told.get("resultDisplay"))
    for answer in _functions(line, "functionResponse"):
        response = loose.table(answer.get("response"))
        output = loose.body(response.get("output") or response.get("error"))
        failed = "error" in response or told.get("status") in ("error", "cancelled")
        yield e.ToolEnded(
            run=run,
            at=at,
            tool=loose.name(answer.get("id")),
            ok=not failed and not EXIT_CODE.search(output),
            output=output,
            diff=loose.body(shown.get("fileDiff")),
        )


def _system(line: Table, run: str, at: int) -> Iterator[e.Event]:
    told = loose.table(loose.table(line.get("systemPayload")).get("uiEvent"))
    what = loose.text(told.get("event.name"))
    if what.endswith(".api_error"):
        said = loose.body(told.get("error") or told.get("error_message"))
        status = loose.count(told.get("status_code"))
        yield e.CallFailed(run=run, at=at, status=status, message=said)
    elif what.endswith(".api_cancel"):
        yield e.RunInterrupted(run=run, at=at)
    elif line.get("subtype") == "chat_compression":
        yield e.ContextCompacted(run=run, at=at)
