"""What a call costs at given rates."""

from typing import Literal

from msgspec import Struct

from cockpit.core.tokens import Tokens

MILLION = 1_000_000

Mark = Literal["exact", "estimated", "presumed"]
"""How far a figure can be trusted: counted by the provider, derived by us, or the worst case."""


class Rates(Struct, frozen=True):
    """Prices of one model under one condition, in nano-dollars per million tokens."""

    input: int
    cache_write_5m: int
    cache_write_1h: int
    cache_read: int
    output: int


class CacheRule(Struct, frozen=True):
    """How long a provider keeps a prefix warm.

    `policy`: `refresh` (each hit restarts the lifetime), `minimum` (at least that long), `evict`
    (kept until something else needs the room), `unknown`. `clock`: whether the lifetime counts
    from the start of the request or from the end of the response.
    """

    ttl_ms: int | None = None
    long_ttl_ms: int | None = None
    policy: Literal["refresh", "minimum", "evict", "unknown"] = "unknown"
    clock: Literal["request", "response"] = "request"


def cost(tokens: Tokens, rates: Rates) -> int:
    """Nano-dollars of a call, rounded half up once for the whole call."""
    exact = (
        tokens.input * rates.input
        + tokens.cache_write_5m * rates.cache_write_5m
        + tokens.cache_write_1h * rates.cache_write_1h
        + tokens.cache_read * rates.cache_read
        + tokens.output * rates.output
    )
    return (exact + MILLION // 2) // MILLION
