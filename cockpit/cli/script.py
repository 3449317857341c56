"""`cockpit script`: scripts that replaced repeated tasks, from their making to their end."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from cockpit.cli.ask import ask
from cockpit.cli.options import json_option
from cockpit.cli.output import fail
from cockpit.cli.sheet import (
    refusal_text,
    row_data,
    rows_text,
    run_data,
    run_text,
    sheet_data,
    sheet_text,
)
from cockpit.core.options import one_by_one, sorted_out
from cockpit.core.shelf import Built, Given, Schedule, ScriptRun, Sheet, ShelfRow
from cockpit.engine.client import Client

Told = TypeVar("Told")
HASH_SHOWN = 12

_name = click.argument("name")
_OWN = {"ignore_unknown_options": True}
"""A script's inputs are options that nobody knows but the script."""
_reason = click.option("--reason", default="", help="Kept beside the script.")


def _asked(kind: type[Told], action: str, **words: Any) -> Told:  # noqa: ANN401 (any JSON)
    async def asked(client: Client) -> Told:
        return msgspec.json.decode(await client.ask("script", action=action, **words), type=kind)

    return ask(asked)


def _print(
    told: Told, as_json: bool, data: Callable[[Told], Any], text: Callable[[Told], str]
) -> None:
    click.echo(json.dumps(data(told), indent=2, ensure_ascii=False) if as_json else text(told))


def _print_row(row: ShelfRow, as_json: bool) -> None:
    _print(row, as_json, row_data, lambda row: rows_text([row]))


def _change(action: str, name: str, as_json: bool, **words: str) -> None:
    _print_row(_asked(ShelfRow, action, name=name, **words), as_json)


@click.group()
def script() -> None:
    """Scripts that do what agents did again and again: proven on their runs, approved by you."""


@script.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Everything on the shelf: its stage, what it needs, when it runs, what it saved."""

    async def asked(client: Client) -> list[ShelfRow]:
        return msgspec.json.decode(await client.ask("scripts"), type=list[ShelfRow])

    _print(ask(asked), as_json, lambda rows: [row_data(row) for row in rows], rows_text)


@script.command()
@_name
@json_option
def show(name: str, as_json: bool) -> None:
    """A script as it is reviewed: what it does, where each value comes from, what proves it."""
    _print(_asked(Sheet, "show", name=name), as_json, sheet_data, sheet_text)


@script.command()
@click.argument("task")
@json_option
def build(task: str, as_json: bool) -> None:
    """Make a script for a repeated task (cockpit tasks) and prove it; ends with 1 where it is refused."""
    built = _asked(Built, "build", task=task)
    if built.refusal is not None:
        told = refusal_text(built.refusal)
        click.echo(json.dumps(msgspec.to_builtins(built), indent=2) if as_json else told)
        raise SystemExit(1)
    if as_json:
        click.echo(json.dumps({"name": built.name}, indent=2))
        return
    click.echo(sheet_text(_asked(Sheet, "show", name=built.name)))


@script.command()
@_name
@click.option(
    "--source", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An edited script, in place of the one on the shelf.",
)  # fmt: skip
@json_option
def verify(name: str, source: Path | None, as_json: bool) -> None:
    """Put a script through all gates again; ends with 1 where one of them refuses it."""
    edited = {"source": source.read_text(encoding="utf-8")} if source else {}
    sheet = _asked(Sheet, "verify", name=name, **edited)
    _print(sheet, as_json, sheet_data, sheet_text)
    if sheet.row.stage == "compiled":
        raise SystemExit(1)


@script.command()
@_name
@click.argument("content", default="")
@json_option
def approve(name: str, content: str, as_json: bool) -> None:
    """Say yes to a content, named by its hash as `show` prints it; it acts once it agrees with the agent."""
    _change("approve", name, as_json, content=_looked_at(name, content, "approve"))


@script.command()
@_name
@click.argument("content", default="")
@json_option
def shadow(name: str, content: str, as_json: bool) -> None:
    """Let a script run beside the agent, without effect, for as long as nobody approves it."""
    _change("shadow", name, as_json, content=_looked_at(name, content, "watch"))


def _looked_at(name: str, content: str, word: str) -> str:
    """The whole hash of what was looked at; without one it is shown and asked for, default no."""
    sheet = _asked(Sheet, "show", name=name)
    if content:
        if len(content) < HASH_SHOWN or not sheet.row.content.startswith(content):
            fail(
                f"what is on the shelf is {sheet.row.content[:HASH_SHOWN]}: cockpit script show {name}"
            )
        return sheet.row.content
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        fail(f"name the content that you looked at: cockpit script show {name}")
    click.echo(sheet_text(sheet))
    if not click.confirm(f"{word} {sheet.row.content[:HASH_SHOWN]}?", default=False):
        raise SystemExit(1)
    return sheet.row.content


@script.command()
@_name
@_reason
@json_option
def refuse(name: str, reason: str, as_json: bool) -> None:
    """Say no to a script: its task stays the agent's."""
    _change("refuse", name, as_json, reason=reason)


