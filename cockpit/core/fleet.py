"""The snapshot: every run and the fleet's books, as known at one instant."""

from typing import Literal

from msgspec import Struct

from cockpit.core.budget import Budget, Clock, Rate, Usage, clock
from cockpit.core.cache import CacheWindow, KeepWarm, NextTurn, keep_warm, next_turn
from cockpit.core.composition import Composition
from cockpit.core.events import Authority, Rung
from cockpit.core.misses import Misses
from cockpit.core.price import Rates
from cockpit.core.script import Stage
from cockpit.core.tokens import NO_TOKENS, Tokens

State = Literal[
    "running",
    "waiting",
    "asks",
    "idle",
    "stuck",
    "held",
    "deferred",
    "halted",
    "ended",
    "stopping",
    "stopped",
    "stop failed",
]
LIVE: frozenset[State] = frozenset(
    {"running", "waiting", "asks", "idle", "stuck", "held", "stopping", "stop failed"}
)
"""States in which a run may still spend; a deferred one may not, though it may have a process."""
Phase = Literal["working", "waiting", "asking", "ended"]
Level = Literal["information", "warning", "error"]

MINUTE = 60_000
IDLE_AFTER = 10 * MINUTE
STUCK_AFTER = 10 * MINUTE
QUIET_ENDS = 30 * MINUTE
"""A run without a known process that stays silent this long is presumed to have ended."""
STUCK_REPEATS = 4
"""The same failing result this often in a row is stuck (facts: OpenHands nudges at 3, stops at 4)."""
GAP_LIMIT = 10 * MINUTE
"""Silence counts as activity at most this long: a run that died working does not burn time for ever."""

SPARK_BUCKET = 2 * MINUTE
SPARK_LENGTH = 15
HOUR_QUARTER = 15 * MINUTE


class Tool(Struct, frozen=True):
    """A tool call that has not answered yet."""

    id: str
    name: str
    summary: str
    since: int


class Stopping(Struct, frozen=True):
    """How far a stop has come; `done` is None until the census."""

    since: int
    by: str
    rung: Rung = "interrupt"
    done: Literal["stopped", "failed"] | None = None
    pids: tuple[int, ...] = ()
    took_ms: int = 0
    reason: str = ""


class Approval(Struct, frozen=True):
    """A tool call that waits for the operator's yes or no. `tool` is the id of the tool call."""

    tool: str
    rule: str
    text: str
    since: int


class Note(Struct, frozen=True):
    """A word of the operator to a live run; `delivered` is when the model was sent it, 0 before."""

    text: str
    channel: str
    since: int
    delivered: int = 0


class PlanWindow(Struct, frozen=True):
    """How much of a subscription's window is used; it starts anew at `resets` (0: not known)."""

    percent: float
    resets: int = 0


class Claim(Struct, frozen=True):
    """A state and the evidence for it."""

    state: State
    evidence: str


