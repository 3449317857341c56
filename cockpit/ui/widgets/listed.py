"""A framed list of rows under a heading: one of them under the cursor, by its key."""

from collections.abc import Sequence
from typing import Generic, TypeVar

from textual import events
from textual.message import Message

from cockpit.ui.palette import Palette
from cockpit.ui.widgets.framed import Framed, Line, thumb_lines

WHEEL = 3
FRAME = 5
"""Lines of a table that are no rows: frame, tabs, titles, and one to breathe."""
LEAST = 9
_Row = TypeVar("_Row")


def table_height(rows: int, screen: int) -> int:
    """Lines for a table of so many rows, with its frame and head, above a page about one of them."""
    return min(max(rows + FRAME, LEAST), screen // 2 - 1)


class Chosen(Message):
    """The cursor came to another row of a list."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Chosen)


class Opened(Message):
    """The row under the cursor was clicked twice."""


class Listed(Framed, Generic[_Row], can_focus=True):
    """Rows one a line. Subclasses implement `key_of`, `head`, `line` and `nothing`."""

    def __init__(self, title: str = "", *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(title, id=id)
        self.rows: list[_Row] = []
        self.cursor: str | None = None
        self._top = 0
        self._heads = self._feet = 0

    def key_of(self, row: _Row) -> str:
        """What names a row, whatever its place."""
        raise NotImplementedError

    def head(self, width: int, palette: Palette) -> list[Line]:
        """The lines above the rows."""
        raise NotImplementedError

    def line(self, row: _Row, width: int, palette: Palette) -> Line:
        """A row; `ground` is set here."""
        raise NotImplementedError

    def nothing(self, width: int, palette: Palette) -> list[Line]:
        """What stands there instead of rows."""
        raise NotImplementedError

    def foot(self, width: int, palette: Palette) -> list[Line]:  # noqa: ARG002
        """The lines below the rows, at the end of the frame."""
        return []

    def head_clicked(self, x: int, y: int) -> None:
        """A cell of the lines above the rows was clicked, counted from inside of the frame."""

    def row_clicked(self, x: int, clicks: int) -> None:  # noqa: ARG002
        """A cell of the row under the cursor was clicked, so many times in a row."""
        if clicks == 2:
            self.post_message(Opened())

    def wheel(self, lines: int) -> None:
        """The wheel was turned, up when negative."""
        self.move(lines)

    def fill(self, rows: Sequence[_Row]) -> None:
        """Show these rows; the cursor stays with its row, or near where it was."""
        place = max(0, self.place)
        self.rows = list(rows)
        if self.place < 0:
            self._put_cursor(place)
        self.redraw()

    # --- the cursor

    @property
    def place(self) -> int:
        """Where the cursor's row stands, -1 when it is not shown."""
        return next((y for y, row in enumerate(self.rows) if self.key_of(row) == self.cursor), -1)

    @property
    def under_cursor(self) -> _Row | None:
        place = self.place
        return self.rows[place] if place >= 0 else None

    def move(self, steps: int) -> None:
        """The cursor goes down by so many rows, up when negative."""
        self._put_cursor(self.place + steps)
        self.redraw()

    def go(self, place: int) -> None:
        """The cursor goes to a row, counted from the end when negative."""
        self._put_cursor(place if place >= 0 else len(self.rows) + place)
        self.redraw()

    def go_to(self, key: str) -> None:
        """The cursor goes to the row of this key, if there is one."""
        place = next((y for y, row in enumerate(self.rows) if self.key_of(row) == key), -1)
        if place >= 0:
            self.go(place)

    def page(self, pages: int) -> None:
        self.move(pages * max(1, self._visible - 1))

    def _put_cursor(self, place: int) -> None:
        before = self.cursor
        place = min(max(place, 0), len(self.rows) - 1)
        self.cursor = self.key_of(self.rows[place]) if self.rows else None
        self._top = min(max(self._top, place - self._visible + 1), max(place, 0))
        if self.cursor != before:
            self.post_message(Chosen())

    @property
    def _visible(self) -> int:
        return max(1, self.size.height - 2 - self._heads - self._feet)

    # --- mouse

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.wheel(WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.wheel(-WHEEL)

    def on_click(self, event: events.Click) -> None:
        x, y = event.x - 1 - self.padding, event.y - 1 - self._heads
        place = y + self._top
        if 0 > y >= -self._heads:
            self.head_clicked(x, y + self._heads)
        elif 0 <= y < self._visible and place < len(self.rows):
            self.go(place)
            self.row_clicked(x, event.chain)

    # --- drawing

    def content(self, width: int, height: int) -> list[Line]:
        palette = self.palette
        head, foot = self.head(width, palette), self.foot(width, palette)
        self._heads, self._feet = len(head), len(foot)
        if not self.rows:
            return self.nothing(width, palette)
        room = max(0, height - len(head) - len(foot))
        self._top = max(0, min(self._top, len(self.rows) - room))
        shown = self.rows[self._top : self._top + room]
        body = [self._placed(row, width, palette) for row in shown]
        return [*head, *body, *[Line(())] * (room - len(body) if foot else 0), *foot]

    def _placed(self, row: _Row, width: int, palette: Palette) -> Line:
        line = self.line(row, width, palette)
        return line._replace(ground=palette.cursor) if self.key_of(row) == self.cursor else line

    def thumb(self, height: int) -> range:
        """Beside the rows."""
        room = height - self._heads - self._feet
        return thumb_lines(self._top, len(self.rows), room, above=self._heads)