@script.command()
@_name
@_reason
@json_option
def retire(name: str, reason: str, as_json: bool) -> None:
    """Take a script out of service: its task is the agent's again."""
    _change("retire", name, as_json, reason=reason)


@script.command(context_settings=_OWN)
@_name
@click.argument("values", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--date", default="", metavar="YYYY-MM-DD", help="The day it is run for; today's by default."
)
@click.option("--dry-run", "dry", is_flag=True, help="Leave nothing, count for nothing.")
@click.option("--yes", is_flag=True, help="Run it although nothing on this machine holds it.")
@click.option(
    "--scheduled", is_flag=True, help="As its schedule does: the agent where the script may not."
)
@json_option
def run(
    name: str,
    values: tuple[str, ...],
    date: str,
    dry: bool,
    yes: bool,
    scheduled: bool,
    as_json: bool,
) -> None:
    """Run an adopted script now; the exit code is the script's own.

    What it has to be told is given by its own options, as in --region EMEA. Where it gives up, the
    agent does the task and the script goes into quarantine.
    """
    others, each = _inputs(values)
    if others or len(each) > 1:
        fail(f"one value for each input: cockpit script run {name} --region EMEA")
    given = dict(each[0]) if each else {}
    words = {"date": date, "dry": dry, "yes": yes, "scheduled": scheduled, "given": given}
    told = _asked(ScriptRun | None, "run", name=name, **words)  # type: ignore[arg-type]
    if told is None:
        click.echo("null" if as_json else f"{name}: its time has come; cockpit script list")
        return
    _print(told, as_json, run_data, run_text)
    raise SystemExit(told.exit_code if not told.passed else 0)


@script.command(context_settings=_OWN)
@_name
@click.argument("values", nargs=-1, type=click.UNPROCESSED)
@click.option("--tz", "zone", default="", help="IANA time zone; the machine's by default.")
@click.option(
    "--missed", type=click.Choice(["once", "skip"]), default="once", show_default=True,
    help="What happens to times that passed while nothing ran.",
)  # fmt: skip
@click.option("--systemd", is_flag=True, help="Print units for systemd's clock instead of ours.")
@click.option(
    "--cron", "crontab", is_flag=True, help="Print lines for cron's clock instead of ours."
)
@click.option("--off", is_flag=True, help="No schedule any more.")
@json_option
def schedule(
    name: str,
    values: tuple[str, ...],
    zone: str,
    missed: str,
    systemd: bool,
    crontab: bool,
    off: bool,
    as_json: bool,
) -> None:
    """Run a script by itself: `cockpit script schedule NAME "30 6 * * 1-5"`.

    Without a line the present one is kept, or the one that its task's rhythm proposes. A script that
    has to be told something needs its values here: --region EMEA --region APAC runs it once for each.
    """
    keeper = "systemd" if systemd else "cron" if crontab else "engine"
    others, given = _inputs(values)
    if len(others) > 1:
        fail(f"one cron line, in quotes: {' '.join(others)}")
    words: dict[str, Any] = {}
    if not off:
        row = _asked(Sheet, "show", name=name).row
        cron = others[0] if others else _present(row)
        given = given or (row.schedule.given if row.schedule is not None else ())
        words = {"cron": cron, "zone": zone, "missed": missed, "keeper": keeper, "given": given}
    row = _asked(ShelfRow, "schedule", name=name, **words)
    if row.schedule is None or keeper == "engine" or as_json:
        _print_row(row, as_json)
    else:
        click.echo(_for_others(row, row.schedule))


def _inputs(values: Sequence[str]) -> tuple[list[str], tuple[Given, ...]]:
    """Plain words, and the values of a script's inputs."""
    try:
        words, told = sorted_out(values)
        return words, one_by_one(told)
    except ValueError as error:
        fail(str(error))


def _present(row: ShelfRow) -> str:
    if row.schedule is not None:
        return row.schedule.cron
    if row.proposed:
        return row.proposed
    fail(f'when? cockpit script schedule {row.name} "30 6 * * 1-5"')


def _for_others(row: ShelfRow, when: Schedule) -> str:
    from cockpit.engine import timers

    argv = [*_program(), "script", "run", row.name, "--scheduled"]
    home = os.environ.get("COCKPIT_HOME")
    environment = {"COCKPIT_HOME": home} if home else {}
    try:
        if when.keeper == "cron":
            return timers.crontab(when, argv, environment)
        files = timers.units(row.name, when, argv, environment)
    except ValueError as error:
        fail(str(error))
    return "\n".join(f"# ~/.config/systemd/user/{name}\n{text}" for name, text in files.items())


def _program() -> list[str]:
    """How cockpit is started by somebody whose PATH is not ours."""
    here = Path(sys.argv[0])
    found = shutil.which(here.name) if here.name == "cockpit" else None
    return [str(Path(found).resolve())] if found else [sys.executable, "-P", "-m", "cockpit"]
