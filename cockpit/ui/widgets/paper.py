"""A framed page of lines that scrolls: made anew only when what it tells or its width has changed."""

from collections.abc import Callable

from textual import events

from cockpit.ui.palette import Palette
from cockpit.ui.widgets.framed import Framed, Line, thumb_lines
from cockpit.ui.widgets.lines import Part

WHEEL = 3
Write = Callable[[int, Palette], list[list[Part]]]
"""The lines of a page of this width, in these styles."""


class Paper(Framed, can_focus=True):
    """Shows what a `Write` writes."""

    def __init__(self, title: str = "", *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(title, id=id)
        self.top = 0
        self._write: Write = lambda _width, _palette: []
        self._about: object = None
        self._lines: list[Line] = []
        self._made_for: tuple[object, int, Palette] | None = None

    def tell(self, about: object, write: Write, *, keep_place: bool = True) -> None:
        """Show what `write` writes; it is called again when `about`, the width or the theme differ."""
        if not keep_place:
            self.top = 0
        if about != self._about:
            self._about, self._made_for = about, None
        self._write = write
        self.redraw()

    def scroll_lines(self, lines: int) -> None:
        """Down by so many lines, up when negative."""
        self.top = max(0, min(self.top + lines, len(self._lines) - self.size.height + 2))
        self.redraw()

    def move(self, steps: int) -> None:
        self.scroll_lines(steps)

    def page(self, pages: int) -> None:
        self.scroll_lines(pages * max(1, self.size.height - 4))

    def go(self, place: int) -> None:
        """To the top, or to the end when negative."""
        self.top = 0
        self.scroll_lines(0 if place >= 0 else len(self._lines))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.scroll_lines(WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.scroll_lines(-WHEEL)

    def content(self, width: int, height: int) -> list[Line]:
        made_for = (self._about, width, self.palette)
        if self._made_for is None or self._made_for != made_for:
            self._lines = [Line(parts) for parts in self._write(width, self.palette)]
            self._made_for = made_for
        self.top = max(0, min(self.top, len(self._lines) - height))
        return self._lines[self.top : self.top + height]

    def thumb(self, height: int) -> range:
        return thumb_lines(self.top, len(self._lines), height)
