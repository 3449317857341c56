"""The help, generated from the table of commands."""

from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from cockpit.ui.commands import COMMANDS, Command, keys_of
from cockpit.ui.palette import GLYPHS
from cockpit.ui.text import wrap

WIDTH, KEYS, TITLES = 108, 14, 24

GROUPS = (
    ("everywhere", ("app", "every")),
    ("wherever runs are shown", ("live",)),
    ("main screen", ("fleet",)),
    ("one run", ("run",)),
    ("spend", ("spend",)),
    ("tasks that repeat", ("tasks",)),
    ("shelf of scripts", ("shelf",)),
    ("review of a script", ("review",)),
)
LEGEND = """cockpit run -- claude (or any other agent) starts a run that can be paused, told, asked and capped
before it spends; agents started elsewhere are watched, and stopped where their process is known.

~ estimated    ≤ presumed, the worst case    ? unpriced
Sub-agents hang under their parents. Orders are held while a stop is pending."""


class HelpScreen(ModalScreen[None]):
    """Keys, titles and what they do."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark", "dismiss", "close")]
    CSS = """
    HelpScreen { align: center middle; }
    HelpScreen > VerticalScroll { width: 108; max-width: 96%; height: auto; max-height: 92%;
        padding: 1 2; border: round $part-key; border-title-color: $part-title;
        background: $surface; }
    """

    def __init__(self, keys: Mapping[str, str]) -> None:
        super().__init__()
        self._keys = keys

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = "help"
            box.border_subtitle = "esc"
            yield Static(self._page(min(WIDTH, self.app.size.width * 96 // 100) - 8))

    def _page(self, width: int) -> Content:
        states = "  ".join(f"{glyph} {state}" for state, glyph in GLYPHS.items())
        rows: list[Content] = []
        for heading, screens in GROUPS:
            rows += [Content.assemble((heading, "bold"))]
            for command in COMMANDS:
                if command.where in screens:
                    rows += self._rows(command, width)
            rows += [Content("")]
        return Content("\n").join([*rows, Content(LEGEND), Content(states)])

    def _rows(self, command: Command, width: int) -> list[Content]:
        """Key, title and help of a command, the help wrapped in its own column."""
        keys = " ".join(keys_of(command, self._keys)) or "(no key)"
        lines = wrap(command.help, max(20, width - KEYS - TITLES), 6)
        firsts = [(keys, command.title), *[("", "")] * (len(lines) - 1)]
        return [
            Content.assemble(
                (f"{key:<{KEYS}}", "$part-key bold"),
                (f"{title:<{TITLES}}", ""),
                (line, "$part-dim"),
            )
            for (key, title), line in zip(firsts, lines, strict=True)
        ]
