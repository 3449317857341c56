"""What becomes of a repeated task: a candidate, one more to wait for, or no and why."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from cockpit.architect.blobs import Blobs
from cockpit.architect.compile import compile_task
from cockpit.architect.operations import Operation, masked, operations
from cockpit.architect.profile import Profile
from cockpit.architect.rhythm import Rhythm, expected, rhythm
from cockpit.architect.value import PAYS_WITHIN_MONTHS, Value, value
from cockpit.core.money import dollars
from cockpit.core.script import Refusal, Script, Task
from cockpit.core.trace import Trace

Verdict = Literal["candidate", "wait", "no"]

LEAST_RUNS = 3
COMPILED_RUNS = 8
"""The latest successful runs that a compiler sees; more of them cost time and tell little."""
NAME_LIMIT = 80
OUTLINE_LIMIT = 12
LINE_LIMIT = 110
OPEN_TO_A_MODEL = frozenset(("N6",))
"""What a model may work out once, for a script to do from then on."""
_TOKEN = re.compile(r"[\w.-]+")


class Judged(Struct, frozen=True, omit_defaults=True):
    """What the runs themselves say of a task, whatever it costs."""

    refusal: Refusal | None = None
    determinism: float = 0.0
    outline: tuple[str, ...] = ()
    compiled: bool = False


def judged(task: str, traces: Sequence[Trace], blobs: Blobs) -> Judged:
    """Compiles the task's latest successful runs; slow, and worth remembering by its runs."""
    good = [trace for trace in traces if trace.outcome == "done" and not trace.distrusted]
    good = sorted(good, key=lambda one: (one.began, one.run))[-COMPILED_RUNS:]
    made = compile_task(task, good, blobs)
    outline = outlined(good[-1]) if good else ()
    if isinstance(made, Script):
        return Judged(None, 1.0, outline, compiled=True)
    return Judged(made, determinism(good), outline)


def task_of(
    group: Sequence[Profile], costs: Sequence[int | None], known: Judged, identity: str
) -> Task:
    """A cluster of runs, oldest first, as a task; `costs` of its runs in the same order."""
    good = [one for one in group if one.succeeded]
    paid = [cost for one, cost in zip(group, costs, strict=True) if one.succeeded]
    last = group[-1]
    beats = rhythm([one.began for one in good or group], last.zone)
    refusal = known.refusal
    needs_model = refusal is not None and refusal.code in OPEN_TO_A_MODEL
    worth = value(paid, beats.a_month, needs_model=needs_model)
    said, refusal = _said(good, refusal, worth, beats, last)
    return Task(
        id=identity,
        name=_name(group),
        runs=tuple(one.run for one in group),
        agents=tuple(sorted({one.agent for one in group})),
        project=last.project,
        first=group[0].began,
        last=last.began,
        every_ms=beats.every_ms,
        cron=beats.cron,
        cost_nano=worth.cost,
        month_nano=worth.month,
        break_even=worth.break_even,
        determinism=known.determinism,
        outline=known.outline,
        verdict=said,
        refusal=refusal,
    )


def _said(
    good: Sequence[Profile], refusal: Refusal | None, worth: Value, beats: Rhythm, last: Profile
) -> tuple[Verdict, Refusal | None]:
    if len(good) < LEAST_RUNS:
        return "wait", _too_few(good, beats, last)
    if refusal is not None and refusal.code not in OPEN_TO_A_MODEL:
        return ("wait" if refusal.code == "N1" else "no"), refusal
    if not worth.pays:
        lost = dollars(-(worth.month or 0) * PAYS_WITHIN_MONTHS)
        reason = f"it does not pay: making and watching a script would lose {lost} in 90 days"
        return "no", Refusal("N10", reason)
    return "candidate", refusal


def _too_few(good: Sequence[Profile], beats: Rhythm, last: Profile) -> Refusal:
    at = expected(beats, last.began, last.zone)
    when = f"; the next is to be expected {_day(at, last.zone)}" if at else ""
    runs = "no successful run" if not good else f"{len(good)} successful"
    runs += "" if not good else (" run" if len(good) == 1 else " runs")
    return Refusal("N1", f"{runs} so far, {LEAST_RUNS} are needed{when}")


def _day(at: int, zone: str) -> str:
    try:
        place = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        place = ZoneInfo("UTC")
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(place).date().isoformat()


def _name(group: Sequence[Profile]) -> str:
    """The latest run's own words."""
    named = next((one.name for one in reversed(group) if one.name), group[-1].run)
    return named if len(named) <= NAME_LIMIT else named[: NAME_LIMIT - 1] + "…"


# --- how much of it follows from what was read


def determinism(traces: Sequence[Trace]) -> float:
    """The share of all effects' characters that are the same in every run, or stand in what it read."""
    runs = [_written(trace) for trace in traces]
    if not runs:
        return 0.0
    words = [set(_TOKEN.findall(written)) for written, _ in runs]
    constant = set.intersection(*words)
    whole, open_ = 0, 0
    for written, read in runs:
        told = set(_TOKEN.findall(read)) | constant
        for word in _TOKEN.findall(written):
            whole += len(word)
            resolved = word in told or masked(word) == "<D>"
            open_ += 0 if resolved else len(word)
    return round(1 - open_ / whole, 3) if whole else 0.0


def _written(trace: Trace) -> tuple[str, str]:
    """All that a run's effects say, and all that it was told by what may be a source."""
    done = _operations(trace)
    written = "\n".join(
        "\n".join((one.target, one.destination, *one.argv, one.text or ""))
        for one in done
        if one.is_effect
    )
    return written, "\n".join(one.output for one in done if not one.is_effect and not one.opaque)


def outlined(trace: Trace) -> tuple[str, ...]:
    """What the run did, an operation a line."""
    lines = [
        _line(one) for one in _operations(trace) if one.is_effect or one.kind in ("get", "read")
    ]
    more = len(lines) - OUTLINE_LIMIT
    return (*lines[:OUTLINE_LIMIT], *([f"and {more} more"] if more > 0 else ()))


def _line(one: Operation) -> str:
    told = " ".join(f"{one.kind} {one.target}".split())
    told = f"{told} to {one.destination}" if one.destination else told
    return told if len(told) <= LINE_LIMIT else told[: LINE_LIMIT - 1] + "…"


def _operations(trace: Trace) -> tuple[Operation, ...]:
    try:
        return operations(trace)
    except (ValueError, RecursionError, IndexError, KeyError):
        return ()
