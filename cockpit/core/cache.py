"""Cache windows: how long a run's prefix stays warm, and what the next turn costs either way."""

from typing import Literal

from msgspec import Struct

from cockpit.core.price import Rates, cost
from cockpit.core.tokens import NO_TOKENS, Tokens

CacheState = Literal["warm", "cold", "unknown", "none"]


class CacheWindow(Struct, frozen=True):
    """The last call's prefix at the provider.

    `lifetime_ms` is None when the provider promises none; `prefix` counts the tokens that the
    next request will send again.
    """

    since: int = 0
    lifetime_ms: int | None = None
    prefix: int = 0
    long_lived: bool = False

    def state(self, now: int) -> CacheState:
        if not self.prefix:
            return "none"
        if self.lifetime_ms is None:
            return "unknown"
        return "warm" if now < self.since + self.lifetime_ms else "cold"

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
