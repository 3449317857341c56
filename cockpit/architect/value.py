"""What a script is worth: what the agent costs, less what finding out, looking after and mending costs."""

import math
from collections.abc import Sequence
from statistics import median_low

from msgspec import Struct

from cockpit.core.money import NANO

COUNTED = 5
"""The last so many runs say what one costs."""
DRIFT = 0.035
"""The share of runs that end in drift though nothing is wrong (facts: 10 of 286)."""
SHADOWED = 3
AUDITED = 1 / 20
DEAREST_REPAIR = NANO // 2
"""$0.50: no repair, and no script's making, may cost more."""
PAYS_WITHIN_MONTHS = 3


class Value(Struct, frozen=True):
    """All in nano-dollars. `month` is a month's saving once everything is taken off, its making included."""

    cost: int | None = None
    once: int = 0
    month: int | None = None
    break_even: int | None = None
    """Runs until its making is paid; None where it never is."""

    @property
    def pays(self) -> bool:
        """Whether it is worth anything within 90 days; where no run has a price nobody knows."""
        return self.month is None or self.month > 0


def value(costs: Sequence[int | None], a_month: float, *, needs_model: bool) -> Value:
    """What a script would save; `costs` of the runs, the oldest first, None where one has no price.

    `needs_model` tells that a model must write a part of it.
    """
    known = [cost for cost in costs if cost is not None][-COUNTED:]
    if not known:
        return Value()
    cost = median_low(known)
    repair = min(DEAREST_REPAIR, cost)
    making = min(DEAREST_REPAIR, 3 * cost) if needs_model else 0
    once = making + SHADOWED * cost
    a_run = cost * (1 - DRIFT) - DRIFT * repair - AUDITED * cost
    month = a_month * a_run - once / PAYS_WITHIN_MONTHS
    break_even = math.ceil(once / a_run) if a_run > 0 else None
    return Value(cost, once, round(month), break_even)
