"""What a call may cost at worst, for its hold, and what it did cost, for its bill."""

from msgspec import Struct

from cockpit.core.money import NANO
from cockpit.core.price import MILLION, Rates, cost
from cockpit.core.tokens import Tokens
from cockpit.gateway.credentials import Billing
from cockpit.gateway.providers import Provider
from cockpit.gateway.wire.dialect import Asked, Metered
from cockpit.journal.purse import Amount
from cockpit.prices.book import Book
from cockpit.prices.entry import Quote

DEFAULT_OUTPUT = 32_000
"""Output tokens presumed where the client set no limit; a smaller window presumes less."""
LEAST_OUTPUT = 2_048
"""An answer shorter than this is not worth asking for: the call waits or is refused."""
ASSUMED_SEARCH = 10 * NANO
"""Per thousand searches, where the book knows no price: what every vendor asks today."""

_LONG = frozenset(("1h", "12h", "24h"))


class Worst(Struct, frozen=True):
    """The dearest way a call can go: every prompt token in the dearest class it may fall into.

    Called with a number of output tokens it gives the amount to hold.
    """

    prompt: int
    input: int
    output: int
    fixed: int

    def __call__(self, output: int) -> Amount:
        nano = -(-(self.prompt * self.input + output * self.output) // MILLION)
        return Amount(nano + self.fixed, self.prompt + output)

    @property
    def free(self) -> bool:
        return not (self.input or self.output or self.fixed)


def worst(book: Book, provider: Provider, asked: Asked, billing: Billing, at: int) -> Worst | None:
    """None when the call has no price, which a subscription and a local server need not have."""
    quote = book.quote(
        asked.model, provider.prices, at=at, prompt=asked.prompt, tier=asked.tier, geo=asked.geo
    )
    if quote is None:
        priceless = billing == "subscription" or _at_home(provider)
        return Worst(asked.prompt, 0, 0, 0) if priceless else None
    rates = quote.rates
    dearest = max(rates.input, rates.cache_write_5m)
    if asked.lifetime in _LONG:
        dearest = max(dearest, rates.cache_write_1h)
    searches = -(-asked.searches * _search(quote) // 1000)
    return Worst(asked.prompt, dearest, rates.output, searches)


def output_wanted(book: Book, provider: Provider, asked: Asked, at: int) -> int:
    """The output tokens to hold for: what the client allows, else a presumption."""
    if asked.max_output is not None:
        return asked.max_output
    quote = book.quote(asked.model, provider.prices, at=at)
    window = quote.window if quote else None
    return min(DEFAULT_OUTPUT, window // 8) if window else DEFAULT_OUTPUT


class Bill(Struct, frozen=True):
    """What a call cost. `nano` is None when nobody can tell."""

    nano: int | None
    rates: Rates | None = None
    window: int | None = None
    lifetime_ms: int | None = None
    reason: str = ""


def bill(
    book: Book, provider: Provider, asked: Asked, metered: Metered, billing: Billing, at: int
) -> Bill:
    """The price of what was metered, by the model that answered, else by the one asked for."""
    tier, geo = metered.tier or asked.tier, metered.geo or asked.geo
    prompt = metered.tokens.prompt
    for model in dict.fromkeys((metered.model, asked.model)):
        quote = model and book.quote(
            model, provider.prices, at=at, prompt=prompt, tier=tier, geo=geo
        )
        if quote:
            nano = cost(metered.tokens, quote.rates)
            nano += (metered.searches * _search(quote) + 500) // 1000
            long_lived = metered.tokens.cache_write_1h > 0
            lifetime = quote.cache.long_ttl_ms if long_lived else quote.cache.ttl_ms
            reason = _assumption(quote, metered)
            return Bill(nano, quote.rates, quote.window, lifetime, reason)
    if billing == "subscription" or _at_home(provider):
        return Bill(0)
    return Bill(None, reason=f"no price for tier {tier!r}" if tier else "no price")


def running(tokens: Tokens, rates: Worst) -> int:
    """Nano-dollars so far, on the dear side: for the mark a crash would be judged by."""
    return -(-(tokens.prompt * rates.input + tokens.output * rates.output) // MILLION)


def _assumption(quote: Quote, metered: Metered) -> str:
    assumed = metered.searches and quote.search is None
    return "searches at $10 per thousand, assumed" if assumed else ""


def _search(quote: Quote) -> int:
    return ASSUMED_SEARCH if quote.search is None else quote.search


def _at_home(provider: Provider) -> bool:
    """A server of the operator's own that the price book knows nothing about."""
    return provider.local and not provider.prices
