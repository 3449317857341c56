"""`cockpit run`: any agent behind the gateway, with its own budget, in a tree that can be stopped."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import click
from msgspec.structs import asdict, replace

from cockpit.cli.ask import ask
from cockpit.cli.options import caps
from cockpit.cli.output import fail
from cockpit.core.budget import AtZero, Budget
from cockpit.engine.client import Client

WIRES = ("anthropic", "chat", "responses", "gemini", "ollama")


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--name", default="", help="What the run is called; otherwise its task.")
@click.option("--type", "kind", default="", help="Which agent it is, where the command hides it.")
@click.option("--budget", "money", default="", help="5usd, $5 or 5")
@click.option("--time", "duration", default="", help="90m, 1h30m: active time")
@click.option("--tokens", default="", help="2M, 500k")
@click.option("--turns", default=0, type=click.IntRange(0), help="model calls")
@click.option(
    "--window", default=0, type=click.IntRange(0, 100), help="Percent of a subscription's window."
)
@click.option(
    "--at-zero",
    type=click.Choice(["defer", "halt", "ask"]),
    default="defer",
    show_default=True,
    help="At a cap: keep everything and wait, stop, or hold the call and ask.",
)
@click.option("--project", default="", help="The project it is booked on; otherwise the directory.")
@click.option(
    "--upstream", "upstreams", multiple=True, metavar="DIALECT=URL",
    help=f"Send this run's calls elsewhere; a dialect is one of {', '.join(WIRES)}.",
)  # fmt: skip
@click.option(
    "--channel/--no-channel", default=None,
    help="Drive a headless agent by its own protocol, or do not; otherwise where that is proven.",
)  # fmt: skip
@click.option("--detach", is_flag=True, help="Do not wait: print the run's id.")
@click.option("--json", "as_json", is_flag=True, help="With --detach: id, agent, wires as JSON.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(
    name: str,
    kind: str,
    money: str,
    duration: str,
    tokens: str,
    turns: int,
    window: int,
    at_zero: AtZero,
    project: str,
    upstreams: tuple[str, ...],
    channel: bool | None,
    detach: bool,
    as_json: bool,
    command: tuple[str, ...],
) -> None:
    """Run an agent behind the gateway: metered to the token, capped before it spends.

    In a terminal it feels like the command itself; leaving the terminal stops nothing.

        cockpit run --budget 5usd -- claude -p "fix the tests"
    """
    budget = replace(caps(money, duration, tokens, turns, window), at_zero=at_zero)
    wanted = {
        "command": list(command),
        "cwd": str(Path.cwd()),
        "environment": dict(os.environ),
        "name": name,
        "agent": kind,
        "budget": None if budget == Budget(at_zero="defer") else asdict(budget),
        "project": str(Path(project).resolve()) if project else str(Path.cwd()),
        "upstreams": dict(map(_upstream, upstreams)),
        "terminal": _terminal(detach),
        "input": not detach and not sys.stdin.isatty(),
        "channel": channel,
    }

    async def begun(client: Client) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(await client.ask("begin", **wanted))
        return answer

    told = ask(begun)
    if detach:
        click.echo(json.dumps(told, indent=2) if as_json else told["run"])
        return
    from cockpit.cli.attachment import attach

    raise SystemExit(attach(Path(told["socket"])))


def _upstream(text: str) -> tuple[str, str]:
    dialect, _, place = text.partition("=")
    if dialect not in WIRES or not place:
        fail(
            f"--upstream {text!r}: write DIALECT=URL, or DIALECT=PROVIDER, with a dialect of"
            f" {', '.join(WIRES)}"
        )
    return dialect, place.rstrip("/")


def _terminal(detach: bool) -> list[int] | None:
    """Rows and columns of the terminal that the agent is to have, None for plain pipes."""
    if detach or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    size = os.get_terminal_size(sys.stdout.fileno())
    return [size.lines, size.columns]
