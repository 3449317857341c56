"""What a script may cost to make or to mend, when a mended one may take over by itself, and by whose word."""

import ast
from collections.abc import Collection, Sequence
from statistics import median_low

from cockpit.core.budget import Budget
from cockpit.core.script import Script, Trial
from cockpit.core.trace import Trace

MOST_NANO = 500_000_000
REPAIR = Budget(money=MOST_NANO, turns=15)
"""The most that one repair by a model may take."""
SYNTHESIS_RUNS = 3

_STEPS = frozenset(
    ("get", "read", "names", "run", "write", "append", "copy", "move", "command", "nothing")
)
"""What a script does to the world, or asks of it, in the prelude's words."""


def synthesis(agents: Collection[int]) -> Budget:
    """The most that a model may take to make a script: so many of the agent's own runs, or half a dollar."""
    usual = SYNTHESIS_RUNS * median_low(agents) if agents else MOST_NANO
    return Budget(money=min(MOST_NANO, usual))


def review(before: Script, after: Script, trials: Sequence[Trial]) -> str:
    """Why a person must look at the mended script first; empty when it may take over by itself."""
    if not after.capabilities.within(before.capabilities):
        return f"it wants more than it was allowed: {_beyond(before, after)}"
    if after.tier > before.tier:
        return "a model wrote parts of it"
    if [one.name for one in before.inputs] != [one.name for one in after.inputs]:
        return "it wants to be told other values than the one that was approved"
    if _outline(before) != _outline(after):
        return "it does other steps than the one that was approved"
    failed = [trial for trial in trials if not trial.passed and not trial.unproven]
    return f"{failed[0].gate} {failed[0].run}: {failed[0].detail}" if failed else ""


def _beyond(before: Script, after: Script) -> str:
    may, wants = before.capabilities, after.capabilities
    return ", ".join(
        f"{name} {value}"
        for name in may.__struct_fields__
        for value in getattr(wants, name)
        if value not in getattr(may, name)
    )


def _outline(script: Script) -> list[str]:
    """Loops, branches and calls with an effect, in order: what is left when only values differ."""
    lines = script.source.splitlines()
    first, last = script.body if script.body != (0, 0) else (1, len(lines))
    found: list[tuple[int, int, str]] = []
    for node in ast.walk(ast.parse(script.source)):
        at = getattr(node, "lineno", 0)
        if first <= at <= last:
            name = _named(node)
            if name:
                found.append((at, getattr(node, "col_offset", 0), name))
    return [name for _, _, name in sorted(found)]


def _named(node: ast.AST) -> str:
    match node:
        case ast.For() | ast.While() | ast.With() | ast.Try():
            return type(node).__name__
        case ast.Call(func=ast.Name(id=name)) if name in _STEPS:
            return name
    return ""


def left_open(trials: Sequence[Trial], run: str) -> str:
    """Why a mended script mends nothing: it still leaves this run, the newest, to the agent."""
    answered = [trial for trial in trials if trial.gate == "V1" and trial.run == run]
    if any(trial.passed and not trial.detail for trial in answered):
        return ""
    told = next((trial.detail for trial in answered if trial.detail), "it was not tried on it")
    return f"it does not do {run}: {told}"


def named_source(reason: str, script: Script) -> str:
    """The source that a drift names, of those the script reads; empty when it names none.

    Only then evidence from before the drift may be put aside: the world there was another one.
    """
    may = script.capabilities
    sources = [*may.hosts, *may.read, *may.commands]
    return next((source for source in sources if len(source) > 2 and source in reason), "")


def speaking(traces: Sequence[Trace], superseded: Sequence[str]) -> list[Trace]:
    """The runs that may teach: they ended well, nobody distrusts them, the world is still theirs."""
    return [
        trace
        for trace in traces
        if trace.outcome == "done" and not trace.distrusted and trace.run not in superseded
    ]


def is_learning(reason: str) -> bool:
    """Whether a drift was to be expected: a value that is known for some dates only (guard G3)."""
    return "one more example" in reason
