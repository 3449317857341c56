"""The only place where state is derived: `fold(fleet, event) -> fleet`."""

from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from cockpit.core import events as e
from cockpit.core import governing
from cockpit.core.cache import CacheWindow
from cockpit.core.failure import sentence, signature
from cockpit.core.feed import notice_of
from cockpit.core.fleet import (
    GAP_LIMIT,
    HOUR_QUARTER,
    SPARK_BUCKET,
    STUCK_REPEATS,
    Fleet,
    Notice,
    Run,
    Stopping,
    Tool,
    shift_spark,
)
from cockpit.core.misses import SLOW_TIMER_MISSES, judged
from cockpit.core.money import dollars
from cockpit.core.quantities import span_text
from cockpit.core.text import one_line
from cockpit.core.tokens import Tokens

FEED_LENGTH = 200
OPEN_TOOLS_LIMIT = 32
CAVEATS_LIMIT = 8
ANCESTORS_LIMIT = 16
LAST_WORDS = 30_000
"""An agent may still write so long after it was stopped; what comes later is a new beginning."""


def fold(fleet: Fleet, event: e.Event) -> Fleet:
    """The fleet after one event. Events of a run not yet seen create it; unknown order is fine."""
    if isinstance(event, e.RunDropped):
        return _without(fleet, event.run)
    fleet = _with_notice(fleet, notice_of(event))
    if isinstance(event, e.SpendCounted):
        return replace(fleet, spent=event.quarters)
    if isinstance(event, e.ScriptChanged):
        return replace(fleet, scripts={**fleet.scripts, event.script: event.stage})
    if isinstance(event, e.CallSettled) and not _is_under_the_wire(fleet, event.run):
        fleet = _booked(fleet, event)
    return _with_run(fleet, event) if event.run else fleet


def _with_run(fleet: Fleet, event: e.Event) -> Fleet:
    known = fleet.runs.get(event.run)
    run = known or Run(id=event.run, started=event.at, last_event=event.at)
    step = _STEPS.get(type(event))
    if step is not None:
        run = _still_ended(run, step(run, event))
    if type(event) in _SIGNS_OF_LIFE:
        run = _advanced(run, event.at)
    if run is known:
        return fleet
    runs = {**fleet.runs, run.id: run}
    if isinstance(event, e.CallSettled):
        _charge_parents(runs, run.parent, event)
    fleet = _with_notice(replace(fleet, runs=runs), _stuck(known, run, event.at))
    return _with_notice(fleet, _slow_timer(known, run, event.at))


def _still_ended(before: Run, run: Run) -> Run:
    """A transcript may tell on for a moment after the runner told how a governed run ended."""
    if not (run.process_gone and before.governed and before.phase == "ended" != run.phase):
        return run
    return replace(run, phase="ended", outcome=before.outcome, stopping=before.stopping)


def _stuck(known: Run | None, run: Run, at: int) -> Notice | None:
    before = known.failures if known else 0
    if not before < run.failures == STUCK_REPEATS:
        return None
    return Notice(at, run.id, f"same error {run.failures} times: {run.failure}", "error")


def _slow_timer(known: Run | None, run: Run, at: int) -> Notice | None:
    """Said once in a run's life."""
    before, misses = known.misses.longest if known else 0, run.misses
    if not before < misses.longest == SLOW_TIMER_MISSES:
        return None
    text = (
        f"timer slower than the {span_text(misses.lifetime_ms)} cache:"
        f" {misses.row} misses cost {dollars(misses.row_nano)} more than warm"
    )
    return Notice(at, run.id, text, "warning")


def _is_under_the_wire(fleet: Fleet, name: str) -> bool:
    """Whether the run is a sub-agent of a governed one, whose own books hold its calls already."""
    run = fleet.runs.get(name)
    for _ in range(ANCESTORS_LIMIT):
        run = fleet.runs.get(run.parent) if run is not None and run.parent else None
        if run is None:
            return False
        if run.governed:
            return True
    return False


def _charge_parents(runs: dict[str, Run], parent: str | None, event: e.CallSettled) -> None:
    for _ in range(ANCESTORS_LIMIT):
        run = runs.get(parent) if parent else None
        if run is None or run.governed:
            return
        runs[run.id] = replace(
            run,
            child_nano=run.child_nano + (event.nano or 0),
            child_tokens=run.child_tokens + event.tokens.total,
            money_rate=run.money_rate.plus(event.nano or 0),
            token_rate=run.token_rate.plus(event.tokens.total),
        )
        parent = run.parent


