"""Scripts made and proven by the architect; what it needs is loaded when the first one is."""

from collections.abc import Sequence

from msgspec.structs import replace

from cockpit.architect.blobs import Blobs
from cockpit.architect.sandbox import best, why_none
from cockpit.core.budget import Budget
from cockpit.core.script import Refusal, Script, Trial
from cockpit.core.shelf import distinct
from cockpit.core.trace import Trace
from cockpit.engine.making import Made

ENOUGH = 3


class Compiler:
    """Tier 0: free, and silent about what it cannot prove."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def make(self, task: str, traces: Sequence[Trace], most: Budget) -> Made:  # noqa: ARG002
        """A script that does what these runs did, or why there is none."""
        from cockpit.architect.compile import compile_task

        made = compile_task(task, traces, self._blobs)
        if isinstance(made, Refusal):
            return Made(refusal=made)
        return Made(replace(made, holes=distinct(made.holes)))

    def prove(self, script: Script, traces: Sequence[Trace]) -> tuple[Trial, ...]:
        """Every gate, on every run that was recorded whole; without a sandbox none can be tried."""
        from cockpit.architect.compile import compile_task
        from cockpit.architect.replay import unplayable
        from cockpit.architect.verify import verify

        sandbox = best()
        if sandbox is None:
            return (Trial("V1", "", False, why_none()),)

        def again(others: Sequence[Trace]) -> Script | Refusal:
            return compile_task(script.task, others, self._blobs)

        playable = [trace for trace in traces if not unplayable(trace, self._blobs)]
        chosen = playable if len(playable) >= ENOUGH else traces
        return verify(script, chosen, self._blobs, sandbox, again)
