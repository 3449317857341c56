"""What the book says of a model, ready for JSON: the answer to `cockpit prices MODEL`."""

from typing import Any

from msgspec.structs import asdict

from cockpit.core.money import decimal_string
from cockpit.core.price import CacheRule
from cockpit.prices.book import Book


def describe(
    book: Book,
    model: str,
    at: int,
    *,
    provider: str = "",
    prompt: int = 0,
    tier: str = "",
    geo: str = "",
) -> dict[str, Any]:
    """Rates as decimal strings in dollars per million tokens (`search`: per thousand searches).

    An unpriced model has only `model`, `priced` and `genai_prices`. Lifetimes are in seconds.
    """
    quote = book.quote(model, provider, at=at, prompt=prompt, tier=tier, geo=geo)
    head = {"model": model, "priced": quote is not None, "genai_prices": book.genai_prices}
    if quote is None:
        return head
    return head | {
        "canonical": quote.model,
        "provider": quote.provider,
        "local": quote.local,
        "assumed": quote.assumed,
        "usd_per_mtok": {name: decimal_string(rate) for name, rate in asdict(quote.rates).items()},
        "usd_per_1000_searches": None if quote.search is None else decimal_string(quote.search),
        "window": quote.window,
        "cache": _cache(quote.cache),
        "source": quote.source,
        "conditions": list(quote.conditions),
    }


def _cache(rule: CacheRule) -> dict[str, Any]:
    return {
        "ttl_s": None if rule.ttl_ms is None else rule.ttl_ms // 1000,
        "long_ttl_s": None if rule.long_ttl_ms is None else rule.long_ttl_ms // 1000,
        "policy": rule.policy,
        "clock": rule.clock,
    }
