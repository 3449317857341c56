"""Runs as plain data with stable keys: what `cockpit ps --json` prints and scripts rely on."""

from typing import Any

from cockpit.core.budget import Clock
from cockpit.core.fleet import (
    Fleet,
    Run,
    burn_per_hour,
    claim,
    clock_of,
    keep_warm_of,
    next_turn_of,
)
from cockpit.core.forecast import cures_of, forecast_of
from cockpit.core.money import decimal_string


def run_row(run: Run, now: int) -> dict[str, Any]:
    """The documented keys of a run. Times are milliseconds since the epoch, money decimal strings."""
    return {
        "id": run.id,
        "parent": run.parent,
        "agent": run.agent,
        "name": run.name,
        "model": run.model,
        "project": run.project,
        "branch": run.branch,
        "pid": None if run.process_gone else run.pid,
        "state": claim(run, now).state,
        "authority": run.authority,
        "turns": run.turns,
        "started": run.started,
        "last_event": run.last_event,
        "usd": None if run.mark == "unpriced" else decimal_string(run.nano),
        "mark": run.mark,
        "tokens": run.tokens.by_class(),
        "clock": _clock(clock_of(run, now)),
        "cache": _cache(run, now),
        "context": {"tokens": run.context, "window": run.window},
        "burn_usd_per_h": decimal_string(burn_per_hour(run, now)),
    }


def run_detail(fleet: Fleet, run: Run, now: int) -> dict[str, Any]:
    """`run_row` and all that explains it."""
    clock = clock_of(run, now)
    return {
        **run_row(run, now),
        "evidence": claim(run, now).evidence,
        "action": run.action,
        "source": run.source,
        "active_s": run.active_ms // 1000,
        "calls": run.calls,
        "unpriced_calls": run.unpriced_calls,
        "estimated_usd": decimal_string(run.estimated_nano),
        "subscription_usd": decimal_string(run.plan_nano),
        "children_usd": decimal_string(run.child_nano),
        "cache_misses": run.misses.count,
        "missed_usd": decimal_string(run.misses.nano),
        "slow_timer": run.misses.is_slow_timer(now),
        "keep_warm": _keep_warm(run),
        "timer": _timer(run, now),
        "bad_lines": run.bad_lines,
        "caveats": list(run.caveats),
        "budget": _budget(run),
        "ruling": {"cap": clock.cap, "used": clock.used, "share": round(clock.share, 4)},
        "governed": _governed(run),
        "children": [child.id for child in fleet.runs.values() if child.parent == run.id],
    }


def _governed(run: Run) -> dict[str, Any] | None:
    """What the gateway knows of a run that it governs; null for the others."""
    if not run.governed:
        return None
    return {
        "session": run.session,
        "sessions": list(run.sessions),
        "channel": run.channel,
        "paused_since": run.paused or None,
        "refused": run.refused,
        "windows": {name: round(each.percent, 1) for name, each in run.windows.items()},
        "deferred": run.deferred,
        "halted": run.halted,
        "context_parts": {**run.composition.parts(), "cached": run.composition.cached},
        "approvals": [
            {"tool": asked.tool, "rule": asked.rule, "text": asked.text, "since": asked.since}
            for asked in run.approvals
        ],
        "notes": [
            {"text": note.text, "channel": note.channel, "delivered": note.delivered or None}
            for note in run.notes
        ],
    }


def _timer(run: Run, now: int) -> dict[str, Any] | None:
    """What a timer slower than the cache will cost this night, and what would cost less; else null."""
    night = forecast_of(run, now)
    if night is None:
        return None
    return {
        "every_s": night.every_ms // 1000,
        "wakes": night.wakes,
        "span_s": night.span_ms // 1000,
        "usd": decimal_string(night.nano),
        "miss_usd": decimal_string(night.miss),
        "hit_usd": decimal_string(night.hit),
        "cures": [
            {
                "name": cure.name,
                "usd": decimal_string(cure.nano),
                "keeps": cure.keeps,
                "text": cure.text,
            }
            for cure in cures_of(run, night.span_ms)
        ],
    }


def _clock(clock: Clock) -> dict[str, Any]:
    left = None if clock.left_ms is None else clock.left_ms // 1000
    return {"left_s": left, "ruling": clock.ruling, "frozen": clock.frozen}


def _cache(run: Run, now: int) -> dict[str, Any]:
    turn = next_turn_of(run)
    lifetime = run.cache.lifetime_ms
    return {
        "state": run.cache.state(now),
        "expires": run.cache.expires(),
        "ttl_s": None if lifetime is None else lifetime // 1000,
        "warm_usd": None if turn is None else decimal_string(turn.warm),
        "cold_usd": None if turn is None else decimal_string(turn.cold),
    }


def _keep_warm(run: Run) -> dict[str, Any] | None:
    warm = keep_warm_of(run)
    if warm is None:
        return None
    return {
        "ping_usd": decimal_string(warm.nano),
        "pings": warm.pings,
        "pays_s": warm.pays_ms // 1000,
        "chance": round(warm.chance, 4),
    }


def _budget(run: Run) -> dict[str, Any] | None:
    budget = run.budget
    if budget is None:
        return None
    return {
        "usd": None if budget.money is None else decimal_string(budget.money),
        "tokens": budget.tokens,
        "time_s": None if budget.time_ms is None else budget.time_ms // 1000,
        "turns": budget.turns,
        "window_percent": budget.window,
        "at_zero": budget.at_zero,
        "by": run.budget_by,
    }
