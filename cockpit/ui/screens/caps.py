"""What runs share: the caps of the day, the month, the fleet and the projects, and one line to change them."""

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from cockpit.core.concentration import Scope
from cockpit.core.money import decimal_string, dollars, parse_money
from cockpit.ui import text
from cockpit.ui.screens.ask import AskScreen
from cockpit.ui.widgets.figures import tail

if TYPE_CHECKING:
    from cockpit.ui.app import CockpitApp

HINT = "enter changes the cap   200usd, or none   ·   esc back"
CROWDED = "◆ its runs may together want more than is left"
NAME, FIGURE = 28, 10


class CapsScreen(ModalScreen[None]):
    """A table of scopes; `enter` on one asks for its cap, a higher one asks again."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "back", "back"),
        Binding("j", "move(1)"),
        Binding("k", "move(-1)"),
    ]
    CSS = """
    CapsScreen { align: center middle; }
    CapsScreen > Vertical { width: 84; max-width: 98%; height: auto; max-height: 90%; padding: 1 2;
        border: round $part-key; border-title-color: $part-title; background: $surface; }
    CapsScreen OptionList { height: auto; max-height: 16; border: none; padding: 0; margin: 1 0;
        background: $surface; }
    CapsScreen OptionList:focus { background-tint: transparent; }
    CapsScreen .dim { color: $part-dim; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._scopes: list[Scope] = []
        self._changing: Scope | None = None
        self._list = OptionList(markup=False)
        self._line = Input(placeholder="200usd", compact=True)
        self._line.cursor_blink = False
        self._line.display = False
        self._crowded = Static(Content(CROWDED), classes="dim")
        self._crowded.display = False
        self._said = Static(Content(HINT), classes="dim")

    @property
    def cockpit(self) -> "CockpitApp":
        return cast("CockpitApp", self.app)

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "caps"
            heads = ("cap", "spent", "held", "left")
            columns = "".join(f"{head:>{FIGURE}}" for head in heads)
            yield Static(Content(f"  {'scope':{NAME}}{columns}"), classes="dim")
            yield from (self._list, self._line, self._crowded, self._said)

    def on_mount(self) -> None:
        self._list.focus()
        self._read()

    def _read(self) -> None:
        self.cockpit.request(self.cockpit.remote.caps(), self._show, "caps not read")

    def _show(self, scopes: list[Scope]) -> None:
        at, self._scopes = self._list.highlighted, scopes
        self._crowded.display = any(scope.crowded for scope in scopes)
        self._list.set_options([Option(_row(scope)) for scope in scopes])
        self._list.highlighted = min(at or 0, len(scopes) - 1)

    # --- what the operator does

    def action_back(self) -> None:
        if self._changing is None:
            self.dismiss(None)
        else:
            self._leave_line()

    def action_move(self, lines: int) -> None:
        move = self._list.action_cursor_down if lines > 0 else self._list.action_cursor_up
        move()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        scope = self._changing = self._scopes[event.option_index]
        self._line.value = "" if scope.cap is None else f"{decimal_string(scope.cap)}usd"
        self._line.display = True
        self._line.focus()
        self._say(f"the cap of {text.safe(scope.name, 60)}")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        scope = self._changing
        if scope is None:
            return
        try:
            typed = event.value.strip()
            money = None if typed in ("", "none") else parse_money(typed)
        except ValueError as error:
            self._say(text.safe(str(error)))
            return
        if scope.cap is not None and (money is None or money > scope.cap):
            question = "this lets all runs together spend more than now: raise it?"
            self.app.push_screen(
                AskScreen(question), lambda yes: self._set(scope, money) if yes else None
            )
        else:
            self._set(scope, money)

    def _set(self, scope: Scope, money: int | None) -> None:
        self._leave_line()
        name = scope.name if scope.name.startswith("project:") else scope.name.partition(":")[0]
        call = self.cockpit.remote.cap(name, money)
        self.cockpit.request(call, lambda _: self._read(), "cap not set")

    def _leave_line(self) -> None:
        self._changing = None
        self._line.display = False
        self._list.focus()
        self._say(HINT)

    def _say(self, said: str) -> None:
        self._said.update(Content(said))


def _row(scope: Scope) -> Content:
    figures = "".join(
        f"{figure:>{FIGURE}}"
        for figure in (
            _money(scope.cap),
            dollars(scope.settled + scope.outside),
            dollars(scope.held),
            _money(scope.left),
        )
    )
    mark = ("◆ ", "$part-asks") if scope.crowded else "  "
    return Content.assemble(mark, f"{_name(scope.name)}{figures}")


def _name(scope: str) -> str:
    """Projects differ at the end of their paths."""
    kind, _, name = text.safe(scope).partition(":")
    room = NAME - len(kind) - 2
    return text.fit(f"{kind} {tail(name, room, 1)[0]}" if name else kind, NAME)


def _money(nano: int | None) -> str:
    return text.DASH if nano is None else dollars(nano)
