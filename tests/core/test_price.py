from hypothesis import given
from hypothesis import strategies as st

from cockpit.core.cache import CacheWindow, next_turn
from cockpit.core.price import Rates, cost
from cockpit.core.tokens import Tokens

OPUS_5 = Rates(5 * 10**9, 6_250_000_000, 10 * 10**9, 500_000_000, 25 * 10**9)
counts = st.integers(min_value=0, max_value=10**8)
tokens = st.builds(Tokens, counts, counts, counts, counts, counts)


def test_each_class_has_its_price():
    call = Tokens(1000, 2000, 3000, 4000, 5000, reasoning=4000)
    dollars = (1000 * 5 + 2000 * 6.25 + 3000 * 10 + 4000 * 0.5 + 5000 * 25) / 1e6
    assert cost(call, OPUS_5) == round(dollars * 1e9)


@given(tokens, tokens)
def test_splitting_a_call_moves_the_cost_by_rounding_only(one, other):
    apart = cost(one, OPUS_5) + cost(other, OPUS_5)
    assert abs(cost(one + other, OPUS_5) - apart) <= 1


@given(tokens, tokens)
def test_largest_never_loses_a_token(one, other):
    largest = one.largest(other)
    assert largest.total >= max(one.total, other.total)
    assert largest == other.largest(one)


def test_next_turn_is_priced_warm_and_cold():
    """800k tokens on Opus 5, 500 new and 300 out: hit P*r + d*w + o*q, miss (P+d)*w + o*q."""
    window = CacheWindow(since=0, lifetime_ms=300_000, prefix=800_000)
    last = Tokens(cache_write_5m=500, cache_read=800_000, output=300)
    turn = next_turn(window, last, OPUS_5)
    assert turn is not None
    assert round(turn.warm / 1e9, 3) == 0.411
    assert round(turn.cold / 1e9, 2) == 5.01


def test_cache_window_cools_at_its_end():
    window = CacheWindow(since=1_000, lifetime_ms=300_000, prefix=10)
    assert window.state(300_999) == "warm"
    assert window.state(301_000) == "cold"
    assert CacheWindow(prefix=10).state(0) == "unknown"
    assert CacheWindow().state(0) == "none"
