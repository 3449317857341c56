"""`cockpit pause`, `resume`, `say`, `answer`: the operator's word to a live run."""

import json

import click

from cockpit.cli.ask import ask, pick
from cockpit.cli.options import json_option
from cockpit.cli.output import fail
from cockpit.core.fleet import Run
from cockpit.engine.client import Client


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
def pause(runs: tuple[str, ...]) -> None:
    """Hold the next model call of runs; nothing is lost and nothing more is spent."""
    _told(runs, "pause", "paused: its next call is held")


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
def resume(runs: tuple[str, ...]) -> None:
    """Let paused or deferred runs go on; one that has ended is started where it was."""
    _told(runs, "resume", "goes on")


def _told(names: tuple[str, ...], do: str, said: str) -> None:
    async def tell(client: Client) -> list[str]:
        fleet = await client.fleet()
        ids = [pick(fleet, name).id for name in names]
        await (client.pause(ids) if do == "pause" else client.resume(ids))
        return ids

    for run in ask(tell):
        click.echo(f"{run}: {said}")


@click.command()
@click.argument("run")
@click.argument("text", nargs=-1, required=True)
@json_option
def say(run: str, text: tuple[str, ...], as_json: bool) -> None:
    """Say a word to a live run, by the best channel it has."""

    async def tell(client: Client) -> tuple[str, str]:
        chosen = pick(await client.fleet(), run).id
        return chosen, await client.say(chosen, " ".join(text))

    chosen, channel = ask(tell)
    if as_json:
        click.echo(json.dumps({"run": chosen, "channel": channel}))
    else:
        click.echo(f"{chosen}: told by {channel}; cockpit show {chosen} says when it was delivered")


@click.command()
@click.argument("run")
@click.argument("decision", type=click.Choice(["yes", "no"]))
@click.option("--tool", default="", help="Which tool call, where several wait.")
def answer(run: str, decision: str, tool: str) -> None:
    """Answer a tool call that waits for your yes or no."""

    async def tell(client: Client) -> str:
        chosen = pick(await client.fleet(), run)
        waiting = _waiting(chosen, tool)
        await client.answer(chosen.id, waiting, allowed=decision == "yes")
        return chosen.id

    click.echo(f"{ask(tell)}: {'allowed' if decision == 'yes' else 'denied'}")


def _waiting(run: Run, tool: str) -> str:
    waiting = [asked.tool for asked in run.approvals if not tool or asked.tool == tool]
    if not waiting:
        fail(f"{run.id} asks for nothing: cockpit show {run.id}")
    if len(waiting) > 1:
        fail(f"several calls wait, name one with --tool: {', '.join(waiting)}")
    return waiting[0]
