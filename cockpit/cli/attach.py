"""`cockpit attach RUN`."""

import click

from cockpit.cli.attachment import attach as attached
from cockpit.cli.output import fail


@click.command()
@click.argument("run")
def attach(run: str) -> None:
    """Give a run this terminal, or these pipes. ctrl+] twice leaves it to itself.

    Ends with the agent's own exit code, 128 + signal if it was killed, 0 if it was left.
    """
    from cockpit.engine import records

    try:
        path = records.socket_of(run)
    except (ValueError, OSError) as error:
        fail(str(error))
    raise SystemExit(attached(path, owner=False))
