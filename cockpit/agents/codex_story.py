"""What happened in a Codex thread, from its rollout, of every version."""

import re
from collections.abc import Iterator

from cockpit.agents import loose
from cockpit.agents.adapter import Source
from cockpit.agents.codex_books import Memory
from cockpit.agents.loose import Table
from cockpit.core import events as e
from cockpit.core.text import clean, one_line

AGENT = "codex"
BROKEN_OFF = "an answer was broken off: Codex does not write down what such a request cost"
_EXIT = re.compile(r"\A(?:.*\n){0,3}?(?:Process exited with code|Exit code:) (-?\d+)")
_PATCHED = re.compile(r"^\*\*\* (?:Add|Update|Delete) File: (.+)$", re.MULTILINE)
_FAILED = re.compile(r"\Aaborted|aborted by user\s*\Z|\Aerror\b", re.IGNORECASE)


def story(block: bytes, source: Source, memory: bytes) -> list[e.Event]:
    """What a block of lines tells."""
    telling = _Telling(source, loose.unpack(memory, Memory))
    return [event for entry in loose.objects(block) if entry for event in telling.of(entry)]


class _Telling:
    """One pass over a block.

    `_owed` tells whether the model was asked and has not answered.
    """

    def __init__(self, source: Source, memory: Memory) -> None:
        self._run = source.run
        self._source = source
        self._at = memory.asked
        self._owed = memory.asked > 0

    def of(self, entry: Table) -> Iterator[e.Event]:
        """Events of one line."""
        self._at = loose.instant(entry.get("timestamp")) or self._at
        payload = loose.table(entry.get("payload"))
        if not self._at:
            return
        match entry.get("type"):
            case "session_meta":
                yield from self._session(payload)
            case "turn_context":
                model = loose.name(payload.get("model"))
                if model:
                    yield e.RunDescribed(run=self._run, at=self._at, model=model)
            case "compacted":
                yield e.ContextCompacted(run=self._run, at=self._at)
            case "response_item":
                yield from self._item(payload)
            case "event_msg":
                yield from self._event(payload)
            case "token_usage_record":
                self._owed = False

    def _session(self, meta: Table) -> Iterator[e.Event]:
        """The thread itself; a replayed history names other threads, which are no news."""
        thread = loose.name(meta.get("id"))
        if thread and self._source.session and thread != self._source.session:
            return
        parent = loose.name(meta.get("parent_thread_id")) or _spawned_by(meta.get("source"))
        yield e.RunSeen(
            run=self._run,
            at=self._at,
            agent=AGENT,
            session=self._source.session,
            parent=f"{AGENT}/{parent}" if parent else None,
            source=self._source.path,
        )
        project, git = loose.name(meta.get("cwd")), loose.table(meta.get("git"))
        if project:
            branch = loose.name(git.get("branch")) or None
            yield e.RunDescribed(run=self._run, at=self._at, project=project, branch=branch)

    # --- what the model said and asked for

    def _item(self, item: Table) -> Iterator[e.Event]:
        run, at = self._run, self._at
        match item.get("type"):
            case "reasoning":
                parts = loose.tables(item.get("summary")) or loose.tables(item.get("content"))
                text = "\n".join(loose.text(part.get("text")) for part in parts)
                yield e.ThoughtGiven(run=run, at=at, text=clean(text))
            case "function_call":
                given = loose.decode(loose.text(item.get("arguments")))
                yield from self._tool(item, loose.name(item.get("name")), given)
            case "custom_tool_call":
                yield from self._custom(item)
            case "local_shell_call":
                yield from self._tool(item, "shell", loose.table(item.get("action")))
            case "web_search_call":
                yield from self._tool(item, "web_search", loose.table(item.get("action")))
            case "function_call_output" | "custom_tool_call_output" | "local_shell_call_output":
                yield from self._answer(item)

    def _tool(self, item: Table, name: str, given: object) -> Iterator[e.Event]:
        arguments = given if isinstance(given, dict) else {"arguments": item.get("arguments")}
        yield e.ToolStarted(
            run=self._run,
            at=self._at,
            tool=_id(item),
            name=name,
            summary=loose.summary(arguments),
            arguments=loose.body(arguments),
        )
        if name == "request_user_input":
            asked = " ".join(loose.name(q.get("question")) for q in loose.tables(arguments.get("questions")))  # fmt: skip
            yield e.QuestionAsked(run=self._run, at=self._at, text=one_line(asked))

    def _custom(self, item: Table) -> Iterator[e.Event]:
        given = loose.text(item.get("input"))
        files = _PATCHED.findall(given[:200_000])
        yield e.ToolStarted(
            run=self._run,
            at=self._at,
            tool=_id(item),
            name=loose.name(item.get("name")),
            summary=one_line(", ".join(files) or given),
            arguments=clean(given),
        )

    def _answer(self, item: Table) -> Iterator[e.Event]:
        output = item.get("output")
        told = loose.table(output)
        text = loose.body(told.get("content") if told else output)
        self._owed = "aborted by user" not in text
        yield e.ToolEnded(
            run=self._run,
            at=self._at,
            tool=_id(item),
            ok=told.get("success") is not False and _succeeded(text),
            output=text,
        )

    # --- what Codex says about itself

    def _event(self, event: Table) -> Iterator[e.Event]:
        run, at = self._run, self._at
        match event.get("type"):
            case "user_message":
                yield from self._prompted(loose.text(event.get("message")))
            case "agent_message":
                yield e.ReplyGiven(run=run, at=at, text=loose.body(event.get("message")))
            case "item_completed":
                yield from self._completed(loose.table(event.get("item")))
            case "task_started" | "turn_started":
                window = loose.count(event.get("model_context_window"))
                self._owed = True
                if window:
                    yield e.RunDescribed(run=run, at=at, window=window)
                yield e.CallStarted(run=run, at=at)
            case "patch_apply_end":
                yield self._patched(event)
            case _:
                yield from self._state(event)

    def _state(self, event: Table) -> Iterator[e.Event]:
        run, at = self._run, self._at
        match event.get("type"):
            case "task_complete" | "turn_complete":
                if event.get("error"):
                    yield _failure(loose.table(event.get("error")), run, at)
                yield e.TurnEnded(run=run, at=at)
            case "turn_aborted":
                if self._owed:
                    yield e.RunCaveat(run=run, at=at, reason=BROKEN_OFF)
                yield e.RunInterrupted(run=run, at=at, text=loose.name(event.get("reason")))
            case "error" | "stream_error":
                yield _failure(event, run, at)
            case "thread_name_updated":
                title = loose.name(event.get("thread_name") or event.get("name"))
                if title:
                    yield e.RunDescribed(run=run, at=at, name=title, titled=True)
            case "exec_approval_request" | "apply_patch_approval_request" | "elicitation_request":
                asked = loose.name(event.get("reason")) or loose.summary(event)
                yield e.QuestionAsked(run=run, at=at, text=asked)

    def _completed(self, item: Table) -> Iterator[e.Event]:
        parts = loose.tables(item.get("content"))
        text = "\n".join(loose.text(part.get("text")) for part in parts)
        match item.get("type"):
            case "UserMessage":
                yield from self._prompted(text)
            case "AgentMessage":
                yield e.ReplyGiven(run=self._run, at=self._at, text=clean(text))

    def _prompted(self, text: str) -> Iterator[e.Event]:
        given = clean(text.strip())
        if given:
            self._owed = True
            yield e.PromptGiven(run=self._run, at=self._at, text=given)

    def _patched(self, event: Table) -> e.Event:
        """How a patch went, with what it changed; the tool's own answer follows and adds nothing."""
        ok = event.get("success") is not False
        return e.ToolEnded(
            run=self._run,
            at=self._at,
            tool=_id(event),
            ok=ok,
            output=loose.body(event.get("stdout") if ok else event.get("stderr")),
            diff=_diff(loose.table(event.get("changes"))),
        )


