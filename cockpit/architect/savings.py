"""What a script saved: every figure in nano-dollars, each counted once, and how, in words."""

from collections import Counter
from collections.abc import Collection, Iterable
from statistics import median_low

from cockpit.core.shelf import Cost, Savings, ScriptRun

METHOD = (
    "each run that counts saves the median of what the agent's own runs of this task cost until then"
    " (the lower of two middle ones). Counted: runs of the adopted script that did the work and kept the"
    " contract, not a second run by hand that found it done. Taken off: making it, the agent's runs it was compared with before it was adopted"
    " (shadow) and after (audit), and repairs."
)


def baseline(costs: Collection[int]) -> int | None:
    """What the agent costs for one run: None where none of its runs has a price."""
    return median_low(costs) if costs else None


def counts(run: ScriptRun) -> bool:
    """Whether the run replaced an agent's."""
    return (
        run.kind in ("active", "audit")
        and run.passed
        and run.agreed is not False
        and run.saved_nano > 0
    )


def savings(runs: Iterable[ScriptRun], costs: Iterable[Cost], agents: Collection[int]) -> Savings:
    """The ledger of one script. `agents` are the costs of the agent's own runs of the task."""
    counted = [run for run in runs if counts(run)]
    by_kind: Counter[str] = Counter()
    for cost in costs:
        by_kind[cost.what] += cost.nano
    return Savings(
        baseline_nano=baseline(agents),
        counted=len(counted),
        gross_nano=sum(run.saved_nano for run in counted),
        costs=dict(sorted(by_kind.items())),
        method=METHOD,
    )
