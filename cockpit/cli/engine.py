"""`cockpit engine start|stop|status|log`."""

import json

import click

from cockpit.cli.ask import ask
from cockpit.cli.options import json_option
from cockpit.cli.output import fail
from cockpit.engine import service
from cockpit.engine.client import Client, EngineError
from cockpit.journal import paths


@click.group()
def engine() -> None:
    """The background process. It outlives the terminal."""


@engine.command()
def start() -> None:
    """Start it, if it is not running."""
    try:
        click.echo(f"engine running, pid {service.start()}")
    except EngineError as error:
        fail(str(error))


@engine.command()
def stop() -> None:
    """End it in order; nothing is lost.

    Agents that were found go on. A run behind the gateway has no way to a model then: it waits for
    the next engine, and its runner ends it after 30 s without one.
    """
    try:
        click.echo("engine stopped" if service.stop() else "no engine was running")
    except EngineError as error:
        fail(str(error))


@engine.command()
@json_option
def status(as_json: bool) -> None:
    """What it is doing. Ends with 1 when it is not running."""
    if service.running() is None:
        click.echo(json.dumps({"running": False}) if as_json else "no engine is running")
        raise SystemExit(1)

    async def ask_status(client: Client) -> bytes:
        return await client.ask("status")

    answer = {
        "running": True,
        **json.loads(ask(ask_status, start=False)),
        "socket": str(paths.engine_socket()),
    }
    if as_json:
        click.echo(json.dumps(answer, indent=2))
    else:
        scan = answer["scan"]
        looked = (
            "everything read"
            if scan["done"]
            else f"reading {scan['files_done']} of {scan['files']} files"
        )
        click.echo(
            f"engine {answer['version']} running, pid {answer['pid']}, {answer['runs']} runs, {looked}"
        )
        click.echo(f"socket {answer['socket']}")


@engine.command()
@click.option("--lines", default=50, show_default=True, type=click.IntRange(1))
def log(lines: int) -> None:
    """The end of its log."""
    click.echo(service.log_tail(lines))
