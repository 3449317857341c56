import pytest

from cockpit.core.budget import Budget, doubled
from cockpit.core.money import NANO
from cockpit.ui.caps import budget_command, budget_text, extended, parse_budget, raises


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


@pytest.mark.parametrize(
    ("typed", "at_zero"),
    [("5usd", "defer"), ("5usd halt", "halt"), ("ask 5usd", "ask"), ("5usd warn", "warn")],
)
def test_a_governed_run_defers_unless_a_word_says_otherwise(typed, at_zero):
    budget = parse_budget(typed, governed=True)
    assert budget == Budget(money=5 * NANO, at_zero=at_zero)
    assert parse_budget(budget_text(budget, governed=True), governed=True) == budget


@pytest.mark.parametrize("word", ["defer", "halt", "ask"])
def test_only_the_gateway_can_hold_a_call_back(word):
    with pytest.raises(ValueError, match="needs the gateway"):
        parse_budget(f"5usd {word}")
    settings = Budget(money=5 * NANO, at_zero=word)
    assert parse_budget(budget_text(settings)) == Budget(money=5 * NANO, at_zero="interrupt")


def test_to_warn_only_lets_more_through():
    assert raises(Budget(money=1, at_zero="defer"), Budget(money=1))
    assert not raises(Budget(money=1, at_zero="defer"), Budget(money=1, at_zero="halt"))


def test_the_command_raises_one_cap_and_keeps_the_others():
    budget = Budget(money=5 * NANO, time_ms=90_000, tokens=2_000_000, turns=7, at_zero="halt")
    assert budget_command("run-x", budget, "tokens") == (
        "cockpit budget run-x --money 5 --time 90s --tokens 4M --turns 7 --at-zero halt"
    )
    assert doubled(budget) == Budget(
        money=10 * NANO, time_ms=180_000, tokens=4_000_000, turns=14, at_zero="halt"
    )
