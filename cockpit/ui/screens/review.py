"""One script, as a person reads it before it may act: program, evidence, what it may touch, and the decision."""

from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical

from cockpit.core.shelf import Sheet, ShelfRow
from cockpit.ui import code, diff, scripts, stages, text
from cockpit.ui.code import CodeLine
from cockpit.ui.commands import Where, bindings
from cockpit.ui.screens.live import LiveScreen, Moves
from cockpit.ui.settings import ScreenSettings
from cockpit.ui.situation import Situation
from cockpit.ui.widgets.matrix import Matrix
from cockpit.ui.widgets.paper import Paper
from cockpit.ui.widgets.program import Program
from cockpit.ui.widgets.review_facts import Look, fact_lines, may_words
from cockpit.ui.widgets.review_head import ReviewHead

Face = Literal["body", "whole", "difference"]
AGAIN_MS = 10_000
WIDE = 100
"""Width from which all panes stand beside each other."""
ROOMY = 150


class ReviewScreen(LiveScreen):
    """Head, program, evidence, facts, and the keys."""

    where: ClassVar[Where] = "review"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("review")]
    CSS = """
    ReviewScreen { layout: vertical; }
    ReviewScreen #body { height: 1fr; }
    ReviewScreen #left { width: 1fr; height: 100%; }
    ReviewScreen Program { height: 3fr; }
    ReviewScreen Matrix { height: 2fr; }
    ReviewScreen #facts { width: 44; height: 100%; }
    """

    def __init__(self, settings: ScreenSettings, name: str) -> None:
        super().__init__(settings)
        self.script_name = name
        self.head = ReviewHead(name)
        self.program = Program(id="program")
        self.matrix = Matrix(id="evidence")
        self.facts = Paper(id="facts")
        self._beneath = Paper(id="beneath")
        self._sheet: Sheet | None = None
        self._lines: dict[Face, list[CodeLine | diff.DiffLine]] = {}
        self._hidden = 0
        self._face: Face = "body"
        self._pane = 0
        self._asked_at = 0
        self._doing = ""
        self._trouble = ""

    def compose(self) -> ComposeResult:
        yield self.head
        yield Horizontal(
            Vertical(self.program, self._beneath, self.matrix, id="left"), self.facts, id="body"
        )
        yield self.last_line

    def on_mount(self) -> None:
        self._lay_out()
        self.program.focus()
        self.show(self.cockpit.told())

    def on_resize(self) -> None:
        self._lay_out()
        self._show()

    @property
    def _panes(self) -> tuple[Program, Matrix, Paper]:
        return (self.program, self.matrix, self.facts)

    def _lay_out(self) -> None:
        """All panes, or where there is no room the chosen one; below the program its value stays in sight."""
        width = self.size.width
        is_wide = width >= WIDE
        for place, pane in enumerate(self._panes):
            pane.display = is_wide or place == self._pane
        self.query_one("#left").display = is_wide or self._pane != 2
        self.facts.styles.width = (72 if width >= ROOMY else 44) if is_wide else "1fr"
        self._beneath.display = not is_wide and self._pane == 0
        self._beneath.styles.height = 8
        self.head.styles.height = 2 if is_wide else 3

    @property
    def moving(self) -> Moves:
        return self._panes[self._pane]

    # --- what is shown

    def draw(self) -> None:
        """What is known; the script is read again now and then."""
        if self.told.now - self._asked_at >= AGAIN_MS and not self._doing:
            self._ask()
        self._show()

    def situation(self, now: int) -> Situation:
        if self._sheet is None:
            return Situation(now)
        return Situation(now, script=self._sheet.row, differs=bool(self._sheet.difference))

    def _show(self) -> None:
        self.head.show(self._sheet, self._doing or self._trouble)
        sheet = self._sheet
        if sheet is None:
            return
        self.program.entitle(self._titled(0, self._program_title()), self._program_note())
        self.program.show(self._lines[self._face], sheet.script.holes)
        proven = "no gate was tried yet: v puts it through all of them"
        passed = sum(trial.passed for row in sheet.matrix for trial in row.trials.values())
        every = [trial for row in sheet.matrix for trial in row.trials.values()]
        tried = sum(not trial.unproven for trial in every)
        unseen = len(every) - tried
        note = f"{passed} of {tried} passed" if every else ""
        self.matrix.entitle(
            self._titled(1, "evidence"), f"{note}, {unseen} not recorded" if unseen else note
        )
        self.matrix.show(sheet.matrix, proven)
        self._show_facts()

    def _titled(self, pane: int, title: str) -> str:
        is_one_of_many = self.size.width >= WIDE and pane == self._pane
        return f"▸ {title}" if is_one_of_many else title

    def _program_title(self) -> str:
        if self._face == "difference":
            return "against what was approved last"
        return "whole source" if self._face == "whole" else "program"

    def _program_note(self) -> str:
        if self._sheet is None or self._face == "difference":
            return "esc back to the program"
        lines = [line for line in self._lines["whole"] if isinstance(line, CodeLine)]
        shown = [line for line in self._lines[self._face] if isinstance(line, CodeLine)]
        if not shown or self._face == "whole":
            return f"{len(lines)} lines"
        return f"lines {shown[0].number} to {shown[-1].number} of {len(lines)} · f shows all"

    def _show_facts(self) -> None:
        sheet = self._sheet
        if sheet is None:
            return
        holes = {hole.name: hole for hole in sheet.script.holes}
        here = tuple(holes[name] for name in self.program.holes)
        minute = self.told.now // text.MINUTE
        look = Look(sheet, here, self.program.chosen, self._hidden, minute, self.settings.tz)
        fleet = self.told.fleet
        for paper in (self.facts, self._beneath):
            paper.tell(
                look,
                lambda width, palette: fact_lines(look, fleet, width, palette),
            )
        self.facts.entitle(self._titled(2, "facts"))
        self._beneath.entitle("the value here", "tab: evidence, facts")

    # --- asking the engine

    def _ask(self) -> None:
        self._asked_at = self.told.now
        self.run_worker(self._fetch(), exclusive=True, group="script")

    async def _fetch(self) -> None:
        try:
            self._come(await scripts.sheet(self.cockpit.remote, self.script_name))
        except Exception as error:  # the engine's refusal is for the operator to read
            self._trouble = text.safe(str(error))
            self._shown_again()

    def _come(self, sheet: Sheet) -> None:
        if self._sheet is None or self._sheet.script != sheet.script:
            self._read(sheet)
        self._sheet, self._trouble = sheet, ""
        self._lines["difference"] = list(diff.lines(code.shown(sheet.difference)))
        if self._face == "difference" and not sheet.difference:
            self._face = "body"
        self._shown_again()

    def _read(self, sheet: Sheet) -> None:
        script = sheet.script
        whole = code.code_lines(script.source, script.holes)
        first, last = script.body if script.body != (0, 0) else (1, len(whole))
        self._lines["whole"] = list(whole)
        self._lines["body"] = [line for line in whole if first <= line.number <= last] or list(
            whole
        )
        self._hidden = sum(line.hides for line in whole)

    def _shown_again(self) -> None:
        if not self.is_gone:
            self._show()
            self.show_last_line(self.cockpit.banner)

    # --- what the operator does

    def action_back(self) -> None:
        """Out of another face of the program, then out of the review."""
        if self._face == "body":
            self.dismiss()
        else:
            self.action_face(self._face)

    def action_face(self, face: Face) -> None:
        """Another face of the program, or the body again."""
        if self._sheet is None:
            return
        number = self._number()
        self._face = "body" if self._face == face else face
        self._turn_to(0)
        lines = self._lines[self._face]
        place = next((y for y, line in enumerate(lines) if line.number == number), 0)
        self._show()
        self.program.go_to(place)

    def _number(self) -> int:
        lines = self._lines[self._face]
        return lines[self.program.cursor].number if self.program.cursor < len(lines) else 0

    def action_pane(self, steps: int) -> None:
        self._turn_to((self._pane + steps) % 3)
        self._show()

    def _turn_to(self, pane: int) -> None:
        self._pane = pane
        self._lay_out()
        self._panes[pane].focus()

    def action_hole(self, steps: int) -> None:
        """To the next value that differs between runs."""
        if self._face == "difference":
            self.action_face("difference")
        if self._pane:
            self.action_pane(-self._pane)
        if not self.program.step(steps):
            self.cockpit.say(f"no value {'further on' if steps > 0 else 'before'} in what is shown")

    def action_approve(self) -> None:
        """Yes to what is on the screen, after a question that says what it means."""
        from cockpit.ui.screens.ask import AskScreen

        sheet = self._sheet
        if sheet is not None:
            self.app.push_screen(
                AskScreen(question(sheet, self._hidden)),
                lambda yes: self._decide("approve", sheet.row.content) if yes else None,
            )

    def action_shadow(self) -> None:
        if self._sheet is not None:
            self._decide("shadow", self._sheet.row.content)

    def action_refuse(self) -> None:
        """No, with a reason: it is kept beside the script."""
        from cockpit.ui.screens.line import LineScreen

        about = f"why is {text.safe(self.script_name, 40)} not to be?"
        screen = LineScreen("refuse", about, "", reason_told, "it should also look at the archive")
        self.app.push_screen(screen, self._refused)

    def _refused(self, given: list[str] | None) -> None:
        if given and given[0]:
            self._decide("refuse", given[0])

    def _decide(self, word: scripts.Word, said: str) -> None:
        call = scripts.decide(self.cockpit.remote, self.script_name, word, said)
        self.cockpit.request(call, self._decided, f"not {_DONE[word]}")

    def _decided(self, row: ShelfRow) -> None:
        self.cockpit.say(f"{text.safe(row.name, 40)} is {row.stage}: {stages.MEANS[row.stage]}")
        if not self.is_gone:
            self._ask()

    def action_verify(self) -> None:
        if self._sheet is not None and not self._doing:
            self._prove("")

    def action_edit(self) -> None:
        """A copy in the editor; of what is approved it is said first that the yes will be gone."""
        from cockpit.ui.screens.ask import AskScreen

        sheet = self._sheet
        if sheet is None or self._doing:
            return
        if not stages.is_approved(sheet):
            self._edit(sheet)
            return
        self.app.push_screen(
            AskScreen(
                "edit what is approved?\nWith the first character you change, the approval is gone:"
                " the agent does the task until you have approved the edit."
            ),
            lambda yes: self._edit(sheet) if yes else None,
        )

    def _edit(self, sheet: Sheet) -> None:
        from cockpit.ui.editing import EditError, edited

        try:
            source = edited(self.app, sheet.script.source, "script.py")
        except EditError as error:
            self.cockpit.say(f"not edited: {error}", "warning")
            return
        if source == sheet.script.source:
            self.cockpit.say("nothing was changed")
            return
        self.cockpit.say("your edit has another hash: no approval holds for it; the gates judge it")
        self._prove(source)

    def _prove(self, source: str) -> None:
        self._doing = "▷ at the gates…"
        self._shown_again()
        self.run_worker(self._proven(source), group="verify")

    async def _proven(self, source: str) -> None:
        try:
            sheet = await scripts.verify(self.cockpit.remote, self.script_name, source)
        except Exception as error:  # the engine's refusal is for the operator to read
            self.cockpit.say(f"not proven: {error}", "error")
        else:
            self._come(sheet)
        finally:
            self._doing = ""
        self._shown_again()

    # --- what the widgets tell

    def on_program_moved(self) -> None:
        for paper in (self.facts, self._beneath):
            paper.top = 0
        self._show_facts()


_DONE = {"approve": "approved", "shadow": "in shadow", "refuse": "refused", "retire": "retired"}


def reason_told(_typed: str) -> str:
    return "enter refuses · the task stays the agent's · esc leaves"


def question(sheet: Sheet, hidden: int) -> str:
    """What a yes means, for exactly this content."""
    row = sheet.row
    name, content = text.safe(row.name, 40), text.safe(row.content)[:12]
    left = max(0, row.agreements - row.agreeing)
    then = (
        f"first {left} times beside the agent, then in its place"
        if left
        else "in the agent's place"
    )
    said = [
        f"approve {name} ({content})?",
        f"It runs {then}, with nobody looking.",
        f"It may touch: {may_words(sheet.script.capabilities)}.",
        "Any later change, by one character, takes this yes away.",
    ]
    if hidden:
        said.insert(1, "IT HOLDS CHARACTERS THAT YOU CANNOT SEE.")
    if not row.sandbox:
        said.append("No sandbox holds it on this machine: it asks you before each run.")
    return "\n".join(said)
