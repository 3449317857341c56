"""What a command could act on, and why it does not apply: pure."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from cockpit.core.fleet import Run, State, claim

if TYPE_CHECKING:  # the first paint does without them
    from cockpit.core.script import Task
    from cockpit.core.shelf import ShelfRow

OVER: frozenset[State] = frozenset({"ended", "stopped", "halted"})


class Situation(Struct, frozen=True):
    """What a command could act on. `run` is under the cursor; `targets` are it, or the marked runs.

    `asking` are runs with a tool call that waits for the operator, the longest waiting first. `script` is
    under the cursor or open, or was made of the `task` there; `differs` from what was approved before.
    """

    now: int = 0
    run: Run | None = None
    targets: tuple[Run, ...] = ()
    asking: tuple[Run, ...] = ()
    task: "Task | None" = None
    script: "ShelfRow | None" = None
    differs: bool = False


def asking_first(runs: Sequence[Run]) -> tuple[Run, ...]:
    """The runs with a tool call that waits, the longest waiting first."""
    waiting = [run for run in runs if run.approvals and run.stopping is None]
    return tuple(sorted(waiting, key=lambda run: (run.approvals[0].since, run.id)))


def needs_run(situation: Situation) -> str:
    return "" if situation.run is not None else "there is no run here"


def needs_budget(situation: Situation) -> str:
    if situation.run is None:
        return "there is no run here"
    return "" if situation.run.budget is not None else "this run has no budget; b sets one"


def needs_process(situation: Situation) -> str:
    return _any_of(situation, unstoppable)


def unstoppable(run: Run, now: int) -> str:
    """Why a run cannot be interrupted from here, empty when it can."""
    state = claim(run, now).state
    if state == "stopped":
        return "it is stopped already"
    if state == "ended":
        return "it has ended: " + claim(run, now).evidence
    if run.authority == "view" and run.parent:
        return "a sub-agent lives in its parent's process: interrupt the parent"
    if run.authority == "view":
        return "no process of it is known: cockpit can only watch it"
    return ""


# --- governed runs


def needs_pausable(situation: Situation) -> str:
    return _any_of(situation, unpausable)


def unpausable(run: Run, now: int) -> str:
    """Why the next call of a run can be neither held nor let go, empty when it can."""
    if reason := _out_of_reach(run, now, "paused"):
        return reason
    if run.deferred:
        return "it is deferred: nothing of it is sent anyway; r lets it go on"
    return ""


def needs_resumable(situation: Situation) -> str:
    if situation.run is not None and situation.run.approvals:
        return ""
    return _any_of(situation, unresumable)


def unresumable(run: Run, now: int) -> str:
    """Why a run cannot be let go on, empty when it can."""
    if not run.governed:
        return _ungoverned(run, "resumed")
    if run.stopping is not None:
        return "it was stopped: cockpit run starts another"
    if run.deferred or run.halted or run.paused:
        return ""
    return _out_of_reach(run, now, "resumed") or "nothing holds it: it goes on as it is"


def needs_listener(situation: Situation) -> str:
    if situation.run is None:
        return "there is no run here"
    return _out_of_reach(situation.run, situation.now, "told anything")


def needs_question(situation: Situation) -> str:
    """A tool call must wait: of the run that is meant, or of any."""
    run = situation.run
    if situation.asking or (run is not None and run.approvals):
        return ""
    if run is not None and run.phase == "asking" and not run.governed:
        return "it asks in its own terminal; of runs that cockpit run starts, a answers"
    return "no tool call waits for an answer"


def _out_of_reach(run: Run, now: int, done: str) -> str:
    if not run.governed:
        return _ungoverned(run, done)
    state = claim(run, now).state
    if state in OVER or state in ("stopping", "stop failed"):
        return f"it is {state}"
    return ""


def _ungoverned(run: Run, done: str) -> str:
    if run.parent:
        return f"a sub-agent cannot be {done} by itself: choose its parent"
    return f"cockpit only watches it; start it with cockpit run -- COMMAND and it can be {done}"


def _any_of(situation: Situation, why_not: Callable[[Run, int], str]) -> str:
    if not situation.targets:
        return "there is no run here"
    reasons = [why_not(run, situation.now) for run in situation.targets]
    return reasons[0] if all(reasons) else ""
