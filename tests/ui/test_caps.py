import pytest

from cockpit.core.budget import Budget
from cockpit.core.money import NANO
from cockpit.ui.caps import budget_text, extended, parse_budget, raises


@pytest.mark.parametrize(
    ("typed", "budget"),
    [
        ("5usd", Budget(money=5 * NANO, at_zero="interrupt")),
        ("$2.50 warn", Budget(money=2_500_000_000)),
        ("90m", Budget(time_ms=5_400_000, at_zero="interrupt")),
        ("1h30m", Budget(time_ms=5_400_000, at_zero="interrupt")),
        ("2M", Budget(tokens=2_000_000, at_zero="interrupt")),
        ("500k 80turns", Budget(tokens=500_000, turns=80, at_zero="interrupt")),
        (
            "5usd 90m 2M 80turns",
            Budget(
                money=5 * NANO, time_ms=5_400_000, tokens=2_000_000, turns=80, at_zero="interrupt"
            ),
        ),
        ("none", None),
        ("  ", None),
    ],
)
def test_budgets_as_typed(typed, budget):
    assert parse_budget(typed) == budget


@pytest.mark.parametrize("typed", ["5", "five", "-5usd", "5eur", "m", "usd", "1.5h", "[red]"])
def test_what_is_no_cap_is_refused(typed):
    with pytest.raises(ValueError, match="write"):
        parse_budget(typed)


@pytest.mark.parametrize("typed", ["5usd", "0.25usd 90m", "45s 2M 80turns", "123tok warn"])
def test_a_budget_can_be_typed_again_as_it_is_shown(typed):
    budget = parse_budget(typed)
    assert parse_budget(budget_text(budget)) == budget


def test_raising_is_letting_more_through():
    five, six = Budget(money=5), Budget(money=6)
    assert raises(five, six)
    assert raises(five, None)
    assert raises(five, Budget(turns=3))
    assert not raises(six, five)
    assert not raises(None, six)
    assert not raises(five, Budget(money=5, turns=3))


def test_extending_adds_half():
    assert extended(Budget(money=5 * NANO, turns=3), "turns") == Budget(money=5 * NANO, turns=5)
