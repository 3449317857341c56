"""One line to the model of a run that goes on working."""

from datetime import tzinfo
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from cockpit.core.fleet import Note, Run
from cockpit.ui import text

LONGEST = 4_000
HINT = "enter sends it with the next call · esc leaves · ctrl+x still stops"


class SayScreen(ModalScreen[str]):
    """Answers with what is to be said; empty when nothing is."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "cancel")]
    CSS = """
    SayScreen { align: center middle; }
    SayScreen > Vertical { width: 84; max-width: 95%; height: auto; padding: 1 2;
        border: round $part-key; border-title-color: $part-title; background: $surface; }
    SayScreen Input { margin: 1 0; }
    SayScreen #hint { color: $part-dim; }
    SayScreen #before { color: $part-dim; margin-bottom: 1; }
    """

    def __init__(self, run: Run, tz: tzinfo | None) -> None:
        super().__init__()
        self._run, self._tz = run, tz

    def compose(self) -> ComposeResult:
        run = self._run
        with Vertical() as box:
            box.border_title = "say"
            yield Static(Content(f"{text.safe(run.name, 56)}  {text.safe(run.id, 20)}".strip()))
            line = Input(placeholder="a word to the model", compact=True, max_length=LONGEST)
            line.cursor_blink = False
            yield line
            if run.notes:
                said = text.fit(note_text(run.notes[-1], self._tz), 76).rstrip()
                yield Static(Content(f"before: {said}"), id="before")
            yield Static(Content(HINT), id="hint")

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def action_cancel(self) -> None:
        self.dismiss("")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip())


def note_text(note: Note, tz: tzinfo | None) -> str:
    """Whether and when the model was given a note, and its words."""
    channel = text.safe(note.channel, 40)
    if note.delivered:
        told = f"told {text.time_of_day(note.delivered, tz)} by {channel}"
    else:
        told = f"waits for {channel}"
    return f"{told} · {text.safe(note.text)}"
