"""The cache simulator against documented cases and a worked eight-hour example."""

import functools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.core.money import NANO
from cockpit.core.tokens import Tokens
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
from cockpit.prices.book import Book

TODAY = 1_795_305_600_000
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

    def __init__(self, bill, lifetime, mark):
        self.bill, self.lifetime, self.mark = bill, lifetime, mark
        self.history = [Block("history", 800_000)]
        self.calls = []
        self.misses = 0

    def wake(self, now):
        tokens = self._ask([*self.history, self._last(f"wake {now}", 500)], now)
        self.misses += tokens.cache_read == 0 and bool(self.calls)
        self.calls.append(tokens + Tokens(output=300))
        self.history += [self._message(f"wake {now}", 500), Block(f"answer {now}", 300)]

    def ping(self, now):
        *earlier, asked, _ = self.history
        self.calls.append(self._ask([*earlier, self._last(asked.content, asked.tokens)], now))

    def _last(self, content, tokens):
        return Block(content, tokens, self.lifetime if self.mark else None, ends_message=True)

    def _message(self, content, tokens):
        return Block(content, tokens, ends_message=True)

    def _ask(self, prompt, now):
        return self.bill(positions("model", prompt), now, self.lifetime)


def anthropic_bill():
    cache = PrefixCache(ANTHROPIC)
    return lambda prefix, now, _: anthropic_request(
        cache, prefix, now=now, first_byte=now, minimum=512
    )


def openai_bill():
    cache = PrefixCache(OPENAI)
    return lambda prefix, now, lifetime: openai_request(
        cache, prefix, now=now, first_byte=now, lifetime=lifetime
    )


@functools.cache
def shift(vendor, minutes, lifetime="short", ping_after=None):
    bill = anthropic_bill() if vendor == "anthropic" else openai_bill()
    session = Shift(bill, lifetime, vendor == "anthropic")
    for now in range(0, DAY_SHIFT + 1, minutes * MINUTE):
        session.wake(now)
        if ping_after:
            session.ping(now + ping_after)
    return session


@functools.cache
def book():
    return Book.load()


def dollars(vendor, model, *schedule):
    """Each call at its own price: some models cost more above a length of prompt."""
    calls = shift(vendor, *schedule).calls
    return sum(book().cost(model, vendor, tokens, TODAY) for tokens in calls) / NANO


SCHEDULES = [
    (4, "short"),
    (6, "short"),
    (6, "short", 4 * MINUTE + 30_000),
    (6, "long"),
    (4, "long"),
]


@pytest.mark.parametrize(
    ("model", "bills"),
    [
        ("claude-opus-5", (57.40, 422.06, 73.01, 42.54, 60.76)),
        ("claude-opus-5-5", (25.56, 337.65, 31.61, 20.72, 28.25)),
        ("claude-sonnet-5-5", (12.78, 168.82, 15.80, 10.36, 14.13)),
        ("claude-fable-5-2", (30.77, 675.30, 36.42, 28.12, 36.15)),
    ],
)
def test_eight_hours_at_anthropic(model, bills):
    for schedule, expected in zip(SCHEDULES, bills, strict=True):
        assert dollars("anthropic", model, *schedule) == pytest.approx(expected, abs=0.006)


@pytest.mark.parametrize(
    ("model", "bills"),
    [
        ("gpt-6-astra", (228.68, 156.57, 322.96, 65.17)),
        ("gpt-6.1-sol", (25.38, 18.00, 64.59, 10.62)),
    ],
)
def test_eight_hours_at_openai(model, bills):
    for schedule, expected in zip(
        [(4, "short"), (6, "short"), (31, "short"), (31, "long")], bills, strict=True
    ):
        assert dollars("openai", model, *schedule) == pytest.approx(expected, abs=0.006)


def test_wakes_and_misses_of_eight_hours():
    seen = [(len(one.calls), one.misses) for one in (shift("anthropic", 4), shift("anthropic", 6))]
    assert seen == [(121, 0), (81, 80)]
    assert shift("openai", 6).misses == 0
    assert shift("openai", 31).misses == 15


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


REQUEST = st.tuples(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=30),
    st.sets(st.integers(0, 29), max_size=4),
    st.integers(0, 4 * MINUTE),
)


@given(st.lists(REQUEST, max_size=12))
def test_nothing_is_read_that_was_not_written_in_time(requests):
    cache, written, now = PrefixCache(ANTHROPIC), {}, 0
    for contents, marks, wait in requests:
        now += wait
        prompt = [
            Block(content, 400, "short" if at in marks else None)
            for at, content in enumerate(contents)
        ]
        tokens = ask(cache, prompt, now)
        assert tokens.prompt == 400 * len(prompt)
        read = tokens.cache_read // 400
        if read:
            assert now < written[tuple(contents[:read])] + 5 * MINUTE
            written[tuple(contents[:read])] = now
        for at in marks:
            if at < len(contents) and read <= at and 400 * (at + 1) >= 512:
                written[tuple(contents[: at + 1])] = now


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
