"""`cockpit tasks`: works without the engine, from evidence, transcripts and the books."""

import json
import os
import time
from contextlib import closing
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from cockpit.cli.options import json_option
from cockpit.cli.output import fail, table, zone
from cockpit.cli.spend import fresh_index, loaded_settings
from cockpit.core.money import dollars
from cockpit.core.quantities import span_text
from cockpit.core.script import Task
from cockpit.core.text import clean, one_line

if TYPE_CHECKING:
    from cockpit.architect.profile import Profile
    from cockpit.engine.tasks import Tasks

SHOWN = 3
COLUMN = 38
LINES = 12


@click.command()
@click.argument("task", default="")
@json_option
@click.option(
    "--anew", is_flag=True, help="Compare all runs anew; by itself that happens once a day."
)
def tasks(task: str, as_json: bool, anew: bool) -> None:
    """Work that repeats, over all agents' runs, and what a script could do of it.

    Without TASK all of it, what is worth most first. With one: what was found out about it, with
    three of its runs side by side.
    """
    known = _known()
    found = known.all(int(time.time() * 1000), anew=anew)
    days = zone(loaded_settings().timezone)
    if not task:
        click.echo(_as_json(found) if as_json else _table(found))
        return
    one = known.task(task)
    if one is None:
        fail(f"no task {task!r}: cockpit tasks lists them")
    if as_json:
        click.echo(_as_json([one], {one.id: _examples(known, one, days)})[2:-2])
    else:
        click.echo(_detail(known, one, days))


def _known() -> "Tasks":
    from cockpit.agents.registry import chosen
    from cockpit.engine.library import Library
    from cockpit.engine.tasks import Tasks
    from cockpit.engine.testimony import zone_name

    options = loaded_settings()
    with closing(fresh_index(options, "run")):
        pass
    library = Library(chosen(options.agents), Path.home(), os.environ, options.roots)
    days = zone(options.timezone) if options.timezone else None
    return Tasks(library, zone_name(days))


# --- JSON


def _as_json(found: list[Task], examples: dict[str, Any] | None = None) -> str:
    rows = [
        {**_row(task), **({"examples": examples[task.id]} if examples else {})} for task in found
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False)


def _row(task: Task) -> dict[str, Any]:
    """Every field, in the order in which the struct has them."""
    return {name: msgspec.to_builtins(getattr(task, name)) for name in Task.__struct_fields__}


def _examples(known: "Tasks", task: Task, days: tzinfo) -> list[dict[str, Any]]:
    return [
        {
            "run": one.run,
            "agent": one.agent,
            "began": datetime.fromtimestamp(one.began / 1000, days).isoformat(timespec="seconds"),
            "outcome": one.outcome,
            "task": one.name,
            "effects": list(one.effects),
        }
        for one in _latest(known, task)
    ]


def _latest(known: "Tasks", task: Task) -> "list[Profile]":
    """The runs that the refusal shows, else the latest."""
    shown = list(task.refusal.examples) if task.refusal else []
    names = [run for run in task.runs if run in shown] or list(task.runs)
    found = [known.profile(run) for run in names[-SHOWN:]]
    return [one for one in found if one is not None]


# --- text


def _table(found: list[Task]) -> str:
    if not found:
        return "nothing repeats yet: a task is work that at least two runs have done"
    heads = ("task", "what", "runs", "rhythm", "a run", "a month", "verdict")
    rows: list[tuple[str, ...]] = [
        (
            task.id,
            one_line(task.name, 44),
            str(len(task.runs)),
            task.cron or (f"~{span_text(task.every_ms)}" if task.every_ms else "-"),
            _money(task.cost_nano),
            _money(task.month_nano),
            _verdict(task),
        )
        for task in found
    ]
    return table(heads, rows, left=2)


def _money(nano: int | None) -> str:
    return "?" if nano is None else dollars(nano)


def _verdict(task: Task) -> str:
    code = f" {task.refusal.code}" if task.refusal else ""
    return f"{task.verdict}{code}"


def _detail(known: "Tasks", task: Task, days: tzinfo) -> str:
    facts = [
        ("task", f"{task.id}  {one_line(task.name, 100)}"),
        ("runs", f"{len(task.runs)} by {', '.join(task.agents)}"),
        ("project", one_line(task.project, 100) or "-"),
        ("seen", f"{_when(task.first, days)} to {_when(task.last, days)}"),
        (
            "rhythm",
            task.cron or (f"about every {span_text(task.every_ms)}" if task.every_ms else "-"),
        ),
        ("a run costs", _money(task.cost_nano)),
        ("worth a month", _worth(task)),
        ("determinism", f"{task.determinism:.0%}"),
        ("verdict", _verdict(task)),
    ]
    if task.refusal:
        facts += [
            ("because", clean(task.refusal.reason, 400)),
            ("at", clean(task.refusal.step, 400)),
        ]
    lines = [f"{name:<14}{told}" for name, told in facts if told]
    if task.outline:
        lines += ["", "what a run of it does", *(f"  {clean(line, 200)}" for line in task.outline)]
    return "\n".join([*lines, "", *_side_by_side(known, task, days)])


def _worth(task: Task) -> str:
    runs = f", its making is paid after {task.break_even} runs" if task.break_even else ""
    return f"{_money(task.month_nano)}, net of everything{runs}" if task.month_nano else "?"


def _side_by_side(known: "Tasks", task: Task, days: tzinfo) -> list[str]:
    """Three runs: when, by whom, how it ended, its own words, and what it did or was decided by."""
    values = task.refusal.examples if task.refusal else {}
    columns = [
        [
            one.run,
            f"{_when(one.began, days)}  {one.outcome}",
            f"{one.agent}  {_money(one.nano)}" if one.nano is not None else one.agent,
            *_wrapped(one.name, 3),
            "",
            *(_wrapped(values[one.run], LINES) if one.run in values else list(one.effects[:LINES])),
        ]
        for one in _latest(known, task)
    ]
    height = max((len(column) for column in columns), default=0)
    padded = [[*column, *[""] * (height - len(column))] for column in columns]
    return [
        "  ".join(one_line(cell, COLUMN).ljust(COLUMN) for cell in row).rstrip()
        for row in zip(*padded, strict=True)
    ]


def _wrapped(text: str, most: int) -> list[str]:
    import textwrap

    lines = [
        part for line in clean(text, 2_000).splitlines() for part in textwrap.wrap(line, COLUMN)
    ]
    return [*lines[:most], *[""] * max(0, min(most, 3) - len(lines))]


def _when(at: int, days: tzinfo) -> str:
    return datetime.fromtimestamp(at / 1000, days).strftime("%Y-%m-%d %H:%M") if at else "-"