def fold_all(fleet: Fleet, events: Iterable[e.Event]) -> Fleet:
    """`fold` over many events."""
    for event in events:
        fleet = fold(fleet, event)
    return fleet


def reopened(fleet: Fleet, part: Fleet, decided: Fleet) -> Fleet:
    """The fleet with the runs of `part`, each folded from its beginning, in place of what was known.

    What the operator, the settings and the machine decided about a run is in no transcript: it
    stays, or comes from `decided`, the fold of the journal.
    """
    runs = dict(fleet.runs)
    for run in part.runs.values():
        known = fleet.runs.get(run.id) or decided.runs.get(run.id)
        runs[run.id] = run if known is None else _decided(run, known)
    feed = sorted({*fleet.feed, *part.feed}, key=lambda notice: notice.at)
    return replace(fleet, runs=runs, feed=tuple(feed[-FEED_LENGTH:]))


def _decided(run: Run, known: Run) -> Run:
    stopping = known.stopping
    if stopping is not None and _is_over(stopping):
        ended = stopping.since + stopping.took_ms + LAST_WORDS
        stopping = None if run.last_event > ended else stopping
    return replace(
        run,
        pid=known.pid,
        pid_created=known.pid_created,
        authority=known.authority,
        process_gone=known.process_gone,
        budget=known.budget,
        budget_by=known.budget_by,
        warned=known.warned,
        stopping=stopping,
    )


def _with_notice(fleet: Fleet, notice: Notice | None) -> Fleet:
    if notice is None:
        return fleet
    return replace(fleet, feed=(*fleet.feed, notice)[-FEED_LENGTH:])


def _without(fleet: Fleet, run: str) -> Fleet:
    return replace(fleet, runs={id_: kept for id_, kept in fleet.runs.items() if id_ != run})


def _booked(fleet: Fleet, event: e.CallSettled) -> Fleet:
    if not event.nano or event.billing == "subscription":
        return fleet
    quarter = event.at // HOUR_QUARTER
    return replace(fleet, spent={**fleet.spent, quarter: fleet.spent.get(quarter, 0) + event.nano})


def _advanced(run: Run, at: int) -> Run:
    """The run's last sign of life moves; the gap was activity if it was working."""
    started = min(run.started, at) if run.started else at
    if at <= run.last_event:
        return run if started == run.started else replace(run, started=started)
    return replace(run, started=started, last_event=at)


def _worked(run: Run, at: int) -> Run:
    """Active time up to `at`, counted before the event changes the phase."""
    if run.phase != "working" or at <= run.last_event:
        return run
    return replace(run, active_ms=run.active_ms + min(at - run.last_event, GAP_LIMIT))


# --- what each event does to its run


def _seen(run: Run, event: e.RunSeen) -> Run:
    return replace(
        run,
        agent=event.agent,
        session=event.session,
        parent=run.parent or event.parent,
        source=event.source or run.source,
    )


def _described(run: Run, event: e.RunDescribed) -> Run:
    name, titled = run.name, run.titled
    if event.name and (event.titled or not (titled or name)):
        name, titled = one_line(event.name), event.titled
    return replace(
        run,
        name=name,
        titled=titled,
        model=run.model if event.model is None else event.model,
        project=run.project if event.project is None else event.project,
        branch=run.branch if event.branch is None else event.branch,
        window=run.window if event.window is None else event.window,
    )


def _caveat(run: Run, event: e.RunCaveat) -> Run:
    if event.reason in run.caveats or len(run.caveats) >= CAVEATS_LIMIT:
        return run
    return replace(run, caveats=(*run.caveats, event.reason))


def _rejected(run: Run, event: e.LinesRejected) -> Run:
    return replace(run, bad_lines=run.bad_lines + event.count)


def _process_found(run: Run, event: e.ProcessFound) -> Run:
    return replace(
        run,
        pid=event.pid,
        pid_created=event.created,
        authority="wire" if run.governed else event.authority,
        process_gone=False,
        phase="working" if run.governed and run.phase == "ended" else run.phase,
        stopping=None if _is_over(run.stopping) else run.stopping,
    )


def _is_over(stopping: Stopping | None) -> bool:
    return stopping is not None and stopping.done == "stopped"


def _process_ended(run: Run, event: e.ProcessEnded) -> Run:
    if run.pid != event.pid:
        return run
    return replace(_worked(run, event.at), process_gone=True, open_tools=())


