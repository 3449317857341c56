"""What everything that is said of one run is drawn from, and its labelled lines."""

from datetime import tzinfo
from typing import NamedTuple

from rich.style import Style

from cockpit.core.fleet import Run
from cockpit.ui import text
from cockpit.ui.palette import Palette
from cockpit.ui.rows import Row
from cockpit.ui.themes import Face
from cockpit.ui.widgets.lines import Part

LABEL = 9
"""Cells of the labels in front of each line."""

Lined = list[list[Part]]


class View(NamedTuple):
    """One run at `now`, and how it is drawn. `tz` None is the machine's zone."""

    row: Row
    now: int
    width: int
    palette: Palette
    face: Face
    animated: bool
    tz: tzinfo | None = None

    @property
    def run(self) -> Run:
        return self.row.run


def label(view: View, word: str) -> Part:
    return (word.ljust(LABEL), view.palette["dim"])


def wrapped(view: View, said: str, rows: int, style: Style) -> Lined:
    """Clean words on so many lines of the view's width."""
    return [[(line, style)] for line in text.wrap(said, view.width, rows)]
