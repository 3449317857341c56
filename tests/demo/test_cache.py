"""The cache simulator against documented cases and a worked eight-hour example."""

import pytest

from cockpit.core.price import Rates, cost
from cockpit.core.tokens import NO_TOKENS, Tokens
from cockpit.demo.cache import (
    ANTHROPIC,
    HOUR,
    MINUTE,
    OPENAI,
    BadBreakpointsError,
    Block,
    PrefixCache,
    Resident,
    anthropic_request,
    openai_request,
    positions,
)

OPUS_5 = Rates(5_000_000_000, 6_250_000_000, 10_000_000_000, 500_000_000, 25_000_000_000)
DAY_SHIFT = 8 * HOUR


def blocks(*tokens, mark_last="short", start=0):
    made = [Block(f"block {start + at}", count) for at, count in enumerate(tokens)]
    if mark_last:
        made[-1] = Block(made[-1].content, made[-1].tokens, mark_last)
    return made


def ask(cache, prompt, now, *, first_byte=None, minimum=512, key="model"):
    return anthropic_request(
        cache,
        positions(key, prompt),
        now=now,
        first_byte=now if first_byte is None else first_byte,
        minimum=minimum,
    )


class Shift:
    """A session of 800k tokens that wakes up, adds 500 tokens and answers 300, for eight hours."""

    def __init__(self, lifetime):
        self.cache, self.lifetime = PrefixCache(ANTHROPIC), lifetime
        self.history = [Block("history", 800_000)]
        self.spent = NO_TOKENS
        self.misses = self.wakes = 0

    def wake(self, now):
        asked = Block(f"wake {now}", 500, self.lifetime)
        tokens = ask(self.cache, [*self.history, asked], now) + Tokens(output=300)
        self.history += [Block(asked.content, 500), Block(f"answer {now}", 300)]
        self.spent += tokens
        self.wakes += 1
        self.misses += tokens.cache_read == 0 and self.wakes > 1

    def ping(self, now):
        last = self.history[-2]
        marked = Block(last.content, last.tokens, self.lifetime)
        self.spent += ask(self.cache, [*self.history[:-2], marked], now)

    def dollars(self):
        return cost(self.spent, OPUS_5) / 1e9


def shift(every, lifetime="short", ping_after=None):
    session = Shift(lifetime)
    for now in range(0, DAY_SHIFT + 1, every):
        session.wake(now)
        if ping_after:
            session.ping(now + ping_after)
    return session


@pytest.mark.parametrize(
    ("every", "lifetime", "ping_after", "wakes", "misses", "dollars"),
    [
        (4 * MINUTE, "short", None, 121, 0, 57.40),
        (6 * MINUTE, "short", None, 81, 80, 422.06),
        (6 * MINUTE, "short", 4 * MINUTE + 30_000, 81, 0, 73.01),
        (6 * MINUTE, "long", None, 81, 0, 42.54),
        (4 * MINUTE, "long", None, 121, 0, 60.76),
    ],
)
def test_eight_hours_of_opus_5(every, lifetime, ping_after, wakes, misses, dollars):
    session = shift(every, lifetime, ping_after)
    assert (session.wakes, session.misses) == (wakes, misses)
    assert session.dollars() == pytest.approx(dollars, abs=0.005)


def test_a_slow_timer_costs_seven_times_a_fast_one():
    assert shift(6 * MINUTE).dollars() / shift(4 * MINUTE).dollars() > 7


def test_a_hit_restarts_the_lifetime_from_the_start_of_the_request():
    cache = PrefixCache(ANTHROPIC)
    prompt = blocks(1000)
    assert ask(cache, prompt, 0).cache_write_5m == 1000
    assert ask(cache, prompt, 5 * MINUTE - 1).cache_read == 1000
    assert ask(cache, prompt, 10 * MINUTE - 2).cache_read == 1000
    assert ask(cache, prompt, 15 * MINUTE - 2).cache_read == 0


def test_generation_time_eats_the_lifetime():
    cache = PrefixCache(ANTHROPIC)
    ask(cache, blocks(1000), 0, first_byte=4 * MINUTE)
    assert ask(cache, blocks(1000), 5 * MINUTE).cache_read == 0


def test_parallel_requests_both_write_until_the_first_answer_begins():
    cache = PrefixCache(ANTHROPIC)
    assert ask(cache, blocks(1000), 0, first_byte=800).cache_write_5m == 1000
    assert ask(cache, blocks(1000), 400, first_byte=1200).cache_write_5m == 1000
    assert ask(cache, blocks(1000), 900, first_byte=1500).cache_read == 1000


@pytest.mark.parametrize(("added", "read"), [(19, 1000), (20, 0)])
def test_lookback_counts_twenty_positions_with_the_breakpoint(added, read):
    cache = PrefixCache(ANTHROPIC)
    ask(cache, blocks(1000), 0)
    grown = [*blocks(1000, mark_last=None), *blocks(*[10] * added, start=1)]
    assert ask(cache, grown, 1000).cache_read == read


