"""One run as a page for people: what `cockpit show` prints. What is not known is not on it."""

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from itertools import starmap

from cockpit.core.budget import NO_USAGE
from cockpit.core.fleet import (
    Fleet,
    Run,
    active_until,
    burn_per_hour,
    children,
    claim,
    clock_of,
    is_live,
    keep_warm_of,
    next_turn_of,
)
from cockpit.core.forecast import cures_of, forecast_of
from cockpit.core.money import dollars
from cockpit.ui import text
from cockpit.ui.caps import budget_text
from cockpit.ui.palette import GLYPHS

Line = tuple[str, str]
"""A label, empty for none, and what is said."""
MORE = " "
"""The label of a line that says more to the one before."""
CLASSES = {
    "input": "input",
    "cache_write_5m": "cache write",
    "cache_write_1h": "long write",
    "cache_read": "cache read",
    "output": "output",
    "reasoning": "of it thinking",
}
LABEL = 12
DOT = " · "


def page(fleet: Fleet, run: Run, now: int, zone: tzinfo | None) -> str:
    """The run at `now` (ms), its times in the operator's zone."""
    groups = (
        [*_doing(run, now), *_wanting(run, now)],
        [*_spent(fleet, run, now), *_clock(run, now), *_notes(run, zone)],
        [*_context(run), *_cache(run, now), *_timer(run, now)],
        [*_place(run), *_times(run, now, zone), *_source(run)],
        [*_doubts(run)],
    )
    return "\n\n".join("\n".join(starmap(_line, lines)) for lines in groups if lines)


def _line(label: str, said: str) -> str:
    return f"{label:{LABEL}}{said}" if label else said


def _doing(run: Run, now: int) -> Iterator[Line]:
    state = claim(run, now)
    yield "", f"{GLYPHS[state.state]} {state.state}  {text.safe(run.name) or run.id}"
    said = [text.safe(run.agent), text.safe(run.model), f"turn {run.turns}", text.safe(run.action)]
    if state.state not in ("running", "deferred", "halted") and not run.approvals:
        said.append(text.safe(state.evidence))
    yield "", DOT.join(filter(None, dict.fromkeys(said)))


def _wanting(run: Run, now: int) -> Iterator[Line]:
    for asked in run.approvals:
        yield "asks", f"{text.safe(asked.rule)}: {text.safe(asked.text)}"
        yield MORE, f"for {text.age(now - asked.since)}; cockpit answer {run.id} yes"
    for label, why in (("deferred", run.deferred), ("halted", run.halted)):
        if why:
            yield label, text.safe(why)
    if run.paused:
        yield "paused", f"for {text.age(now - run.paused)}; cockpit resume {run.id}"
    if run.refused:
        yield "refused", f"calls not let out: {run.refused}"


def _spent(fleet: Fleet, run: Run, now: int) -> Iterator[Line]:
    burn = burn_per_hour(run, now)
    said = [
        text.spent(run),
        f"{run.calls:,} call{'' if run.calls == 1 else 's'}",
        f"{run.unpriced_calls:,} of them unpriced" if run.unpriced_calls else "",
        f"{dollars(run.estimated_nano)} of it estimated" if run.estimated_nano else "",
        f"{dollars(burn)}/h" if burn else "",
    ]
    yield "spent", DOT.join(filter(None, said))
    if run.plan_nano:
        yield "plan", f"{dollars(run.plan_nano)} more by price list, paid by a subscription"
    for name, each in run.windows.items():
        yield "window", f"{text.safe(name)}: {each.percent:.0f} % used"
    for child in children(fleet, run.id):
        name = text.safe(child.name) or child.id
        yield "sub-agent", f"{text.spent(child):>9}  {claim(child, now).state:8} {name}"
    if run.before != NO_USAGE:
        first = text.safe(run.purse.removeprefix("run:"))
        turns = f"{run.before.turns} turns"
        yield "before", f"{dollars(run.before.money)}{DOT}{turns} in {first}: one budget for both"
    counts = run.tokens.by_class()
    found = [f"{name} {counts[key]:,}" for key, name in CLASSES.items() if counts[key]]
    if found:
        yield "tokens", DOT.join(found)


