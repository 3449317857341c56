"""Figures and words as the screen writes them: pure, cell-true, nothing a terminal could act on."""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from functools import lru_cache

from rich.cells import cell_len, set_cell_size

from cockpit.core import text as core_text
from cockpit.core.budget import Cap
from cockpit.core.cache import CacheWindow
from cockpit.core.fleet import Run
from cockpit.core.money import NANO, dollars

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
SPARK = "▁▂▃▄▅▆▇"
"""No full block: bars of neighbouring rows would melt together."""
MARKS = {"exact": "", "estimated": "~", "presumed": "≤", "unpriced": "?"}
DASH = "—"
LATEST = 253_370_764_800_000
"""The year 9999: agents have written later times, and calendars end there."""


@lru_cache(8192)
def safe(text: str, limit: int = core_text.LINE_LIMIT) -> str:
    """Text from outside as one printable line; cleaned here again, whatever the engine did."""
    return core_text.one_line(text, limit)


def clock(ms: int) -> str:
    """Time left: `43:50`, `76:01`, from a hundred minutes on `12:10:05`, from a hundred hours `5d 03h`."""
    seconds = max(0, ms) // SECOND
    minutes, hours = seconds // 60, seconds // 3600
    if minutes < 100:
        return f"{minutes:02d}:{seconds % 60:02d}"
    if hours < 100:
        return f"{hours}:{minutes % 60:02d}:{seconds % 60:02d}"
    return f"{hours // 24}d {hours % 24:02d}h"


def warm_for(cache: CacheWindow, left_ms: int, *, short: bool = False) -> str:
    """How long a cache stays warm; at most so long, and in `short` coarsely, where that is presumed."""
    mark = MARKS["presumed"] if cache.is_presumed else ""
    is_coarse = short and (cache.is_presumed or left_ms >= 100 * MINUTE)
    return mark + (age(left_ms) if is_coarse else clock(left_ms))


def age(ms: int) -> str:
    """How long ago, in its largest unit: `12s`, `5m`, `3h`, `2d`."""
    for unit, size in (("d", DAY), ("h", HOUR), ("m", MINUTE)):
        if ms >= size:
            return f"{ms // size}{unit}"
    return f"{max(0, ms) // SECOND}s"


def time_of_day(at: int, tz: tzinfo | None, *, seconds: bool = False) -> str:
    """Local wall time of an instant, `02:41` or `02:41:07`."""
    form = "%H:%M:%S" if seconds else "%H:%M"
    return (
        datetime.fromtimestamp(min(max(at, 0), LATEST) / SECOND, UTC).astimezone(tz).strftime(form)
    )


def midnight(at: int, tz: tzinfo | None) -> int:
    """When the local day of an instant began, in milliseconds."""
    day = datetime.fromtimestamp(at / SECOND, UTC).astimezone(tz).date()
    start = datetime(day.year, day.month, day.day, tzinfo=tz)  # naive means local, DST included
    return int(start.astimezone(UTC).timestamp() * SECOND)


def money(nano: int) -> str:
    """Dollars in at most seven cells."""
    if nano < 1_000 * NANO:
        return dollars(nano)
    thousands = nano / NANO / 1_000
    return f"${thousands:,.1f}k" if thousands < 1_000 else f"${thousands / 1_000:,.1f}M"


def round_money(nano: int) -> str:
    """Dollars without cents where there are none: caps read better so."""
    return money(nano).removesuffix(".00")


def spent(run: Run) -> str:
    """What a run has cost, with its mark: `$2.29`, `~$2.29`, `?` when nothing of it has a price."""
    mark = MARKS[run.mark]
    return mark if run.mark == "unpriced" and not run.nano else mark + money(run.nano)


def tokens(count: int) -> str:
    """A token count as people say it: `980`, `152k`, `1.2M`."""
    if count < 1_000:
        return str(count)
    if count < 999_500:
        return f"{count / 1_000:.0f}k"
    if count < 999_950_000:
        return f"{count / 1_000_000:.1f}M"
    return f"{count / 1_000_000_000:.1f}B"


def amount(cap: Cap, value: int) -> str:
    """A cap, or what is used of it, in the words of its kind."""
    match cap:
        case "money":
            return round_money(value)
        case "tokens":
            return tokens(value)
        case "time":
            return clock(value)
        case "turns":
            return str(value)
        case "window":
            return f"{value} %"


def gauge(share: float, width: int) -> tuple[str, str]:
    """A bar as its filled and its empty part; only a true zero is empty, only a true full is full."""
    filled = round(min(max(share, 0.0), 1.0) * width)
    if share > 0 and not filled:
        filled = 1
    if share < 1 and filled == width:
        filled = width - 1
    return "━" * filled, "╌" * (width - filled)


def spark(values: Sequence[int], width: int) -> str:
    """The last `width` values as bars under their own maximum; blank when nothing happened."""
    shown = values[-width:]
    top = max(shown, default=0)
    if top <= 0:
        return " " * width
    bars = "".join(SPARK[min(6, value * 6 // top + (0 < value * 6 < top))] for value in shown)
    return bars.rjust(width)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """The text in exactly `width` cells: cut with an ellipsis, or padded."""
    if text.isascii():
        length = len(text)
        if length > width:
            return text[: width - 1] + "…" if width > 0 else ""
        return text.rjust(width) if right else text.ljust(width)
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…" if width > 0 else ""
    padding = " " * (width - length)
    return padding + text if right else text + padding


def wrap(text: str, width: int, lines: int) -> list[str]:
    """Text broken at words into at most `lines` lines of `width` cells; the last one may be cut."""
    rows: list[str] = []
    words, row = text.split(), ""
    while words and len(rows) < lines:
        if len(rows) == lines - 1:
            rest = " ".join([row, *words] if row else words)
            return [*rows, fit(rest, width).rstrip()]
        word = words.pop(0)
        joined = f"{row} {word}" if row else word
        if cell_len(joined) <= width:
            row = joined
            continue
        rows.append(fit(row or word, width).rstrip())
        row = word if row else ""
    return [*rows, fit(row, width).rstrip()] if row and len(rows) < lines else rows
