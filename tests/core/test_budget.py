import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.core.budget import Budget, Rate, Usage, clock

MINUTE = 60_000


def steady(per_call: int, calls: int, gap_ms: int) -> Rate:
    rate = Rate()
    for _ in range(calls):
        rate = rate.after(gap_ms).plus(per_call)
    return rate


def test_a_steady_burn_is_measured():
    rate = steady(per_call=100, calls=60, gap_ms=MINUTE)
    assert rate.per_ms * MINUTE == pytest.approx(100, rel=0.06)


def test_left_agrees_with_a_hand_computation():
    """A dollar a minute, ten of thirty spent: twenty minutes left, less the call under way."""
    nano = 10**9
    rate = steady(nano, 60, MINUTE)
    usage = Usage(money=10 * nano, calls=60, money_rate=rate, typical_money=nano)
    hand = clock(Budget(money=30 * nano), usage, running=True)
    assert hand.ruling == "money"
    assert hand.left_ms == pytest.approx(20 * MINUTE, rel=0.06)


def test_the_clock_counts_down_between_calls_by_one_typical_call():
    nano = 10**9
    rate = steady(nano, 60, MINUTE)
    budget = Budget(money=30 * nano)

    def left(pending_ms: int) -> int:
        usage = Usage(
            money=10 * nano, calls=60, money_rate=rate, typical_money=nano, pending_ms=pending_ms
        )
        return clock(budget, usage, running=True).left_ms or 0

    assert left(0) - left(30_000) == pytest.approx(30_000, abs=2)
    assert left(10 * MINUTE) == left(20 * MINUTE)


def test_the_first_cap_rules():
    usage = Usage(money=1, tokens=1, time_ms=50 * MINUTE, turns=1, calls=9)
    hand = clock(Budget(money=10**12, time_ms=60 * MINUTE), usage, running=True)
    assert (hand.ruling, hand.left_ms) == ("time", 10 * MINUTE)


def test_calibrating_before_three_calls():
    usage = Usage(money=10**9, calls=2, money_rate=Rate(10.0**9, MINUTE))
    hand = clock(Budget(money=10**10), usage, running=True)
    assert hand.calibrating
    assert hand.left_ms is None


def test_a_reached_cap_is_zero_whatever_the_rate():
    hand = clock(Budget(money=5, turns=100), Usage(money=5, turns=1, calls=1), running=False)
    assert (hand.left_ms, hand.ruling, hand.share, hand.frozen) == (0, "money", 1.0, True)


def test_no_budget_no_clock():
    assert clock(None, Usage(), running=True).left_ms is None


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**10)), max_size=50),
    st.integers(1, 10**12),
)
def test_a_clock_is_never_negative_and_a_share_never_lies(calls, cap):
    rate, money = Rate(), 0
    for gap, nano in calls:
        rate, money = rate.after(gap).plus(nano), money + nano
    hand = clock(
        Budget(money=cap), Usage(money=money, calls=len(calls), money_rate=rate), running=True
    )
    assert hand.left_ms is None or hand.left_ms >= 0
    assert (hand.left_ms == 0) if money >= cap else hand.share < 1
