"""Tables that share a place, and the line on top of them: which one looks at, and what all of it is worth."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import ClassVar, TypeVar

from rich.cells import cell_len
from textual.message import Message

from cockpit.ui import text
from cockpit.ui.palette import Palette
from cockpit.ui.widgets.framed import Line
from cockpit.ui.widgets.lines import Part
from cockpit.ui.widgets.listed import Listed

TABS = ("tasks", "shelf")
_Row = TypeVar("_Row")


def tabs(chosen: str, right: list[Part], width: int, palette: Palette) -> Line:
    """The names, the chosen one in brackets; `right` gives way as a whole."""
    parts: list[Part] = [
        (f"[{name}]", palette["key"]) if name == chosen else (f" {name} ", palette["dim"])
        for name in TABS
    ]
    room = (
        width - sum(len(words) for words, _ in parts) - sum(cell_len(words) for words, _ in right)
    )
    return Line([*parts, (" " * room, palette["dim"]), *right] if room > 0 else parts)


def tab_at(x: int) -> str:
    """The name at this cell, empty beside them."""
    start = 0
    for name in TABS:
        if start <= x < start + len(name) + 2:
            return name
        start += len(name) + 2
    return ""


class Tabbed(Listed[_Row]):
    """Rows under the tabs, of which `tab` is theirs. Subclasses implement `key_of`, `head` and `line`."""

    tab: ClassVar[str]

    class Turned(Message):
        """The other tab was clicked."""

    def __init__(self, tz: tzinfo | None) -> None:
        super().__init__(id=self.tab)
        self.tz = tz
        self.now = 0
        self._says: Sequence[str] = ()

    def show(self, rows: Sequence[_Row], now: int, says: Sequence[str]) -> None:
        """Draw these rows; `says` stands there while there are none."""
        self.now, self._says = now, says
        self.fill(rows)

    def head_clicked(self, x: int, y: int) -> None:
        if y == 0 and tab_at(x) not in ("", self.tab):
            self.post_message(self.Turned())

    def nothing(self, width: int, palette: Palette) -> list[Line]:
        first, *rest = self._says or [""]
        said = [Line([("  " + first, palette.bold)]), Line(())]
        return [tabs(self.tab, [], width, palette), Line(()), *said, *(
            Line([("  " + text.fit(line, max(0, width - 2)).rstrip(), palette["dim"])]) for line in rest
        )]  # fmt: skip