class Run(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One agent at work on one task, as far as is known.

    Money is nano-dollars. `nano` holds everything priced, `estimated_nano` the part of it that is
    not exact; `plan_nano` what calls on a subscription would have cost, which is not in `nano`. `active_ms` is time spent working, waiting for people excluded. `spark` are
    nano-dollars in buckets of two minutes, the last one beginning at `spark_at`. `child_nano` and
    `child_tokens` are what its sub-agents spent: they count against its budget and its burn rate,
    and stand in the sub-agents' own books. A run whose authority is `wire` is governed: all its
    calls, its sub-agents' included, were booked at the gateway and stand in its own books. `paused`
    is since when its requests are held; `deferred` and `halted` say why it may not go on,
    `deferred_by` which scope's cap was in the way, `refused` counts the calls that were not let
    out. `before` is what its task had used when this run took it over.
    """

    id: str
    agent: str = ""
    session: str = ""
    parent: str | None = None
    source: str = ""
    name: str = ""
    titled: bool = False
    model: str = ""
    project: str = ""
    branch: str = ""
    pid: int | None = None
    pid_created: int = 0
    authority: Authority = "view"
    process_gone: bool = False
    phase: Phase = "working"
    action: str = ""
    outcome: str = ""
    question: str = ""
    started: int = 0
    last_event: int = 0
    active_ms: int = 0
    turns: int = 0
    calls: int = 0
    tokens: Tokens = NO_TOKENS
    nano: int = 0
    plan_nano: int = 0
    estimated_nano: int = 0
    unpriced_calls: int = 0
    bad_lines: int = 0
    caveats: tuple[str, ...] = ()
    last_call: Tokens = NO_TOKENS
    last_nano: int = 0
    last_call_at: int = 0
    last_call_active: int = 0
    rates: Rates | None = None
    context: int = 0
    context_before: int = 0
    window: int | None = None
    cache: CacheWindow = CacheWindow()
    misses: Misses = Misses()
    money_rate: Rate = Rate()
    token_rate: Rate = Rate()
    turn_rate: Rate = Rate()
    child_nano: int = 0
    child_tokens: int = 0
    spark: tuple[int, ...] = ()
    spark_at: int = 0
    open_tools: tuple[Tool, ...] = ()
    failure: str = ""
    failure_key: str = ""
    failures: int = 0
    budget: Budget | None = None
    budget_by: str = ""
    warned: int = 0
    stopping: Stopping | None = None
    purse: str = ""
    before: Usage = Usage()
    channel: str = ""
    windows: dict[str, PlanWindow] = {}
    sessions: tuple[str, ...] = ()
    composition: Composition = Composition()
    composition_before: Composition = Composition()
    paused: int = 0
    deferred: str = ""
    deferred_by: str = ""
    halted: str = ""
    refused: int = 0
    approvals: tuple[Approval, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def governed(self) -> bool:
        """Whether every call of the run goes through cockpit's gateway."""
        return self.authority == "wire"

    @property
    def mark(self) -> Literal["exact", "estimated", "presumed", "unpriced"]:
        """How far the spend can be trusted; `unpriced` when nothing of it has a price."""
        if self.unpriced_calls and self.unpriced_calls >= self.calls:
            return "unpriced"
        if self.estimated_nano or self.caveats or self.unpriced_calls:
            return "estimated"
        return "exact"


class Notice(Struct, frozen=True):
    """One line of the event feed."""

    at: int
    run: str
    text: str
    level: Level = "information"


class Scan(Struct, frozen=True):
    """Progress of the first look at the disk; `done` once everything was read."""

    files: int = 0
    files_done: int = 0
    bytes: int = 0
    bytes_done: int = 0
    done: bool = False
    looked_at: tuple[str, ...] = ()


class Fleet(Struct, frozen=True, omit_defaults=True):
    """What is known at `now`. `spent` maps quarters of an hour since the epoch to nano-dollars.

    `scripts` maps names on the shelf to the stage each is in.
    """

    now: int = 0
    runs: dict[str, Run] = {}
    spent: dict[int, int] = {}
    feed: tuple[Notice, ...] = ()
    scan: Scan = Scan()
    day_cap: int | None = None
    scripts: dict[str, Stage] = {}
    version: int = 0


def active_until(run: Run, now: int) -> int:
    """Active time of the run up to `now`: the silence since its last event counts while it works."""
    if run.phase != "working" or run.process_gone or run.stopping is not None or _is_held(run):
        return run.active_ms
    return run.active_ms + max(0, min(now - run.last_event, GAP_LIMIT))


def _is_held(run: Run) -> bool:
    return bool(run.paused or run.deferred or run.halted or run.approvals)


def claim(run: Run, now: int) -> Claim:
    """The state of a run and why we say so."""
    if run.stopping is not None:
        return _stopping(run.stopping)
    if run.halted:
        return Claim("halted", run.halted)
    if run.deferred:
        return Claim("deferred", run.deferred)
    if run.phase == "ended":
        return Claim("ended", run.outcome or "the agent said so")
    if run.process_gone:
        return Claim("ended", f"process {run.pid} is gone")
    return _held(run, now) if _is_held(run) else _at_work(run, now)


def _at_work(run: Run, now: int) -> Claim:
    quiet = now - run.last_event
    if run.pid is None and quiet > QUIET_ENDS:
        return Claim("ended", f"no process known and silent for {quiet // MINUTE} min")
    if run.phase == "asking":
        return Claim("asks", run.question or "waits for an answer")
    if run.phase == "waiting":
        if quiet > IDLE_AFTER:
            return Claim("idle", f"nothing asked of it for {quiet // MINUTE} min")
        return Claim("waiting", "the turn is over, it waits for a prompt")
    if run.failures >= STUCK_REPEATS:
        return Claim("stuck", f"same error {run.failures} times: {run.failure}")
    if quiet > STUCK_AFTER:
        return Claim("stuck", f"silent for {quiet // MINUTE} min in the middle of a turn")
    return Claim("running", run.action or "working")


def _held(run: Run, now: int) -> Claim:
    if run.approvals:
        asked = run.approvals[0]
        return Claim("asks", f"{asked.rule}: {asked.text}")
    return Claim("held", f"its requests are held for {(now - run.paused) // 1000} s")


def _stopping(stopping: Stopping) -> Claim:
    if stopping.done == "stopped":
        return Claim(
            "stopped", f"no survivor after {stopping.took_ms / 1000:.2f} s, by {stopping.by}"
        )
    if stopping.done == "failed":
        pids = ", ".join(map(str, stopping.pids))
        return Claim("stop failed", stopping.reason or f"still alive: {pids}")
    return Claim("stopping", stopping.rung)


def is_live(run: Run, now: int) -> bool:
    """Whether the run may still spend."""
    return claim(run, now).state in LIVE


def usage(run: Run, now: int) -> Usage:
    """What the run has used of each cap at `now`."""
    active = active_until(run, now)
    return Usage(
        money=run.before.money + run.nano + run.child_nano,
        tokens=run.before.tokens + run.tokens.total + run.child_tokens,
        time_ms=run.before.time_ms + active,
        turns=run.before.turns + run.turns,
        window=int(fullest_window(run, now)),
        calls=run.calls,
        money_rate=run.money_rate,
        token_rate=run.token_rate,
        turn_rate=run.turn_rate,
        pending_ms=active - run.last_call_active,
        typical_money=run.last_nano,
        typical_tokens=run.last_call.total,
    )


def fullest_window(run: Run, now: int) -> float:
    """Percent used of the subscription's fullest window that has not started anew; 0 without any."""
    live = [each.percent for each in run.windows.values() if not each.resets or each.resets > now]
    return max(live, default=0.0)


def clock_of(run: Run, now: int) -> Clock:
    """The budget clock of a run; frozen unless it is running."""
    return clock(run.budget, usage(run, now), running=claim(run, now).state == "running")


def burn_per_hour(run: Run, now: int) -> int:
    """Nano-dollars an hour while it runs, 0 when it does not."""
    if claim(run, now).state not in ("running", "stuck"):
        return 0
    quiet = max(0, active_until(run, now) - run.last_call_active)
    return int(run.money_rate.after(quiet).per_ms * 3_600_000)


def next_turn_of(run: Run) -> NextTurn | None:
    """What the run's next turn would cost with a warm and with a cold cache."""
    return next_turn(run.cache, run.last_call, run.rates)


def keep_warm_of(run: Run) -> KeepWarm | None:
    """What keeping the run's cache warm would cost, and for how long it pays."""
    return keep_warm(run.cache, run.rates)


def spark_until(run: Run, now: int) -> tuple[int, ...]:
    """The burn sparkline, shifted so that its last bucket is the one of `now`."""
    return shift_spark(run.spark, run.spark_at, now - now % SPARK_BUCKET)


def shift_spark(spark: tuple[int, ...], spark_at: int, bucket: int) -> tuple[int, ...]:
    """The buckets ending with the one that begins at `bucket`."""
    padded = (0,) * (SPARK_LENGTH - len(spark)) + spark
    steps = min(max(0, (bucket - spark_at) // SPARK_BUCKET), SPARK_LENGTH)
    return padded[steps:] + (0,) * steps


def children(fleet: Fleet, run: str) -> list[Run]:
    """Runs that this run started itself."""
    return [child for child in fleet.runs.values() if child.parent == run]


def spent_since(fleet: Fleet, since: int) -> int:
    """Nano-dollars the whole machine spent since `since` (to the quarter of an hour)."""
    first = since // HOUR_QUARTER
    return sum(nano for quarter, nano in fleet.spent.items() if quarter >= first)
