"""`cockpit caps`: the caps above the runs, and the runs that are paid from each."""

import json
from typing import Any

import click

from cockpit.cli.ask import ask
from cockpit.cli.options import json_option
from cockpit.cli.output import fail, table, usd
from cockpit.core.concentration import Scope
from cockpit.core.money import dollars, parse_money
from cockpit.engine.client import Client


@click.command()
@click.argument("scope", required=False)
@click.argument("money", required=False)
@json_option
def caps(scope: str | None, money: str | None, as_json: bool) -> None:
    """What fleet, month, day and projects may spend, have spent and have promised to calls.

    A scope is crowded when its runs, each within its own budget, may together want more than is left.

    With SCOPE (day, month, fleet, project:/path) and MONEY (200usd, or none) it sets that cap instead
    of the settings' one: a day's or a month's until it is over. Runs that waited for it go on.
    """
    if (scope is None) != (money is None):
        fail("say both, a scope and its cap: cockpit caps day 200usd")

    async def asked(client: Client) -> list[Scope]:
        if scope is not None and money is not None:
            await client.cap(scope, _parsed(money))
        return await client.caps()

    scopes = ask(asked)
    if as_json:
        click.echo(json.dumps([_row(scope) for scope in scopes], indent=2, ensure_ascii=False))
        return
    heads = ("scope", "runs", "cap", "spent", "held", "left", "")
    click.echo(table(heads, [_line(scope) for scope in scopes], left=2))


def _parsed(money: str) -> int | None:
    try:
        return None if money == "none" else parse_money(money)
    except ValueError as error:
        fail(str(error))


def _line(scope: Scope) -> tuple[str, ...]:
    names = ", ".join(claimant.name or claimant.run for claimant in scope.runs[:3])
    more = f" and {len(scope.runs) - 3} more" if len(scope.runs) > 3 else ""
    return (
        scope.name, names + more, _money(scope.cap), dollars(scope.settled + scope.outside),
        dollars(scope.held), _money(scope.left), "crowded" if scope.crowded else "",
    )  # fmt: skip


def _money(nano: int | None) -> str:
    return "—" if nano is None else dollars(nano)


def _row(scope: Scope) -> dict[str, Any]:
    return {
        "scope": scope.name,
        "cap_usd": usd(scope.cap),
        "spent_usd": usd(scope.settled),
        "outside_usd": usd(scope.outside),
        "held_usd": usd(scope.held),
        "left_usd": usd(scope.left),
        "crowded": scope.crowded,
        "runs": [
            {"id": claimant.run, "name": claimant.name, "left_usd": usd(claimant.left)}
            for claimant in scope.runs
        ],
    }
