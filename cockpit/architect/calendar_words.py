"""Words that stand for a stretch of time: a constant of that kind holds only until the stretch ends."""

import re
from collections.abc import Iterator, Sequence
from datetime import date

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SEASONS = ("winter", "spring", "summer", "autumn")


def words(day: date) -> Iterator[str]:
    """The words that fit a day, in lower case: year, half, quarter, month, week, weekday, season."""
    quarter, half = (day.month - 1) // 3 + 1, 1 if day.month <= 6 else 2
    week = day.isocalendar().week
    season = SEASONS[day.month % 12 // 3]
    yield from (f"{day.year}", f"q{quarter}", f"h{half}", f"{quarter}q", f"{half}h")
    yield from (f"w{week}", f"w{week:02d}", f"kw{week}", f"kw{week:02d}", f"{day:%y}q{quarter}")
    yield from (MONTHS[day.month - 1].lower(), MONTHS[day.month - 1][:3].lower())
    yield from (DAYS[day.weekday()].lower(), DAYS[day.weekday()][:3].lower())
    yield from (season, "fall" if season == "autumn" else season)
    yield "weekend" if day.weekday() >= 5 else "weekday"


def in_common(days: Sequence[date]) -> frozenset[str]:
    """The words that fit all of these days."""
    each = [frozenset(words(day)) for day in days]
    return frozenset.intersection(*each) if each else frozenset()


def tokens(text: str) -> list[str]:
    """The words of a text, as they would be compared."""
    return [one.lower() for one in re.findall(r"[A-Za-z]*\d+[A-Za-z]?|[A-Za-z]+", text)]
