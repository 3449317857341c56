"""Tier 0: the runs of a task become a script without any model, or a refusal that says why.

The largest group of runs that did the same trains; the others must be reproduced by what came of
it, or stopped by one of its guards. What is not explained is refused with its code.
"""

import itertools
import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from msgspec import structs

from cockpit.architect import asking, phrases, refusals, virtual
from cockpit.architect.align import shape
from cockpit.architect.asking import asked
from cockpit.architect.blobs import Blobs
from cockpit.architect.build import built
from cockpit.architect.dates import run_day
from cockpit.architect.effects import Act
from cockpit.architect.evidence import Run, reading
from cockpit.architect.filled import OpenHoleError
from cockpit.core.script import Refusal, Script
from cockpit.core.trace import Trace

log = logging.getLogger(__name__)

LEAST_RUNS = 3
USUAL = 0.6
"""The share of a group that must look alike for the rest to be exceptions."""


def compile_task(task_id: str, traces: Iterable[Trace], blobs: Blobs) -> Script | Refusal:
    """A script that does what these runs did, or the reason why there is none. Never raises."""
    try:
        return _compiled_task(task_id, list(traces), blobs)
    except Exception as error:
        log.exception("the compiler failed on %s", task_id)
        return Refusal("N9", f"the compiler cannot read these runs: {type(error).__name__}")


def _compiled_task(task_id: str, traces: list[Trace], blobs: Blobs) -> Script | Refusal:
    good = [trace for trace in traces if trace.outcome == "done" and not trace.distrusted]
    refusal = refusals.before(good)
    if refusal is not None:
        return refusal
    runs = [reading(trace, blobs) for trace in sorted(good, key=lambda one: (one.began, one.run))]
    refusal = refusals.of_effects(runs)
    if refusal is not None:
        return refusal
    told = asked(runs)
    if told.inputs:
        runs = [reading(run.trace, blobs, told.given.get(run.name)) for run in runs]
    made = _compiled(task_id, runs, blobs)
    if isinstance(made, Refusal):
        return made
    return structs.replace(made, phrases=asking.used(told, made.inputs))


def arguments(script: Script, trace: Trace) -> tuple[str, ...] | None:
    """The inputs of a run as words for the script's command line.

    None where its prompt does not tell them, tells one of another form, or asks for another day.
    """
    day = run_day(trace)
    told = phrases.heard(script, trace.task, day)
    if told.known:
        return None if told.values is None else phrases.options(script, told.values)
    if script.inputs or phrases.of_another_day(script, trace.task, day):
        return None
    return ()


def _compiled(task_id: str, runs: list[Run], blobs: Blobs) -> Script | Refusal:
    """The first grouping of the runs that leads to a script; else what stood in its way."""
    refusal: Refusal | None = None
    for training in _trainings(runs):
        if len(training) < LEAST_RUNS:
            refusal = refusal or refusals.branch(runs, training)
            continue
        rest = [run for run in runs if run not in training]
        try:
            script = _with_empty_days(task_id, training, rest, blobs)
        except OpenHoleError as error:
            refusal = refusal or refusals.open_hole(error, training)
            continue
        except refusals.RefusedError as error:
            refusal = refusal or error.refusal
            continue
        if refusals.secret_in(script.source):
            return Refusal("N11", "a secret would be written into the script")
        failed = virtual.unlike(script, training, rest, blobs)
        if failed is None:
            return script
        refusal = refusal or failed
    return refusal or Refusal("N5", "nothing explains what the runs did")


MARK = "\u241fnothing\u241f"
"""Stands where a loop without rows says something else, until it is known what."""


def _with_empty_days(
    task_id: str, training: Sequence[Run], rest: Sequence[Run], blobs: Blobs
) -> Script:
    """The script, and what it says on days without rows where another run shows that."""
    first = built(task_id, training, blobs, {})
    for name, own in first.rows.items():
        body = virtual.body_of(first.script.source)
        reason = f"{name} is empty"
        bare = [run for run in rest if virtual.played(body, run, blobs).reason == reason]
        if not bare:
            continue
        tried = built(task_id, training, blobs, {own: (MARK,)})
        found = {_said_instead(tried.script, run, blobs) for run in bare}
        said = found.pop() if len(found) == 1 else None
        if said is not None:
            return built(task_id, training, blobs, {own: said}).script
    return first.script


def _said_instead(script: Script, run: Run, blobs: Blobs) -> tuple[str, ...] | None:
    """The lines that a run has in the place of the mark; None where more is different."""
    outcome = virtual.played(virtual.body_of(script.source), run, blobs)
    for path, text in outcome.files.items():
        real = next((act.text for act in run.acts if act.words[0] == path), None)
        if text is None or real is None or text.count(MARK + "\n") != 1:
            continue
        head, _, tail = text.partition(MARK + "\n")
        if real.startswith(head) and real.endswith(tail) and len(real) >= len(head) + len(tail):
            said = real[len(head) : len(real) - len(tail)]
            if not re.search(r"\d", said) and (not said or said.endswith("\n")):
                return tuple(said.split("\n")[:-1])
    return None


def _trainings(every: Sequence[Run]) -> Iterator[list[Run]]:
    """Groups of runs to learn from: those that did the same, and of these those whose texts look the same.

    Where prompts tell something, a run of which nobody can say what it was told teaches nothing.
    """
    runs = [run for run in every if run.given] or every
    for coarse in (False, True):
        group = grouped(runs, coarse=coarse)[0]
        yield group
        alike = _alike(group)
        if LEAST_RUNS <= len(alike) < len(group) and len(alike) >= USUAL * len(group):
            yield alike


def _alike(group: Sequence[Run]) -> list[Run]:
    """The largest part of a group in which the written texts have the same kinds of lines."""
    found: dict[tuple[tuple[str, ...], ...], list[Run]] = defaultdict(list)
    for run in group:
        found[tuple(_looks(act) for act in run.acts if act.kind == "write")].append(run)
    return max(found.values(), key=len)


def _looks(act: Act) -> tuple[str, ...]:
    lines = (act.text or "").split("\n")
    return tuple(key for key, _ in itertools.groupby(shape(line, coarse=True) for line in lines))


def grouped(runs: Sequence[Run], *, coarse: bool) -> list[list[Run]]:
    """Runs by what they changed, the largest group first; those that changed nothing are no group."""
    found: dict[tuple[str, ...], list[Run]] = defaultdict(list)
    for run in runs:
        if run.acts:
            found[skeleton(run.acts, coarse=coarse)].append(run)
    return sorted(found.values(), key=lambda group: (-len(group), -group[-1].trace.began))


def skeleton(acts: Sequence[Act], *, coarse: bool) -> tuple[str, ...]:
    """The keys of the effects, with repeats of one folded."""
    return tuple(
        key for key, _ in itertools.groupby(acts, lambda act: act.coarse if coarse else act.key)
    )
