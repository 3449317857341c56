"""The program under review: its lines with a cursor, values that differ between runs marked; or a difference."""

from collections.abc import Sequence
from itertools import pairwise

from rich.style import Style
from textual import events
from textual.message import Message

from cockpit.core.script import Hole
from cockpit.ui import code, diff, wrap
from cockpit.ui.code import CodeLine, Kind
from cockpit.ui.palette import Palette
from cockpit.ui.widgets.framed import Framed, Line
from cockpit.ui.widgets.lines import Part
from cockpit.ui.widgets.tool_lines import emphasized
from cockpit.ui.widgets.viewport import Place, Viewport

NUMBER = 5
WHEEL = 3
HANGING = 4
MARGIN = 2
"""Cells at the right of a line that say it hides something."""
_SIGNS = {"added": "+", "removed": "-"}
_PARTS: dict[Kind, str] = {"word": "key", "string": "warm", "number": "spark", "comment": "dim"}


class Program(Framed, can_focus=True):
    """Lines of code, or of a diff, one of them under the cursor; a long line is broken, never cut."""

    class Moved(Message):
        """The cursor came to another line, or to another value on it."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__("program", id=id)
        self.cursor = 0
        self.chosen = 0
        self._lines: Sequence[CodeLine | diff.DiffLine] = ()
        self._holes: dict[str, Hole] = {}
        self._view = Viewport(lambda key: len(self._rows_of(key)))
        self._wrapped: dict[int, list[list[Part]]] = {}
        self._made_for: tuple[int, Palette] | None = None
        self._places: list[Place] = []

    def show(self, lines: Sequence[CodeLine | diff.DiffLine], holes: Sequence[Hole]) -> None:
        """Draw these lines; the cursor stays at its place as far as there is one."""
        named = {hole.name: hole for hole in holes}
        if list(lines) == list(self._lines) and named == self._holes:
            self.redraw()
            return
        self._lines, self._holes = lines, named
        self._wrapped.clear()
        self.cursor = min(self.cursor, max(0, len(lines) - 1))
        self.redraw()

    @property
    def hole(self) -> Hole | None:
        """The value under the cursor."""
        names = self.holes
        return self._holes.get(names[self.chosen % len(names)]) if names else None

    @property
    def holes(self) -> tuple[str, ...]:
        """The values on the cursor's line."""
        return _holes(self._lines[self.cursor]) if self._lines else ()

    # --- what the operator does

    def move(self, steps: int) -> None:
        self.go_to(self.cursor + steps)

    def page(self, pages: int) -> None:
        self.move(pages * max(1, self.size.height - 4))

    def go(self, place: int) -> None:
        self.go_to(place if place >= 0 else len(self._lines) + place)

    def go_to(self, line: int, chosen: int = 0) -> None:
        """The cursor goes to a line, counted from 0, and to one of the values there."""
        if not self._lines:
            return
        line = min(max(0, line), len(self._lines) - 1)
        self._wrapped.pop(self.cursor, None)
        self._wrapped.pop(line, None)
        self.cursor, self.chosen = line, chosen
        self._view.reveal(line)
        self.redraw()
        self.post_message(self.Moved())

    def step(self, steps: int) -> bool:
        """To the next value, or the one before; False when there is none."""
        chosen = self.chosen + steps
        if 0 <= chosen < len(self.holes):
            self.go_to(self.cursor, chosen)
            return True
        line = self.cursor + steps
        while 0 <= line < len(self._lines):
            found = _holes(self._lines[line])
            if found:
                self.go_to(line, 0 if steps > 0 else len(found) - 1)
                return True
            line += steps
        return False

    # --- mouse

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.move(WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.move(-WHEEL)

    def on_click(self, event: events.Click) -> None:
        y = event.y - 1
        if 0 <= y < len(self._places):
            key = self._places[y].key
            self.go_to(
                key, (self.chosen + 1) % max(1, len(self.holes)) if key == self.cursor else 0
            )

    # --- drawing

    def content(self, width: int, height: int) -> list[Line]:
        palette = self.palette
        if self._made_for != (width, palette):
            self._wrapped.clear()
            self._made_for = (width, palette)
        self._view.over(0, len(self._lines), height)
        self._places = self._view.places() if self._lines else []
        return [self._placed(place, palette) for place in self._places]

    def _placed(self, place: Place, palette: Palette) -> Line:
        """A line on its ground; where the cursor reverses, only the number: marks would not show in it."""
        row = self._rows_of(place.key)[place.line]
        if place.key != self.cursor:
            return Line(row)
        if not palette.cursor.reverse:
            return Line(row, palette.cursor)
        (lead, _), *rest = row
        return Line([(lead[:-1], palette.cursor), (lead[-1:], palette.text), *rest])

    def thumb(self, height: int) -> range:
        count = len(self._lines)
        if not self._places or len({place.key for place in self._places}) >= count:
            return range(0)
        size = max(1, height * height // max(count, height))
        start = (height - size) * self._view.top.key // max(1, count - 1)
        return range(start, start + size)

    def _rows_of(self, key: int) -> list[list[Part]]:
        rows = self._wrapped.get(key)
        if rows is None:
            width = self._made_for[0] if self._made_for else 80
            line = self._lines[key]
            if isinstance(line, CodeLine):
                rows = self._code(line, key, width)
            else:
                rows = _difference(line, width, self.palette)
            self._wrapped[key] = rows
        return rows

    def _code(self, line: CodeLine, key: int, width: int) -> list[list[Part]]:
        palette = self.palette
        chosen = self.hole if key == self.cursor else None
        styled = _styled(line, self._holes, chosen, palette)
        rows: list[list[Part]] = []
        lead = f"{line.number:>{NUMBER - 1}} "
        for row in _broken(styled, max(8, width - NUMBER - MARGIN)):
            rows.append([(lead, palette["track"]), *row])
            lead = " " * NUMBER
        if line.hides:
            rows[0] = [(f"{line.number:>{NUMBER - 1}}!", palette["stuck"]), *rows[0][1:]]
        return rows


def _holes(line: CodeLine | diff.DiffLine) -> tuple[str, ...]:
    return line.holes if isinstance(line, CodeLine) else ()


def _styled(
    line: CodeLine, holes: dict[str, Hole], chosen: Hole | None, palette: Palette
) -> list[Part]:
    """The line's pieces, cut where a value that differs between runs begins and ends."""
    marked = [
        (start, end, holes[name] is chosen)
        for name in line.holes
        for start, end in code.spans(line.text, holes[name].source)
    ]
    parts: list[Part] = []
    place = 0
    for kind, words in code.pieces(line):
        style = palette[_PARTS[kind]] if kind in _PARTS else palette.text
        parts += _cut(words, place, marked, style)
        place += len(words)
    return parts or [("", palette.text)]


def _cut(words: str, place: int, marked: list[tuple[int, int, bool]], style: Style) -> list[Part]:
    """One piece, its parts inside of a value underlined, inside of the chosen value reversed."""
    ends = {0, len(words)}
    for start, end, _ in marked:
        ends |= {each - place for each in (start, end) if 0 < each - place < len(words)}
    bounds = sorted(ends)
    return [
        (words[first:last], style + _mark(place + first, marked))
        for first, last in pairwise(bounds)
    ]


def _mark(at: int, marked: list[tuple[int, int, bool]]) -> Style:
    inside = [is_chosen for start, end, is_chosen in marked if start <= at < end]
    if any(inside):
        return Style(reverse=True)
    return Style(underline=True) if inside else Style()


def _broken(parts: list[Part], width: int) -> list[list[Part]]:
    """The parts in lines of at most `width` cells; what goes on in the next line is indented like the first."""
    whole = "".join(words for words, _ in parts)
    indent = min(len(whole) - len(whole.lstrip(" ")) + HANGING, width // 3)
    first, *rest = wrap.soft(whole, width)
    pieces = [first]
    if rest:
        pieces += wrap.soft("".join(rest), width - indent)
    rows: list[list[Part]] = []
    for place, piece in enumerate(pieces):
        row, parts = _taken(parts, len(piece))
        lead: list[Part] = [(" " * indent, Style())] if place else []
        rows.append([*lead, *row])
    return rows


def _taken(parts: list[Part], count: int) -> tuple[list[Part], list[Part]]:
    """So many characters of the parts, and the rest."""
    taken: list[Part] = []
    for place, (words, style) in enumerate(parts):
        if count <= len(words):
            rest = [(words[count:], style)] if count < len(words) else []
            return [*taken, (words[:count], style)], [*rest, *parts[place + 1 :]]
        taken.append((words, style))
        count -= len(words)
    return taken, []


def _difference(line: diff.DiffLine, width: int, palette: Palette) -> list[list[Part]]:
    """A line of a diff with its sign, the words that changed reversed."""
    part = {"added": "added", "removed": "removed", "same": "dim"}.get(line.kind, "key")
    sign = _SIGNS.get(line.kind, " ") + " "
    rows: list[list[Part]] = []
    begun = 0
    for row in wrap.cells(line.text, max(8, width - len(sign))):
        parts = emphasized(row, begun, line.changed, palette[part])
        rows.append([(sign, palette[part]), *parts])
        begun += len(row)
        sign = "  "
    return rows
