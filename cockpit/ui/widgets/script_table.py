"""The shelf: scripts with their stage, when they run next, how they ended last, and what they saved."""

from collections.abc import Callable
from datetime import tzinfo
from typing import NamedTuple

from cockpit.core.money import dollars
from cockpit.core.shelf import ShelfRow
from cockpit.ui import rhythm, stages, text
from cockpit.ui.palette import Palette
from cockpit.ui.widgets.framed import Line
from cockpit.ui.widgets.lines import Part
from cockpit.ui.widgets.tabs import Tabbed, tabs

NAME_AT_LEAST = 18
NAME, SPACIOUS = 34, 64
_Drawn = tuple[str, str]
"""What stands in a cell, and the part of the theme that it is drawn in."""


class Column(NamedTuple):
    """A figure of a script."""

    title: str
    width: int
    draw: "Callable[[ShelfRow, int, tzinfo | None], _Drawn]"
    right: bool = False


def stage_of(row: ShelfRow, _now: int, _tz: tzinfo | None) -> _Drawn:
    if row.running:
        return "runs now", "running"
    return stages.stage_words(row), stages.GLYPHS[row.stage][1]


def next_of(row: ShelfRow, now: int, tz: tzinfo | None) -> _Drawn:
    """When its schedule is due; a dash without one."""
    return (rhythm.when(row.next, now, tz), "waiting") if row.next else (text.DASH, "dim")


def last_of(row: ShelfRow, _now: int, _tz: tzinfo | None) -> _Drawn:
    if row.last is None:
        return "has not run", "dim"
    return stages.ended(row.last), stages.end_part(row.last)


def saved_of(row: ShelfRow, _now: int, _tz: tzinfo | None) -> _Drawn:
    """Net, to the cent; `?` while no run of the agent has a price."""
    if row.savings.baseline_nano is None and not row.savings.gross_nano:
        return "?", "dim"
    net = row.savings.net_nano
    return dollars(net), "warm" if net > 0 else "dim"


def month_of(row: ShelfRow, _now: int, _tz: tzinfo | None) -> _Drawn:
    return (text.money(row.month_nano) if row.month_nano is not None else text.DASH), "dim"


COLUMNS = (
    Column("stage", 13, stage_of),
    Column("next", 20, next_of),
    Column("last", 26, last_of),
    Column("saved", 9, saved_of, right=True),
    Column("a month", 8, month_of, right=True),
)
GIVING_WAY = ("a month", "next")


def layout(width: int) -> tuple[int, tuple[Column, ...]]:
    """The width of the name, and the columns behind it that fit."""
    columns = list(COLUMNS)
    for title in ("", *GIVING_WAY):
        columns = [column for column in columns if column.title != title]
        name = width - sum(column.width + 2 for column in columns)
        if name >= NAME_AT_LEAST:
            break
    return max(1, name), tuple(columns)


def _named(row: ShelfRow, width: int, palette: Palette) -> list[Part]:
    """The name, and where there is room behind it the purpose."""
    if width < SPACIOUS:
        return [(text.fit(text.safe(row.name), width), palette.text)]
    purpose = text.fit(text.safe(row.purpose), width - NAME - 2)
    return [(text.fit(text.safe(row.name), NAME) + "  ", palette.text), (purpose, palette["dim"])]


class ScriptTable(Tabbed[ShelfRow]):
    """Scripts, one a line."""

    tab = "shelf"

    def key_of(self, row: ShelfRow) -> str:
        return row.name

    def head(self, width: int, palette: Palette) -> list[Line]:
        name, columns = layout(width)
        titles: list[Part] = [("  " + text.fit("script", name - 2), palette["dim"])]
        for column in columns:
            style = palette.bold if column.title == "saved" else palette["dim"]
            titles.append(("  " + text.fit(column.title, column.width, right=column.right), style))
        return [tabs(self.tab, self._worth(palette), width, palette), Line(titles)]

    def _worth(self, palette: Palette) -> list[Part]:
        saved = sum(row.savings.net_nano for row in self.rows)
        waiting = sum(map(stages.needs_you, self.rows))
        parts: list[Part] = []
        if waiting:
            need = "needs" if waiting == 1 else "need"
            parts += [(f"{waiting} {need} you", palette["asks"]), (" · ", palette["dim"])]
        return [*parts, ("saved ", palette["dim"]), (dollars(saved), palette.bold)]

    def line(self, row: ShelfRow, width: int, palette: Palette) -> Line:
        name, columns = layout(width)
        sign, style = stages.glyph(row.stage, palette)
        parts: list[Part] = [(sign + " ", style), *_named(row, name - 2, palette)]
        for column in columns:
            words, part = column.draw(row, self.now, self.tz)
            fitted = text.fit(words, column.width, right=column.right)
            parts.append(("  " + fitted, palette[part]))
        return Line(parts)
