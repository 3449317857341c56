"""The fire: a timer slower than its cache. What it will cost by morning, and what each cure would.

A wake with prefix P, new tokens d and output o costs P*read + d*write + o*out when the cache is warm
and (P+d)*write + o*out when it is cold; the prefix then grows by what the wake left in the session.
"""

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from cockpit.core.cache import PING_EVERY, CacheWindow, keep_warm
from cockpit.core.composition import Composition
from cockpit.core.fleet import MINUTE, Run
from cockpit.core.money import NANO, dollars
from cockpit.core.price import Rates, cost
from cockpit.core.quantities import span_text
from cockpit.core.tokens import Tokens

NIGHT = 8 * 3_600_000

LONG_LIFETIMES = 12
"""A long lifetime is at least so many times the short one (Anthropic and Kimi 12, OpenAI 24)."""
SHORTER = 4, 5
"""A timer is safe at this part of the lifetime (numerator, denominator): generation eats the rest."""
DIGEST = 3_000
"""Tokens that tell a fresh session what the last one found."""
FRESH_PROMPT = 19_000 + DIGEST
"""Tokens of a fresh session of unknown make: agents' instructions and tools are 6k to 19k (measured)."""
WASTE_PER_HOUR = NANO
"""A loop of our own may waste so many nano-dollars an hour on cold wakes before it is refused."""

CureName = Literal["long cache", "keep warm", "shorter interval", "fresh session", "script"]


class Timer(Struct, frozen=True, kw_only=True):
    """A session that is woken again and again.

    `prefix` is what the next wake sends again, `new` what its first request adds, `grown` what a
    wake adds to the session; `gap_ms` is the silence before a wake, `between` the nano-dollars of a
    wake's further calls, `fresh` the prompt of a new session that knows a digest of this one.
    """

    every_ms: int
    gap_ms: int
    lifetime_ms: int
    prefix: int
    new: int
    grown: int
    output: int
    rates: Rates
    long_lived: bool = False
    between: int = 0
    fresh: int = FRESH_PROMPT

    @property
    def is_cold(self) -> bool:
        """Whether each wake comes after the cache has died."""
        return self.gap_ms >= self.lifetime_ms

    def wakes(self, span_ms: int) -> int:
        return span_ms // self.every_ms if self.every_ms > 0 else 0


class Cure(Struct, frozen=True):
    """Another way to do the same wakes, and what it costs in nano-dollars over the same span.

    `keeps` tells whether the session goes on with all it knows; `text` says what to do.
    """

    name: CureName
    nano: int
    keeps: bool
    text: str


class Forecast(Struct, frozen=True):
    """What a timer costs over `span_ms` if nothing changes, in nano-dollars.

    `miss` is the price of the next wake as it is, `hit` what it would be with a warm cache.
    """

    every_ms: int
    lifetime_ms: int
    span_ms: int
    wakes: int
    nano: int
    miss: int
    hit: int

    @property
    def text(self) -> str:
        return (
            f"every {_about(self.every_ms)} is slower than the {span_text(self.lifetime_ms)} cache:"
            f" {dollars(self.nano)} in the next {span_text(self.span_ms)}, {dollars(self.miss)} a"
            f" wake instead of {dollars(self.hit)}"
        )


def _about(ms: int) -> str:
    """An interval as it was meant: whole minutes where it has any."""
    return span_text(max(1, round(ms / MINUTE)) * MINUTE if ms >= 2 * MINUTE else ms)


def hits(timer: Timer, count: int, prefix: int) -> int:
    """Nano-dollars of `count` warm wakes, the first with `prefix`."""
    read = _growing(count, prefix, timer.grown)
    return _priced(timer, count, Tokens(cache_read=read), count * timer.new)


def misses(timer: Timer, count: int, prefix: int) -> int:
    """Nano-dollars of `count` cold wakes, the first with `prefix`."""
    return _priced(timer, count, Tokens(), _growing(count, prefix, timer.grown) + count * timer.new)


def pings(timer: Timer, count: int, prefix: int) -> int:
    """Nano-dollars of one ping after each of `count` wakes, the first leaving `prefix`."""
    return cost(Tokens(cache_read=_growing(count, prefix, timer.grown)), timer.rates)


