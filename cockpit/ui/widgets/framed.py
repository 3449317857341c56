"""Lines inside a frame that is part of them: one strip a line, so that nothing joins or pads them again."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.filter import ANSIToTruecolor
from textual.geometry import Region
from textual.strip import Strip

from cockpit.ui.palette import Palette
from cockpit.ui.text import fit
from cockpit.ui.widgets.lines import Lines, Part, on_ground

EDGE, THUMB = "│", "┃"


class Line(NamedTuple):
    """The parts of a line; `ground` None is the theme's own."""

    parts: Sequence[Part]
    ground: Style | None = None


class Framed(Lines):
    """A pane with a title above and a note below. Subclasses implement `content`.

    A refresh of thirty lines costs a third less than with a border and padding by CSS.
    """

    padding = 1
    """Blank cells between the frame and the content."""

    def __init__(self, title: str = "", *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._title, self._note = title, ""
        self._edged_lines: dict[int, tuple[Line, bool, Strip]] = {}
        self._edged_for: tuple[int, Palette] | None = None

    def entitle(self, title: str, note: str = "") -> None:
        """Words in the frame, above and below; they must be clean."""
        if (title, note) != (self._title, self._note):
            self._title, self._note = title, note
            self.redraw()

    def content(self, width: int, height: int) -> list[Line]:
        """What stands in the frame, from the top."""
        raise NotImplementedError

    def thumb(self, height: int) -> range:  # noqa: ARG002
        """The lines of the content beside which the right edge is thick: where the view stands."""
        return range(0)

    def draw(self, width: int, height: int) -> list[Strip]:
        if width < 4 or height < 2:
            return []
        palette = self.palette
        inner, rows = width - 2 - 2 * self.padding, height - 2
        lines = self.content(inner, rows)[:rows]
        lines += [Line(())] * (rows - len(lines))
        thumb = self.thumb(rows)
        drawn = [_above(self._title, width, palette)]
        drawn += self._all_edged(lines, inner, palette, thumb)
        drawn.append(_below(self._note, width, palette))
        return [self._filtered(line) for line in drawn]

    def _all_edged(
        self, lines: Sequence[Line], inner: int, palette: Palette, thumb: range
    ) -> list[Strip]:
        """The lines as strips; one that the content gave before, the very object, is not made again."""
        known = self._edged_lines if self._edged_for == (inner, palette) else {}
        self._edged_lines, self._edged_for = {}, (inner, palette)
        strips = []
        for y, line in enumerate(lines):
            before = known.get(id(line))
            if before is None or before[1] != (y in thumb):
                before = (line, y in thumb, self._edged(line, inner, palette, thick=y in thumb))
            self._edged_lines[id(line)] = before
            strips.append(before[2])
        return strips

    def _edged(self, line: Line, inner: int, palette: Palette, *, thick: bool) -> Strip:
        edge, ground = palette["border"], line.ground or palette.ground
        body = [Segment(text, on_ground(ground, style)) for text, style in line.parts if text]
        length = sum(len(text) if text.isascii() else cell_len(text) for text, _, _ in body)
        if length > inner:
            body = list(Strip(body, length).crop(0, inner))
            length = inner
        if length < inner:
            body.append(Segment(" " * (inner - length), ground))
        pad = " " * self.padding
        right = Segment(pad + THUMB, palette["dim"]) if thick else Segment(pad + EDGE, edge)
        return Strip([Segment(EDGE + pad, edge), *body, right], inner + 2 + 2 * self.padding)

    def _filtered(self, line: Strip) -> Strip:
        """What Textual does to styles for NO_COLOR; our own colors need no translation."""
        for each in self.app.get_line_filters():
            if not isinstance(each, ANSIToTruecolor):
                line = line.apply_filter(each, self.background_colors[1])
        return line

    def render_lines(self, crop: Region) -> list[Strip]:
        shown = self._drawn[crop.y : crop.bottom]
        missing = crop.height - len(shown)
        if missing > 0:
            shown = shown + [Strip.blank(self.size.width, self.palette.ground)] * missing
        if crop.column_span == (0, self.size.width):
            return shown
        return [line.crop(*crop.column_span) for line in shown]


def _above(title: str, width: int, palette: Palette) -> Strip:
    edge = palette["border"]
    named = f" {fit(title, min(cell_len(title), max(0, width - 6)))} " if title else ""
    rest = max(0, width - 3 - cell_len(named))
    segments = [
        Segment("╭─", edge),
        Segment(named, palette["title"]),
        Segment("─" * rest + "╮", edge),
    ]
    return Strip(segments).adjust_cell_length(width)


def _below(note: str, width: int, palette: Palette) -> Strip:
    edge = palette["border"]
    named = f" {fit(note, min(cell_len(note), max(0, width - 6)))} " if note else ""
    rest = max(0, width - 3 - cell_len(named))
    segments = [
        Segment("╰" + "─" * rest, edge),
        Segment(named, palette["dim"]),
        Segment("─╯", edge),
    ]
    return Strip(segments).adjust_cell_length(width)
