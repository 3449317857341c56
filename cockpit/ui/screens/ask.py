"""A question before what cannot be undone; No is the default."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static


class AskScreen(ModalScreen[bool]):
    """Answers with True only for a pressed `y`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes"),
        Binding("n,escape,enter,q", "answer(False)", "no"),
    ]
    CSS = """
    AskScreen { align: center middle; }
    AskScreen > Static { width: auto; max-width: 90%; height: auto; padding: 1 3;
        border: round $part-asks; background: $surface; }
    """

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        yield Static(Content(f"{self._question}\n\ny yes    N no (enter, esc)"))

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)
