"""Why a command on a task or a script does not apply now: pure, and light enough for the first paint.

The engine has the last word on every one of them; these are the reasons that the screen can see.
"""

from cockpit.ui.situation import Situation

OVERRULED = ("N3", "N12")
"""Refusals that the operator may overrule (facts: those marked with a star)."""

UNAPPROVED = ("compiled", "verified")


def needs_task(situation: Situation) -> str:
    return "" if situation.task is not None else "there is no task here"


def needs_buildable(situation: Situation) -> str:
    task = situation.task
    if task is None:
        return "there is no task here"
    if situation.script is not None and situation.script.stage != "retired":
        return "it has a script already: enter opens it"
    if task.verdict == "wait":
        return f"{len(task.runs)} runs are too few to learn from: it waits for more"
    if task.verdict == "no" and (task.refusal is None or task.refusal.code not in OVERRULED):
        return "it is no work for a script; the reasons stand beside it"
    return ""


def needs_script(situation: Situation) -> str:
    return "" if situation.script is not None else "there is no script here"


def needs_living(situation: Situation) -> str:
    if situation.script is None:
        return "there is no script here"
    return "it is retired" if situation.script.stage == "retired" else ""


def needs_schedulable(situation: Situation) -> str:
    script = situation.script
    if script is None or script.stage == "retired":
        return needs_living(situation)
    return f"it is {script.stage}: approve it first" if script.stage in UNAPPROVED else ""


def needs_runnable(situation: Situation) -> str:
    script = situation.script
    if script is None:
        return "there is no script here"
    return "it runs just now" if script.running else ""


def needs_active(situation: Situation) -> str:
    script = situation.script
    if script is None or script.running:
        return needs_runnable(situation)
    return "" if script.stage == "active" else f"it is {script.stage}: only an active script acts"


def needs_reviewable(situation: Situation) -> str:
    script = situation.script
    if script is None:
        return "there is no script here"
    if script.stage in ("verified", "shadow"):
        return ""
    if script.stage == "compiled":
        return "not all gates are passed: v proves it again"
    return f"it is {script.stage}"


def needs_watchable(situation: Situation) -> str:
    script = situation.script
    if script is None:
        return "there is no script here"
    return "" if script.stage in ("compiled", "verified") else f"it is {script.stage}"


def needs_difference(situation: Situation) -> str:
    if situation.script is None:
        return "there is no script here"
    return "" if situation.differs else "it does not differ from anything approved before"
