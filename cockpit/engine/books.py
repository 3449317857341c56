"""From what the index booked to what the fleet is told: prices, windows and cache lifetimes."""

from msgspec.structs import replace

from cockpit.core.call import Call
from cockpit.core.events import CallSettled
from cockpit.core.price import Rates
from cockpit.journal.index import Booked
from cockpit.journal.kinds import Kind
from cockpit.prices.book import Book

ASSUMED = "its provider is not in the price book: priced as its maker would"


class Pricing:
    """The price of a call by a book."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def __call__(self, call: Call) -> int | None:
        """Nano-dollars of the call, None when no price is known."""
        return self._book.cost(
            call.model, call.provider, call.tokens, call.at, call.tier, call.geo, call.searches
        )

    def steady(self, kind: Kind) -> tuple[Rates, int] | None:
        """Rates of all calls of a kind with prompts of at most so many tokens, if there are such."""
        return self._book.steady(kind.model, kind.provider, kind.tier, kind.geo)

    def marked(self, call: Call) -> Call:
        """The call, marked as estimated where its price is that of another seller."""
        if not call.provider or call.mark != "exact":
            return call
        quote = self._book.quote(call.model, call.provider, at=call.at, prompt=0, tier=call.tier)
        if quote is None or not quote.assumed:
            return call
        return replace(call, mark="estimated", reason=call.reason or ASSUMED)


def settled(booked: Booked, book: Book) -> CallSettled:
    """The event that tells the fleet of an entry in the books."""
    call = booked.call
    quote = book.quote(
        call.model,
        call.provider,
        at=call.at,
        prompt=call.tokens.prompt,
        tier=call.tier,
        geo=call.geo,
    )
    lifetime = call.lifetime_ms
    if lifetime is None and quote is not None:
        long_lived = call.tokens.cache_write_1h > 0
        lifetime = quote.cache.long_ttl_ms if long_lived else quote.cache.ttl_ms
    return CallSettled(
        run=booked.run,
        at=call.at,
        call=call.id,
        model=call.model,
        tokens=booked.added,
        nano=booked.nano,
        mark=call.mark,
        revision=booked.revision,
        context=call.tokens.total,
        requested=_cache_start(call, quote is not None and quote.cache.clock == "response"),
        lifetime_ms=lifetime,
        rates=quote.rates if quote else None,
        window=call.window or (quote.window if quote else None),
    )


def _cache_start(call: Call, from_response: bool) -> int:
    return call.at if from_response else call.requested or call.at