def _ended(run: Run, event: e.RunEnded) -> Run:
    return replace(
        _worked(run, event.at),
        phase="ended",
        outcome=one_line(event.outcome),
        open_tools=(),
        process_gone=run.process_gone or run.governed,
    )


def _prompted(run: Run, event: e.PromptGiven) -> Run:
    run = _worked(run, event.at)
    return replace(
        run,
        phase="working",
        name=run.name or one_line(event.text),
        question="",
        outcome="",
        failures=0,
        failure="",
        failure_key="",
        open_tools=(),
        action=one_line(event.text),
        stopping=None if _is_over(run.stopping) else run.stopping,
    )


def _replied(run: Run, event: e.ReplyGiven) -> Run:
    return replace(_worked(run, event.at), phase="working", action=one_line(event.text))


def _thought(run: Run, event: e.ThoughtGiven) -> Run:
    return replace(_worked(run, event.at), phase="working", action="thinking")


def _turn_ended(run: Run, event: e.TurnEnded) -> Run:
    return replace(_worked(run, event.at), phase="waiting", open_tools=())


def _asked(run: Run, event: e.QuestionAsked) -> Run:
    return replace(_worked(run, event.at), phase="asking", question=one_line(event.text))


def _interrupted(run: Run, event: e.RunInterrupted) -> Run:
    return replace(_worked(run, event.at), phase="waiting", open_tools=(), action="interrupted")


def _call_started(run: Run, event: e.CallStarted) -> Run:
    return replace(_worked(run, event.at), phase="working", model=event.model or run.model)


def _call_settled(run: Run, event: e.CallSettled) -> Run:
    run = _worked(run, event.at) if event.at >= run.last_event else run
    active = run.active_ms
    waited = max(0, active - run.last_call_active)
    by_plan = event.billing == "subscription"
    nano = 0 if by_plan else event.nano or 0
    first = 0 if event.revision else 1
    bucket = event.at - event.at % SPARK_BUCKET
    misses = judged(run.misses, event)
    own = misses.follows(event) or not run.governed
    run = _with_context(run, event) if own else run
    return replace(
        run,
        turns=run.turns + first,
        calls=run.calls + first,
        tokens=run.tokens + event.tokens,
        nano=run.nano + nano,
        plan_nano=run.plan_nano + (event.nano or 0 if by_plan else 0),
        estimated_nano=run.estimated_nano + (nano if event.mark != "exact" else 0),
        unpriced_calls=run.unpriced_calls + (first if event.nano is None else 0),
        last_nano=nano if not event.revision else run.last_nano + nano,
        last_call_at=max(event.at, run.last_call_at),
        last_call_active=active,
        misses=misses,
        money_rate=run.money_rate.after(waited).plus(nano),
        token_rate=run.token_rate.after(waited).plus(event.tokens.total),
        turn_rate=run.turn_rate.after(waited).plus(first),
        spark=_sparked(run, bucket, nano),
        spark_at=max(bucket, run.spark_at),
    )


def _with_context(run: Run, event: e.CallSettled) -> Run:
    """What the run itself will send again; titles and sub-agents on its wire are not that."""
    tokens = event.tokens if not event.revision else run.last_call + event.tokens
    return replace(
        run,
        model=event.model or run.model,
        window=event.window or run.window,
        rates=event.rates or run.rates,
        last_call=tokens,
        context=event.context or run.context,
        context_before=run.context_before if event.revision else run.context,
        cache=_window(event, tokens),
    )


def _window(event: e.CallSettled, tokens: Tokens) -> CacheWindow:
    return CacheWindow(
        since=event.requested or event.at,
        lifetime_ms=event.lifetime_ms,
        prefix=tokens.prompt + tokens.output,
        long_lived=tokens.cache_write_1h > 0,
        model=event.model,
    )


