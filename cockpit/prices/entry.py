"""One model under one tier at one place: its prices over time and prompt size."""

from datetime import UTC, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Literal

from msgspec import Struct

from cockpit.core.price import CacheRule, Rates
from cockpit.prices import base, corrections
from cockpit.prices.names import Found
from cockpit.prices.overlay import GeoRule, ModelRule, Overlay

Source = Literal["base", "overlay", "user"]
Layers = tuple[tuple[Source, Overlay], ...]
"""The overlays in rising order of authority."""

ANY_SIZE = 1 << 62
_NEUTRAL_TIERS = frozenset({"", "standard", "default", "auto", "standard_only"})
_ONE = Decimal(1)


class Quote(Struct, frozen=True):
    """What a request costs. `search` is nano-dollars per thousand web searches, None if unknown.

    `source` is the highest authority that had a say in the prices. `conditions` says in words
    what made them so (dates, hours, prompt size, tier, place). `local` marks a model on the
    user's machine, whose tokens cost no money; `assumed` a price of the model's maker because
    the provider named is unknown to us.
    """

    rates: Rates
    window: int | None
    cache: CacheRule
    source: Source
    model: str
    provider: str
    search: int | None = None
    conditions: tuple[str, ...] = ()
    local: bool = False
    assumed: bool = False


class Entry:
    """Answers for one model; every distinct answer is made once and kept."""

    def __init__(self, draft: "Draft") -> None:
        self._draft = draft
        self._timed = draft.timed()
        self._thresholds = draft.thresholds()
        self._quotes: dict[tuple[int, int], Quote | None] = {}
        self._held = (-1, 0)
        self.constant = not (self._timed or self._thresholds)
        """Whether neither time nor prompt size changes the answer."""
        self.steady_up_to = 0 if self._timed else min(self._thresholds, default=ANY_SIZE)
        """The prompt size up to which nothing changes the answer, 0 when time does."""

    def quote(self, at: int, prompt: int) -> Quote | None:
        """The price of a request with `prompt` tokens at `at` ms; None when it has none then."""
        active = self._active(at) if self._timed else 0
        above = 0
        for threshold in self._thresholds:
            if prompt > threshold:
                above = threshold
        key = (active, above)
        try:
            return self._quotes[key]
        except KeyError:
            quote = self._quotes[key] = self._draft.quote(at, prompt, above)
            return quote

    def _active(self, at: int) -> int:
        """The constraints in force as a bit mask; none changes within a minute."""
        minute = at // base.MINUTE_MS
        held, mask = self._held
        if minute != held:
            flags = enumerate(constraint.active(at) for constraint in self._timed)
            mask = sum(1 << bit for bit, active in flags if active)
            self._held = (minute, mask)
        return mask


