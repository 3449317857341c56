from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.core.money import NANO, decimal_string, dollars, parse_money

amounts = st.integers(min_value=-(10**18), max_value=10**18)


@given(amounts)
def test_decimal_string_is_exact(nano):
    assert Decimal(decimal_string(nano)) * NANO == nano


@given(st.integers(min_value=0, max_value=10**18))
def test_what_is_printed_can_be_typed(nano):
    assert parse_money(decimal_string(nano)) == nano


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (0, "$0.00"),
        (2_290_500_000, "$2.29"),
        (2_295_000_000, "$2.30"),
        (1_234_567_000_000_000, "$1,234,567.00"),
        (41_250_000, "$0.0413"),
        (99_999_999, "$0.1000"),
        (-2_290_000_000, "-$2.29"),
    ],
)
def test_dollars_for_people(nano, text):
    assert dollars(nano) == text


@pytest.mark.parametrize("text", ["5", "$5", "5usd", " 5 USD ", "5.00"])
def test_ways_to_write_five_dollars(text):
    assert parse_money(text) == 5 * NANO


@pytest.mark.parametrize("text", ["", "-5", "five", "5eur", "1e9", "0.0000000001", "nan"])
def test_what_is_no_money_is_refused(text):
    with pytest.raises(ValueError, match="not an amount"):
        parse_money(text)
