"""One line to cap a run."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from cockpit.core.budget import Budget
from cockpit.core.fleet import Run
from cockpit.ui import text
from cockpit.ui.caps import budget_text, parse_budget, raises
from cockpit.ui.screens.ask import AskScreen

HINT = "5usd  90m  2M tokens  80turns  warn   ·   none takes the caps away"
AT_ZERO = "at zero: defer (keep all, wait)  halt (stop)  ask  warn   ·   or none"


class BudgetScreen(ModalScreen[list[Budget | None]]):
    """Answers with the one budget given, or with None when nothing is to change."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "cancel")]
    CSS = """
    BudgetScreen { align: center middle; }
    BudgetScreen > Vertical { width: 72; max-width: 95%; height: auto; padding: 1 2;
        border: round $part-key; border-title-color: $part-title; background: $surface; }
    BudgetScreen Input { margin: 1 0; }
    BudgetScreen #hint { color: $part-dim; }
    """

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "budget"
            yield Static(Content(text.safe(self._run.name, 66)))
            said = budget_text(self._run.budget, governed=self._run.governed)
            line = Input(said, placeholder="5usd 90m", compact=True)
            line.cursor_blink = False
            yield line
            hint = f"5usd  90m  2M tokens  80turns\n{AT_ZERO}" if self._run.governed else HINT
            yield Static(Content(hint), id="hint")

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def action_cancel(self) -> None:
        self.dismiss(None)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        try:
            budget = parse_budget(event.value, governed=self._run.governed)
        except ValueError as error:
            self.query_one("#hint", Static).update(Content(text.safe(str(error))))
            return
        if not raises(self._run.budget, budget):
            self.dismiss([budget])
            return
        self.app.push_screen(
            AskScreen("this lets the run spend more than now: raise its caps?"),
            lambda yes: self._raise(budget, yes=bool(yes)),
        )

    def _raise(self, budget: Budget | None, *, yes: bool) -> None:
        if yes:
            self.dismiss([budget])