def _clock(run: Run, now: int) -> Iterator[Line]:
    if run.budget is None:
        if is_live(run, now):
            yield "budget", f"none; cockpit budget {run.id} --money 5"
        return
    caps = budget_text(run.budget, governed=run.governed)
    yield "budget", f"{caps} (at zero: {run.budget.at_zero}), set by {text.safe(run.budget_by)}"
    clock = clock_of(run, now)
    if clock.ruling is None:
        return
    used, cap = text.amount(clock.ruling, clock.used), text.amount(clock.ruling, clock.cap)
    left = "calibrating" if clock.calibrating else "" if clock.left_ms is None else text.clock(clock.left_ms)  # fmt: skip
    stands = "stands still" if clock.frozen and left else ""
    share = f"{used} of {cap} {'' if clock.ruling == 'money' else clock.ruling}".rstrip()
    yield "left", DOT.join(filter(None, (left, share, stands)))


def _notes(run: Run, zone: tzinfo | None) -> Iterator[Line]:
    for note in run.notes:
        at = f"told {text.time_of_day(note.delivered, zone)}" if note.delivered else "not told yet"
        yield "said", f"{text.safe(note.text)} ({at}, by {text.safe(note.channel)})"


def _context(run: Run) -> Iterator[Line]:
    if run.context:
        window = f" of {text.tokens(run.window)}" if run.window else ""
        yield "context", f"{text.tokens(run.context)}{window} tokens"
    parts = {name: count for name, count in run.composition.parts().items() if count}
    if parts:
        said = DOT.join(f"{name.replace('_', ' ')} {text.tokens(n)}" for name, n in parts.items())
        yield "it holds", f"{said}{DOT}{text.tokens(run.composition.cached)} of it from the cache"


def _cache(run: Run, now: int) -> Iterator[Line]:
    state, expires, turn = run.cache.state(now), run.cache.expires(), next_turn_of(run)
    left = f" {text.warm_for(run.cache, expires - now)}" if state == "warm" and expires else ""
    if turn is not None:
        warm = "" if turn.warm is None or state != "warm" else f"next turn {dollars(turn.warm)}"
        cold = (
            "" if turn.cold is None else f"{'cold' if warm else 'next turn'} {dollars(turn.cold)}"
        )
        yield "cache", DOT.join(filter(None, (state + left, warm, cold)))
    if state == "warm" and (ping := keep_warm_of(run)) is not None and ping.pings:
        yield (
            "",
            f"{'':{LABEL}}a ping costs {dollars(ping.nano)} and pays for {text.age(ping.pays_ms)}",
        )
    if run.misses.count:
        yield "misses", f"{run.misses.count}, cost {dollars(run.misses.nano)} more"


def _timer(run: Run, now: int) -> Iterator[Line]:
    """The verdict on a timer slower than the cache, and a line for each cure."""
    night = forecast_of(run, now)
    if night is None:
        return
    yield "timer", night.text
    for cure in cures_of(run, night.span_ms):
        yield MORE, f"{dollars(cure.nano):>9}  {cure.text}"


def _place(run: Run) -> Iterator[Line]:
    branch = f" on {text.safe(run.branch)}" if run.branch else ""
    if run.project:
        yield "project", f"{text.safe(run.project)}{branch}"
    process = "" if run.pid is None or run.process_gone else f"pid {run.pid}"
    channel = f"by {text.safe(run.channel)}" if run.channel else ""
    yield "control", DOT.join(filter(None, (run.authority, process, channel)))


def _times(run: Run, now: int, zone: tzinfo | None) -> Iterator[Line]:
    if run.started:
        began = datetime.fromtimestamp(min(run.started, text.LATEST) / 1000, UTC).astimezone(zone)
        active = active_until(run, now)
        said = [
            f"{began:%d %b %Y %H:%M}",
            f"active {text.clock(active)}" if active else "",
            f"last event {text.age(now - run.last_event)} ago",
        ]
        yield "began", DOT.join(filter(None, said))


def _source(run: Run) -> Iterator[Line]:
    yield "id", run.id
    if run.source:
        yield "told by", text.safe(run.source, 1_000)


def _doubts(run: Run) -> Iterator[Line]:
    """Why figures are not exact."""
    if run.bad_lines:
        yield "note", f"{run.bad_lines:,} lines of its transcript could not be read"
    for caveat in run.caveats:
        yield "note", text.safe(caveat)
