"""Overlays: corrections and additions to the compiled prices, ours and the user's, one format.

Every table has `provider` and `names` saying what it speaks of (`names` are exact ids or
patterns with `*`); of several tables that speak of the same thing, the last one counts.
"""

import tomllib
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

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
    `cache_write_1h_factor` prices long-lived cache writes as a multiple of input. `unpriced`
    takes away a price that is not true.
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
    unpriced: bool = False


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


def parse(data: bytes, path: Path) -> Overlay:
    """The overlay in `data`; `path` is for messages only.

    Raises:
        OverlayError: when it is no TOML, or has a key or value we do not know.
    """
    try:
        text = data.decode()
        tables = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OverlayError(f"{path}: {error}") from error
    try:
        overlay = msgspec.convert(tables, Overlay, strict=False)
    except msgspec.ValidationError as error:
        from cockpit.prices.mistakes import explain  # only a mistake needs it

        raise OverlayError(explain(str(error), text, path)) from error
    _check_amounts(overlay, path)
    return overlay


_Spoken = ModelRule | CacheTable | TierRule | GeoRule | WeekdayRule


def settled(overlay: Overlay, ids: Mapping[str, str], path: Path) -> Overlay:
    """The overlay with every seller under its own id.

    Raises:
        OverlayError: for a seller that neither the table nor a `[[provider]]` knows.
    """
    sections = ("model", "cache", "tier", "geo", "weekdays")
    return replace(overlay, **{name: _settled(overlay, name, ids, path) for name in sections})


def _settled(overlay: Overlay, section: str, ids: Mapping[str, str], path: Path) -> list[_Spoken]:
    tables: list[_Spoken] = getattr(overlay, section)
    for number, table in enumerate(tables, 1):
        if table.provider and table.provider.lower() not in ids:
            from cockpit.prices.mistakes import nearest  # only a mistake needs it

            place = f"{path}: provider in [[{section}]] number {number}"
            raise OverlayError(
                f"{place}: {table.provider!r} is unknown{nearest(table.provider, ids)}"
            )
    return [replace(table, provider=ids.get(table.provider.lower(), "")) for table in tables]


def _check_amounts(overlay: Overlay, path: Path) -> None:
    for section in ("model", "tier", "geo"):
        tables: list[Struct] = getattr(overlay, section)
        for number, table in enumerate(tables, 1):
            for item in (table, *getattr(table, "above", ())):
                if wrong := _bad_amount(item):
                    raise OverlayError(
                        f"{path}: {wrong} in [[{section}]] number {number}: not valid"
                    )


def _bad_amount(table: Struct) -> str:
    """Name of a price or factor out of range, or of a window below one."""
    for name in table.__struct_fields__:
        value = getattr(table, name)
        if isinstance(value, Decimal) and not (value.is_finite() and 0 <= value < 1_000_000):
            return name
        if name == "window" and value is not None and value < 1:
            return name
    return ""
