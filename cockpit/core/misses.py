"""Cache misses: calls that came after their prefix had gone cold and paid for all of it again."""

from msgspec import Struct
from msgspec.structs import replace

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
    rates: Rates
    long_lived: bool = False
    between: int = 0


class Talk(Struct, frozen=True, omit_defaults=True):
    """A conversation with a model, as its last call left it at the provider.

    `since` is when that call's request left, `kept` how many of its `prompt` tokens are cached.
    """

    model: str
    since: int
    prompt: int
    kept: int
    lifetime_ms: int | None = None

    def goes_on_in(self, event: CallSettled) -> bool:
        """A smaller prompt is another conversation: a side question, a sub-agent, a compaction."""
        return event.model == self.model and event.tokens.prompt * 10 >= self.prompt * 9

    def is_over(self, at: int) -> bool:
        """Whether so much time has passed that a timer would have gone on with it."""
        return at - self.since > SLOW_TIMER_WINDOWS * (self.lifetime_ms or 0)

    def lost_in(self, event: CallSettled) -> int:
        """Tokens that the provider had kept and forgot before this call; 0 where it was no miss."""
        if self.lifetime_ms is None or _start(event) - self.since < self.lifetime_ms:
            return 0
        lost = min(self.kept, event.tokens.prompt) - event.tokens.cache_read
        return lost if lost * 2 > self.kept else 0


class Misses(Struct, frozen=True, omit_defaults=True):
    """How often a run paid for a cold cache, and what that cost above a warm turn, in nano-dollars.

    `row` counts the misses that followed each other as a timer's do, `row_nano` is their part,
    `longest` the longest such row; `last` is when the request of the last one left, `prompt` its
    size, `lifetime_ms` how long the cache had lived. `wake` is known from the second miss of a row
    on, `between` counts the nano-dollars of calls since the last miss. `main` is the conversation
    that a timer would wake, `beside` the latest other one: agents ask for titles and summaries, and
    have sub-agents, through the same wire.
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
    main: Talk | None = None
    beside: Talk | None = None

    def is_slow_timer(self, now: int) -> bool:
        """Whether a timer slower than the cache is at work; over when no further miss follows."""
        return self.row >= SLOW_TIMER_MISSES and now - self.last <= self._limit

    def follows(self, event: CallSettled) -> bool:
        """Whether a call that was just judged is the main conversation's."""
        return self.main is None or self.main.since == _start(event)

    @property
    def _limit(self) -> int:
        return SLOW_TIMER_WINDOWS * self.lifetime_ms


def judged(misses: Misses, event: CallSettled) -> Misses:
    """The misses after a call.

    Only calls decide, not what was said between them: a history of which beginning and end alone
    were read must come to the same.
    """
    if event.revision:
        return _revised(misses, event)
    main, spent = misses.main, event.nano or 0
    if main is None:
        return replace(misses, main=_talk(event))
    if not main.goes_on_in(event):
        return _beside(misses, main, event)
    nano = _missed(main, event)
    misses = replace(misses, main=_talk(event))
    if not nano:
        return replace(misses, between=misses.between + spent) if misses.row else misses
    return _in_row(misses, main, event, nano)


def _start(event: CallSettled) -> int:
    return event.requested or event.at


def _talk(event: CallSettled) -> Talk:
    tokens = event.tokens
    return Talk(
        model=event.model,
        since=_start(event),
        prompt=tokens.prompt,
        kept=tokens.cache_read + tokens.cache_write_5m + tokens.cache_write_1h,
        lifetime_ms=event.lifetime_ms,
    )


def _revised(misses: Misses, event: CallSettled) -> Misses:
    """The same call with larger figures: its conversation is as large as they say."""
    added = _talk(event)

    def grown(talk: Talk | None) -> Talk | None:
        if talk is None or talk.since != _start(event):
            return talk
        return replace(talk, prompt=talk.prompt + added.prompt, kept=talk.kept + added.kept)

    if not added.prompt:
        return misses
    return replace(misses, main=grown(misses.main), beside=grown(misses.beside))


def _beside(misses: Misses, main: Talk, event: CallSettled) -> Misses:
    """A call of another conversation: the main one is the larger, until it is over."""
    other = misses.beside
    known = other is not None and other.goes_on_in(event)
    nano = _missed(other, event) if other is not None and known else 0
    counted = replace(
        misses,
        count=misses.count + (1 if nano else 0),
        nano=misses.nano + nano,
        between=misses.between + (event.nano or 0) if misses.row else 0,
        beside=_talk(event),
    )
    over = main.is_over(_start(event))
    if not over and event.tokens.prompt <= main.prompt:
        return counted
    beside = None if over else main
    fresh = replace(counted, main=_talk(event), beside=beside)
    return replace(fresh, row=0, row_nano=0, wake=None, between=0)


def _in_row(misses: Misses, before: Talk, event: CallSettled, nano: int) -> Misses:
    start, lifetime = _start(event), before.lifetime_ms or 0
    limit = SLOW_TIMER_WINDOWS * lifetime
    follows = misses.row > 0 and start - misses.last <= limit
    if start - before.since > limit:
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
        lifetime_ms=lifetime,
        prompt=event.tokens.prompt,
        between=0,
        wake=_wake(misses, before, event) if row > 1 else None,
    )


def _wake(misses: Misses, before: Talk, event: CallSettled) -> Wake | None:
    start, tokens = _start(event), event.tokens
    if event.rates is None:
        return None
    return Wake(
        every_ms=start - misses.last,
        gap_ms=start - before.since,
        prompt=tokens.prompt,
        output=tokens.output,
        new=max(0, tokens.prompt - before.prompt),
        grown=max(0, tokens.prompt - misses.prompt),
        rates=event.rates,
        long_lived=tokens.cache_write_1h > 0,
        between=misses.between,
    )


def _missed(talk: Talk, event: CallSettled) -> int:
    """Nano-dollars that this call cost more because the conversation had gone cold."""
    lost = talk.lost_in(event)
    return 0 if event.rates is None or not lost else _above_warm(event.tokens, lost, event.rates)


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
