"""From what the index booked to what the fleet is told: prices, windows and cache lifetimes."""

from cockpit.core.call import Call
from cockpit.core.events import CallSettled
from cockpit.journal.index import Booked, Price
from cockpit.prices.book import Book


def pricing(book: Book) -> Price:
    """The price of a call by this book."""

    def price(call: Call) -> int | None:
        return book.cost(
            call.model, call.provider, call.tokens, call.at, call.tier, call.geo, call.searches
        )

    return price


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