def _id(item: Table) -> str:
    return loose.name(item.get("call_id") or item.get("id"))


def _spawned_by(source: object) -> str:
    spawn = loose.table(loose.table(loose.table(source).get("subagent")).get("thread_spawn"))
    return loose.name(spawn.get("parent_thread_id"))


def _succeeded(output: str) -> bool:
    told = _EXIT.match(output[:1000])
    return int(told[1]) == 0 if told else not _FAILED.search(output)


def _failure(error: Table, run: str, at: int) -> e.Event:
    info = error.get("codex_error_info")
    details = next((loose.table(value) for value in loose.table(info).values()), {})
    return e.CallFailed(
        run=run,
        at=at,
        status=loose.count(details.get("http_status_code")),
        message=loose.name(error.get("message")),
    )


def _diff(changes: Table) -> str:
    """What a patch changed, file by file."""
    lines: list[str] = []
    for path, change in changes.items():
        table = loose.table(change)
        lines.append(f"--- {path}")
        lines.append(loose.text(table.get("unified_diff")) or _whole(table))
    return clean("\n".join(lines))


def _whole(change: Table) -> str:
    sign = "-" if change.get("type") == "delete" else "+"
    content = loose.text(change.get("content"))[:200_000]
    return "\n".join(f"{sign}{line}" for line in content.splitlines())
