"""What the gateway, the runner and the operator do to a governed run: its steps of the fold."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from cockpit.core import events as e
from cockpit.core.budget import Usage
from cockpit.core.fleet import Approval, Note, PlanWindow, Run
from cockpit.core.text import one_line

NOTES_LIMIT = 8


def _governed(run: Run, event: e.RunGoverned) -> Run:
    return replace(
        run,
        agent=event.agent,
        name=one_line(event.name) or run.name,
        titled=bool(event.name) or run.titled,
        project=event.project,
        purse=event.purse,
        channel=event.channel,
        authority="wire",
    )


def _named(run: Run, event: e.SessionNamed) -> Run:
    """The first is its own; a sub-agent's may follow."""
    return run if run.session else replace(run, session=one_line(event.session))


def _linked(run: Run, event: e.SessionLinked) -> Run:
    return (
        run if event.found in run.sessions else replace(run, sessions=(*run.sessions, event.found))
    )


def _measured(run: Run, event: e.ContextMeasured) -> Run:
    """A title's or a sub-agent's request on the same wire is not the run's own context."""
    if event.composition.total != run.last_call.prompt:
        return run
    return replace(run, composition=event.composition, composition_before=run.composition)


def _window(run: Run, event: e.WindowMeasured) -> Run:
    known = PlanWindow(event.percent, event.resets)
    return replace(run, windows={**run.windows, event.window: known})


def _refused(run: Run, _: e.HoldRefused) -> Run:
    return replace(run, refused=run.refused + 1)


def _deferred(run: Run, event: e.RunDeferred) -> Run:
    return replace(run, deferred=one_line(event.reason), deferred_by=event.scope)


def _halted(run: Run, event: e.RunHalted) -> Run:
    return replace(run, halted=one_line(event.reason))


def _paused(run: Run, event: e.RunPaused) -> Run:
    return replace(run, paused=run.paused or event.at)


def _resumed(run: Run, event: e.RunResumed) -> Run:
    """Time that was held or deferred was no work: activity goes on counting from here."""
    return replace(
        run,
        paused=0,
        deferred="",
        deferred_by="",
        halted="",
        last_event=max(run.last_event, event.at),
    )


def _continued(run: Run, event: e.RunContinued) -> Run:
    before = Usage(event.money, event.tokens, event.time_ms, event.turns)
    return replace(run, purse=event.purse, before=before)


def _steered(run: Run, event: e.RunSteered) -> Run:
    note = Note(event.text, event.channel, event.at, event.delivered)
    before = [known for known in run.notes if known.text != event.text or known.delivered]
    return replace(run, notes=(*before, note)[-NOTES_LIMIT:])


def _approval_asked(run: Run, event: e.ApprovalAsked) -> Run:
    asked = Approval(event.tool, event.rule, one_line(event.text), event.at)
    others = tuple(known for known in run.approvals if known.tool != event.tool)
    return replace(run, approvals=(*others, asked))


def _approval_answered(run: Run, event: e.ApprovalAnswered) -> Run:
    left = tuple(known for known in run.approvals if known.tool != event.tool)
    return replace(run, approvals=left, last_event=max(run.last_event, event.at))


STEPS: dict[type[e.Event], Callable[[Run, Any], Run]] = {
    e.RunGoverned: _governed,
    e.SessionNamed: _named,
    e.SessionLinked: _linked,
    e.ContextMeasured: _measured,
    e.WindowMeasured: _window,
    e.HoldRefused: _refused,
    e.RunDeferred: _deferred,
    e.RunHalted: _halted,
    e.RunPaused: _paused,
    e.RunResumed: _resumed,
    e.RunContinued: _continued,
    e.RunSteered: _steered,
    e.ApprovalAsked: _approval_asked,
    e.ApprovalAnswered: _approval_answered,
}
