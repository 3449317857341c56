"""Scripts made and proven by the architect; what it needs is loaded when the first one is."""

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec.structs import replace

from cockpit.architect.blobs import Blobs
from cockpit.architect.sandbox import best, why_none
from cockpit.core.budget import Budget
from cockpit.core.script import Refusal, Script, Trial
from cockpit.core.shelf import distinct
from cockpit.core.trace import Trace
from cockpit.engine.making import Made

ENOUGH = 3


class Asked(Protocol):
    """A model that is being asked about one script, and what that has cost (nano-dollars)."""

    nano: int

    def ask(self, request: str) -> str: ...


class Compiler:
    """Tier 0 is free and silent about what it cannot prove; where it ends a model may be asked."""

    def __init__(
        self, blobs: Blobs, consult: Callable[[Budget], Asked | None] = lambda _: None
    ) -> None:
        """`consult` opens a consultation within a budget, None where no model was chosen."""
        self._blobs = blobs
        self._consult = consult

    def make(self, task: str, traces: Sequence[Trace], most: Budget) -> Made:
        """A script that does what these runs did, or why there is none."""
        from cockpit.architect.compile import compile_task
        from cockpit.architect.synthesize import OPEN

        made = compile_task(task, traces, self._blobs)
        if isinstance(made, Script):
            return Made(replace(made, holes=distinct(made.holes)))
        asked = self._consult(most) if made.code in OPEN else None
        return Made(refusal=made) if asked is None else self._asked(task, traces, made, asked)

    def _asked(self, task: str, traces: Sequence[Trace], refusal: Refusal, asked: Asked) -> Made:
        """What a model makes of the open holes, as far as runs that can be replayed bear it out."""
        from cockpit.architect.judging import in_sandbox
        from cockpit.architect.replay import unplayable
        from cockpit.architect.synthesize import synthesize

        sandbox = best()
        traces = [trace for trace in traces if not unplayable(trace, self._blobs)]
        if sandbox is None or len(traces) < ENOUGH:
            return Made(refusal=refusal)
        found = synthesize(
            task, traces, self._blobs, asked, in_sandbox(sandbox, self._blobs)
        ).result
        if isinstance(found, Refusal):
            return Made(refusal=found, nano=asked.nano)
        return Made(replace(found, holes=distinct(found.holes)), nano=asked.nano)

    def prove(self, script: Script, traces: Sequence[Trace]) -> tuple[Trial, ...]:
        """Every gate, on every run that was recorded whole; without a sandbox none can be tried.

        Of the others it is told that they cannot be replayed: they teach, and prove nothing.
        """
        from cockpit.architect.compile import arguments, compile_task
        from cockpit.architect.verify import verify

        sandbox = best()
        if sandbox is None:
            return (Trial("V1", "", False, why_none()),)

        def again(others: Sequence[Trace]) -> Script | Refusal:
            return compile_task(script.task, others, self._blobs)

        return verify(script, traces, self._blobs, sandbox, again, arguments=arguments)
