"""Plain text for terminals and pipes."""

import sys
from datetime import UTC, datetime, tzinfo
from typing import NoReturn

from cockpit.core.money import decimal_string
from cockpit.core.text import one_line

CELL_LIMIT = 60


def fail(text: str) -> NoReturn:
    """Ends the command with a sentence on standard error and exit code 1."""
    print(f"cockpit: {text}", file=sys.stderr)
    raise SystemExit(1)


def usd(nano: int | None) -> str | None:
    """An amount for JSON, exact."""
    return None if nano is None else decimal_string(nano)


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]], left: int = 1) -> str:
    """Columns under their heads; the first `left` ones aligned left, the others right."""
    cells = [tuple(one_line(cell, CELL_LIMIT) for cell in row) for row in rows]
    widths = [max(len(row[column]) for row in [heads, *cells]) for column in range(len(heads))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [heads, *cells]
    )


def zone(name: str) -> tzinfo:
    """The time zone called `name`, the machine's own for an empty name; ends the command if unknown."""
    if not name:
        return datetime.now().astimezone().tzinfo or UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        fail(f"{name!r} is no time zone: write one like Europe/Berlin or UTC")
