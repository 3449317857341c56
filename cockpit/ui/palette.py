"""The styles in which the parts of the screen are drawn, taken from the theme in force."""

from collections.abc import Mapping
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from rich.style import Style
from textual.color import Color

from cockpit.core.fleet import State
from cockpit.ui.themes import PARTS

if TYPE_CHECKING:
    from textual.app import App

GLYPHS: dict[State, str] = {
    "running": "▶",
    "waiting": "◇",
    "asks": "◆",
    "idle": "○",
    "stuck": "✖",
    "held": "║",
    "deferred": "◆",
    "halted": "✖",
    "ended": "✔",
    "stopping": "■",
    "stopped": "■",
    "stop failed": "✖",
}
"""A glyph a state: never color alone."""

_PART_OF: dict[State, str] = {
    "stop failed": "failed",
    "held": "waiting",
    "deferred": "asks",
    "halted": "stuck",
}
"""States that are drawn as a part with another name."""

_BOLD = ("stuck", "failed", "asks", "stopping", "gauge-full", "clock-low", "key", "title", "mark")


class Palette:
    """Rich styles by the name of their part, all on the ground; `text` is plain writing."""

    def __init__(self, variables: Mapping[str, str], *, ansi: bool) -> None:
        self.ground = Style(bgcolor=Color.parse(variables["background"]).rich_color)
        self.text = Style(
            color=Color.parse(variables["foreground"]).rich_color, bgcolor=self.ground.bgcolor
        )
        self._styles = {
            part: _style(variables[f"part-{part}"], self.ground, bold=part in _BOLD)
            for part in PARTS
        }
        self.cursor = (
            Style(reverse=True)
            if ansi
            else Style(bgcolor=Color.parse(variables["part-cursor"]).rich_color)
        )
        self.bold = self.text + Style(bold=True)

    def __getitem__(self, part: str) -> Style:
        return self._styles[part]

    def state(self, state: State) -> Style:
        return self._styles[_PART_OF.get(state, state)]

    def share(self, share: float) -> Style:
        """A gauge's color: neutral below 80 %, then a warning, from 95 % an alarm."""
        part = "gauge-full" if share >= 0.95 else "gauge-high" if share >= 0.8 else "gauge"
        return self._styles[part]


def _style(color: str, ground: Style, *, bold: bool) -> Style:
    return Style(
        color=Color.parse(color).rich_color, bgcolor=ground.bgcolor, bold=True if bold else None
    )


_palettes: "WeakKeyDictionary[App[object], tuple[dict[str, str], Palette]]" = WeakKeyDictionary()


def palette_of(app: "App[object]") -> Palette:
    """The palette of the theme in force."""
    variables = app.theme_variables
    known = _palettes.get(app)
    if known is not None and known[0] is variables:
        return known[1]
    palette = Palette(variables, ansi=app.current_theme.ansi)
    _palettes[app] = (variables, palette)
    return palette
