"""The compiled price table: its shape on disk, and how to read it cheaply.

Every price is an integer of nano-dollars per million tokens (searches: per thousand searches).
Providers stay undecoded until one of their models is asked for.
"""

from pathlib import Path

import msgspec
from msgspec import Raw, Struct

DAY_MS = 86_400_000
MINUTE_MS = 60_000
FORMAT = 1
SHIPPED = Path(__file__).with_name("base.json")

Price = int | list[int] | None
"""A flat price, or `[price, above, price, above, price]` where a larger prompt reprices it all."""


class Clause(Struct, frozen=True, array_like=True, omit_defaults=True):
    """One matching rule: `^` starts with, `$` ends with, `*` contains, `~` regex, `=`, `|`, `&`."""

    op: str
    text: str = ""
    parts: list["Clause"] = []


class Prices(Struct, frozen=True, array_like=True, omit_defaults=True):
    """What one condition charges; what is absent falls back to the more general class."""

    input: Price = None
    output: Price = None
    cache_read: Price = None
    cache_write_5m: Price = None
    cache_write_1h: Price = None
    search: Price = None


class Constraint(Struct, frozen=True, array_like=True, omit_defaults=True):
    """When something holds: from a moment on, or between two UTC minutes of some days.

    `days` is a bit mask, Monday is 1; the window may pass midnight and then belongs to the day
    on which each part falls.
    """

    since: int | None = None
    start: int | None = None
    end: int = 0
    days: int = 127

    def active(self, at: int) -> bool:
        if self.since is not None and at < self.since:
            return False
        if self.start is None:
            return True
        day, rest = divmod(at, DAY_MS)
        if not self.days >> (day + 3) % 7 & 1:  # the epoch began on a Thursday
            return False
        minute = rest // MINUTE_MS
        if self.end < self.start:
            return minute >= self.start or minute < self.end
        return self.start <= minute < self.end


ALWAYS = Constraint()


class Condition(Struct, frozen=True, array_like=True, omit_defaults=True):
    """Prices and when they hold; of several that hold the last one counts."""

    prices: Prices
    when: Constraint = ALWAYS


class Variant(Struct, frozen=True, array_like=True, omit_defaults=True):
    """Prices of a service tier, laid over the standard ones; the first that holds counts."""

    tier: str
    prices: Prices
    when: Constraint = ALWAYS


class Model(Struct, frozen=True, array_like=True, omit_defaults=True):
    """A model of one provider: the ids it answers to, its window and its prices."""

    id: str
    names: list[str]
    rules: list[Clause]
    window: int | None
    conditions: list[Condition]
    variants: list[Variant] = []


class Provider(Struct, frozen=True, omit_defaults=True):
    """A provider as stored; `models` decodes to `list[Model]`."""

    id: str
    models: Raw
    claims: Clause | None = None
    fallback: list[str] = []


class Base(Struct, frozen=True):
    """The whole table and the version of genai-prices it was compiled from."""

    format: int
    genai_prices: str
    providers: list[Provider]


class _Head(Struct):
    format: int
    genai_prices: str


def version(data: bytes) -> tuple[int, ...]:
    """Version of genai-prices in a compiled table, comparable; `()` when it is not one of ours."""
    try:
        head = msgspec.json.decode(data, type=_Head)
    except msgspec.MsgspecError:
        return ()
    return parse_version(head.genai_prices) if head.format == FORMAT else ()


def parse_version(text: str) -> tuple[int, ...]:
    """`0.2.10` as `(0, 2, 10)`; anything after the numbers is ignored."""
    numbers = []
    for part in text.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def decode(data: bytes) -> Base:
    """The table, its models still raw.

    Raises:
        msgspec.MsgspecError: when the data is no compiled table.
    """
    return msgspec.json.decode(data, type=Base)


_models = msgspec.json.Decoder(list[Model])


def models(provider: Provider) -> list[Model]:
    """The models of a provider, decoded now: keep the result."""
    return _models.decode(provider.models)
