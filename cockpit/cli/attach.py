"""`cockpit attach RUN`."""

import re
from pathlib import Path

import click

from cockpit.cli.ask import ask, pick, settled_fleet
from cockpit.cli.attachment import attach as attached
from cockpit.cli.output import fail


@click.command()
@click.argument("run")
def attach(run: str) -> None:
    """Give a run this terminal, or these pipes. ctrl+] twice leaves it to itself.

    Ends with the agent's own exit code, 128 + signal if it was killed, 0 if it was left.
    """
    raise SystemExit(attached(_socket_of(run), owner=False))


def _socket_of(run: str) -> Path:
    """By an id without the engine; by a session or a name with its help."""
    from cockpit.engine import records

    try:
        if re.fullmatch(r"run-\w+", run):
            return records.socket_of(run)
        return records.socket_of(pick(ask(settled_fleet), run).id)
    except (ValueError, OSError) as error:
        fail(str(error))
