"""What an overlay's tables do to the prices of a model."""

from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal

from msgspec.structs import asdict, replace

from cockpit.core.money import NANO
from cockpit.core.price import CacheRule
from cockpit.prices import base
from cockpit.prices.overlay import Above, CacheTable, ModelRule, WeekdayRule

PRICED = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "search")
"""Everything that has a price, by the names of `base.Prices` and of an overlay."""

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_ONE = Decimal(1)


def times(rate: int, factor: Decimal) -> int:
    """A rate times a factor, rounded half up to a nano-dollar per million tokens."""
    return rate if factor == _ONE else int((rate * factor).to_integral_value(ROUND_HALF_UP))


def moment(day: date) -> int:
    """Milliseconds since the epoch at the start of a UTC day."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


def on_days(condition: base.Condition, rule: WeekdayRule) -> base.Condition:
    """The condition, its hours held to the days of the rule."""
    if condition.when.start is None:
        return condition
    days = sum(1 << DAYS.index(day) for day in set(rule.days))
    return replace(condition, when=replace(condition.when, days=days))


def cache_rule(table: CacheTable) -> CacheRule:
    """The lifetimes of a table in milliseconds."""
    ttl, long_ttl = table.ttl_s, table.long_ttl_s
    return CacheRule(
        ttl_ms=None if ttl is None else ttl * 1000,
        long_ttl_ms=None if long_ttl is None else long_ttl * 1000,
        policy=table.policy,
        clock=table.clock,
    )


def _nano(dollars: Decimal) -> int:
    return times(NANO, dollars)


def changes_of(rule: ModelRule) -> dict[str, base.Price]:
    """The prices that a rule gives, by name."""
    changes: dict[str, base.Price] = {}
    for name in PRICED:
        value: Decimal | None = getattr(rule, name)
        if value is not None:
            changes[name] = _stepped(name, value, rule.above)
    return changes


def _stepped(name: str, value: Decimal, above: list[Above]) -> base.Price:
    steps: list[int] = []
    for item in sorted(above, key=lambda item: item.tokens):
        dearer: Decimal | None = asdict(item).get(name)
        if dearer is not None:
            steps += [item.tokens, _nano(dearer)]
    return [_nano(value), *steps] if steps else _nano(value)


def overridden(
    conditions: list[base.Condition], changes: dict[str, base.Price], since: date | None
) -> list[base.Condition]:
    """The conditions with changed prices: all of them, or one more that begins on a day."""
    if since is None:
        held = conditions or [base.Condition(base.Prices())]
        return [replace(item, prices=replace(item.prices, **changes)) for item in held]
    everyday = [item.prices for item in conditions if item.when.start is None]
    before = everyday[-1] if everyday else base.Prices()
    newest = base.Condition(replace(before, **changes), base.Constraint(since=moment(since)))
    return [*conditions, newest]
