"""`cockpit stop`, `cockpit panic`, `cockpit budget`."""

import asyncio
import json
import time
from typing import Any

import click
from msgspec.structs import replace

from cockpit.cli.ask import ask, pick
from cockpit.cli.options import caps, json_option
from cockpit.cli.output import fail
from cockpit.core.budget import AtZero, Budget
from cockpit.core.export import run_detail
from cockpit.core.fleet import Fleet, Stopping
from cockpit.engine.client import Client

WAIT_SECONDS = 20.0


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("--kill", is_flag=True, help="Kill at once instead of asking first.")
@json_option
def stop(runs: tuple[str, ...], kill: bool, as_json: bool) -> None:
    """Stop runs. Ends with 0 only when a census found nothing of them left alive."""

    async def stopped(client: Client) -> dict[str, Stopping]:
        fleet = await client.fleet()
        ids = [pick(fleet, run).id for run in runs]
        await client.stop(ids, "panic" if kill else "stop")
        return await _census(client, ids)

    _report(ask(stopped), as_json)


@click.command()
@json_option
def panic(as_json: bool) -> None:
    """Stop everything that can be signalled, at once, without asking."""

    async def stopped(client: Client) -> dict[str, Stopping]:
        ids = json.loads(await client.ask("panic"))
        return await _census(client, ids)

    _report(ask(stopped), as_json)


async def _census(client: Client, ids: list[str]) -> dict[str, Stopping]:
    """How each stop ended; a stop that has not ended in time counts as failed."""

    async def over() -> Fleet:
        async for fleet in client.fleets():
            stops = [fleet.runs[run].stopping for run in ids if run in fleet.runs]
            if all(stopping is not None and stopping.done for stopping in stops):
                return fleet
        fail("the engine has gone")

    try:
        fleet = await asyncio.wait_for(over(), WAIT_SECONDS)
    except TimeoutError:
        fleet = await client.fleet()
    unknown = Stopping(since=0, by="", done="failed", reason="did not end in time")
    return {run: fleet.runs[run].stopping or unknown for run in ids if run in fleet.runs}


def _report(stops: dict[str, Stopping], as_json: bool) -> None:
    if as_json:
        rows = [
            {
                "id": run,
                "stopped": stopping.done == "stopped",
                "took_ms": stopping.took_ms,
                "survivors": list(stopping.pids),
                "reason": stopping.reason,
            }
            for run, stopping in stops.items()
        ]
        click.echo(json.dumps(rows, indent=2))
    else:
        for run, stopping in stops.items():
            click.echo(_sentence(run, stopping))
        if not stops:
            click.echo("nothing to stop")
    if any(stopping.done != "stopped" for stopping in stops.values()):
        raise SystemExit(1)


def _sentence(run: str, stopping: Stopping) -> str:
    if stopping.done == "stopped":
        return f"{run}: stopped, no survivor, {stopping.took_ms / 1000:.2f} s"
    pids = " ".join(map(str, stopping.pids))
    return f"{run}: STOP FAILED {pids} {stopping.reason}".rstrip()


@click.command()
@click.argument("run")
@click.option("--money", default="", help="5, $5 or 5usd")
@click.option(
    "--time", "duration", default="", help="90m, 1h30m: active time, waiting for you excluded"
)
@click.option("--tokens", default="", help="2M, 500k")
@click.option("--turns", default=0, type=click.IntRange(0), help="model calls")
@click.option(
    "--window", default=0, type=click.IntRange(0, 100), help="percent of a subscription's window"
)
@click.option(
    "--at-zero",
    type=click.Choice(["warn", "interrupt", "defer", "halt", "ask"]),
    default=None,
    help="Default: defer behind the gateway, interrupt elsewhere.",
)
@click.option("--none", "nothing", is_flag=True, help="Take the caps away.")
@json_option
def budget(
    run: str,
    money: str,
    duration: str,
    tokens: str,
    turns: int,
    window: int,
    at_zero: AtZero | None,
    nothing: bool,
    as_json: bool,
) -> None:
    """Cap a run. Caps count everything the run ever used; a new budget replaces the old one."""
    wanted = None if nothing else caps(money, duration, tokens, turns, window)
    if wanted == Budget():
        fail("name at least one cap: --money 5 --time 90m --tokens 2M --turns 80, or --none")

    async def capped(client: Client) -> dict[str, Any]:
        chosen = pick(await client.fleet(), run)
        action = at_zero or ("defer" if chosen.governed else "interrupt")
        await client.set_budget(chosen.id, wanted and replace(wanted, at_zero=action))
        fleet = await client.fleet()
        return run_detail(fleet, fleet.runs[chosen.id], int(time.time() * 1000))

    detail = ask(capped)
    click.echo(json.dumps(detail, indent=2, ensure_ascii=False) if as_json else _capped(detail))


def _capped(detail: dict[str, Any]) -> str:
    budget = detail["budget"]
    if budget is None:
        return f"{detail['id']}: no budget"
    named = ", ".join(
        f"{key} {value}" for key, value in budget.items() if value is not None and key != "by"
    )
    return f"{detail['id']}: {named}"
