"""Money as integers of a billionth of a dollar: the books hold no floats."""

import re
from decimal import Decimal, InvalidOperation

NANO = 1_000_000_000
"""Nano-dollars in a dollar."""

_MONEY = re.compile(r"\$?\s*(\d+(?:\.\d{1,9})?|\.\d{1,9})\s*(usd|\$)?", re.IGNORECASE)


def decimal_string(nano: int) -> str:
    """Exact dollars for JSON: at least two decimals, no exponent, nothing rounded (`"2.2905"`)."""
    sign, whole = ("-", -nano) if nano < 0 else ("", nano)
    fraction = f"{whole % NANO:09d}".rstrip("0").ljust(2, "0")
    return f"{sign}{whole // NANO}.{fraction}"


def dollars(nano: int) -> str:
    """Dollars for people: cents from ten cents up, four decimals below so that small calls show."""
    sign, amount = ("-", -nano) if nano < 0 else ("", nano)
    if 0 < amount < NANO // 10:
        tenths_of_cents = (amount + 50_000) // 100_000
        return f"{sign}${tenths_of_cents // 10_000}.{tenths_of_cents % 10_000:04d}"
    cents = (amount + 5_000_000) // 10_000_000
    return f"{sign}${cents // 100:,}.{cents % 100:02d}"


def parse_money(text: str) -> int:
    """Nano-dollars from `5`, `$5`, `5usd`, `0.25`.

    Raises:
        ValueError: when the text is no non-negative amount with at most nine decimals.
    """
    match = _MONEY.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not an amount of money: write 5, $5 or 5usd")
    try:
        return int(Decimal(match[1]) * NANO)
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is not an amount of money") from error