class Draft:
    """Lays the overlays over what the table says of a model."""

    def __init__(self, found: Found, tier: str, geo: str, layers: Layers) -> None:
        model = found.model
        self.found = found
        self.id = model.id if model else found.name
        self._names = {self.id.lower(), found.name}
        self.tier = "" if tier.lower() in _NEUTRAL_TIERS else tier.lower()
        self.geo = geo.lower()
        self.conditions = list(model.conditions) if model else []
        kept = model.variants if model and not found.borrowed else []
        self.variants = [variant for variant in kept if variant.tier == self.tier]
        self.window = model.window if model else None
        self.source: Source = "base"
        self.long_write: Decimal | None = None
        self.cache = CacheRule()
        for source, overlay in layers:
            self._lay(source, overlay)
        self.window = found.window or self.window
        self.tier_factor = self._tier_factor(layers)
        self.geo_factor = self._geo_factor(layers)

    def _lay(self, source: Source, overlay: Overlay) -> None:
        for weekdays in overlay.weekdays:
            if self._means(weekdays.provider, weekdays.names):
                self.conditions = [corrections.on_days(item, weekdays) for item in self.conditions]
                self.source = source
        for rule in overlay.model:
            if self._means(rule.provider, rule.names):
                self._apply(source, rule)
        for table in overlay.cache:
            if self._means(table.provider, table.names):
                self.cache = corrections.cache_rule(table)

    def _apply(self, source: Source, rule: ModelRule) -> None:
        self.window = rule.window or self.window
        changes = corrections.changes_of(rule)
        if rule.unpriced:
            self.conditions, self.variants = [], []
        if changes:
            self.conditions = corrections.overridden(self.conditions, changes, rule.since)
            self.variants = []
        if rule.cache_write_1h_factor is not None or "cache_write_1h" in changes:
            self.long_write = rule.cache_write_1h_factor
        if changes or rule.cache_write_1h_factor is not None:
            self.source = source

    def _means(self, provider: str, patterns: tuple[str, ...]) -> bool:
        if provider and provider != self.found.provider:
            return False
        lowered = {pattern.lower() for pattern in patterns}
        if lowered & self._names:  # an id may hold brackets, which a pattern would read otherwise
            return True
        return any(fnmatchcase(name, pattern) for name in self._names for pattern in lowered)

    def _tier_factor(self, layers: Layers) -> Decimal | None:
        if not self.tier:
            return _ONE
        factors = [
            rule.factor
            for _, overlay in layers
            for rule in overlay.tier
            if rule.tier == self.tier and self._means(rule.provider, rule.names)
        ]
        return factors[-1] if factors else None

    def _geo_factor(self, layers: Layers) -> Decimal | None:
        """None for a place without a price at a provider that prices places."""
        rules = [rule for _, overlay in layers for rule in overlay.geo]
        ours = [rule for rule in rules if rule.provider == self.found.provider]
        if not self.geo or not ours:
            return _ONE
        factors = [rule.factor for rule in ours if self._at_place(rule)]
        return factors[-1] if factors else None

    def _at_place(self, rule: GeoRule) -> bool:
        return self.geo in rule.geo and self._means(rule.provider, rule.names)

    def timed(self) -> tuple[base.Constraint, ...]:
        """Constraints whose being in force changes the answer."""
        every = [item.when for item in self.conditions] + [item.when for item in self.variants]
        return tuple(when for when in every if when != base.ALWAYS)

    def thresholds(self) -> tuple[int, ...]:
        """Prompt sizes above which the price changes, rising."""
        prices = [item.prices for item in self.conditions]
        prices += [item.prices for item in self.variants]
        steps = [getattr(item, name) for item in prices for name in corrections.PRICED]
        starts = {start for step in steps if isinstance(step, list) for start in step[1::2]}
        return tuple(sorted(starts))

    def quote(self, at: int, prompt: int, above: int) -> Quote | None:
        """The answer at a moment; None when the model, tier or place has no price then."""
        if self.found.local and not self.conditions:
            return self._quote(Rates(0, 0, 0, 0, 0), 0, ("local: no money price",))
        if not self.conditions or self.geo_factor is None:
            return None
        condition = _in_force(self.conditions, at)
        variants = [variant for variant in self.variants if variant.when.active(at)]
        factor = _ONE if variants else self.tier_factor
        if factor is None:
            return None
        prices = {
            name: _step(_first(name, condition.prices, variants), prompt)
            for name in corrections.PRICED
        }
        rates = self._rates(prices, factor * self.geo_factor)
        words = self._words(condition, above)
        return None if rates is None else self._quote(rates, prices["search"], words)

    def _rates(self, prices: dict[str, int | None], factor: Decimal) -> Rates | None:
        enter, leave = prices["input"], prices["output"]
        if enter is None or leave is None:
            return None
        write = _either(prices["cache_write_5m"], enter)
        long_write = _either(prices["cache_write_1h"], write)
        if self.long_write is not None:
            long_write = corrections.times(enter, self.long_write)
        read = _either(prices["cache_read"], enter)
        return Rates(
            *(corrections.times(rate, factor) for rate in (enter, write, long_write, read, leave))
        )

    def _quote(self, rates: Rates, search: int | None, words: tuple[str, ...]) -> Quote:
        return Quote(
            rates=rates,
            window=self.window,
            cache=self.cache,
            source="overlay" if self.found.local and self.source == "base" else self.source,
            model=self.id,
            provider=self.found.provider,
            search=search,
            conditions=words,
            local=self.found.local,
            assumed=self.found.assumed,
        )

    def _words(self, condition: base.Condition, above: int) -> tuple[str, ...]:
        said = [
            _when(condition.when),
            f"prompt above {above} tokens" if above else "",
            f"tier {self.tier}" if self.tier else "",
            f"geo {self.geo} x{self.geo_factor}" if self.geo and self.geo_factor != _ONE else "",
        ]
        return tuple(filter(None, said))


def _in_force(conditions: list[base.Condition], at: int) -> base.Condition:
    active = (item for item in reversed(conditions) if item.when.active(at))
    return next(active, conditions[0])


def _first(name: str, standard: base.Prices, variants: list[base.Variant]) -> base.Price:
    given: list[base.Price] = [getattr(variant.prices, name) for variant in variants]
    return next((price for price in given if price is not None), getattr(standard, name))


def _step(price: base.Price, prompt: int) -> int | None:
    if not isinstance(price, list):
        return price
    amount = price[0]
    for start, dearer in zip(price[1::2], price[2::2], strict=True):
        if prompt > start:
            amount = dearer
    return amount


def _either(price: int | None, general: int) -> int:
    return general if price is None else price


def _when(constraint: base.Constraint) -> str:
    if constraint.since is not None:
        return f"since {datetime.fromtimestamp(constraint.since / 1000, UTC):%Y-%m-%d}"
    if constraint.start is None:
        return ""
    days = "+".join(day for bit, day in enumerate(corrections.DAYS) if constraint.days >> bit & 1)
    hours = "-".join(f"{at // 60:02d}:{at % 60:02d}" for at in (constraint.start, constraint.end))
    return f"{hours} UTC" if constraint.days == 127 else f"{hours} UTC {days}"
