"""The lines on top of a review: where we are, how the script stands, what it is for and what it is worth."""

from textual.strip import Strip

from cockpit.core.money import dollars
from cockpit.core.shelf import Sheet
from cockpit.ui import stages, text
from cockpit.ui.palette import Palette
from cockpit.ui.widgets.crumbs import INTO
from cockpit.ui.widgets.lines import Lines, Part, spread, strip

WIDE = 100


class ReviewHead(Lines):
    """Crumbs and stage, then the purpose in one line and the dollars a month."""

    DEFAULT_CSS = "ReviewHead { height: 2; padding: 0 1; }"

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._sheet: Sheet | None = None
        self._says = ""

    def show(self, sheet: Sheet | None, says: str) -> None:
        """Draw this script; `says` is what is being done to it, or why figures may be old."""
        self._sheet, self._says = sheet, says
        self.redraw()

    def draw(self, width: int, height: int) -> list[Strip]:
        palette = self.palette
        left, right = self._left(width, palette), self._stage(palette, width)
        above = spread(left, right, width, palette.ground)
        return [
            above,
            *(strip(line, width, palette.ground) for line in self._purpose(width, height - 1)),
        ]

    def _left(self, width: int, palette: Palette) -> list[Part]:
        name = text.fit(text.safe(self._name), max(12, width // 2 - 12)).rstrip()
        into = (f" {INTO} ", palette["track"])
        return [("shelf", palette["dim"]), into, (name, palette["title"])]

    def _stage(self, palette: Palette, width: int) -> list[Part]:
        if self._sheet is None:
            return []
        row = self._sheet.row
        sign, style = stages.glyph(row.stage, palette)
        parts: list[Part] = [(f"{sign} {stages.stage_words(row)}", style)]
        if self._says:
            parts = [(text.fit(text.safe(self._says), 40).rstrip(), palette["running"])]
        dot = (" · ", palette["track"])
        if width >= WIDE:
            made = "made without a model" if row.tier == 0 else "made with one model call"
            parts += [dot, (made, palette["dim"])]
        is_approved = stages.is_approved(self._sheet)
        content = text.safe(row.content)[:12]
        yes = "approved" if is_approved else "not approved"
        return [*parts, dot, (f"{content} {yes}", palette["warm" if is_approved else "dim"])]

    def _purpose(self, width: int, height: int) -> list[list[Part]]:
        """The purpose in as many lines as there are, what it is worth behind it."""
        palette = self.palette
        if self._sheet is None:
            return [[(self._says or "reading the script…", palette["dim"])]]
        worth = self._worth(palette)
        room = max(20, width - 2 - sum(len(words) for words, _ in worth))
        purpose = text.safe(self._sheet.script.purpose, 400)
        rows = text.wrap(purpose, room, max(1, height)) or [""]
        lines: list[list[Part]] = [[(text.fit(row, room + 2), palette.text)] for row in rows]
        return [[*lines[0], *worth], *lines[1:]]

    def _worth(self, palette: Palette) -> list[Part]:
        row = self._sheet.row if self._sheet is not None else None
        if row is None:
            return []
        parts: list[Part] = []
        if row.savings.counted:
            parts += [("saved ", palette["dim"]), (dollars(row.savings.net_nano), palette.bold)]
        if row.month_nano is not None:
            parts += [(" · ", palette["track"])] if parts else []
            parts += [(text.money(row.month_nano), palette.bold), (" a month", palette["dim"])]
        return parts
