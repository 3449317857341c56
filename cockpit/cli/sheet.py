"""Scripts as text and as plain data with stable keys."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import asdict

from cockpit.cli.output import table, usd
from cockpit.core.money import dollars
from cockpit.core.script import GATES, Input, Refusal, Trial
from cockpit.core.shelf import Cost, Decided, MatrixRow, Savings, ScriptRun, Sheet, ShelfRow
from cockpit.core.text import clean, one_line

HASH_SHOWN = 12
VALUES_SHOWN = 4
PAGE_LIMIT = 1_000_000


def _safe(text: str) -> str:
    """A page without anything that a terminal could act on."""
    return clean(text, PAGE_LIMIT)


def row_data(row: ShelfRow) -> dict[str, Any]:
    """The documented keys of a script."""
    return {
        "name": row.name,
        "task": row.task,
        "purpose": row.purpose,
        "stage": row.stage,
        "content": row.content,
        "tier": row.tier,
        "project": row.project,
        "workspace": row.workspace,
        "agent": row.agent,
        "reason": row.reason,
        "needs": row.needs,
        "agreeing": row.agreeing,
        "agreements": row.agreements,
        "unattended": row.unattended,
        "schedule": _whole(row.schedule),
        "proposed": row.proposed,
        "next": row.next or None,
        "running": row.running,
        "sandbox": row.sandbox or None,
        "last": run_data(row.last) if row.last else None,
        "savings": _savings(row.savings),
        "month_usd": usd(row.month_nano),
        "changed": row.changed,
        "inputs": [_input(one) for one in row.inputs],
    }


def _input(one: Input) -> dict[str, Any]:
    return {
        "name": one.name,
        "option": one.option,
        "form": one.words,
        "pattern": one.pattern,
        "values": one.values,
    }


def _whole(value: msgspec.Struct | None) -> dict[str, Any] | None:
    """A struct with its defaults."""
    return None if value is None else asdict(value)


def _savings(told: Savings) -> dict[str, Any]:
    return {
        "baseline_usd": usd(told.baseline_nano),
        "counted": told.counted,
        "gross_usd": usd(told.gross_nano),
        "costs_usd": {what: usd(nano) for what, nano in told.costs.items()},
        "net_usd": usd(told.net_nano),
        "method": told.method,
    }


def run_data(run: ScriptRun) -> dict[str, Any]:
    """One run of a script."""
    return {
        "number": run.number,
        "content": run.content,
        "kind": run.kind,
        "began": run.began,
        "ended": run.ended,
        "exit_code": run.exit_code,
        "passed": run.passed,
        "reason": run.reason,
        "outputs": [_whole(output) for output in run.outputs],
        "skipped": run.skipped,
        "beside": run.beside or None,
        "agreed": run.agreed,
        "saved_usd": usd(run.saved_nano),
        "given": dict(run.given),
    }


def sheet_data(sheet: Sheet) -> dict[str, Any]:
    """Everything that a review shows."""
    script = sheet.script
    return {
        **row_data(sheet.row),
        "source": script.source,
        "body": [_whole(line) for line in sheet.body],
        "holes": [_whole(hole) for hole in script.holes],
        "guards": list(script.guards),
        "contract": [_whole(clause) for clause in script.contract],
        "capabilities": _whole(script.capabilities),
        "matrix": [
            {
                "run": row.run,
                "role": row.role,
                "gates": {gate: _whole(trial) for gate, trial in row.trials.items()},
            }
            for row in sheet.matrix
        ],
        "approved": sheet.approved or None,
        "difference": sheet.difference,
        "decisions": [_whole(each) for each in sheet.decisions],
        "runs": [run_data(run) for run in sheet.runs],
        "costs": [_cost(cost) for cost in sheet.costs],
    }


def _cost(cost: Cost) -> dict[str, Any]:
    return {"at": cost.at, "what": cost.what, "usd": usd(cost.nano), "run": cost.run or None}


# --- text


def rows_text(rows: Sequence[ShelfRow]) -> str:
    """The shelf as a table, and what each script needs below it."""
    if not rows:
        return "nothing on the shelf yet: cockpit tasks finds what repeats"
    heads = ("script", "stage", "runs", "saved", "a month", "next", "last")
    lines: list[tuple[str, ...]] = [
        (
            row.name,
            row.stage,
            str(row.savings.counted),
            _money(row.savings.net_nano),
            _money(row.month_nano),
            _when(row.next) if row.schedule else "—",
            _last(row.last),
        )
        for row in rows
    ]
    wanting = [f"  {row.name} needs {row.needs}" for row in rows if row.needs]
    held = (
        []
        if rows[0].sandbox
        else ["! nothing on this machine holds scripts: each run asks for a yes"]
    )
    return _safe("\n".join([table(heads, lines, left=2), *wanting, *held]))


def _money(nano: int | None) -> str:
    if nano is None:
        return "—"
    return dollars(nano) if nano >= 0 else f"-{dollars(-nano)}"


def _when(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000).astimezone():%a %d %b %H:%M}" if at else "—"


def _last(run: ScriptRun | None) -> str:
    if run is None:
        return "—"
    if run.agreed is not None:
        return f"{run.kind}: {'agreed' if run.agreed else 'differed'}"
    return "done" if run.passed else f"exit {run.exit_code}"


def run_text(run: ScriptRun) -> str:
    """What a run came to."""
    if not run.passed:
        told = f"exit {run.exit_code}: {run.reason}"
        return _safe(
            f"{told}\nthe agent does it: cockpit show {run.beside}" if run.beside else told
        )
    wrote = [
        f"wrote {output.path}" + ("" if output.rows is None else f", {output.rows} rows")
        for output in run.outputs
    ]
    skipped = [f"left out: {run.skipped}"] if run.skipped else []
    worth = [f"worth {dollars(run.saved_nano)}"] if run.saved_nano else []
    return _safe("\n".join((*wrote, *skipped, *worth)) or "done")


def refusal_text(refusal: Refusal) -> str:
    """Why a task is no work for a script."""
    lines = [f"{refusal.code}: {refusal.reason}"]
    if refusal.step:
        lines.append(f"  because of: {one_line(refusal.step)}")
    lines += [f"  {run}: {one_line(value)}" for run, value in refusal.examples.items()]
    return _safe("\n".join(lines))


def sheet_text(sheet: Sheet) -> str:
    """A script on one page."""
    row, script = sheet.row, sheet.script
    head = [
        f"{row.name}: {one_line(script.purpose)}",
        f"{row.stage}{f': {row.reason}' if row.reason else ''} · content {row.content[:HASH_SHOWN]}"
        f" · tier {row.tier}",
        *([f"needs {row.needs}"] if row.needs else []),
    ]
    parts = [
        "\n".join(head),
        _titled(
            "what it does",
            [f"{line.number:>4}  {_marked(line.text, line.holes)}" for line in sheet.body],
        ),
        _titled("what it has to be told", _inputs(row.inputs)),
        _titled("where its values come from", _holes(sheet)),
        _titled("what it may touch", _capabilities(sheet)),
        _titled("what proves it", _matrix(sheet.matrix)),
        _titled(
            "it stops and asks when",
            [*script.guards, *(_clause(c.about, c.words) for c in script.contract)],
        ),
        _titled("changed since it was approved", sheet.difference.splitlines()),
        _titled("decided", [_decision(each) for each in sheet.decisions]),
        _titled("saved", _ledger(row)),
    ]
    return _safe("\n\n".join(part for part in parts if part))


def _titled(title: str, lines: Sequence[str]) -> str:
    return "\n".join([title.upper(), *(f"  {clean(line, 400)}" for line in lines)]) if lines else ""


def _marked(text: str, holes: Sequence[str]) -> str:
    return f"{text}   ← {', '.join(holes)}" if holes else text


def _holes(sheet: Sheet) -> list[str]:
    lines = []
    for hole in sheet.script.holes:
        lines.append(f"{hole.name} = {hole.source}")
        values = list(hole.values.items())
        lines += [f"    {run}: {one_line(value, 100)}" for run, value in values[:VALUES_SHOWN]]
        if len(values) > VALUES_SHOWN:
            lines.append(f"    and {len(values) - VALUES_SHOWN} more runs")
    return lines


def _inputs(inputs: Sequence[Input]) -> list[str]:
    lines: list[str] = []
    for one in inputs:
        lines.append(f"{one.option}: {one.words}")
        lines += [f"    {run}: {one_line(value, 100)}" for run, value in one.values.items()]
    return lines


def _capabilities(sheet: Sheet) -> list[str]:
    may = sheet.script.capabilities
    return [
        f"{name}: {', '.join(getattr(may, name)) or '—'}"
        for name in may.__struct_fields__
        if name != "methods" or may.hosts
    ]


def _matrix(rows: Sequence[MatrixRow]) -> list[str]:
    if not rows:
        return []
    lines = [
        (
            row.run or "the script itself",
            row.role,
            *(_mark(row.trials.get(gate)) for gate in GATES),
        )
        for row in rows
    ]
    against = [
        f"{_mark(trial)} {trial.gate} {trial.run or 'the script itself'}: {one_line(trial.detail)}"
        for row in rows
        for trial in row.trials.values()
        if not trial.passed
    ]
    return [*table(("run", "", *GATES), lines, left=2).splitlines(), *against]


def _mark(trial: Trial | None) -> str:
    """Passed, failed, nothing to try it on, not tried."""
    if trial is None:
        return "·"
    return "✔" if trial.passed else "○" if trial.unproven else "✖"


def _clause(about: str, words: str) -> str:
    return f"{about}: {words}"


def _decision(each: Decided) -> str:
    reason = f": {each.reason}" if each.reason else ""
    return f"{_when(each.at)}  {each.decision} {each.content[:HASH_SHOWN]} by {each.by}{reason}"


def _ledger(row: ShelfRow) -> list[str]:
    told = row.savings
    costs = [f"- {what} {dollars(nano)}" for what, nano in told.costs.items()]
    return [
        f"{told.counted} runs, {dollars(told.gross_nano)}"
        f" at {_money(told.baseline_nano)} a run now",
        *costs,
        f"= {_money(told.net_nano)}; a month of it is worth {_money(row.month_nano)}",
        told.method,
    ]
