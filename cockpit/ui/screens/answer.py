"""A tool call that waits for yes or no, read in full before it is decided; then the next one."""

from typing import TYPE_CHECKING, ClassVar, cast

from msgspec.structs import replace
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from cockpit.core import text as core_text
from cockpit.core.budget import asks_about, doubled, is_about_cap
from cockpit.core.events import ApprovalAsked
from cockpit.core.fleet import Approval, Run
from cockpit.ui import steering, text
from cockpit.ui.caps import budget_text
from cockpit.ui.screens.live import LiveDialog, Told
from cockpit.ui.situation import asking_first

if TYPE_CHECKING:
    from cockpit.ui.app import CockpitApp

READ_MS = 400
"""A key pressed sooner than this was meant for something else."""

Question = tuple[Run, Approval]


class AnswerScreen(LiveDialog[None]):
    """Shows one question after the other, the chosen run's first; the default is No."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes"),
        Binding("n,enter", "answer(False)", "no"),
        Binding("escape,q,a", "later", "later"),
        Binding("j,down", "scroll(1)"),
        Binding("k,up", "scroll(-1)"),
        Binding("pagedown,space", "scroll(8)"),
        Binding("pageup", "scroll(-8)"),
    ]
    CSS = """
    AnswerScreen { align: center middle; }
    AnswerScreen > Vertical { width: 92; max-width: 96%; height: auto; max-height: 90%;
        padding: 1 2; border: round $part-asks; border-title-color: $part-asks;
        border-subtitle-color: $part-dim; background: $surface; }
    AnswerScreen VerticalScroll { height: auto; max-height: 24; margin: 1 0; padding: 0 1;
        background: $background; }
    AnswerScreen #keys { color: $part-key; }
    """

    def __init__(self, first: str) -> None:
        super().__init__()
        self._first = first
        self._question: Question | None = None
        self._answered: set[tuple[str, str]] = set()
        self._text = ""
        self._is_whole = False
        self._is_over = False
        self._ready_at = 0
        self._head, self._body, self._keys = Static(), Static(), Static(id="keys")
        self._scroll = VerticalScroll(self._body, can_focus=False)

    @property
    def cockpit(self) -> "CockpitApp":
        return cast("CockpitApp", self.app)

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "may it?"
            yield from (self._head, self._scroll, self._keys)

    def on_mount(self) -> None:
        self.show(self.cockpit.told())

    # --- which question

    def show(self, told: Told) -> None:
        """The question that is still open; the next one when somebody else has answered it."""
        if told.fleet is None or self._is_over:
            return
        waiting = self._waiting(told)
        open_ = next((each for each in waiting if self._is_this(each)), None)
        is_gone = self._question is not None and open_ is None and self._key() not in self._answered
        question = open_ or next(iter(waiting), None)
        if question is None:
            self._is_over = True
            self.dismiss(None)
        elif open_ is None:
            self._turn_to(question, told.now)
        if is_gone:
            self.cockpit.say("answered elsewhere, or its time ran out", "warning")
        self._head_of(question, told, len(waiting))

    def _waiting(self, told: Told) -> list[Question]:
        runs = list(told.fleet.runs.values()) if told.fleet is not None else []
        asking = asking_first(runs)
        asking = tuple(sorted(asking, key=lambda run: run.id != self._first))
        return [
            (run, asked)
            for run in asking
            for asked in run.approvals
            if (run.id, asked.tool) not in self._answered
        ]

    def _is_this(self, question: Question) -> bool:
        return self._question is not None and self._key() == (question[0].id, question[1].tool)

    def _key(self) -> tuple[str, str]:
        if self._question is None:
            return "", ""
        run, asked = self._question
        return run.id, asked.tool

    def _turn_to(self, question: Question, now: int) -> None:
        run, asked = question
        self._question, self._first = question, run.id
        self._text, self._is_whole = asked.text, is_about_cap(asked.tool)
        self._ready_at = now + READ_MS
        self._show_body()
        self._scroll.scroll_home(animate=False)
        if not self._is_whole:
            self.run_worker(self._read_all(run.id, asked.tool), exclusive=True)

    async def _read_all(self, run: str, tool: str) -> None:
        """The snapshot holds a line of the call; the journal all that was told of it."""
        try:
            page = await self.cockpit.remote.transcript(run)
        except Exception:  # what the snapshot holds is shown, and that it may be cut
            told = []
        else:
            told = [each for each in page.events if isinstance(each, ApprovalAsked)]
        whole = next((each.text for each in reversed(told) if each.tool == tool), "")
        if self._key() == (run, tool):
            self._text = whole or self._text
            self._is_whole = True
            self._show_body()

    # --- what is shown

    def _head_of(self, question: Question | None, told: Told, count: int) -> None:
        if question is None:
            return
        run, asked = question
        name = text.safe(run.name, 60) or text.safe(run.id, 40)
        waits = text.age(told.now - asked.since)
        rule = (
            "a cap is reached" if is_about_cap(asked.tool) else f"rule: {text.safe(asked.rule, 60)}"
        )
        more = f" · {count - 1} more wait" if count > 1 else ""
        self._head.update(
            Content.assemble(
                (name, "bold"),
                (f"  {text.safe(run.agent, 20)} · {text.safe(run.id, 20)}\n", "$part-dim"),
                (rule, "$part-asks"),
                (f" · waits for {waits}{more}", "$part-dim"),
            )
        )
        self._keys.update(Content(keys_text(run, asked)))

    def _show_body(self) -> None:
        said = core_text.clean(self._text).strip("\n") or text.DASH
        is_cut = self._is_whole and said.endswith("…")
        more = "\ncut here: what follows is not known to cockpit" if is_cut else ""
        self._body.update(Content.assemble(said, (more, "$part-asks")))

    # --- what the operator does

    def action_answer(self, allowed: bool) -> None:
        if self._question is None or self.cockpit.time() < self._ready_at:
            return
        if allowed and not self._is_whole:
            self.cockpit.say("still reading all of it", "warning")
            return
        run, tool = self._key()
        self._answered.add((run, tool))
        steering.answer(self.cockpit, run, tool, allowed=allowed)
        self.show(self.cockpit.told())

    def action_later(self) -> None:
        self._is_over = True
        self.dismiss(None)

    def action_scroll(self, lines: int) -> None:
        self._scroll.scroll_relative(y=lines, animate=False)


def keys_text(run: Run, asked: Approval) -> str:
    """The keys, in the words of the question."""
    if not is_about_cap(asked.tool):
        return "y allow    N deny (enter)    esc later"
    if asked.tool != asks_about() or run.budget is None:
        return "y raise that cap by as much again    N let it wait (enter)    esc later"
    more = budget_text(replace(doubled(run.budget), at_zero="defer"), governed=True)
    return f"y raise it to {more}    N let it wait (enter)    esc later"
