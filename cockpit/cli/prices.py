"""`cockpit prices MODEL`."""

import json
import time

import click

from cockpit.cli.options import json_option
from cockpit.cli.output import fail
from cockpit.journal import paths


@click.command()
@click.argument("model")
@click.option("--provider", default="", help="Who serves it: anthropic, aws, openai, azure, ...")
@click.option("--tier", default="", help="As the provider calls it: fast, batch, priority, flex.")
@click.option("--geo", default="", help="Where it is served, as the provider says it: us, eu, ...")
@json_option
def prices(model: str, provider: str, tier: str, geo: str, as_json: bool) -> None:
    """What MODEL costs now, in dollars per million tokens, and how long its cache stays warm."""
    from cockpit.prices.book import Book
    from cockpit.prices.describe import describe
    from cockpit.prices.overlay import OverlayError

    try:
        book = Book.load(paths.prices_file(), paths.cache())
    except OverlayError as error:
        fail(str(error))
    answer = describe(book, model, int(time.time() * 1000), provider=provider, tier=tier, geo=geo)
    if as_json:
        click.echo(json.dumps(answer, indent=2))
    else:
        width = max(map(len, answer))
        for key, value in answer.items():
            click.echo(f"{key.ljust(width)}  {_words(value)}")
    if not answer.get("priced", True):
        raise SystemExit(1)


def _words(value: object) -> str:
    if isinstance(value, dict):
        return "  ".join(f"{key} {_words(part)}" for key, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(_words, value)) or "—"
    return "—" if value is None else str(value)
