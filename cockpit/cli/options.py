"""What several commands take alike."""

import click

from cockpit.cli.output import fail
from cockpit.core.budget import Budget
from cockpit.core.money import parse_money
from cockpit.core.quantities import parse_count, parse_duration

json_option = click.option("--json", "as_json", is_flag=True, help="Stable keys; see the README.")


def caps(money: str, duration: str, tokens: str, turns: int, window: int) -> Budget:
    """The caps that were written, none for what is empty or 0; ends the command where one is no amount."""
    try:
        return Budget(
            money=parse_money(money) if money else None,
            tokens=parse_count(tokens) if tokens else None,
            time_ms=parse_duration(duration) if duration else None,
            turns=turns or None,
            window=window or None,
        )
    except ValueError as error:
        fail(str(error))
