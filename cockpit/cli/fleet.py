"""`cockpit ps` and `cockpit show`."""

import json
import time

import click

from cockpit.cli.ask import ask, pick, settled_fleet
from cockpit.cli.options import json_option
from cockpit.cli.output import table
from cockpit.core.export import run_detail, run_row
from cockpit.core.fleet import Fleet, Run, claim, clock_of, is_live
from cockpit.core.money import dollars

MARKS = {"exact": "", "estimated": "~", "presumed": "≤", "unpriced": "?"}


@click.command()
@click.option("--all", "everything", is_flag=True, help="Ended runs of the last day too.")
@json_option
def ps(everything: bool, as_json: bool) -> None:
    """Every run, one line each."""
    fleet = ask(settled_fleet)
    now = int(time.time() * 1000)
    runs = [run for run in fleet.runs.values() if everything or _is_shown(run, now)]
    runs.sort(key=lambda run: -run.last_event)
    if as_json:
        click.echo(json.dumps([run_row(run, now) for run in runs], indent=2, ensure_ascii=False))
    elif runs:
        heads = ("id", "name", "agent", "model", "state", "left", "spent")
        click.echo(table(heads, [_line(run, now) for run in runs], left=5))
    else:
        click.echo(_nothing(fleet))


def _is_shown(run: Run, now: int) -> bool:
    """Whether it may still spend, or waits for the operator to let it go on."""
    return is_live(run, now) or claim(run, now).state == "deferred"


def _line(run: Run, now: int) -> tuple[str, ...]:
    left = clock_of(run, now).left_ms
    return (
        run.id, run.name[:40], run.agent, run.model, claim(run, now).state,
        "" if left is None else _span(left), MARKS[run.mark] + ("" if run.mark == "unpriced" else dollars(run.nano)),
    )  # fmt: skip


def _span(milliseconds: int) -> str:
    minutes, seconds = divmod(milliseconds // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _nothing(fleet: Fleet) -> str:
    looked = "\n".join(f"  {place}" for place in fleet.scan.looked_at)
    return f"no agent is running. Looked at:\n{looked}\nTry cockpit demo, or cockpit ps --all."


@click.command()
@click.argument("run")
@json_option
def show(run: str, as_json: bool) -> None:
    """One run in detail. RUN is an id, the beginning of a session, or part of a name."""
    fleet = ask(settled_fleet)
    now = int(time.time() * 1000)
    chosen = pick(fleet, run)
    if as_json:
        click.echo(json.dumps(run_detail(fleet, chosen, now), indent=2, ensure_ascii=False))
        return
    from cockpit.cli.page import page  # scripts that ask for JSON do without the words

    click.echo(page(fleet, chosen, now, None))
