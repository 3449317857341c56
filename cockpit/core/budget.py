"""Budgets, and the clock that counts down to the first cap."""

import math
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

Cap = Literal["money", "tokens", "time", "turns", "window"]
AtZero = Literal["warn", "interrupt", "defer", "halt", "ask"]
"""What happens at a cap. `defer`, `halt` and `ask` need the gateway: without it they interrupt."""

BURN_MEMORY_MS = 10 * 60_000
"""Time constant of the burn rate: active time after which a call counts for 1/e."""

CALIBRATION_CALLS = 3

SHORTEST_SPAN_MS = 60_000
"""A shorter history counts as this long: the first calls of a run say nothing about its hour."""


class Budget(Struct, frozen=True, omit_defaults=True):
    """Caps on a whole run; None is no cap. `money` is nano-dollars, `time_ms` active time.

    `window` is for a subscription: percent of its fullest window, whoever used it up.
    """

    money: int | None = None
    tokens: int | None = None
    time_ms: int | None = None
    turns: int | None = None
    window: int | None = None
    at_zero: AtZero = "warn"


def doubled(budget: Budget) -> Budget:
    """The budget with every cap twice as large: what a yes to a cap's question does.

    A plan's window has no more than all of it.
    """
    caps = {name: getattr(budget, name) for name in ("money", "tokens", "time_ms", "turns")}
    larger = {name: 2 * cap for name, cap in caps.items() if cap is not None}
    if budget.window is not None:
        larger["window"] = min(100, 2 * budget.window)
    return replace(budget, **larger)


class Rate(Struct, frozen=True):
    """An amount per millisecond of active time, decaying exponentially.

    `weight` is the sum of exp(-age/memory) over what was added and `span` the active time seen;
    dividing by memory * (1 - exp(-span/memory)) removes the bias of a short history.
    """

    weight: float = 0.0
    span_ms: int = 0

    def after(self, active_ms: int) -> "Rate":
        """The rate once `active_ms` more of activity have passed without a further amount."""
        return Rate(self.weight * math.exp(-active_ms / BURN_MEMORY_MS), self.span_ms + active_ms)

    def plus(self, amount: int) -> "Rate":
        return Rate(self.weight + amount, self.span_ms)

    @property
    def per_ms(self) -> float:
        span = max(self.span_ms, SHORTEST_SPAN_MS)
        return self.weight / (BURN_MEMORY_MS * -math.expm1(-span / BURN_MEMORY_MS))


class Usage(Struct, frozen=True):
    """What a run has used of each cap, and how fast.

    `pending_ms` is active time since the last call; `typical_*` is what that call took: the call
    under way is presumed to take as much, so that the clock counts down between calls.
    """

    money: int = 0
    tokens: int = 0
    time_ms: int = 0
    turns: int = 0
    window: int = 0
    calls: int = 0
    money_rate: Rate = Rate()
    token_rate: Rate = Rate()
    turn_rate: Rate = Rate()
    pending_ms: int = 0
    typical_money: int = 0
    typical_tokens: int = 0


NO_USAGE = Usage()


class Clock(Struct, frozen=True):
    """Time left until the first cap at the present burn rate.

    `left_ms` is None when nothing is capped, while calibrating, or when the ruling cap is not
    being used up at all. `share` is the used part of the ruling cap (1.0 = reached).
    """

    left_ms: int | None = None
    ruling: Cap | None = None
    share: float = 0.0
    used: int = 0
    cap: int = 0
    frozen: bool = True
    calibrating: bool = False


def clock(budget: Budget | None, usage: Usage, *, running: bool) -> Clock:
    """The clock of a run; frozen unless it is running.

    The cap that rules is the one reached first; among caps without a rate the most used one.
    """
    if budget is None:
        return Clock(frozen=not running)
    hands = [hand for hand in _hands(budget, usage, running) if hand.cap > 0 or hand.share >= 1]
    if not hands:
        return Clock(frozen=not running)
    return min(hands, key=lambda hand: (_time(hand), -hand.share))


def _time(hand: Clock) -> float:
    if hand.share >= 1:
        return -1.0
    return math.inf if hand.left_ms is None else float(hand.left_ms)


def _hands(budget: Budget, usage: Usage, running: bool) -> list[Clock]:
    hands = []
    if budget.money is not None:
        pending = min(usage.money_rate.per_ms * usage.pending_ms, usage.typical_money)
        hands.append(
            _hand(
                "money", usage.money, budget.money, usage.money_rate.per_ms, pending, usage, running
            )
        )
    if budget.tokens is not None:
        pending = min(usage.token_rate.per_ms * usage.pending_ms, usage.typical_tokens)
        hands.append(
            _hand(
                "tokens",
                usage.tokens,
                budget.tokens,
                usage.token_rate.per_ms,
                pending,
                usage,
                running,
            )
        )
    if budget.turns is not None:
        pending = min(usage.turn_rate.per_ms * usage.pending_ms, 1.0)
        hands.append(
            _hand(
                "turns", usage.turns, budget.turns, usage.turn_rate.per_ms, pending, usage, running
            )
        )
    if budget.window is not None:
        hands.append(_hand("window", usage.window, budget.window, 0.0, 0.0, usage, running))
    if budget.time_ms is not None:
        hands.append(_hand("time", usage.time_ms, budget.time_ms, 1.0, 0.0, usage, running))
    return hands


def _hand(
    ruling: Cap, used: int, cap: int, per_ms: float, pending: float, usage: Usage, running: bool
) -> Clock:
    share = used / cap if cap > 0 else 1.0
    calibrating = ruling not in ("time", "window") and usage.calls < CALIBRATION_CALLS and share < 1
    left: int | None = None
    if share >= 1:
        left = 0
    elif not calibrating and per_ms > 0:
        left = max(0, int((cap - used - pending) / per_ms))
    return Clock(
        left_ms=left,
        ruling=ruling,
        share=share,
        used=used,
        cap=cap,
        frozen=not running,
        calibrating=calibrating,
    )


def is_own(scope: str) -> bool:
    """Whether a scope is one task's alone, not one that many runs share."""
    return scope.startswith(("run:", "stage:"))


def asks_about(scope: str = "") -> str:
    """The id of the question whether a cap may be raised: of a shared scope, else the run's own."""
    return f"cap {scope}".rstrip()


def is_about_cap(tool: str) -> bool:
    """Whether a question with this id is about a cap, not about a tool call."""
    return tool == "cap" or tool.startswith("cap ")
