"""Overlays: corrections and additions to the compiled prices, ours and the user's, one format.

Every table has `provider` and `names` saying what it speaks of (`names` are exact ids or
patterns with `*`); of several tables that speak of the same thing, the last one counts.
"""

import re
import tomllib
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

SHIPPED = Path(__file__).with_name("overlay.toml")

Days = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class OverlayError(ValueError):
    """An overlay that says something we do not understand; the text names file, line and key."""


class Above(Struct, frozen=True, forbid_unknown_fields=True):
    """Prices of the whole request once its prompt has more than `tokens` tokens."""

    tokens: int
    input: Decimal | None = None
    output: Decimal | None = None
    cache_read: Decimal | None = None
    cache_write_5m: Decimal | None = None
    cache_write_1h: Decimal | None = None


class ModelRule(Struct, frozen=True, forbid_unknown_fields=True):
    """Dollars per million tokens (`search`: per thousand), and the context window in tokens.

    A name without `*` that the table does not know becomes a new model when `input` and
    `output` are given. `since` leaves the older prices in force before that day.
    `cache_write_1h_factor` prices long-lived cache writes as a multiple of input.
    """

    names: tuple[str, ...]
    provider: str = ""
    input: Decimal | None = None
    output: Decimal | None = None
    cache_read: Decimal | None = None
    cache_write_5m: Decimal | None = None
    cache_write_1h: Decimal | None = None
    cache_write_1h_factor: Decimal | None = None
    search: Decimal | None = None
    window: int | None = None
    since: date | None = None
    above: list[Above] = []


class CacheTable(Struct, frozen=True, forbid_unknown_fields=True):
    """How long a prefix stays warm: seconds for the default and the long lifetime."""

    provider: str
    names: tuple[str, ...] = ("*",)
    ttl_s: int | None = None
    long_ttl_s: int | None = None
    policy: Literal["refresh", "minimum", "evict", "unknown"] = "unknown"
    clock: Literal["request", "response"] = "request"


class TierRule(Struct, frozen=True, forbid_unknown_fields=True):
    """A service tier as a multiple of the standard price, where the table has no price of it."""

    provider: str
    tier: str
    factor: Decimal
    names: tuple[str, ...] = ("*",)


class GeoRule(Struct, frozen=True, forbid_unknown_fields=True):
    """Where inference ran, as a multiple of the price; factor 1 says that the place is free."""

    provider: str
    geo: list[str]
    factor: Decimal
    names: tuple[str, ...] = ("*",)


class WeekdayRule(Struct, frozen=True, forbid_unknown_fields=True):
    """The table's hours of the day hold on these days only (UTC)."""

    provider: str
    names: tuple[str, ...]
    days: list[Days]


class ProviderRule(Struct, frozen=True, forbid_unknown_fields=True):
    """Other names of a provider, and models that are its own where no provider is named.

    `local` says that it runs on the user's machine: money price zero.
    """

    id: str
    aliases: list[str] = []
    models: list[str] = []
    local: bool = False


class SuffixRule(Struct, frozen=True, forbid_unknown_fields=True):
    """An ending that an agent puts on a model's id, and the window it stands for."""

    text: str
    names: tuple[str, ...] = ("*",)
    window: int | None = None


class Overlay(Struct, frozen=True, forbid_unknown_fields=True):
    """One overlay file: each field is an array of tables."""

    model: list[ModelRule] = []
    cache: list[CacheTable] = []
    tier: list[TierRule] = []
    geo: list[GeoRule] = []
    weekdays: list[WeekdayRule] = []
    provider: list[ProviderRule] = []
    suffix: list[SuffixRule] = []


def read(path: Path) -> Overlay:
    """The overlay in a file.

    Raises:
        OverlayError: when it is no TOML, or has a key or value we do not know.
        OSError: when it cannot be read.
    """
    return parse(path.read_bytes(), path)


def parse(data: bytes, path: Path) -> Overlay:
    """The overlay in `data`; `path` is for messages only.

    Raises:
        OverlayError: as `read`.
    """
    try:
        text = data.decode()
        tables = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OverlayError(f"{path}: {error}") from error
    try:
        overlay = msgspec.convert(tables, Overlay, strict=False)
    except msgspec.ValidationError as error:
        raise OverlayError(_explain(str(error), text, path)) from error
    _check_amounts(overlay, path)
    return overlay


def _check_amounts(overlay: Overlay, path: Path) -> None:
    for number, rule in enumerate(overlay.model, 1):
        for item in (rule, *rule.above):
            for name in item.__struct_fields__:
                value = getattr(item, name)
                if isinstance(value, Decimal) and not (
                    value.is_finite() and 0 <= value < 1_000_000
                ):
                    raise OverlayError(f"{path}: {name} in [[model]] number {number}: not a price")
        if (rule.window or 1) < 1:
            raise OverlayError(f"{path}: window in [[model]] number {number}: must be positive")


_MESSAGE = re.compile(r"(?P<what>.*?) - at `\$(?P<where>.*?)`", re.DOTALL)
_UNKNOWN = re.compile(r"unknown field `(?P<key>.*)`")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")


def _explain(message: str, text: str, path: Path) -> str:
    parts = _MESSAGE.match(message)
    what, where = (parts["what"], parts["where"]) if parts else (message, "")
    steps = [name or int(index) for name, index in _STEP.findall(where)]
    unknown = _UNKNOWN.search(what)
    if unknown is None:
        key = next((step for step in reversed(steps) if isinstance(step, str)), "")
        return f"{_place(path, text, steps, key)}: {key}: {what}"
    key = unknown["key"]
    return f"{_place(path, text, steps, key)}: unknown key {key!r}{_nearest(key, steps)}"


def _place(path: Path, text: str, steps: list[str | int], key: str) -> str:
    line = _line(text, steps, key)
    return f"{path}:{line}" if line else str(path)


def _line(text: str, steps: list[str | int], key: str) -> int:
    """Line of `key` in the table that `steps` lead to, 1-based; 0 when it cannot be told."""
    section = steps[0] if steps else key
    wanted = steps[1] if len(steps) > 1 and isinstance(steps[1], int) else 0
    header = re.compile(rf"\s*\[+\s*{re.escape(str(section))}\b")
    assignment = re.compile(rf"(^|[\s{{,\[])[\"']?{re.escape(key)}[\"']?\s*(=|\])")
    table, first = -1, 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("["):
            table += bool(header.match(line))
            first = number if header.match(line) and table == wanted and not first else first
        if (table == wanted or not steps) and assignment.search(line):
            return number
    return first


def _nearest(key: str, steps: list[str | int]) -> str:
    from difflib import get_close_matches  # only a mistake needs it

    match [step for step in steps if isinstance(step, str)]:
        case []:
            known = Overlay.__struct_fields__
        case ["model", "above"]:
            known = Above.__struct_fields__
        case [section, *_]:
            known = _TABLES[section].__struct_fields__
    near = get_close_matches(key.lower(), known, n=1, cutoff=0.5)
    return f", did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"


_TABLES: dict[str, type[Struct]] = {
    "model": ModelRule,
    "cache": CacheTable,
    "tier": TierRule,
    "geo": GeoRule,
    "weekdays": WeekdayRule,
    "provider": ProviderRule,
    "suffix": SuffixRule,
}
