"""Cache windows: how long a run's prefix stays warm, and what the next turn costs either way."""

from typing import Literal

from msgspec import Struct

from cockpit.core.price import Rates, cost
from cockpit.core.tokens import NO_TOKENS, Tokens

CacheState = Literal["warm", "cold", "unknown", "none"]


RENEWAL_UNSAID = ("kimi-k3",)
"""Models with a lifetime of which nobody says whether a hit starts it anew (Moonshot's Kimi K3)."""


class CacheWindow(Struct, frozen=True):
    """The last call's prefix at the provider.

    `lifetime_ms` is None when the provider promises none; `prefix` counts the tokens that the
    next request will send again. `model` owns the cache: another model finds nothing in it.
    """

    since: int = 0
    lifetime_ms: int | None = None
    prefix: int = 0
    long_lived: bool = False
    model: str = ""

    def state(self, now: int) -> CacheState:
        if not self.prefix:
            return "none"
        if self.lifetime_ms is None:
            return "unknown"
        return "warm" if now < self.since + self.lifetime_ms else "cold"

    @property
    def is_presumed(self) -> bool:
        """Whether the lifetime presumes that the last hit renewed it: it may be over earlier."""
        return self.model.rpartition("/")[2].startswith(RENEWAL_UNSAID)

    def expires(self) -> int | None:
        return (
            None if self.lifetime_ms is None or not self.prefix else self.since + self.lifetime_ms
        )


class NextTurn(Struct, frozen=True):
    """Nano-dollars of the next turn, presuming it adds and answers as much as the last one."""

    warm: int
    cold: int


def next_turn(window: CacheWindow, last: Tokens, rates: Rates | None) -> NextTurn | None:
    """Price of the next turn; None when the price or the prefix is unknown.

    Warm: the prefix is read and the new part written; cold: all is written again
    (hit = P*read + d*write + o*out, miss = (P+d)*write + o*out).
    """
    if rates is None or not window.prefix:
        return None
    new = min(last.input + last.cache_write_5m + last.cache_write_1h, window.prefix)
    if last.cache_read == 0:
        new = last.input
    answer = NO_TOKENS + Tokens(output=last.output)
    if window.long_lived:
        warm = Tokens(cache_read=window.prefix, cache_write_1h=new)
        cold = Tokens(cache_write_1h=window.prefix + new)
    else:
        warm = Tokens(cache_read=window.prefix, cache_write_5m=new)
        cold = Tokens(cache_write_5m=window.prefix + new)
    return NextTurn(cost(warm + answer, rates), cost(cold + answer, rates))


PING_EVERY = 9, 10
"""A ping leaves after this part of the lifetime (numerator, denominator), so that none comes late."""


class KeepWarm(Struct, frozen=True):
    """What keeping a prefix warm through a pause costs.

    `nano` is the price of one ping. `pings` are how many cost less than the miss they prevent,
    which covers `pays_ms` of silence. One ping pays if the prefix is used again with more than
    `chance`.
    """

    nano: int
    pings: int
    pays_ms: int
    chance: float


def keep_warm(window: CacheWindow, rates: Rates | None) -> KeepWarm | None:
    """When pings pay; None without a price, a lifetime, or a miss that is dearer than a ping.

    A ping reads the prefix P at the rate r, a miss writes it at w where a hit would have read it:
    n pings cost n*P*r and save P*(w - r), so they pay while n < w/r - 1, and a single one if the
    chance of reuse exceeds r/(w - r). T of silence takes n = ceil(T/every) - 1 pings. Derived from
    Anthropic's published multipliers: 11 pings at reads of 0.1x, 23 at 0.05x, 48 at 0.025x.
    """
    if rates is None or window.lifetime_ms is None or not window.prefix:
        return None
    read = rates.cache_read
    write = rates.cache_write_1h if window.long_lived else rates.cache_write_5m
    if not 0 < read < write:
        return None
    pings = (write - read - 1) // read
    part, whole = PING_EVERY
    return KeepWarm(
        nano=cost(Tokens(cache_read=window.prefix), rates),
        pings=pings,
        pays_ms=(pings + 1) * window.lifetime_ms * part // whole if pings else 0,
        chance=read / (write - read),
    )