def test_a_second_breakpoint_saves_a_long_turn():
    cache = PrefixCache(ANTHROPIC)
    ask(cache, blocks(1000), 0)
    grown = [*blocks(1000), *blocks(*[10] * 25, start=1)]
    tokens = ask(cache, grown, 1000)
    assert (tokens.cache_read, tokens.cache_write_5m, tokens.input) == (1000, 250, 0)


def test_mixed_lifetimes_are_billed_by_the_last_mark_of_each():
    cache = PrefixCache(ANTHROPIC)
    prompt = [
        Block("tools", 1000, "long"),
        Block("system", 2000, "long"),
        Block("talk", 3000, "short"),
        Block("unmarked", 400),
    ]
    assert ask(cache, prompt, 0) == Tokens(input=400, cache_write_5m=3000, cache_write_1h=3000)
    later = ask(cache, prompt, 6 * MINUTE)
    assert later == Tokens(input=400, cache_read=3000, cache_write_5m=3000)


def test_short_prompts_are_silently_not_cached():
    cache = PrefixCache(ANTHROPIC)
    for now in (0, 1000):
        assert ask(cache, blocks(511), now) == Tokens(input=511)


def test_nothing_is_written_at_unmarked_positions():
    cache = PrefixCache(ANTHROPIC)
    ask(cache, [Block("system", 2000), Block("one", 500, "short")], 0)
    other = ask(cache, [Block("system", 2000), Block("two", 500, "short")], 1000)
    assert other.cache_read == 0


def test_another_model_or_an_earlier_change_misses():
    cache = PrefixCache(ANTHROPIC)
    ask(cache, blocks(1000, 50), 0)
    assert ask(cache, blocks(1000, 50), 1000, key="other model").cache_read == 0
    changed = [Block("changed", 1000), *blocks(50, start=1)]
    assert ask(cache, changed, 1000).cache_read == 0


def test_bad_breakpoints_are_refused():
    cache = PrefixCache(ANTHROPIC)
    with pytest.raises(BadBreakpointsError, match="maximum of 4"):
        ask(cache, [Block(str(at), 1000, "short") for at in range(5)], 0)
    with pytest.raises(BadBreakpointsError, match="must not come after"):
        ask(cache, [Block("a", 1000, "short"), Block("b", 1000, "long")], 0)


def message(name, tokens, **more):
    return Block(name, tokens, ends_message=True, **more)


def ask_openai(cache, prompt, now, **more):
    return openai_request(cache, positions("sol", prompt), now=now, first_byte=now, **more)


def test_openai_reads_the_end_of_an_earlier_message():
    cache = PrefixCache(OPENAI)
    first = [message("developer", 900, opening=True), message("ask", 600)]
    assert ask_openai(cache, first, 0) == Tokens(cache_write_5m=1500)
    second = [*first, Block("answer", 100), message("more", 200)]
    assert ask_openai(cache, second, 29 * MINUTE) == Tokens(cache_read=1500, cache_write_5m=300)
    third = [*second, Block("answer", 100), message("again", 200)]
    assert ask_openai(cache, third, 58 * MINUTE).cache_read == 1800
    assert ask_openai(cache, third, 89 * MINUTE).cache_read == 0


def test_openai_caches_nothing_below_1024_tokens():
    cache = PrefixCache(OPENAI)
    prompt = [message("ask", 1023)]
    assert [ask_openai(cache, prompt, now) for now in (0, 1)] == [Tokens(input=1023)] * 2


def test_openai_long_lifetime_and_explicit_breakpoints():
    cache = PrefixCache(OPENAI)
    prompt = [Block("shared", 2000, "short"), message("ask one", 100)]
    assert ask_openai(cache, prompt, 0, lifetime="long", implicit=False) == Tokens(
        input=100, cache_write_1h=2000
    )
    other = [Block("shared", 2000, "short"), message("ask two", 100)]
    assert ask_openai(cache, other, 11 * HOUR, lifetime="long", implicit=False) == Tokens(
        input=100, cache_read=2000
    )


def test_openai_finds_no_longer_unmarked_prefix():
    cache = PrefixCache(OPENAI)
    ask_openai(cache, [Block("shared", 5000), message("one", 100)], 0)
    assert ask_openai(cache, [Block("shared", 5000), message("two", 100)], 1).cache_read == 0


def test_a_local_model_stays_from_the_end_of_a_request():
    model, prompt = Resident(), positions("llama", blocks(3000, mark_last=None))
    assert not model.begin(prompt, 0).loaded
    model.end(4 * MINUTE, 5 * MINUTE)
    grown = positions("llama", blocks(3000, 200, mark_last=None))
    warm = model.begin(grown, 9 * MINUTE - 1)
    assert (warm.loaded, warm.cached, warm.fresh) == (True, 3000, 200)
    model.end(9 * MINUTE, 5 * MINUTE)
    assert not model.begin(grown, 14 * MINUTE).loaded


def test_keep_alive_zero_unloads_and_negative_keeps():
    model, prompt = Resident(), positions("llama", blocks(3000, mark_last=None))
    model.begin(prompt, 0)
    model.end(1, 0)
    assert model.begin(prompt, 1).cached == 0
    model.end(2, -1)
    assert model.begin(prompt, 100 * HOUR).cached == 3000
