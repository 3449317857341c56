"""Cline CLI: `~/.cline/data/sessions/<id>/<id>.json` and `<id>.messages.json`, each rewritten whole.

A call is an assistant message with `metrics`, whose figures do not change once written.
`inputTokens` holds the cache, unless it is smaller than the cache. The session file names task,
model and end. The hub daemon outlives every run and is none.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from cockpit.agents import folders, loose
from cockpit.agents.adapter import Books, Call, InterruptRule, Live, ProcessMark, Source
from cockpit.agents.loose import Table
from cockpit.agents.told import keep, mark, recall
from cockpit.core import events as e
from cockpit.core.tokens import Tokens

MESSAGES = ".messages.json"
RECENT_SESSIONS = 30
"""Ids begin with the time: only the newest sessions are asked for a live process."""


class Cline:
    """The adapter."""

    name = "cline"
    short = "cline"
    process = ProcessMark(names=("cline",), scripts=("/bin/cline",), leave=("--cline-hub-daemon",))
    interrupt = InterruptRule(group=False, first="SIGINT", grace_ms=3_000)
    """SIGINT ends it with its tools, SIGTERM is ignored; the group may hold the hub daemon."""

    def roots(self, home: Path, environment: Mapping[str, str]) -> list[Path]:
        return [home / ".cline" / "data" / "sessions"]

    def sources(self, root: Path) -> Iterable[Source]:
        """Session files name no run of their own: the transcript is the run's source."""
        for session in folders.directories(root):
            for name in folders.files(root / session):
                source = self.source(root / session / name, root)
                if source is not None:
                    yield source

    def source(self, path: Path, root: Path) -> Source | None:
        parts = folders.below(path, root)
        if len(parts) != 2 or path.suffix != ".json":
            return None
        session, own = parts[0], parts[1].removesuffix(MESSAGES).removesuffix(".json")
        if own == session and not parts[1].endswith(MESSAGES):
            return Source(self.name, str(path), "document", session=session)
        if own == session:
            return Source(self.name, str(path), "document", f"cline/{session}", session)
        if not parts[1].endswith(MESSAGES):
            return None
        run, parent = f"cline/{session}/{own}", f"cline/{session}"
        return Source(self.name, str(path), "document", run, own, parent)

    def calls(self, block: bytes, source: Source, memory: bytes) -> Books:
        document = loose.decode(block)
        if not isinstance(document, dict):
            return Books(bad_lines=1, memory=memory)
        messages = loose.tables(document.get("messages"))
        found: list[Call] = []
        bad = 0
        for message in messages:
            try:
                found.extend(_calls(message, source))
            except ValueError:
                bad += 1
        told = [mark_ for message in messages for mark_, _ in _parts(message)]
        return Books(found, bad, keep(memory, [*told, _state_of(document)]))

    def story(self, block: bytes, source: Source, memory: bytes) -> list[e.Event]:
        told, document = recall(memory), loose.table(loose.decode(block))
        if "messages" not in document:
            known = _state_of(document) in told
            return [] if known or not document else list(_session_events(document, source))
        first = [] if told or not source.parent else [_seen(document, source)]
        rest = [
            event
            for message in loose.tables(document.get("messages"))
            for event in _events(message, source.run, told)
        ]
        return [*first, *rest]

    def registry(self, home: Path, environment: Mapping[str, str]) -> list[Live]:
        """Sessions whose file still names a process and no end."""
        root = self.roots(home, environment)[0]
        recent = folders.directories(root)[-RECENT_SESSIONS:]
        found = [_live(root / session / f"{session}.json") for session in recent]
        return [live for live in found if live is not None]


def _live(path: Path) -> Live | None:
    try:
        told = loose.table(loose.decode(path.read_bytes()))
    except OSError:
        return None
    pid, session = loose.count(told.get("pid")), loose.name(told.get("session_id"))
    if not pid or not session or told.get("ended_at"):
        return None
    return Live(
        pid=pid,
        session=session,
        cwd=loose.name(told.get("cwd")),
        status=loose.name(told.get("status")),
        name=loose.name(loose.table(told.get("metadata")).get("title")),
    )


def _state_of(document: Table) -> int:
    """What of a session file is told: when none of it changed there is nothing new."""
    metadata = loose.table(document.get("metadata"))
    told = (document.get("status"), document.get("ended_at"), document.get("model"))
    return mark("session", *told, metadata.get("title"))


