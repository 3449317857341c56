"""Scopes that many runs are paid from: each within its own budget, together perhaps beyond the scope's."""

from collections.abc import Iterable

from msgspec import Struct

from cockpit.core.fleet import Run, is_live


class Claimant(Struct, frozen=True):
    """A live run under a scope; `left` nano-dollars of its own budget, None when it has no cap."""

    run: str
    name: str
    left: int | None


class Scope(Struct, frozen=True):
    """What a scope may spend, has spent and has promised, in nano-dollars.

    `outside` was spent by runs that were found, `held` is put aside for calls under way. `runs` are
    the live governed runs below, the largest claim first.
    """

    name: str
    cap: int | None
    settled: int = 0
    held: int = 0
    outside: int = 0
    runs: tuple[Claimant, ...] = ()

    @property
    def left(self) -> int | None:
        """What is left of the cap, None without one."""
        return None if self.cap is None else max(0, self.cap - self.settled - self.outside)

    @property
    def crowded(self) -> bool:
        """Whether its runs may together want more than is left, though each keeps its own budget."""
        if self.left is None or not self.runs:
            return False
        wants = [claimant.left for claimant in self.runs]
        return any(want is None for want in wants) or sum(filter(None, wants)) > self.left


def claimants(runs: Iterable[Run], now: int) -> tuple[Claimant, ...]:
    """The live governed runs among `runs` and what each may still spend, the largest claim first."""
    found = [
        Claimant(run.id, run.name, _left(run)) for run in runs if run.governed and is_live(run, now)
    ]
    return tuple(sorted(found, key=lambda each: (each.left is not None, -(each.left or 0))))


def _left(run: Run) -> int | None:
    if run.budget is None or run.budget.money is None or run.budget.at_zero == "warn":
        return None
    return max(0, run.budget.money - run.nano)
