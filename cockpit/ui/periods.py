"""Which part of the books the spend screen shows: pure."""

from datetime import date, datetime, timedelta, tzinfo
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from cockpit.core.spending import CHOICES, FIELDS, By, Only
from cockpit.ui import text

Period = Literal["today", "7 days", "30 days", "all"]
PERIODS: dict[Period, int] = {"today": 1, "7 days": 7, "30 days": 30, "all": 0}
"""Whole days up to and with today; 0 is everything."""


class Part(Struct, frozen=True):
    """A grouping of a part of the books. `day` (ISO) takes the place of the period."""

    by: By = "agent"
    period: Period = "7 days"
    only: tuple[Only, ...] = ()
    day: str = ""

    def grouped(self, steps: int) -> "Part":
        """The next grouping, or one before."""
        return replace(self, by=CHOICES[(CHOICES.index(self.by) + steps) % len(CHOICES)])

    def over(self, steps: int) -> "Part":
        """The next longer period, or a shorter one; a single day is left for it."""
        periods = list(PERIODS)
        return replace(
            self, day="", period=periods[(periods.index(self.period) + steps) % len(periods)]
        )

    def within(self, key: str) -> "Part | None":
        """What a group consists of: the runs of an agent, the agents of a day; None when nothing."""
        if self.by == "day":
            return replace(self, by="agent", day=key)
        for field in FIELDS:
            if field == self.by:
                others = tuple(only for only in self.only if only.field != field)
                return replace(self, by="run", only=(*others, Only(field, key)))
        return None

    def bounds(self, now: int, tz: tzinfo | None) -> tuple[int, int | None]:
        """First millisecond, and the first one after; None is no end."""
        if self.day:
            day = date.fromisoformat(self.day)
            return _begin(day, tz), _begin(day + timedelta(days=1), tz)
        return begin(PERIODS[self.period], now, tz), None

    def holds(self, day: date, today: date) -> bool:
        """Whether the calls of a day are counted."""
        if self.day:
            return day.isoformat() == self.day
        days = PERIODS[self.period]
        return not days or day > today - timedelta(days=days)


def begin(days: int, now: int, tz: tzinfo | None) -> int:
    """When the first of the last `days` days began, today among them; 0 for all."""
    return _begin(today(now, tz) - timedelta(days=days - 1), tz) if days else 0


def today(now: int, tz: tzinfo | None) -> date:
    return datetime.fromtimestamp(now / text.SECOND, tz).date()


def _begin(day: date, tz: tzinfo | None) -> int:
    moment = datetime(day.year, day.month, day.day, tzinfo=tz)  # naive means local, DST included
    return max(0, int(moment.timestamp() * text.SECOND))


def zone_name(tz: tzinfo | None) -> str:
    """The zone as the engine knows it; empty for the machine's."""
    return "" if tz is None else str(tz)
