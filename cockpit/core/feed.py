"""The feed: what of an event deserves a line on the screen."""

from cockpit.core import events as e
from cockpit.core.budget import Budget
from cockpit.core.fleet import Level, Notice
from cockpit.core.money import dollars
from cockpit.core.text import one_line


def notice_of(event: e.Event) -> Notice | None:  # noqa: C901 (one case an event)
    """The line for the feed, None for what only changes a run."""
    match event:
        case e.ProcessFound(pid=pid, authority=authority):
            return Notice(event.at, event.run, f"found process {pid} ({authority})")
        case e.ProcessEnded(pid=pid):
            return Notice(event.at, event.run, f"process {pid} ended")
        case e.CallFailed(status=status, message=message):
            return Notice(
                event.at, event.run, one_line(f"call failed {status or ''} {message}"), "warning"
            )
        case e.ContextCompacted(before=before):
            size = f" from {before:,} tokens" if before else ""
            return Notice(event.at, event.run, f"context compacted{size}")
        case e.BudgetSet(budget=budget, by=by) if by != "settings":
            return Notice(event.at, event.run, f"budget {_caps(budget)} set by {by}")
        case e.ScopeCapped(scope=scope, nano=nano, by=by):
            cap = "none" if nano is None else dollars(nano)
            return Notice(event.at, event.run, one_line(f"cap of {scope}: {cap}, set by {by}"))
        case e.ClockWarned(share=share, ruling=ruling):
            return Notice(event.at, event.run, f"{share} % of {ruling} used", "warning")
        case e.ClockExpired(ruling=ruling, action=action):
            return Notice(event.at, event.run, f"{ruling} is used up: {action}", "error")
        case e.StopRequested(mode=mode, by=by):
            return Notice(event.at, event.run, f"{mode} requested by {by}", "warning")
        case e.StopClimbed(rung=rung, channel=channel) if rung != "census":
            how = f"{rung} by {channel}" if channel else rung
            return Notice(event.at, event.run, f"stopping: {how}", "warning")
        case e.RunStopped(took_ms=took):
            return Notice(event.at, event.run, f"stopped, no survivor, {took / 1000:.2f} s")
        case e.StopFailed(pids=pids, reason=reason):
            left = ", ".join(map(str, pids))
            return Notice(event.at, event.run, one_line(f"STOP FAILED {left} {reason}"), "error")
        case e.QuestionAsked(text=text):
            return Notice(event.at, event.run, one_line(f"asks: {text}"), "warning")
        case e.RunInterrupted():
            return Notice(event.at, event.run, "interrupted by its user")
        case e.RunEnded(outcome=outcome):
            return Notice(event.at, event.run, one_line(f"ended {outcome}"))
        case e.NoticeGiven(text=text, level=level):
            return Notice(event.at, event.run, one_line(text), level)
    return _governing(event) or _of_scripts(event)


def _of_scripts(event: e.Event) -> Notice | None:
    match event:
        case e.ScriptChanged(script=script, stage=stage, reason=reason):
            text = f"script {script} is {stage}{': ' if reason else ''}{reason}"
            trouble = stage in ("quarantined", "retired")
            level: Level = "warning" if trouble else "information"
            return Notice(event.at, event.run, one_line(text), level)
        case e.ScriptRan(script=script, passed=True, saved_nano=saved):
            worth = f", worth {dollars(saved)}" if saved else ""
            return Notice(event.at, event.run, one_line(f"script {script} ran{worth}"))
        case e.ScriptRan(script=script, exit_code=code, reason=reason):
            text = f"script {script} gave up (exit {code}): {reason}"
            return Notice(event.at, event.run, one_line(text), "warning")
    return None


def _governing(event: e.Event) -> Notice | None:  # noqa: C901 (one case an event)
    match event:
        case e.RunGoverned(agent=agent):
            return Notice(event.at, event.run, f"{agent} begins behind the gateway")
        case e.HoldRefused(reason=reason):
            return Notice(event.at, event.run, one_line(f"call refused: {reason}"), "warning")
        case e.OverrunBooked(nano=nano):
            text = f"a call cost {dollars(nano)} more than was held for it; all of it is booked"
            return Notice(event.at, event.run, text, "error")
        case e.RunDeferred(reason=reason):
            return Notice(event.at, event.run, one_line(f"deferred: {reason}"), "error")
        case e.RunHalted(reason=reason):
            return Notice(event.at, event.run, one_line(f"halted: {reason}"), "error")
        case e.RunPaused(channel=channel):
            return Notice(event.at, event.run, f"paused ({channel})")
        case e.RunResumed():
            return Notice(event.at, event.run, "goes on")
        case e.RunContinued(task=task):
            return Notice(
                event.at, event.run, one_line(f"goes on with {task}: one budget for both")
            )
        case e.RunSteered(text=text, channel=channel, delivered=delivered):
            told = f"told by {channel}" if delivered else f"note waits for {channel}"
            return Notice(event.at, event.run, one_line(f"{told}: {text}"))
        case e.ApprovalAsked(rule=rule, text=text):
            return Notice(event.at, event.run, one_line(f"asks ({rule}): {text}"), "warning")
        case e.ApprovalAnswered(allowed=allowed, by=by):
            return Notice(event.at, event.run, f"{'allowed' if allowed else 'denied'} by {by}")
    return None


def _caps(budget: Budget | None) -> str:
    if budget is None:
        return "none"
    parts = []
    if budget.money is not None:
        parts.append(dollars(budget.money))
    if budget.tokens is not None:
        parts.append(f"{budget.tokens:,} tokens")
    if budget.time_ms is not None:
        parts.append(f"{budget.time_ms // 60_000} min")
    if budget.turns is not None:
        parts.append(f"{budget.turns} turns")
    if budget.window is not None:
        parts.append(f"{budget.window} % of the plan's window")
    return ", ".join(parts) or "without caps"