def _calls(message: Table, source: Source) -> Iterator[Call]:
    metrics, model = loose.table(message.get("metrics")), loose.table(message.get("modelInfo"))
    at = loose.instant(message.get("ts"))
    tokens = _tokens(metrics)
    if message.get("role") == "assistant" and tokens.total:
        yield Call(
            id=f"cline:{loose.text(message.get('id'))}:{at}",
            run=source.run,
            at=at,
            model=loose.name(model.get("id")),
            provider=loose.name(model.get("provider")),
            tokens=tokens,
            tools=tuple(
                loose.name(part.get("name"))
                for _, part in _parts(message)
                if part.get("type") == "tool_use"
            ),
        )


def _tokens(metrics: Table) -> Tokens:
    given = loose.figure(metrics.get("inputTokens"))
    read = loose.figure(metrics.get("cacheReadTokens"))
    write = loose.figure(metrics.get("cacheWriteTokens"))
    return Tokens(
        input=given - read - write if given >= read + write else given,
        cache_write_5m=write,
        cache_read=read,
        output=loose.figure(metrics.get("outputTokens")),
        reasoning=loose.figure(metrics.get("reasoningTokens")),
    )


def _parts(message: Table) -> list[tuple[int, Table]]:
    """The parts of a message, each with its mark."""
    content = message.get("content")
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    id_ = message.get("id") or message.get("ts")
    return [(mark(id_, place), part) for place, part in enumerate(loose.tables(parts))]


def _seen(document: Table, source: Source) -> e.Event:
    at = loose.instant(document.get("updated_at"))
    return e.RunSeen(
        run=source.run,
        at=at,
        agent=source.agent,
        session=source.session,
        parent=source.parent,
        source=source.path,
    )


def _session_events(session: Table, source: Source) -> Iterator[e.Event]:
    """What the session file tells of the run whose transcript lies beside it."""
    run, at = f"cline/{source.session}", loose.instant(session.get("started_at"))
    metadata = loose.table(session.get("metadata"))
    title = loose.name(metadata.get("title"))
    transcript = source.path.removesuffix(".json") + MESSAGES
    yield e.RunSeen(run=run, at=at, agent=source.agent, session=source.session, source=transcript)
    yield e.RunDescribed(
        run=run,
        at=at,
        name=title or loose.name(session.get("prompt")) or None,
        titled=bool(title),
        model=loose.name(session.get("model")) or None,
        project=loose.name(session.get("cwd")) or None,
        branch=loose.name(loose.table(metadata.get("git")).get("branch")) or None,
    )
    ended = loose.instant(session.get("ended_at"))
    if ended:
        yield e.RunEnded(run=run, at=ended, outcome=loose.name(session.get("status")))


def _events(message: Table, run: str, told: set[int]) -> Iterator[e.Event]:
    at, role, parts = loose.instant(message.get("ts")), message.get("role"), _parts(message)
    fresh = [part for mark_, part in parts if mark_ not in told]
    for part in fresh:
        yield from _part_events(part, run, at, asked=role == "user")
    asks = any(part.get("type") == "tool_use" for _, part in parts)
    if fresh and role == "assistant" and not asks:
        yield e.TurnEnded(run=run, at=at)


def _part_events(part: Table, run: str, at: int, *, asked: bool) -> Iterator[e.Event]:
    said = loose.body(part.get("text"))
    match part.get("type"):
        case "text" if asked and said.strip():
            yield e.PromptGiven(run=run, at=at, text=_unwrapped(said))
        case "text" if said.strip():
            yield e.ReplyGiven(run=run, at=at, text=said)
        case "thinking":
            yield e.ThoughtGiven(run=run, at=at, text=loose.body(part.get("thinking")))
        case "tool_use":
            yield e.ToolStarted(
                run=run,
                at=at,
                tool=loose.name(part.get("id")),
                name=loose.name(part.get("name")),
                summary=loose.summary(part.get("input")),
                arguments=loose.body(part.get("input")),
            )
        case "tool_result":
            results = loose.tables(part.get("content"))
            failed = part.get("is_error") is True or any(
                result.get("success") is False for result in results
            )
            yield e.ToolEnded(
                run=run,
                at=at,
                tool=loose.name(part.get("tool_use_id")),
                ok=not failed,
                output=_output(part, results),
            )
        case _:
            pass


def _unwrapped(said: str) -> str:
    """The prompt without the element that Cline puts around it."""
    if said.startswith("<user_input") and said.endswith("</user_input>"):
        return said.partition(">")[2].removesuffix("</user_input>")
    return said


def _output(part: Table, results: list[Table]) -> str:
    if isinstance(part.get("content"), str):
        return loose.body(part["content"])
    return loose.body(
        "\n".join(loose.text(r.get("result") or r.get("text") or r.get("error")) for r in results)
    )
