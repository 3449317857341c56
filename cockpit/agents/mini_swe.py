"""mini-swe-agent: trajectories, JSON rewritten after every step.

By default one file under its configuration directory (`MSWEA_GLOBAL_CONFIG_DIR`), which each run
overwrites; files written with `-o` elsewhere are found only where the settings name their folder.
A call is a message with `extra.response.usage`, answers without a valid tool call included, under
the provider's id. A run that is killed loses the call it was in.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from cockpit.agents import folders, loose
from cockpit.agents.adapter import Books, Call, InterruptRule, Live, ProcessMark, Source
from cockpit.agents.loose import Table
from cockpit.agents.told import keep, mark, recall
from cockpit.core import events as e
from cockpit.core.tokens import Tokens

DEFAULT_FILE = "last_mini_run.traj.json"
DEPTH = 3
BEFORE_TASK, AFTER_TASK = "Please solve this issue: ", "\n\nYou can execute bash commands"
"""The default template around the task."""
OBSERVATION = "<returncode>"
"""Early versions gave the output of a command back as a user's message."""


class MiniSwe:
    """The adapter."""

    name = "mini-swe-agent"
    short = "mini"
    process = ProcessMark(names=("mini",), scripts=("/bin/mini", "/bin/mini-swe-agent"))
    interrupt = InterruptRule(group=False, first="SIGINT", grace_ms=4_000)
    """It ends after three seconds and leaves its tools behind: the sweep has work."""

    def roots(self, home: Path, environment: Mapping[str, str]) -> list[Path]:
        named = environment.get("MSWEA_GLOBAL_CONFIG_DIR")
        config = environment.get("XDG_CONFIG_HOME")
        base = Path(config) if config else home / ".config"
        return [Path(named) if named else base / "mini-swe-agent"]

    def sources(self, root: Path) -> Iterable[Source]:
        for folder in _folders(root, DEPTH):
            for name in folders.files(folder):
                if _is_trajectory(name):
                    yield self._source(folder / name, root)

    def source(self, path: Path, root: Path) -> Source | None:
        if not _is_trajectory(path.name) or not 0 < len(folders.below(path, root)) <= DEPTH + 1:
            return None
        return self._source(path, root)

    def _source(self, path: Path, root: Path) -> Source:
        session = str(path.relative_to(root)).removesuffix(".json").removesuffix(".traj")
        if path.name == DEFAULT_FILE:
            return Source(self.name, str(path), "document")
        return Source(self.name, str(path), "document", f"mini-swe-agent/{session}", session)

    def calls(self, block: bytes, source: Source, memory: bytes) -> Books:
        document = _document(block)
        if document is None:
            return Books(bad_lines=1, memory=memory)
        messages = loose.tables(document.get("messages"))
        run = _run(messages, source)
        found: list[Call] = []
        bad = 0
        for message in messages:
            try:
                found.extend(_calls(message, run, document))
            except ValueError:
                bad += 1
        told = [_mark(run, place) for place in range(len(messages))]
        return Books(found, bad, keep(memory, told))

    def story(self, block: bytes, source: Source, memory: bytes) -> list[e.Event]:
        document, told = _document(block), recall(memory)
        if document is None:
            return []
        messages = loose.tables(document.get("messages"))
        run, at = _run(messages, source), _started(messages)
        events: list[e.Event] = []
        if messages and _mark(run, 0) not in told:
            events.extend(_first(document, run, at, source))
        for place, message in enumerate(messages):
            at = max(at, _at(message))
            if _mark(run, place) not in told:
                events.extend(_events(message, run, at))
        missing = _missing(document, messages)
        if missing and _mark(run, len(messages) - 1) not in told:
            events.append(e.RunCaveat(run=run, at=at, reason=missing))
        return events

    def registry(self, home: Path, environment: Mapping[str, str]) -> list[Live]:
        return []


def _folders(root: Path, depth: int) -> Iterator[Path]:
    yield root
    if depth:
        for name in folders.directories(root):
            if not (root / name).is_symlink():
                yield from _folders(root / name, depth - 1)


def _is_trajectory(name: str) -> bool:
    return name == "traj.json" or name.endswith(".traj.json")


def _document(block: bytes) -> Table | None:
    """The trajectory; early versions wrote the list of messages alone."""
    value = loose.decode(block)
    if isinstance(value, list):
        return {"messages": value}
    return value if isinstance(value, dict) else None


def _mark(run: str, place: int) -> int:
    return mark(run, place)


def _extra(message: Table) -> Table:
    return loose.table(message.get("extra"))


def _at(message: Table) -> int:
    response = loose.table(_extra(message).get("response"))
    return loose.instant(_extra(message).get("timestamp")) or loose.instant(response.get("created"))


