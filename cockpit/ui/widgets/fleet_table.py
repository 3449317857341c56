"""The table of runs, on Textual's Line API: a cursor that follows its run, marks, sort, filter."""

from collections.abc import Collection
from typing import NamedTuple

from textual import events
from textual.message import Message

from cockpit.core.fleet import Fleet
from cockpit.ui.palette import Palette
from cockpit.ui.rows import SORTS, Row, Sort, arrange
from cockpit.ui.widgets.columns import GUTTER, NAME_AT_LEAST, Cells, Column, cells, heading, layout
from cockpit.ui.widgets.empty import nothing
from cockpit.ui.widgets.framed import Framed, Line

ROOMY = 110
"""Inside width from which project, branch, turns, model and age have their columns."""
LONG_NAME = 24
WHEEL = 3


class _Drawn(NamedTuple):
    """A run's line as it was drawn, and from what: the time apart, for it changes little."""

    key: tuple[object, ...]
    cells: Cells
    line: Line


class FleetTable(Framed, can_focus=True):
    """Runs, one a line. The cursor is a run id; -1 in `place` means that nothing is shown.

    `narrow` drops columns early, for the sake of long names.
    """

    padding = 0

    class Chosen(Message):
        """The cursor came to another run."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, FleetTable.Chosen)

    class Opened(Message):
        """The run under the cursor was clicked twice."""

    def __init__(self, sort: Sort = "attention", *, id: str | None = None) -> None:  # noqa: A002
        super().__init__("fleet", id=id)
        self.narrow = False
        self.sort: Sort = sort
        self.filter = ""
        self.marked: set[str] = set()
        self.asked: Collection[str] = ()
        self.cursor: str | None = None
        self.rows: list[Row] = []
        self._fleet: Fleet | None = None
        self._now = 0
        self._top = 0
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
        place = self.place
        self.rows = arrange(self._fleet, self._now, sort=self.sort, query=self.filter, held=held)
        if self.place < 0:
            self._put_cursor(max(place, 0))
        self.redraw()

    def _is_held(self, fleet: Fleet) -> bool:
        """Rows keep their places while a stop is pending."""
        stops = (run.stopping for run in fleet.runs.values())
        return bool(self.asked) or any(stop is not None and stop.done is None for stop in stops)

    @property
    def place(self) -> int:
        """Where the cursor's run stands among the rows, -1 when it is not shown."""
        return next((y for y, row in enumerate(self.rows) if row.run.id == self.cursor), -1)

    @property
    def under_cursor(self) -> Row | None:
        place = self.place
        return self.rows[place] if place >= 0 else None

    # --- what the operator does

    def move(self, steps: int) -> None:
        """The cursor goes down by `steps` rows, up when negative."""
        self._put_cursor(self.place + steps)
        self.redraw()

    def go(self, place: int) -> None:
        """The cursor goes to a row, counted from the end when negative."""
        self._put_cursor(place if place >= 0 else len(self.rows) + place)
        self.redraw()

    def go_to(self, run: str) -> None:
        """The cursor goes to a run."""
        self.cursor = run
        self.go(max(self.place, 0))

    def page(self, pages: int) -> None:
        """The cursor goes down by so many pages, up when negative."""
        self.move(pages * max(1, self._visible - 1))

    def mark(self) -> None:
        """Mark the run under the cursor, or take its mark away, and go on to the next."""
        if self.cursor is not None:
            self.marked ^= {self.cursor}
            self.move(1)

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

    def _put_cursor(self, place: int) -> None:
        before = self.cursor
        if not self.rows:
            self.cursor = None
        else:
            place = min(max(place, 0), len(self.rows) - 1)
            self.cursor = self.rows[place].run.id
            self._reveal(place)
        if self.cursor != before:
            self.post_message(self.Chosen())

    @property
    def _visible(self) -> int:
        """How many runs fit between the titles and the frame."""
        return max(1, self.size.height - 3)

    def _reveal(self, place: int) -> None:
        self._show_from(min(max(self._top, place - self._visible + 1), place))

    def _show_from(self, top: int) -> None:
        self._top = min(max(0, top), max(0, len(self.rows) - self._visible))

    # --- mouse

    def on_mouse_scroll_down(self) -> None:
        self._wheel(WHEEL)

    def on_mouse_scroll_up(self) -> None:
        self._wheel(-WHEEL)

    def _wheel(self, lines: int) -> None:
        self._show_from(self._top + lines)
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        x, y = event.x - 1, event.y - 1
        if y == 0:
            self._sort_clicked(x)
        place = y - 1 + self._top
        if not (0 < y <= self._visible and place < len(self.rows)):
            return
        self.go(place)
        if x < GUTTER:
            self.marked ^= {self.rows[place].run.id}
            self.redraw()
        elif event.chain == 2:
            self.post_message(self.Opened())

    def _sort_clicked(self, x: int) -> None:
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

    def content(self, width: int, height: int) -> list[Line]:
        palette = self.palette
        if self._columns_for != (width, self.narrow):
            self._columns_for = (width, self.narrow)
            at_least = LONG_NAME if self.narrow or width >= ROOMY else NAME_AT_LEAST
            self._columns = layout(width, roomy=width >= ROOMY, name_at_least=at_least)
        if not self.rows:
            return [Line(parts) for parts in nothing(self._fleet, self.filter, palette)]
        self._show_from(self._top)
        shown = self.rows[self._top : self._top + height - 1]
        titles = heading(*self._columns, self.sort, palette)
        return [Line(titles), *(self._line(row, palette) for row in shown)]

    def _line(self, row: Row, palette: Palette) -> Line:
        """A run's line; the one drawn before if nothing that it shows has changed."""
        id_ = row.run.id
        marked, asked, here = id_ in self.marked, id_ in self.asked, id_ == self.cursor
        key = (row, marked, asked, here, self._columns, palette)
        before = self._lines.get(id_)
        if before is None or before.key != key:
            drawn = cells(row, *self._columns, self._now, palette, marked=marked, asked=asked)
            line = Line(drawn.parts, palette.cursor if here else None)
        else:
            drawn = before.cells.at(self._now, row, palette)
            line = before.line
            if drawn.parts is not line.parts:
                line = Line(drawn.parts, line.ground)
        self._lines[id_] = _Drawn(key, drawn, line)
        return line

    def thumb(self, height: int) -> range:
        """Beside the rows, not beside their titles."""
        count, room = len(self.rows), height - 1
        if count <= room or room < 1:
            return range(0)
        size = max(1, room * room // count)
        start = 1 + (room - size) * self._top // max(1, count - room)
        return range(start, start + size)
