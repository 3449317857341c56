"""What happened in a Claude Code session, from its transcript."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from cockpit.agents import loose
from cockpit.agents.adapter import Source
from cockpit.agents.claude_books import SYNTHETIC, Memory, owner_of
from cockpit.agents.loose import Table
from cockpit.core import events as e
from cockpit.core.text import clean, one_line

COMPACTION = "Claude Code does not write down what its compaction requests cost"
UNANSWERED = "a request was sent whose answer is not written down: it may have been billed"

PROMPT_LIMIT = 128 * 1024
"""Characters of a prompt or an edit that are looked at; what is kept of them is less."""
INTERRUPTED = "[Request interrupted by user"
ENDS = frozenset(
    {"end_turn", "stop_sequence", "max_tokens", "refusal", "model_context_window_exceeded"}
)
ASKING = frozenset({"AskUserQuestion", "ExitPlanMode"})

_NOTE = re.compile(
    r"<(system-reminder|local-command-caveat|local-command-stdout|local-command-stderr|"
    r"command-message|task-notification|bash-stdout|bash-stderr|ide_[a-z_]+)>.*?(?:</\1>|\Z)",
    re.DOTALL,
)
_COMMAND = re.compile(
    r"<(?:command-name|bash-input)>([^<]*)</[a-z-]+>(?:\s*<command-args>([^<]*)</command-args>)?"
)
_STATUS = re.compile(r"\b([45]\d\d)\b")


def story(block: bytes, source: Source, memory: bytes) -> list[e.Event]:
    """What a block of lines tells. Where `memory` is empty the run is introduced."""
    telling = _Telling(source, loose.unpack(memory, Memory), anew=not memory)
    return [event for entry in loose.objects(block) if entry for event in telling.of(entry)]


class _Telling:
    """One pass over a block: what is known from the lines before."""

    def __init__(self, source: Source, memory: Memory, *, anew: bool) -> None:
        self._source = source
        self._at = memory.last
        self._asked = memory.asked
        self._introduced: set[str] = set() if anew else {source.run}

    def of(self, entry: Table) -> Iterator[e.Event]:
        """Events of one line."""
        self._at = loose.instant(entry.get("timestamp")) or self._at
        if not self._at:
            return
        run = owner_of(entry, self._source)
        if run not in self._introduced:
            self._introduced.add(run)
            yield from _introduction(run, self._source, self._at)
            if entry.get("type") != "user":
                yield from _place(entry, run, self._at)
        match entry.get("type"):
            case "user":
                yield from _user(entry, run, self._at)
            case "assistant":
                self._asked = ""
                yield from _assistant(entry, run, self._at)
            case "system":
                yield from self._system(entry, run)
            case "attachment":
                yield from _attachment(loose.table(entry.get("attachment")), run, self._at)
            case "api-request":
                yield from self._request(entry, run)
            case _:
                yield from _title(entry, run, self._at)

    def _request(self, entry: Table, run: str) -> Iterator[e.Event]:
        if self._asked:
            yield e.RunCaveat(run=run, at=self._at, reason=UNANSWERED)
        self._asked = loose.text(entry.get("id"))
        model = loose.name(loose.table(entry.get("params")).get("model"))
        yield e.CallStarted(run=run, at=self._at, call=loose.name(entry.get("id")), model=model)

    def _system(self, entry: Table, run: str) -> Iterator[e.Event]:
        match entry.get("subtype"):
            case "api_error":
                self._asked = ""
                error = loose.table(entry.get("error"))
                yield e.CallFailed(
                    run=run,
                    at=self._at,
                    status=loose.count(error.get("status")),
                    message=_error(error),
                )
            case "compact_boundary":
                before = loose.count(loose.table(entry.get("compactMetadata")).get("preTokens"))
                yield e.ContextCompacted(run=run, at=self._at, before=before)
                yield e.RunCaveat(run=run, at=self._at, reason=COMPACTION)
            case "turn_duration" | "stop_hook_summary":
                yield e.TurnEnded(run=run, at=self._at)


# --- the run


def _introduction(run: str, source: Source, at: int) -> Iterator[e.Event]:
    own = run == source.run
    parent = source.parent if own else source.run
    session = source.session if own else run.rpartition("/")[2]
    yield e.RunSeen(
        run=run, at=at, agent=source.agent, session=session, parent=parent, source=source.path
    )
    if own and parent is not None:
        task = loose.name(_beside(source).get("description"))
        if task:
            yield e.RunDescribed(run=run, at=at, name=task, titled=True)


def _beside(source: Source) -> Table:
    """What Claude Code wrote beside a sub-agent's transcript."""
    try:
        return loose.table(loose.decode(Path(source.path).with_suffix(".meta.json").read_bytes()))
    except (OSError, ValueError):
        return {}


def _place(entry: Table, run: str, at: int) -> Iterator[e.Event]:
    project, branch = loose.name(entry.get("cwd")), loose.name(entry.get("gitBranch"))
    if project:
        yield e.RunDescribed(run=run, at=at, project=project, branch=branch or None)


def _title(entry: Table, run: str, at: int) -> Iterator[e.Event]:
    match entry.get("type"):
        case "custom-title":
            title = loose.name(entry.get("customTitle"))
        case "ai-title":
            title = loose.name(entry.get("aiTitle") or entry.get("title"))
        case "summary":
            title = loose.name(entry.get("summary"))
        case _:
            return
    if title:
        yield e.RunDescribed(run=run, at=at, name=title, titled=True)


# --- what was said