def _sparked(run: Run, bucket: int, nano: int) -> tuple[int, ...]:
    spark = shift_spark(run.spark, run.spark_at or bucket, bucket)
    back = max(0, (run.spark_at - bucket) // SPARK_BUCKET)
    if back >= len(spark):
        return spark
    place = len(spark) - 1 - back
    return (*spark[:place], spark[place] + nano, *spark[place + 1 :])


def _call_failed(run: Run, event: e.CallFailed) -> Run:
    text = f"provider error {event.status}" if event.status else "call broken off"
    return replace(_worked(run, event.at), action=one_line(f"{text} {event.message}"))


def _compacted(run: Run, event: e.ContextCompacted) -> Run:
    return replace(_worked(run, event.at), action="compacted its context")


def _tool_started(run: Run, event: e.ToolStarted) -> Run:
    run = _worked(run, event.at)
    if any(tool.id == event.tool for tool in run.open_tools):
        return run
    tool = Tool(event.tool, event.name, event.summary, event.at)
    return replace(
        run,
        phase="working",
        open_tools=(*run.open_tools, tool)[-OPEN_TOOLS_LIMIT:],
        action=one_line(f"{event.name} {event.summary}"),
    )


def _tool_ended(run: Run, event: e.ToolEnded) -> Run:
    run = _worked(run, event.at)
    if run.phase == "asking":
        run = replace(run, phase="working", question="")
    ended = next((tool for tool in run.open_tools if tool.id == event.tool), None)
    left = tuple(tool for tool in run.open_tools if tool.id != event.tool)
    if event.ok:
        return replace(run, open_tools=left, failures=0, failure="", failure_key="")
    call = f"{ended.name} {ended.summary}" if ended else ""
    key = signature(call, event.output)
    return replace(
        run,
        open_tools=left,
        failures=run.failures + 1 if key == run.failure_key else 1,
        failure=sentence(call, event.output),
        failure_key=key,
    )


def _budgeted(run: Run, event: e.BudgetSet) -> Run:
    return replace(run, budget=event.budget, budget_by=event.by, warned=0)


def _warned(run: Run, event: e.ClockWarned) -> Run:
    return replace(run, warned=max(run.warned, event.share))


def _expired(run: Run, _: e.ClockExpired) -> Run:
    return replace(run, warned=100)


def _stop_requested(run: Run, event: e.StopRequested) -> Run:
    rung: e.Rung = "kill" if event.mode == "panic" else "interrupt"
    return replace(
        _worked(run, event.at),
        stopping=Stopping(since=event.at, by=event.by, rung=rung, pids=event.pids),
    )


def _stop_climbed(run: Run, event: e.StopClimbed) -> Run:
    if run.stopping is None:
        return run
    return replace(run, stopping=replace(run.stopping, rung=event.rung, pids=event.pids))


def _stopped(run: Run, event: e.RunStopped) -> Run:
    stopping = run.stopping or Stopping(since=event.at - event.took_ms, by="")
    done = replace(stopping, done="stopped", rung="census", pids=(), took_ms=event.took_ms)
    return replace(run, stopping=done, open_tools=())


def _stop_failed(run: Run, event: e.StopFailed) -> Run:
    stopping = run.stopping or Stopping(since=event.at, by="")
    return replace(
        run, stopping=replace(stopping, done="failed", pids=event.pids, reason=event.reason)
    )


_STEPS: dict[type[e.Event], Callable[[Run, Any], Run]] = {
    e.RunSeen: _seen,
    e.RunDescribed: _described,
    e.RunCaveat: _caveat,
    e.LinesRejected: _rejected,
    e.ProcessFound: _process_found,
    e.ProcessEnded: _process_ended,
    e.RunEnded: _ended,
    e.PromptGiven: _prompted,
    e.ReplyGiven: _replied,
    e.ThoughtGiven: _thought,
    e.TurnEnded: _turn_ended,
    e.QuestionAsked: _asked,
    e.RunInterrupted: _interrupted,
    e.CallStarted: _call_started,
    e.CallSettled: _call_settled,
    e.CallFailed: _call_failed,
    e.ContextCompacted: _compacted,
    e.ToolStarted: _tool_started,
    e.ToolEnded: _tool_ended,
    e.BudgetSet: _budgeted,
    e.ClockWarned: _warned,
    e.ClockExpired: _expired,
    e.StopRequested: _stop_requested,
    e.StopClimbed: _stop_climbed,
    e.RunStopped: _stopped,
    e.StopFailed: _stop_failed,
    **governing.STEPS,
}

_SIGNS_OF_LIFE: frozenset[type[e.Event]] = frozenset(
    {
        e.PromptGiven,
        e.ReplyGiven,
        e.ThoughtGiven,
        e.TurnEnded,
        e.QuestionAsked,
        e.RunInterrupted,
        e.CallStarted,
        e.CallSettled,
        e.CallFailed,
        e.ContextCompacted,
        e.ToolStarted,
        e.ToolEnded,
        e.RunEnded,
        e.RunGoverned,
        e.RunDeferred,
        e.RunHalted,
        e.RunPaused,
        e.ApprovalAsked,
    }
)