def _growing(count: int, first: int, step: int) -> int:
    return count * first + step * (count * (count - 1) // 2)


def _priced(timer: Timer, count: int, tokens: Tokens, written: int) -> int:
    kind = "cache_write_1h" if timer.long_lived else "cache_write_5m"
    all_of_it = replace(tokens, output=count * timer.output, **{kind: written})
    return cost(all_of_it, timer.rates) + count * timer.between


def timer_of(run: Run) -> Timer | None:
    """The slow timer that a run's misses show; None while they show none."""
    wake, lifetime = run.misses.wake, run.misses.lifetime_ms
    if wake is None or not lifetime or wake.every_ms <= 0:
        return None
    return Timer(
        every_ms=wake.every_ms,
        gap_ms=wake.gap_ms,
        lifetime_ms=lifetime,
        prefix=wake.prompt + wake.grown - wake.new,
        new=wake.new,
        grown=wake.grown,
        output=wake.output,
        rates=wake.rates,
        long_lived=wake.long_lived,
        between=wake.between,
        fresh=_fresh_prompt(run.composition),
    )


def _fresh_prompt(composition: Composition) -> int:
    """What the wire has seen of the agent's own instructions and tools, and a digest."""
    own = composition.system + composition.tools
    return own + DIGEST if own else FRESH_PROMPT


def forecast_of(run: Run, now: int, span_ms: int = NIGHT) -> Forecast | None:
    """What the run's slow timer will cost until `now + span_ms`; None when none is at work."""
    timer = timer_of(run)
    if timer is None or not run.misses.is_slow_timer(now):
        return None
    return forecast(timer, span_ms)


def forecast(timer: Timer, span_ms: int = NIGHT) -> Forecast:
    """What the coming wakes of a timer cost."""
    count = timer.wakes(span_ms)
    wake = misses if timer.is_cold else hits
    return Forecast(
        timer.every_ms,
        timer.lifetime_ms,
        span_ms,
        count,
        nano=wake(timer, count, timer.prefix),
        miss=misses(timer, 1, timer.prefix),
        hit=hits(timer, 1, timer.prefix),
    )


def cures_of(run: Run, span_ms: int = NIGHT) -> tuple[Cure, ...]:
    """What would cost less than the run's slow timer over the span, cheapest first."""
    timer = timer_of(run)
    return () if timer is None else cures(timer, span_ms)


def cheapest(offered: tuple[Cure, ...]) -> Cure | None:
    """The cheapest cure with which the session goes on; else the cheapest that still uses a model."""
    kept = [cure for cure in offered if cure.keeps]
    rest = [cure for cure in offered if cure.name != "script"]
    return next(iter(kept or rest), None)


def cures(timer: Timer, span_ms: int = NIGHT) -> tuple[Cure, ...]:
    """What would cost less than the timer as it is over the span, cheapest first.

    The next wake finds the cache cold whatever is done: the cures that keep the session pay it.
    """
    as_it_is = forecast(timer, span_ms).nano
    offered = (
        _long_cache(timer, span_ms),
        _kept_warm(timer, span_ms),
        _shorter(timer, span_ms),
        _fresh(timer, span_ms),
        Cure(
            "script", 0, keeps=False, text="let a script look, and wake the agent when it must act"
        ),
    )
    cheaper = [cure for cure in offered if cure is not None and cure.nano < as_it_is]
    return tuple(sorted(cheaper, key=lambda cure: cure.nano))


def _warmed(timer: Timer, span_ms: int) -> int:
    """One cold wake, then warm ones."""
    count = timer.wakes(span_ms)
    if not count:
        return 0
    first = misses(timer, 1, timer.prefix)
    return first + hits(timer, count - 1, timer.prefix + timer.grown)


def _long_cache(timer: Timer, span_ms: int) -> Cure | None:
    lifetime = LONG_LIFETIMES * timer.lifetime_ms
    if timer.long_lived or not timer.rates.cache_write_1h or timer.gap_ms >= lifetime:
        return None
    nano = _warmed(replace(timer, long_lived=True, lifetime_ms=lifetime), span_ms)
    return Cure("long cache", nano, keeps=True, text="ask for the long cache lifetime")


def _kept_warm(timer: Timer, span_ms: int) -> Cure | None:
    window = CacheWindow(0, timer.lifetime_ms, timer.prefix, timer.long_lived)
    pays = keep_warm(window, timer.rates)
    part, whole = PING_EVERY
    every = timer.lifetime_ms * part // whole
    needed = -(-timer.gap_ms // max(1, every)) - 1
    if pays is None or not 0 < needed <= pays.pings:
        return None
    count = timer.wakes(span_ms)
    left = timer.prefix + timer.new
    nano = _warmed(timer, span_ms) + needed * pings(timer, count, left)
    text = f"ping every {span_text(every)} so that the cache stays warm"
    return Cure("keep warm", nano, keeps=True, text=text)


def _shorter(timer: Timer, span_ms: int) -> Cure | None:
    part, whole = SHORTER
    busy = max(0, timer.every_ms - timer.gap_ms)
    every = timer.lifetime_ms * part // whole + busy
    if every <= 0 or not timer.is_cold:
        return None
    nano = _warmed(replace(timer, every_ms=every), span_ms)
    return Cure("shorter interval", nano, keeps=True, text=f"wake it every {span_text(every)}")


def _fresh(timer: Timer, span_ms: int) -> Cure | None:
    """A new session for each wake: it never grows and finds nothing in a cache."""
    if timer.prefix <= 2 * timer.fresh:
        return None
    small = replace(timer, grown=0, between=timer.between * timer.fresh // timer.prefix)
    nano = misses(small, timer.wakes(span_ms), timer.fresh)
    text = "start a fresh session for each wake with a digest of the last one"
    return Cure("fresh session", nano, keeps=False, text=text)


def refuses_timer(
    interval_ms: int,
    lifetime_ms: int | None,
    prefix: int,
    rates: Rates,
    *,
    long_lived: bool = False,
) -> str:
    """Why a loop of our own may not wake a session that often; empty when it may.

    `prefix` is what each wake sends again. A cache that promises no lifetime proves no waste.
    """
    if lifetime_ms is None or interval_ms <= 0 or interval_ms < lifetime_ms:
        return ""
    write = rates.cache_write_1h if long_lived else rates.cache_write_5m
    cold = cost(Tokens(cache_write_1h=prefix), replace(rates, cache_write_1h=write))
    warm = cost(Tokens(cache_read=prefix), rates)
    if (cold - warm) * 3_600_000 <= WASTE_PER_HOUR * interval_ms:
        return ""
    part, whole = SHORTER
    return (
        f"Every {span_text(interval_ms)} is slower than the {span_text(lifetime_ms)} cache: each wake"
        f" would pay {dollars(cold)} for {prefix:,} tokens that cost {dollars(warm)} warm. Wake it"
        f" every {span_text(lifetime_ms * part // whole)}, use a longer cache lifetime, start fresh"
        " with a digest, or let a script look."
    )