def _user(entry: Table, run: str, at: int) -> Iterator[e.Event]:
    content = loose.table(entry.get("message")).get("content")
    for part in loose.tables(content):
        if part.get("type") == "tool_result":
            yield _result(part, entry, run, at)
    if any(entry.get(mark) is True for mark in ("isMeta", "isCompactSummary")):
        return
    text = _said(content)
    if text.startswith(INTERRUPTED):
        yield e.RunInterrupted(run=run, at=at, text=one_line(text))
    elif text:
        yield from _place(entry, run, at)
        yield e.PromptGiven(run=run, at=at, text=text)


def _said(content: object) -> str:
    """What the user typed: without what Claude Code put around it; a command as it was typed."""
    if isinstance(content, str):
        text = content
    else:
        parts = [loose.text(part.get("text")) for part in loose.tables(content)]
        text = "\n".join(part for part in parts if part)
    text = _NOTE.sub("", text[:PROMPT_LIMIT]).strip()
    command = _COMMAND.search(text)
    if command:
        text = " ".join(part for part in command.groups() if part)
    if text.startswith("Caveat: The messages below"):
        return ""
    return clean(text)


def _attachment(attachment: Table, run: str, at: int) -> Iterator[e.Event]:
    """A message that reached the run in the middle of a turn is a prompt too."""
    if attachment.get("type") == "queued_command":
        text = _said(attachment.get("prompt"))
        if text:
            yield e.PromptGiven(run=run, at=at, text=text)


def _assistant(entry: Table, run: str, at: int) -> Iterator[e.Event]:
    message = loose.table(entry.get("message"))
    parts = loose.tables(message.get("content"))
    if entry.get("isApiErrorMessage") is True:
        yield _failure(entry, _said(parts), run, at)
        return
    if message.get("model") == SYNTHETIC:
        return
    for part in parts:
        yield from _part(part, run, at)
    reason = loose.name(message.get("stop_reason"))
    if reason in ENDS and not (parts and parts[-1].get("type") == "thinking"):
        yield e.TurnEnded(run=run, at=at, reason=reason)


def _part(part: Table, run: str, at: int) -> Iterator[e.Event]:
    match part.get("type"):
        case "text":
            yield e.ReplyGiven(run=run, at=at, text=loose.body(part.get("text")))
        case "thinking" | "redacted_thinking":
            yield e.ThoughtGiven(run=run, at=at, text=loose.body(part.get("thinking")))
        case "tool_use" | "server_tool_use":
            yield from _tool(part, run, at)


def _failure(entry: Table, text: str, run: str, at: int) -> e.Event:
    status = loose.count(entry.get("apiErrorStatus"))
    told = _STATUS.search(text[:200])
    return e.CallFailed(
        run=run, at=at, status=status or (int(told[1]) if told else 0), message=one_line(text)
    )


def _error(error: Table) -> str:
    """The innermost message of an error as Claude Code nests them."""
    inner = loose.table(error.get("error"))
    deeper = loose.table(inner.get("error"))
    texts: Iterable[object] = (deeper.get("message"), inner.get("message"), error.get("message"))
    return next((loose.name(text) for text in texts if loose.name(text)), "")


# --- tools


def _tool(part: Table, run: str, at: int) -> Iterator[e.Event]:
    name, given = loose.name(part.get("name")), loose.table(part.get("input"))
    yield e.ToolStarted(
        run=run,
        at=at,
        tool=loose.name(part.get("id")),
        name=name,
        summary=loose.summary(given),
        arguments=loose.body(given),
    )
    if name in ASKING:
        yield e.QuestionAsked(run=run, at=at, text=_question(given))


def _question(given: Table) -> str:
    questions = [
        loose.name(question.get("question")) for question in loose.tables(given.get("questions"))
    ]
    return one_line(" ".join(questions)) or "approve the plan?"


def _result(part: Table, entry: Table, run: str, at: int) -> e.Event:
    return e.ToolEnded(
        run=run,
        at=at,
        tool=loose.name(part.get("tool_use_id")),
        ok=part.get("is_error") is not True,
        output=_output(part.get("content")),
        diff=_diff(loose.table(entry.get("toolUseResult"))),
    )


def _output(content: object) -> str:
    if not isinstance(content, list):
        return loose.body(content)
    texts = [loose.text(part.get("text")) for part in loose.tables(content)]
    return clean("\n".join(text for text in texts if text))


def _diff(result: Table) -> str:
    """What an edit changed, as hunks of a unified diff; a new file as all added."""
    hunks = loose.tables(result.get("structuredPatch"))
    if hunks:
        return clean("\n".join(line for hunk in hunks for line in _hunk(hunk)))
    if result.get("type") == "create":
        return clean("".join(f"+{line}\n" for line in _lines(result.get("content"))))
    removed, added = _lines(result.get("oldString")), _lines(result.get("newString"))
    return clean("\n".join([*(f"-{line}" for line in removed), *(f"+{line}" for line in added)]))


def _hunk(hunk: Table) -> Iterator[str]:
    old, new = loose.count(hunk.get("oldStart")), loose.count(hunk.get("newStart"))
    olds, news = loose.count(hunk.get("oldLines")), loose.count(hunk.get("newLines"))
    yield f"@@ -{old},{olds} +{new},{news} @@"
    lines = hunk.get("lines")
    if isinstance(lines, list):
        yield from (line for line in lines if isinstance(line, str))


def _lines(text: object) -> list[str]:
    return loose.text(text)[:PROMPT_LIMIT].splitlines()