def _started(messages: list[Table]) -> int:
    return next((at for message in messages if (at := _at(message))), 0)


def _missing(document: Table, messages: list[Table]) -> str:
    """What the agent counted and did not write down."""
    stats = loose.table(loose.table(document.get("info")).get("model_stats"))
    told = sum("usage" in loose.table(_extra(message).get("response")) for message in messages)
    lost = loose.count(stats.get("api_calls")) - told
    return f"the trajectory holds no usage for {lost} of its calls" if lost > 0 else ""


def _run(messages: list[Table], source: Source) -> str:
    """The default file holds another run each time: there the first answer tells them apart."""
    return source.run or f"mini-swe-agent/{_started(messages)}"


def _model(document: Table) -> tuple[str, str]:
    """Provider and model as configured: `openai/gpt-5` names both."""
    config = loose.table(loose.table(document.get("info")).get("config"))
    given = loose.name(loose.table(config.get("model")).get("model_name"))
    provider, _, model = given.rpartition("/")
    return provider.partition("/")[0], model


def _calls(message: Table, run: str, document: Table) -> Iterator[Call]:
    response = loose.table(_extra(message).get("response"))
    usage, at = loose.table(response.get("usage")), _at(message)
    tokens = _tokens(usage)
    if not tokens.total:
        return
    provider, model = _model(document)
    actions = loose.tables(message.get("tool_calls"))
    yield Call(
        id=loose.name(response.get("id")) or f"{run}:{at}",
        run=run,
        at=at,
        model=loose.name(response.get("model")) or model,
        provider=provider,
        tokens=tokens,
        tools=tuple(loose.name(loose.table(call.get("function")).get("name")) for call in actions),
    )


def _tokens(usage: Table) -> Tokens:
    details = loose.table(usage.get("prompt_tokens_details"))
    read = loose.figure(details.get("cached_tokens"))
    write = loose.figure(details.get("cache_write_tokens") or details.get("cache_creation_tokens"))
    thought = loose.table(usage.get("completion_tokens_details")).get("reasoning_tokens")
    return Tokens(
        input=max(0, loose.figure(usage.get("prompt_tokens")) - read - write),
        cache_write_5m=write,
        cache_read=read,
        output=loose.figure(usage.get("completion_tokens")),
        reasoning=loose.figure(thought),
    )


def _first(document: Table, run: str, at: int, source: Source) -> Iterator[e.Event]:
    config = loose.table(loose.table(document.get("info")).get("config"))
    project = loose.name(loose.table(config.get("environment")).get("cwd"))
    yield e.RunSeen(run=run, at=at, agent=source.agent, session=source.session, source=source.path)
    model = _model(document)[1]
    yield e.RunDescribed(run=run, at=at, model=model or None, project=project or None)


def _events(message: Table, run: str, at: int) -> Iterator[e.Event]:
    extra, said = _extra(message), loose.body(message.get("content"))
    match message.get("role"):
        case "user" if "interrupt_type" in extra:
            answer = loose.tables(loose.table(extra.get("response")).get("choices"))
            said = (
                loose.body(loose.table(answer[0].get("message")).get("content")) if answer else ""
            )
            if said:
                yield e.ReplyGiven(run=run, at=at, text=said)
        case "user" if not extra and said and not said.startswith(OBSERVATION):
            yield e.PromptGiven(run=run, at=at, text=_task(said))
        case "assistant":
            yield from _answer(message, run, at, said)
        case "tool":
            failed = extra.get("returncode") not in (0, None) or extra.get("exception_info")
            yield e.ToolEnded(
                run=run,
                at=at,
                tool=loose.name(message.get("tool_call_id")),
                ok=not failed,
                output=loose.body(extra.get("raw_output")) or said,
            )
        case "exit":
            yield e.RunEnded(run=run, at=at, outcome=loose.name(extra.get("exit_status")) or said)
        case _:
            pass


def _task(said: str) -> str:
    if not said.startswith(BEFORE_TASK):
        return said
    return said.removeprefix(BEFORE_TASK).partition(AFTER_TASK)[0]


def _answer(message: Table, run: str, at: int, said: str) -> Iterator[e.Event]:
    if said.strip():
        yield e.ReplyGiven(run=run, at=at, text=said)
    for call in loose.tables(message.get("tool_calls")):
        function = loose.table(call.get("function"))
        arguments = loose.decode(loose.text(function.get("arguments")))
        yield e.ToolStarted(
            run=run,
            at=at,
            tool=loose.name(call.get("id")),
            name=loose.name(function.get("name")),
            summary=loose.summary(arguments),
            arguments=loose.body(arguments),
        )
