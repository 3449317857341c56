"""Cache misses: calls that came after their prefix had gone cold and paid for all of it again."""

from msgspec import Struct
from msgspec.structs import replace

from cockpit.core.cache import CacheWindow
from cockpit.core.events import CallSettled
from cockpit.core.price import Rates, cost
from cockpit.core.tokens import Tokens

SLOW_TIMER_MISSES = 3
"""So many misses in a row are a timer that is slower than the cache, no accident."""
SLOW_TIMER_WINDOWS = 3
"""Pauses longer than so many lifetimes are somebody's absence, not a timer."""


class Wake(Struct, frozen=True, omit_defaults=True):
    """A timer's last wake that found its cache cold, by its first request.

    `every_ms` is the time from miss to miss, `gap_ms` from the request before: the silence in which
    the cache died. `prompt` and `output` are tokens of the request, `new` what it added to the one
    before it, `grown` what the session grew by from wake to wake, `between` the nano-dollars of the
    calls since the miss before.
    """

    every_ms: int
    gap_ms: int
    prompt: int
    output: int
    new: int
    grown: int
    between: int = 0


class Misses(Struct, frozen=True, omit_defaults=True):
    """How often a run paid for a cold cache, and what that cost above a warm turn, in nano-dollars.

    `row` counts the misses that followed each other as a timer's do, `row_nano` is their part,
    `longest` the longest such row; `last` is when the request of the last one left, `lifetime_ms`
    how long the cache had lived. `wake` is known from the second miss of a row on, `between` counts
    the nano-dollars of calls since the last miss.
    """

    count: int = 0
    nano: int = 0
    row: int = 0
    row_nano: int = 0
    longest: int = 0
    last: int = 0
    lifetime_ms: int = 0
    prompt: int = 0
    between: int = 0
    wake: Wake | None = None

    def is_slow_timer(self, now: int) -> bool:
        """Whether a timer slower than the cache is at work; over when no further miss follows."""
        return self.row >= SLOW_TIMER_MISSES and now - self.last <= self._limit

    @property
    def _limit(self) -> int:
        return SLOW_TIMER_WINDOWS * self.lifetime_ms


def judged(misses: Misses, window: CacheWindow, last: Tokens, event: CallSettled) -> Misses:
    """The misses after a call; `window` and `last` are those of the call before it.

    Only calls decide, not what was said between them: a history of which beginning and end alone
    were read must come to the same.
    """
    lost = _lost(window, last, event)
    nano = 0 if event.rates is None else _above_warm(event.tokens, lost, event.rates)
    if not nano or window.lifetime_ms is None:
        return replace(misses, between=misses.between + (event.nano or 0)) if misses.row else misses
    start = event.requested or event.at
    limit = SLOW_TIMER_WINDOWS * window.lifetime_ms
    follows = misses.row > 0 and start - misses.last <= limit
    if start - window.since > limit:
        row, row_nano = 0, 0
    elif follows:
        row, row_nano = misses.row + 1, misses.row_nano + nano
    else:
        row, row_nano = 1, nano
    return replace(
        misses,
        count=misses.count + 1,
        nano=misses.nano + nano,
        row=row,
        row_nano=row_nano,
        longest=max(row, misses.longest),
        last=start,
        lifetime_ms=window.lifetime_ms,
        prompt=event.tokens.prompt,
        between=0,
        wake=_wake(misses, window, last, event) if row > 1 else None,
    )


def _wake(misses: Misses, window: CacheWindow, last: Tokens, event: CallSettled) -> Wake:
    start, prompt = event.requested or event.at, event.tokens.prompt
    return Wake(
        every_ms=start - misses.last,
        gap_ms=start - window.since,
        prompt=prompt,
        output=event.tokens.output,
        new=max(0, prompt - last.prompt),
        grown=max(0, prompt - misses.prompt),
        between=misses.between,
    )


def _lost(window: CacheWindow, last: Tokens, event: CallSettled) -> int:
    """Tokens that the provider had kept and forgot before this call; 0 where it was no miss.

    A smaller prompt is another conversation (compaction, a side question), another model has a
    cache of its own, and what was never kept cannot be lost.
    """
    start = event.requested or event.at
    if event.revision or event.model != window.model or window.state(start) != "cold":
        return 0
    kept = last.cache_read + last.cache_write_5m + last.cache_write_1h
    if event.tokens.prompt * 10 < last.prompt * 9:
        return 0
    lost = min(kept, event.tokens.prompt) - event.tokens.cache_read
    return lost if lost * 2 > kept else 0


def _above_warm(tokens: Tokens, lost: int, rates: Rates) -> int:
    """What the call cost more than if the lost tokens had been read from the cache."""
    short = min(lost, tokens.cache_write_5m)
    long = min(lost - short, tokens.cache_write_1h)
    plain = min(lost - short - long, tokens.input)
    warm = replace(
        tokens,
        input=tokens.input - plain,
        cache_write_5m=tokens.cache_write_5m - short,
        cache_write_1h=tokens.cache_write_1h - long,
        cache_read=tokens.cache_read + short + long + plain,
    )
    return max(0, cost(tokens, rates) - cost(warm, rates))
