"""The help, generated from the table of commands."""

from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from cockpit.ui.commands import COMMANDS, keys_of
from cockpit.ui.palette import GLYPHS

LEGEND = """
~ estimated    ≤ presumed, the worst case    ? unpriced
Sub-agents hang under their parents. Orders are held while a stop is pending."""


class HelpScreen(ModalScreen[None]):
    """Keys, titles and what they do."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark", "dismiss", "close")]
    CSS = """
    HelpScreen { align: center middle; }
    HelpScreen > VerticalScroll { width: 100; max-width: 96%; height: auto; max-height: 92%;
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
            yield Static(self._lines())

    def _lines(self) -> Content:
        states = "  ".join(f"{glyph} {state}" for state, glyph in GLYPHS.items())
        rows: list[Content] = []
        for command in COMMANDS:
            keys = " ".join(keys_of(command, self._keys)) or "(no key)"
            rows.append(
                Content.assemble(
                    (f"{keys:<12}", "$part-key bold"),
                    (f"{command.title:<24}", ""),
                    (command.help, "$part-dim"),
                )
            )
        return Content("\n").join([*rows, Content(LEGEND), Content(states)])
