"""Traces out of stories: what a run and its sub-agents did, each tool call with what it answered."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from cockpit.agents import codex_code, loose, tail
from cockpit.agents.adapter import DatabaseAdapter
from cockpit.agents.outputs import said
from cockpit.core import events as e
from cockpit.core.redaction import Redactor
from cockpit.core.text import BODY_LIMIT
from cockpit.core.trace import Outcome, Step, Trace
from cockpit.engine.library import Place, opening_story

STEPS_LIMIT = 5_000
CUT = "(its arguments were cut short)"
"""Behind a tool's name: nobody can tell what such a call did."""
_EXIT = re.compile(r"exit (\d+)")


class _Asked(Struct):
    """A tool call on its way to a step."""

    event: e.ToolStarted
    output: str = ""
    ok: bool = True
    answered: int = 0

    def answer(self, event: e.ToolEnded) -> None:
        """Codex tells twice how a patch went: it went well when both say so."""
        self.ok = self.ok and event.ok
        self.output = event.output or self.output
        self.answered = event.at


def trace_of(
    events: Iterable[e.Event],
    run: str,
    agent: str,
    redactor: Redactor,
    *,
    zone: str,
    root: str = "",
) -> Trace | None:
    """The trace of a run; `events` are its own and its sub-agents', None when it did not begin.

    Secrets are replaced. What sub-agents did counts as done by the run itself; what they said is
    a model's.
    """
    story = sorted(events, key=_at)
    own = [event for event in story if event.run == run]
    if not own:
        return None
    project = root or next(
        (event.project for event in own if isinstance(event, e.RunDescribed) and event.project), ""
    )
    return Trace(
        run=run,
        agent=agent,
        began=own[0].at,
        ended=max(event.at for event in story),
        zone=zone,
        root=project or "",
        project=project or "",
        model=_model(own),
        prompts=tuple(
            redactor.text(event.text) for event in own if isinstance(event, e.PromptGiven)
        ),
        outcome=_outcome(own),
        steps=tuple(_steps(story, agent, redactor)),
    )


def _steps(story: Sequence[e.Event], agent: str, redactor: Redactor) -> list[Step]:
    asked: dict[tuple[str, str], _Asked] = {}
    for event in story:
        if isinstance(event, e.ToolStarted) and len(asked) < STEPS_LIMIT:
            asked.setdefault((event.run, event.tool), _Asked(event))
        elif isinstance(event, e.ToolEnded) and (event.run, event.tool) in asked:
            asked[event.run, event.tool].answer(event)
    return [_step(number, one, agent, redactor) for number, one in enumerate(asked.values(), 1)]


def _step(number: int, one: _Asked, agent: str, redactor: Redactor) -> Step:
    event = one.event
    arguments, whole = _arguments(event.arguments)
    tool, told = event.name, one.output
    if (agent, tool) == ("codex", "exec"):
        told = codex_code.printed(told)
        tool, arguments = codex_code.seen_through(arguments) or (tool, arguments)
    output, opaque = said(agent, tool, arguments, told)
    if not one.answered:
        opaque = "missing"
    return Step(
        number=number,
        tool=tool if whole else f"{tool} {CUT}",
        arguments=redactor.value(arguments),
        output=redactor.text(output),
        ok=one.ok,
        opaque=opaque if whole else "truncated",
        at=event.at,
        took_ms=max(0, one.answered - event.at) if one.answered else 0,
    )


def _arguments(text: str) -> tuple[dict[str, object], bool]:
    """The arguments of a tool call, and whether they are all there."""
    value = loose.decode(text) if text.startswith("{") else None
    if isinstance(value, dict):
        return value, True
    return ({"input": text} if text else {}), len(text) <= BODY_LIMIT


def _model(own: Sequence[e.Event]) -> str:
    named = [
        event.model
        for event in own
        if isinstance(event, e.RunDescribed | e.CallSettled | e.CallStarted)
    ]
    return next((model for model in reversed(named) if model), "")


def _outcome(own: Sequence[e.Event]) -> Outcome:
    """How it ended, by the last that says so."""
    for event in reversed(own):
        match event:
            case e.RunEnded(outcome=told):
                code = _EXIT.match(told)
                return ("done" if code[1] == "0" else "failed") if code else "unknown"
            case e.TurnEnded():
                return "done"
            case e.RunInterrupted() | e.RunStopped():
                return "stopped"
            case e.CallFailed():
                return "failed"
    return "unknown"


def story_of(place: Place) -> list[e.Event]:
    """Everything a source tells.

    Raises:
        OSError: when it is gone or may not be read.
    """
    match place.source.form:
        case "lines":
            return opening_story(place, place.size, whole=True)
        case "document":
            return place.adapter.story(tail.document(place.source.path)[0], place.source, b"")
        case "database":
            adapter: DatabaseAdapter = place.adapter  # type: ignore[assignment]  # the form says so
            return adapter.read(Path(place.source.path), b"", since=0)[1]


def _at(event: e.Event) -> int:
    return event.at
