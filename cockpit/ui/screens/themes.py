"""Choose a theme: the screen behind wears it while the cursor moves."""

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

if TYPE_CHECKING:
    from cockpit.ui.app import CockpitApp


class ThemeScreen(ModalScreen[str]):
    """Answers with the theme that is to stay; escape brings back the one before and answers None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "cancel", "cancel"),
        Binding("j", "move(1)"),
        Binding("k", "move(-1)"),
    ]
    CSS = """
    ThemeScreen { align: right top; background: transparent; }
    ThemeScreen > OptionList { width: 30; height: auto; max-height: 80%; margin: 2 2;
        border: round $part-key; border-title-color: $part-title; background: $surface; }
    """

    def __init__(self, names: list[str], current: str) -> None:
        super().__init__()
        self._names, self._current = names, current

    def compose(self) -> ComposeResult:
        options = OptionList(*(Option(Content(name), id=name) for name in self._names))
        options.border_title = "theme"
        if self._current in self._names:
            options.highlighted = self._names.index(self._current)
        yield options

    @property
    def cockpit(self) -> "CockpitApp":
        return cast("CockpitApp", self.app)

    def action_move(self, steps: int) -> None:
        options = self.query_one(OptionList)
        options.action_cursor_down() if steps > 0 else options.action_cursor_up()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        self.cockpit.wear(str(event.option_id))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(str(event.option_id))

    def action_cancel(self) -> None:
        self.cockpit.wear(self._current)
        self.dismiss(None)
