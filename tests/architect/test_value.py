import pytest

from cockpit.architect.value import AUDITED, DRIFT, SHADOWED, value
from cockpit.core.money import NANO


def test_what_is_taken_off_is_all_of_it():
    """By hand: 20 runs a month at $0.30, no model needed."""
    cost = 300_000_000
    found = value([cost] * 9, 20, needs_model=False)
    a_run = cost - DRIFT * cost - DRIFT * cost - AUDITED * cost
    assert found.cost == cost
    assert found.once == SHADOWED * cost
    assert found.month == round(20 * a_run - SHADOWED * cost / 3)
    assert found.break_even == 4
    assert found.pays


def test_a_model_costs_three_runs_and_never_more_than_half_a_dollar():
    cheap = value([NANO // 100] * 5, 20, needs_model=True)
    assert cheap.once == 3 * NANO // 100 + SHADOWED * NANO // 100
    dear = value([4 * NANO] * 5, 20, needs_model=True)
    assert dear.once == NANO // 2 + SHADOWED * 4 * NANO
    assert dear.month > 0


def test_the_last_five_runs_say_what_one_costs():
    assert value([9 * NANO] * 10 + [NANO, 2 * NANO, 3 * NANO, 4 * NANO, 5 * NANO], 1,
                 needs_model=False).cost == 3 * NANO  # fmt: skip
    assert value([None, 2 * NANO, None], 1, needs_model=False).cost == 2 * NANO


def test_what_nobody_can_price_is_not_refused_for_it():
    found = value([None, None], 20, needs_model=False)
    assert (found.cost, found.month, found.break_even, found.pays) == (None, None, None, True)


@pytest.mark.parametrize(
    ("a_month", "pays"), [(0.5, False), (1.0, False), (1.2, True), (30.0, True)]
)
def test_what_is_too_rare_does_not_pay(a_month, pays):
    assert value([NANO] * 5, a_month, needs_model=False).pays is pays


def test_what_costs_nothing_saves_nothing():
    assert not value([0] * 5, 30, needs_model=False).pays
    assert value([0] * 5, 30, needs_model=False).break_even is None
