"""One line asked for, with what it is about above it."""

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

LONGEST = 1_000


class LineScreen(ModalScreen[list[str]]):
    """Answers with a list of the one line given, or with an empty list.

    `tells` says while one types what it means, and must give clean text, as `about` must be.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "cancel")]
    CSS = """
    LineScreen { align: center middle; }
    LineScreen > Vertical { width: 84; max-width: 95%; height: auto; padding: 1 2;
        border: round $part-key; border-title-color: $part-title; background: $surface; }
    LineScreen Input { margin: 1 0; }
    LineScreen #hint { color: $part-dim; }
    """

    def __init__(
        self, title: str, about: str, value: str, tells: Callable[[str], str], placeholder: str = ""
    ) -> None:
        super().__init__()
        self._title, self._about, self._value = title, about, value
        self._tells, self._placeholder = tells, placeholder

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = self._title
            yield Static(Content(self._about))
            line = Input(
                self._value, placeholder=self._placeholder, compact=True, max_length=LONGEST
            )
            line.cursor_blink = False
            yield line
            yield Static(Content(self._tells(self._value)), id="hint")

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def action_cancel(self) -> None:
        self.dismiss([])

    def on_input_changed(self, event: Input.Changed) -> None:
        self.query_one("#hint", Static).update(Content(self._tells(event.value)))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss([event.value.strip()])
