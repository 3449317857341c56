"""`cockpit spend`: works without the engine, from the usage index and the journal it shares with it."""

import gc
import os
import sqlite3
import time
from contextlib import closing
from datetime import datetime, tzinfo
from pathlib import Path

import click

from cockpit.cli.options import json_option
from cockpit.cli.output import fail, table, zone
from cockpit.core.money import dollars
from cockpit.core.quantities import parse_duration
from cockpit.core.spending import CHOICES, By, SpentReport, SpentRow, as_builtins
from cockpit.journal import paths, settings
from cockpit.journal.index import Index, IndexBusyError
from cockpit.journal.spend import spend as report_spend
from cockpit.journal.wire_books import WireBooks

FOREVER = 1 << 62


@click.command()
@click.option(
    "--by", type=click.Choice(CHOICES), default="agent", show_default=True, help="What to group by."
)
@click.option(
    "--since", default="", help="A date (2026-11-01), a time (2026-11-01T08:00) or an age (24h)."
)
@click.option("--until", default="", help="The same; what happened then is no longer counted.")
@click.option(
    "--tz",
    "zone_name",
    default="",
    help="IANA time zone of days and dates; the machine's by default.",
)
@json_option
def spend(by: By, since: str, until: str, zone_name: str, as_json: bool) -> None:
    """What was spent, each call priced by its four token classes and counted once."""
    gc.disable()  # a history makes many tuples and no cycles: a twentieth of the time
    options = loaded_settings()
    name = zone_name or options.timezone
    days = zone(name) if name else None
    first, last = _moment(since, days, 0), _moment(until, days, FOREVER)
    index = fresh_index(options, by)
    try:
        with closing(index), WireBooks.reading(paths.journal_file()) as wire:
            report = report_spend(index, by, first, last, days, wire=wire)
    except sqlite3.DatabaseError as error:
        fail(f"the books cannot be read: {error}")
    if as_json:
        import json

        click.echo(json.dumps(as_builtins(report), indent=2, ensure_ascii=False))
    else:
        click.echo(_text(report, by))


def loaded_settings() -> settings.Settings:
    """The operator's settings; ends the command where they cannot be used."""
    try:
        return settings.load(paths.settings_file())
    except settings.SettingsError as error:
        fail(str(error))


def _moment(text: str, zone: tzinfo | None, default: int) -> int:
    if not text:
        return default
    try:
        return int(time.time() * 1000) - parse_duration(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"{text!r} is neither a date (2026-11-01), a time (2026-11-01T08:00) nor an age (24h)")
    return int((moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp() * 1000)


def fresh_index(options: settings.Settings, by: By) -> Index:
    """The index after a look at every transcript: our own look, or the engine's if it is running."""
    path = paths.index_file()
    for _ in range(2):
        try:
            index = Index.open(path)
        except IndexBusyError:
            _engine_catches_up()
            try:
                return Index.open(path, read_only=True)
            except FileNotFoundError:
                time.sleep(0.1)
            continue
        _look(index, options, by)
        return index
    fail(f"{path} is held by another process")


def _look(index: Index, options: settings.Settings, by: By) -> None:
    from cockpit.agents.registry import chosen
    from cockpit.engine.books import Pricing
    from cockpit.engine.library import Library, describe_runs, find_tools, scan
    from cockpit.prices.book import Book

    book = Book.load(paths.prices_file(), paths.cache())
    price = Pricing(book)
    library = Library(chosen(options.agents), Path.home(), os.environ, options.roots)
    index.reprice(book.fingerprint, price)
    for _ in scan(library, index, price):
        pass
    if by in ("run", "project"):
        describe_runs(library, index)
    if by == "tool":
        find_tools(library, index)


def _engine_catches_up() -> None:
    import asyncio

    from cockpit.engine.client import Client, EngineError

    async def ask() -> None:
        client = await Client.connect(paths.engine_socket())
        try:
            await client.ask("sync")
        finally:
            await client.close()

    try:
        asyncio.run(ask())
    except (EngineError, OSError):
        time.sleep(0.1)


def _text(report: SpentReport, by: By) -> str:
    lines = [_line(row) for row in report.rows]
    total = SpentRow("", "total", report.total)
    heads = (by, "input", "write", "read", "output", "calls", "spent")
    notes = []
    if report.total.unpriced_calls:
        notes.append(
            f"? {report.total.unpriced_calls:,} calls have no known price and are not in the sum"
        )
    if report.total.estimated_nano:
        notes.append(f"~ {dollars(report.total.estimated_nano)} of it is estimated")
    if report.total.subscription_nano:
        worth = dollars(report.total.subscription_nano)
        notes.append(f"+ calls worth {worth} were paid by a subscription and are not in the sum")
    if report.bad_lines:
        notes.append(f"! {report.bad_lines:,} lines of transcripts could not be read")
    return "\n".join([table(heads, [*lines, _line(total)], left=1), *notes])


def _line(row: SpentRow) -> tuple[str, ...]:
    tokens, spent = row.spent.tokens, row.spent
    money = "?" if spent.calls and spent.unpriced_calls == spent.calls else dollars(spent.nano)
    mark = "~" if spent.estimated_nano else ""
    writes = tokens.cache_write_5m + tokens.cache_write_1h
    figures = (tokens.input, writes, tokens.cache_read, tokens.output, spent.calls)
    return (row.name, *(f"{figure:,}" for figure in figures), mark + money)
