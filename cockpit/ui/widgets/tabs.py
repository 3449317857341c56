"""The first line of the tasks and of the shelf: which of them one looks at, and what all of it is worth."""

from rich.cells import cell_len

from cockpit.ui.palette import Palette
from cockpit.ui.widgets.framed import Line
from cockpit.ui.widgets.lines import Part

TABS = ("tasks", "shelf")


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
