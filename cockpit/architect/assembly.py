"""A plan put together as one script: what it gets, what it promises, what it does."""

import re
from collections.abc import Iterator, Sequence

from cockpit.architect import contract, emit
from cockpit.architect.capabilities import capabilities
from cockpit.architect.contract import Promise
from cockpit.architect.evidence import Run, Source
from cockpit.architect.forms import pattern as form_of
from cockpit.architect.infer import Scene
from cockpit.architect.plan import Plan, fetched, names_in, replaced
from cockpit.core.script import Input, Script

PURPOSE_LIMIT = 160


def assembled(
    task_id: str, runs: Sequence[Run], plan: Plan, read: Sequence[Source], scene: Scene
) -> Script:
    """The script of a plan; `read` are the sources that it may use."""
    rows = [f"{name} = {own}" for own, name in plan.rows.items()]
    steps, guards = replaced(plan.steps, plan.rows), replaced(plan.guards, plan.rows)
    gets, kept = fetched(read, names_in([*rows, *steps, *guards, *plan.before]))
    for one in kept:
        plan.address(one)
    promised = list(_promised(plan, kept, scene))
    constant = list(_constant(plan, kept, scene))
    checks = contract.telling(dict.fromkeys([*_codes(promised), *guards, *_codes(constant)]))
    inputs = _inputs(runs, names_in([*gets, *rows, *plan.before, *checks, *steps]))
    passed = _passed(checks, gets, kept, plan, inputs)
    purpose = _purpose(runs)
    source, lines = emit.script(
        purpose,
        [
            *_main([*gets, *rows, *_empties(plan), *plan.before], passed, checks, steps, inputs),
            *_given(plan),
        ],
        _promises(passed, checks),
        max(run.day for run in runs).isoformat(),
        {one.name: one.pattern for one in inputs},
    )
    return Script(
        task=task_id,
        purpose=purpose,
        source=source,
        capabilities=capabilities(runs, kept),
        body=lines,
        holes=tuple(plan.holes),
        guards=_said(plan, inputs, constant),
        contract=tuple(clause for _, clause in promised),
        trained=tuple(run.name for run in runs),
        inputs=inputs,
    )


# -- what it promises -------------------------------------------------------------------------


def _promised(plan: Plan, kept: Sequence[Source], scene: Scene) -> Iterator[Promise]:
    """What holds of every source that is used."""
    exact, empty = frozenset(plan.exact), frozenset(plan.empty)
    for one in kept:
        yield from contract.promises(one.slot, plan.uses, scene.days, exact, empty)


def _constant(plan: Plan, kept: Sequence[Source], scene: Scene) -> Iterator[Promise]:
    """What must be asked of text that was the same in every run, and may not be so tomorrow."""
    texts = [*plan.constants, *(target.constant for one in kept for target in one.target)]
    yield from contract.constants_like_dates(texts, scene.days)
    for name, (taken, told) in plan.row_texts.items():
        yield from contract.echoed_rows(name, taken, "\n".join(told))
    yield from contract.echoes(texts, scene.pool, {one.slot.name for one in kept})


def _codes(promises: Sequence[Promise]) -> list[str]:
    return [code for code, _ in promises]


def _empties(plan: Plan) -> list[str]:
    """Lists without which nothing was ever written."""
    return [
        f"check({name}, {f'{name} is empty'!r})"
        for own, name in plan.rows.items()
        if own not in plan.instead
    ]


# -- its text ---------------------------------------------------------------------------------


def _main(
    begin: Sequence[str], passed: Sequence[str], checks: Sequence[str], steps: Sequence[str],
    inputs: Sequence[Input],
) -> list[str]:  # fmt: skip
    """The lines of `main`: it gets and selects, keeps its promises, and only then changes anything."""
    asked = "".join(f", {one.name}: str" for one in inputs)
    call = [f"promises({', '.join(['day', *passed])})"] if checks else []
    return [f"def main(day: date{asked}) -> None:", *_indented([*begin, *call, *steps])]


def _promises(passed: Sequence[str], checks: Sequence[str]) -> list[str]:
    if not checks:
        return []
    typed = ", ".join(["day: date", *(f"{one}: Any" for one in passed)])
    said = '"""What was so in every run, and what explained them as well."""'
    return [f"def promises({typed}) -> None:", *_indented([said, *checks])]


def _passed(
    checks: Sequence[str], gets: Sequence[str], kept: Sequence[Source], plan: Plan, inputs: Sequence[Input]
) -> list[str]:  # fmt: skip
    """What the promises look at: sources and rows that `main` has, then what it is told."""
    used, rows = names_in(checks), set(plan.rows.values())
    sources = {one.slot.name for one in kept}
    known = (sources | {f"{one}_text" for one in sources} | rows) & (names_in(gets) | rows)
    return [*sorted(used & known), *sorted(used & {one.name for one in inputs})]


def _given(plan: Plan) -> list[str]:
    """Functions that somebody else wrote."""
    return [line for one in plan.functions for line in ("", "", *one.rstrip().split("\n"))]


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {part}" if part else part for line in lines for part in line.split("\n")]


# -- what is told of it -----------------------------------------------------------------------


def _said(plan: Plan, inputs: Sequence[Input], constant: Sequence[Promise]) -> tuple[str, ...]:
    """Its guards in words, each once."""
    told = [f"{one.option} is told with the task: {one.words}" for one in inputs]
    asked = [clause.words for _, clause in constant]
    return tuple(dict.fromkeys([*told, *plan.guards.values(), *plan.told, *asked]))


def _inputs(runs: Sequence[Run], used: set[str]) -> tuple[Input, ...]:
    """What the script is told beside the day, with the form that it had in these runs."""
    found: list[Input] = []
    for name in runs[0].given:
        if name in used:
            values = {run.name: run.given[name] for run in runs}
            form, words = form_of(list(values.values()))
            found.append(Input(name, form, words, values))
    return tuple(found)


def _purpose(runs: Sequence[Run]) -> str:
    """The shortest way in which somebody asked for it, without the date."""
    asked = sorted(
        (_without(run) for run in runs if run.trace.task), key=lambda one: (len(one), one)
    )
    text = re.sub(r"\s+", " ", asked[0]) if asked else "A repeated task"
    return re.sub(r"\d{4}-\d{2}-\d{2}", "the day", text)[:PURPOSE_LIMIT]


def _without(run: Run) -> str:
    """The prompt with the names of its inputs in place of their values."""
    text = run.trace.task
    for name, value in run.given.items():
        text = re.sub(rf"(?<![^\W_]){re.escape(value)}(?![^\W_])", f"<{name.strip('_')}>", text)
    return text
