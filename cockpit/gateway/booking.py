"""From what a wire told of a call to what the books say of it, and to the events that tell it."""

from collections.abc import Callable, Iterator

from msgspec import Struct

from cockpit.core import events as e
from cockpit.gateway.credentials import Billing
from cockpit.gateway.governed import Governed
from cockpit.gateway.pricing import Worst, bill, running
from cockpit.gateway.providers import Upstream
from cockpit.gateway.wire.dialect import Asked, Meter, Metered
from cockpit.journal.calls import Settlement
from cockpit.journal.ledger import Granted, Ledger
from cockpit.prices.book import Book

LOOK_S = 0.25
CHECKPOINT_S = 2.0
CHECKPOINT_TOKENS = 512


class Sent(Struct, eq=False, kw_only=True):
    """A call whose hold is in the books: `wanted` tokens of output, of which some were granted.

    `requested` and `first_byte` are milliseconds since the epoch.
    """

    governed: Governed
    asked: Asked
    upstream: Upstream
    billing: Billing
    worst: Worst
    wanted: int
    granted: Granted
    requested: int
    first_byte: int | None = None


def settle(
    ledger: Ledger, book: Book, sent: Sent, metered: Metered, ended: int
) -> Iterator[e.Event]:
    """Puts the bill in the place of the hold, at once and only once; what is to be told of it."""
    settlement = _settlement(book, sent, metered, ended)
    outcome = ledger.settle(sent.granted.call, settlement)
    if not outcome.first:
        return
    run, call = sent.governed.run, metered.message or sent.granted.call
    yield _settled(sent, settlement, call)
    if sent.asked.composition.total:
        tokens = metered.tokens
        composition = sent.asked.composition.scaled(tokens.prompt, tokens.cache_read)
        yield e.ContextMeasured(run=run, at=ended, call=call, composition=composition)
    if outcome.overrun_nano:
        yield e.OverrunBooked(run=run, at=ended, call=call, nano=outcome.overrun_nano)


def _settlement(book: Book, sent: Sent, metered: Metered, ended: int) -> Settlement:
    """The bill; where nobody knows the price of what was served, the hold's dollars stand in."""
    provider = sent.upstream.provider
    cost = bill(book, provider, sent.asked, metered, sent.billing, sent.requested)
    held = sent.worst(sent.granted.max_output).nano
    return Settlement(
        tokens=metered.tokens,
        nano=held if cost.nano is None else cost.nano,
        mark="presumed" if cost.nano is None else metered.mark,
        reason="; ".join(filter(None, (metered.reason, cost.reason))),
        message=metered.message,
        model=metered.model or sent.asked.model,
        first_byte=sent.first_byte,
        ended=ended,
        lifetime_ms=metered.lifetime_ms
        or (cost.lifetime_ms if _may_be_kept(metered, sent) else None),
        window=cost.window,
        tier=metered.tier,
        geo=metered.geo,
        searches=metered.searches,
        rates=cost.rates,
    )


def _may_be_kept(metered: Metered, sent: Sent) -> bool:
    """Whether a cache may hold this prompt: Anthropic's keeps only what was marked."""
    tokens = metered.tokens
    return sent.asked.dialect != "anthropic" or tokens.prompt > tokens.input


def _settled(sent: Sent, settlement: Settlement, call: str) -> e.CallSettled:
    return e.CallSettled(
        run=sent.governed.run,
        at=settlement.ended or sent.requested,
        call=call,
        model=settlement.model,
        tokens=settlement.tokens,
        nano=settlement.nano,
        mark=settlement.mark,
        context=settlement.tokens.total,
        requested=sent.requested,
        lifetime_ms=settlement.lifetime_ms,
        rates=settlement.rates,
        window=settlement.window,
        billing=sent.billing,
    )


class Checkpoints:
    """Writes down how far a stream has come, so that a crash is judged by it and not by the hold."""

    def __init__(
        self, ledger: Ledger, sent: Sent, meter: Meter, seconds: Callable[[], float]
    ) -> None:
        self._ledger = ledger
        self._sent = sent
        self._meter = meter
        self._seconds = seconds
        self._looked = self._written = seconds()
        self._output = 0

    def look(self) -> None:
        """Called with every chunk."""
        now = self._seconds()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        tokens = self._meter.observed
        more = tokens.output - self._output
        if not more or (now - self._written < CHECKPOINT_S and more < CHECKPOINT_TOKENS):
            return
        self._written, self._output = now, tokens.output
        self._ledger.checkpoint(self._sent.granted.call, tokens, running(tokens, self._sent.worst))
