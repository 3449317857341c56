"""The table of runs, on Textual's Line API: a cursor that follows its run, marks, sort, filter."""

from collections.abc import Collection

from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.theme import Theme

from cockpit.core.fleet import Fleet
from cockpit.ui.palette import Palette, palette_of
from cockpit.ui.rows import SORTS, Row, Sort, arrange
from cockpit.ui.widgets.columns import GUTTER, NAME_AT_LEAST, Column, cells, heading, layout
from cockpit.ui.widgets.empty import nothing
from cockpit.ui.widgets.lines import changes, strip

ROOMY = 110
"""Inside width from which project, branch, turns, model and age have their columns."""
LONG_NAME = 24


class FleetTable(ScrollView, can_focus=True):
    """Runs, one a line. The cursor is a run id; -1 in `place` means that nothing is shown."""

    DEFAULT_CSS = """
    FleetTable { scrollbar-size-vertical: 1; overflow-x: hidden; overflow-y: auto; }
    """

    narrow: reactive[bool] = reactive(False)

    class Chosen(Message):
        """The cursor came to another run."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, FleetTable.Chosen)

    class Opened(Message):
        """The run under the cursor was clicked twice."""

    def __init__(self, sort: Sort = "attention", *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.sort: Sort = sort
        self.filter = ""
        self.marked: set[str] = set()
        self.asked: Collection[str] = ()
        self.cursor: str | None = None
        self.rows: list[Row] = []
        self._fleet: Fleet | None = None
        self._now = 0
        self._drawn: list[Strip] = []
        self._columns: tuple[int, list[Column]] = (1, [])

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, self._recolor)

    def _recolor(self, _: Theme) -> None:
        self.redraw()

    def on_resize(self) -> None:
        self.redraw()

    # --- what is shown

    def show(self, fleet: Fleet, now: int, asked: Collection[str]) -> None:
        """Draw this fleet; `asked` are runs whose stop was sent and not yet heard of."""
        self._fleet, self._now, self.asked = fleet, now, asked
        self.marked &= fleet.runs.keys()
        self._arrange()

    def _arrange(self) -> None:
        if self._fleet is None:
            return
        held = [row.run.id for row in self.rows] if self._is_held(self._fleet) else []
        place = self.place
        self.rows = arrange(self._fleet, self._now, sort=self.sort, query=self.filter, held=held)
        if self.place < 0:
            self._put_cursor(max(place, 0))
        self.virtual_size = Size(self.size.width, len(self.rows) + 1)
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

    @property
    def page(self) -> int:
        return max(1, self.size.height - 2)

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

    def _reveal(self, place: int) -> None:
        height = max(1, self.size.height - 1)
        top = round(self.scroll_y)
        if place < top:
            self.scroll_to(y=place, animate=False)
        elif place >= top + height:
            self.scroll_to(y=place - height + 1, animate=False)

    # --- mouse

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y == 0:
            self._sort_clicked(offset.x)
            return
        place = offset.y - 1 + round(self.scroll_y)
        if place >= len(self.rows):
            return
        self.go(place)
        if offset.x < GUTTER:
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

    def watch_narrow(self) -> None:
        self.redraw()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.redraw()

    def redraw(self) -> None:
        """Draw what is in view, and repaint the lines that differ."""
        if not (self.is_mounted and self.size):
            return
        width = self.scrollable_content_region.width
        old, self._drawn = self._drawn, self._draw(width, self.size.height)
        changed: list[Region] = changes(old, self._drawn, width)
        if changed:
            self.refresh(*changed)

    def _draw(self, width: int, height: int) -> list[Strip]:
        palette = palette_of(self.app)
        self._columns = layout(
            width,
            roomy=width >= ROOMY,
            name_at_least=LONG_NAME if self.narrow or width >= ROOMY else NAME_AT_LEAST,
        )
        name, columns = self._columns
        lines = [strip(heading(name, columns, self.sort, palette), width, palette.ground)]
        if not self.rows:
            told = nothing(self._fleet, self.filter, palette)
            return [strip(parts, width, palette.ground) for parts in told]
        top = round(self.scroll_y)
        shown = self.rows[top : top + height - 1]
        return lines + [self._row(row, width, palette) for row in shown]

    def _row(self, row: Row, width: int, palette: Palette) -> Strip:
        name, columns = self._columns
        id_ = row.run.id
        parts = cells(
            row,
            name,
            columns,
            self._now,
            palette,
            marked=id_ in self.marked,
            asked=id_ in self.asked,
        )
        return strip(parts, width, palette.cursor if id_ == self.cursor else palette.ground)

    def render_line(self, y: int) -> Strip:
        return (
            self._drawn[y]
            if y < len(self._drawn)
            else Strip.blank(self.size.width, palette_of(self.app).ground)
        )
