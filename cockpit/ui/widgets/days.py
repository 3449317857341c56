"""What each of the last days cost, as bars."""

from collections.abc import Mapping
from datetime import date, timedelta

from msgspec import Struct

from cockpit.core.spending import SpentReport
from cockpit.ui import text
from cockpit.ui.palette import Palette
from cockpit.ui.periods import Part
from cockpit.ui.widgets.figures import bars
from cockpit.ui.widgets.framed import Framed, Line
from cockpit.ui.widgets.lines import Part as Piece

MANY, FEW = 30, 14
CELL, WIDEST_CELL = 3, 5
SIDE = 26
"""Cells of the figures beside the bars."""


class Days(Struct, frozen=True):
    """Nano-dollars by day; days of `part` are drawn bright."""

    spent: Mapping[date, int]
    today: date
    part: Part

    def last(self, count: int) -> list[date]:
        """The last days, today at the end."""
        return [self.today - timedelta(days=back) for back in range(count - 1, -1, -1)]


def days_of(report: SpentReport, today: date, part: Part) -> Days:
    """A report by day, as the plot needs it."""
    spent = {date.fromisoformat(row.key): row.spent.nano for row in report.rows}
    return Days(spent, today, part)


class DayPlot(Framed):
    """Bars, the newest at the right, and the sums that one looks for."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__("days", id=id)
        self._days: Days | None = None

    def show(self, days: Days | None) -> None:
        if days != self._days:
            self._days = days
            of = " and ".join(text.safe(only.key, 40) for only in days.part.only) if days else ""
            self._title = f"days of {of}" if of else "days"
            self.redraw()

    def content(self, width: int, height: int) -> list[Line]:
        if self._days is None or height < 2:
            return []
        count = MANY if width >= MANY * CELL + SIDE else FEW
        cell = min(WIDEST_CELL, max(2, (width - SIDE) // count))
        plot = _plot(self._days, count, cell, height, self.palette)
        side = _sums(self._days, count, self.palette)
        side += [[]] * (height - len(side))
        room = max(0, width - count * cell - SIDE)
        return [
            Line([*line, (" " * room, self.palette.text), *beside])
            for line, beside in zip(plot, side, strict=False)
        ]


def _plot(days: Days, count: int, cell: int, height: int, palette: Palette) -> list[list[Piece]]:
    shown = days.last(count)
    rows = bars([days.spent.get(day, 0) for day in shown], height - 1, count)
    bright = [days.part.holds(day, days.today) for day in shown]
    lines: list[list[Piece]] = [
        [
            (mark * (cell - 1) + " ", palette["spark" if is_bright else "track"])
            for mark, is_bright in zip(row, bright, strict=True)
        ]
        for row in rows
    ]
    lines.append(
        [
            (f"{day.day:>2}".ljust(cell), palette.bold if day == days.today else palette["dim"])
            for day in shown
        ]
    )
    return lines


def _sums(days: Days, count: int, palette: Palette) -> list[list[Piece]]:
    shown = days.last(count)
    costs = [days.spent.get(day, 0) for day in shown]
    top = max(range(count), key=costs.__getitem__)
    rows = [("today", costs[-1], ""), ("yesterday", costs[-2], "")]
    rows += [("a day", sum(costs) // count, "")]
    if costs[top]:
        rows.append(("dearest", costs[top], f" {shown[top]:%d %b}"))
    rows.append((f"{count} days", sum(costs), ""))
    return [
        [
            (f"  {word:<9}", palette["dim"]),
            (text.money(nano).rjust(8), palette.bold if word == "today" else palette.text),
            (more, palette["dim"]),
        ]
        for word, nano, more in rows
    ]
