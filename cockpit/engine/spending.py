"""The request `spend`: the books, read beside the threads that write them."""

import sqlite3
from contextlib import closing
from datetime import tzinfo
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta, Struct

from cockpit.core.spending import By, Only, SpentReport, as_builtins
from cockpit.engine.api import RequestError
from cockpit.journal import paths
from cockpit.journal.index import Index
from cockpit.journal.spend import spend
from cockpit.journal.wire_books import WireBooks

FOREVER = 1 << 62

Moment = Annotated[int, Meta(ge=0, le=FOREVER)]


class Request(Struct, frozen=True):
    """What is asked; times in milliseconds, `tz` an IANA name, empty for the machine's zone."""

    by: By = "agent"
    since: Moment = 0
    until: Moment = FOREVER
    tz: str = ""
    only: tuple[Only, ...] = ()


def answer(path: Path, request: dict[str, Any], journal: Path | None = None) -> bytes:
    """What `cockpit spend --json` prints, of one moment of the index at `path` and of the journal.

    Raises:
        RequestError: for a time zone that nobody knows, or for books that cannot be read yet.
        msgspec.ValidationError: for arguments of a wrong kind.
    """
    asked = msgspec.convert(request, Request)
    report = _report(path, asked, _zone(asked.tz), journal)
    return msgspec.json.encode(as_builtins(report))


def machine_spent(path: Path, since: int, until: int) -> int:
    """Nano-dollars of all calls of [since, until) milliseconds, governed or found.

    Raises:
        RequestError: for books that cannot be read yet.
    """
    return _report(path, Request(since=since, until=until), None, None).total.nano


def _report(path: Path, asked: Request, zone: tzinfo | None, journal: Path | None) -> SpentReport:
    try:
        index = Index.open(path, read_only=True)
    except FileNotFoundError as error:
        raise RequestError("nothing is in the books yet") from error
    try:
        with closing(index), WireBooks.reading(journal or paths.journal_file()) as wire:
            index.query("BEGIN")  # calls, runs and kinds of the same moment
            return spend(index, asked.by, asked.since, asked.until, zone, asked.only, wire)
    except sqlite3.DatabaseError as error:
        raise RequestError(f"the books cannot be read: {error}") from error


def _zone(name: str) -> tzinfo | None:
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise RequestError(f"{name!r} is no time zone: write one like Europe/Berlin") from error
