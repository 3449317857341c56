"""The table of runs, on Textual's Line API: a cursor that follows its run, marks, sort, filter."""

from collections.abc import Collection
from typing import NamedTuple

from cockpit.core.fleet import Fleet
from cockpit.ui.palette import Palette
from cockpit.ui.rows import SORTS, Row, Sort, arrange
from cockpit.ui.widgets.columns import GUTTER, NAME_AT_LEAST, Cells, Column, cells, heading, layout
from cockpit.ui.widgets.empty import nothing
from cockpit.ui.widgets.framed import Line
from cockpit.ui.widgets.listed import Listed

ROOMY = 110
"""Inside width from which project, branch, turns, model and age have their columns."""
LONG_NAME = 24


class _Drawn(NamedTuple):
    """A run's line as it was drawn, and from what: the time apart, for it changes little."""

    key: tuple[object, ...]
    cells: Cells
    line: Line


class FleetTable(Listed[Row]):
    """Runs, one a line, with marks. `narrow` drops columns early, for the sake of long names."""

    padding = 0

    def __init__(self, sort: Sort = "attention", *, id: str | None = None) -> None:  # noqa: A002
        super().__init__("fleet", id=id)
        self.narrow = False
        self.sort: Sort = sort
        self.filter = ""
        self.marked: set[str] = set()
        self.asked: Collection[str] = ()
        self._fleet: Fleet | None = None
        self._now = 0
        self._columns: tuple[int, list[Column]] = (1, [])
        self._columns_for = (0, False)
        self._lines: dict[str, _Drawn] = {}

    # --- what is shown

    def show(self, fleet: Fleet, now: int, asked: Collection[str]) -> None:
        """Draw this fleet; `asked` are runs whose stop was sent and not yet heard of."""
        self._fleet, self._now, self.asked = fleet, now - now % 1_000, frozenset(asked)
        self.marked &= fleet.runs.keys()
        if len(self._lines) > 2 * len(fleet.runs) + 100:
            self._lines.clear()
        self._arrange()

    def _arrange(self) -> None:
        if self._fleet is None:
            return
        held = [row.run.id for row in self.rows] if self._is_held(self._fleet) else []
        self.fill(arrange(self._fleet, self._now, sort=self.sort, query=self.filter, held=held))

    def _is_held(self, fleet: Fleet) -> bool:
        """Rows keep their places while a stop is pending."""
        stops = (run.stopping for run in fleet.runs.values())
        return bool(self.asked) or any(stop is not None and stop.done is None for stop in stops)

    # --- what the operator does

    def go_to(self, key: str) -> None:
        """The cursor goes to a run, or to the first row while it is not shown."""
        self.cursor = key
        self.go(max(self.place, 0))

    def mark(self) -> None:
        """Mark the run under the cursor, or take its mark away, and go on to the next."""
        self._turn_mark()
        self.move(1)

    def _turn_mark(self) -> None:
        if self.cursor is not None:
            self.marked ^= {self.cursor}

    def unmark(self) -> None:
        self.marked.clear()
        self.redraw()

    def sort_by(self, sort: Sort) -> None:
        self.sort = sort
        self._arrange()

    def sort_next(self) -> Sort:
        """Sort by the next key of the cycle."""
        self.sort_by(SORTS[(SORTS.index(self.sort) + 1) % len(SORTS)])
        return self.sort

    def filter_by(self, query: str) -> None:
        self.filter = query
        self._arrange()

    # --- mouse

    def wheel(self, lines: int) -> None:
        """The view goes up or down, the cursor stays with its run."""
        self._top = max(0, self._top + lines)
        self.redraw()

    def row_clicked(self, x: int, clicks: int) -> None:
        if x < GUTTER:
            self._turn_mark()
            self.redraw()
        else:
            super().row_clicked(x, clicks)

    def head_clicked(self, x: int, y: int) -> None:  # noqa: ARG002
        name, columns = self._columns
        if x < GUTTER + name:
            self.sort_by("attention" if self.sort == "name" else "name")
            return
        edge = GUTTER + name
        for column in columns:
            edge += column.gap + column.width
            if x < edge:
                if column.sort:
                    self.sort_by("attention" if self.sort == column.sort else column.sort)
                return

    # --- drawing

    def key_of(self, row: Row) -> str:
        return row.run.id

    def nothing(self, width: int, palette: Palette) -> list[Line]:  # noqa: ARG002
        return [Line(parts) for parts in nothing(self._fleet, self.filter, palette)]

    def head(self, width: int, palette: Palette) -> list[Line]:
        if self._columns_for != (width, self.narrow):
            self._columns_for = (width, self.narrow)
            at_least = LONG_NAME if self.narrow or width >= ROOMY else NAME_AT_LEAST
            self._columns = layout(width, roomy=width >= ROOMY, name_at_least=at_least)
        return [Line(heading(*self._columns, self.sort, palette))]

    def line(self, row: Row, width: int, palette: Palette) -> Line:  # noqa: ARG002
        """A run's line; the one drawn before if nothing that it shows has changed."""
        id_ = row.run.id
        marked, asked = id_ in self.marked, id_ in self.asked
        key = (row, marked, asked, self._columns, palette)
        before = self._lines.get(id_)
        if before is None or before.key != key:
            drawn = cells(row, *self._columns, self._now, palette, marked=marked, asked=asked)
            line = Line(drawn.parts)
        else:
            drawn = before.cells.at(self._now, row, palette)
            line = before.line
            if drawn.parts is not line.parts:
                line = Line(drawn.parts)
        self._lines[id_] = _Drawn(key, drawn, line)
        return line
