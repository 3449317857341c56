"""The styles in which the parts of the screen are drawn, taken from the theme in force."""

from functools import lru_cache
from typing import TYPE_CHECKING

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
    "ended": "✔",
    "stopping": "■",
    "stopped": "■",
    "stop failed": "✖",
}
"""A glyph a state: never color alone."""

_BOLD = ("stuck", "failed", "asks", "stopping", "gauge-full", "clock-low", "key", "title", "mark")


class Palette:
    """Rich styles by the name of their part; `text` is plain writing."""

    def __init__(self, variables: dict[str, str], *, ansi: bool) -> None:
        self.text = Style(color=Color.parse(variables["foreground"]).rich_color)
        self.ground = Style(bgcolor=Color.parse(variables["background"]).rich_color)
        self._styles = {part: _style(variables[f"part-{part}"], part) for part in PARTS}
        self.cursor = (
            Style(reverse=True)
            if ansi
            else Style(bgcolor=Color.parse(variables["part-cursor"]).rich_color)
        )
        self.bold = self.text + Style(bold=True)

    def __getitem__(self, part: str) -> Style:
        return self._styles[part]

    def state(self, state: State) -> Style:
        return self._styles["failed" if state == "stop failed" else state]

    def share(self, share: float) -> Style:
        """A gauge's color: neutral below 80 %, then a warning, from 95 % an alarm."""
        part = "gauge-full" if share >= 0.95 else "gauge-high" if share >= 0.8 else "gauge"
        return self._styles[part]


def _style(color: str, part: str) -> Style:
    return Style(color=Color.parse(color).rich_color, bold=True if part in _BOLD else None)


def palette_of(app: "App[object]") -> Palette:
    """The palette of the theme in force."""
    return _palette(tuple(app.theme_variables.items()), app.current_theme.ansi)


@lru_cache(8)
def _palette(variables: tuple[tuple[str, str], ...], ansi: bool) -> Palette:
    return Palette(dict(variables), ansi=ansi)
