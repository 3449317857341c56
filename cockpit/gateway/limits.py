"""Shares of a subscription's windows, as the providers' headers tell them."""

import re
from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

_CLAUDE = re.compile(r"anthropic-ratelimit-unified-(\w+)-utilization")
_CODEX = re.compile(r"x-codex-(primary|secondary)-used-percent")


class Window(Struct, frozen=True):
    """How much of a window is used (1.0 is all of it), and when it starts anew (ms, 0 unknown)."""

    share: float
    resets: int = 0


def windows(headers: Mapping[str, str], now: int) -> dict[str, Window]:
    """Windows by name (`5h`, `7d`, `primary`); what cannot be read is left out."""
    found: dict[str, Window] = {}
    for header, value in headers.items():
        low = header.lower()
        if claude := _CLAUDE.fullmatch(low):
            share = _number(value)
            moment = headers.get(f"anthropic-ratelimit-unified-{claude[1]}-reset", "")
            _add(found, claude[1], share, _moment(moment))
        elif codex := _CODEX.fullmatch(low):
            left = _number(headers.get(f"x-codex-{codex[1]}-reset-after-seconds", ""))
            share = _number(value)
            resets = 0 if left is None else now + int(left * 1000)
            _add(found, codex[1], None if share is None else share / 100, resets)
    return found


def _add(found: dict[str, Window], name: str, share: float | None, resets: int) -> None:
    if share is not None and len(found) < 16:
        found[name] = Window(share, resets)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < 1e11 else None


def _moment(text: str) -> int:
    """Seconds since the epoch, or RFC 3339."""
    seconds = _number(text)
    if seconds is not None:
        return int(seconds * 1000)
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError):
        return 0
