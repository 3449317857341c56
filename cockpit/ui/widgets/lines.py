"""Widgets drawn as whole lines, of which only the changed ones repaint."""

from collections.abc import Iterable, Sequence
from itertools import zip_longest

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.theme import Theme
from textual.widget import Widget

from cockpit.ui.palette import Palette, palette_of

Part = tuple[str, Style]


def strip(parts: Iterable[Part], width: int, ground: Style) -> Strip:
    """One line of exactly `width` cells on a background; the texts must be clean."""
    segments = [Segment(text, on_ground(ground, style)) for text, style in parts if text]
    length = width_of(segments)
    line = Strip(segments, length)
    return line if length == width else line.adjust_cell_length(width, ground)


def on_ground(ground: Style, style: Style) -> Style:
    """The style on this ground; a reversed line of many colors would be a patchwork."""
    if style.bgcolor is ground.bgcolor and not ground.reverse:
        return style
    return ground if ground.reverse else style + ground


def spread(left: Sequence[Part], right: Sequence[Part], width: int, ground: Style) -> Strip:
    """One line with `left` at its start and `right` at its end; `left` gives way."""
    tail = Strip([Segment(text, on_ground(ground, style)) for text, style in right if text])
    head = strip(left, max(0, width - tail.cell_length), ground)
    return Strip.join([head, tail]).adjust_cell_length(width, ground)


class Lines(Widget):
    """A widget that draws itself as strips: subclasses implement `draw` and call `redraw`."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._drawn: list[Strip] = []

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, self._recolor)

    def on_resize(self) -> None:
        self.redraw()

    def _recolor(self, _: Theme) -> None:
        self.redraw()

    @property
    def palette(self) -> Palette:
        return palette_of(self.app)

    def draw(self, width: int, height: int) -> list[Strip]:
        """All lines of the widget, from the top."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw again, and repaint the lines that differ."""
        width, height = self.size
        if not (width and height and self.is_mounted):
            return
        old, self._drawn = self._drawn, self.draw(width, height)
        changed = changes(old, self._drawn, width)
        if changed:
            self.refresh(*changed)

    def render_line(self, y: int) -> Strip:
        return (
            self._drawn[y]
            if y < len(self._drawn)
            else Strip.blank(self.size.width, self.palette.ground)
        )


def changes(old: Sequence[Strip], new: Sequence[Strip], width: int) -> list[Region]:
    """Where two drawings differ: a piece of each line that does, neighbouring lines as one."""
    found: list[Region] = []
    for y, (before, after) in enumerate(zip_longest(old, new)):
        if before is after or before == after:
            continue
        is_both = before is not None and after is not None
        start, end = difference(before, after) if is_both else (0, width)
        piece = Region(start, y, end - start, 1)
        if found and found[-1].bottom == y:
            piece = found.pop().union(piece)
        found.append(piece)
    return found


def difference(before: Strip, after: Strip) -> tuple[int, int]:
    """The cells from the first to behind the last segment in which two lines of one width differ."""
    olds, news = list(before), list(after)
    start = end = 0
    shared = min(len(olds), len(news))
    while start < shared and olds[start] == news[start]:
        start += 1
    while end < shared - start and olds[-1 - end] == news[-1 - end]:
        end += 1
    first = width_of(news[:start])
    return first, max(first + 1, after.cell_length - width_of(news[len(news) - end :]))


def width_of(segments: Iterable[Segment]) -> int:
    return sum(len(text) if text.isascii() else cell_len(text) for text, _, _ in segments)
