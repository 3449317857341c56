"""The shelf of scripts: what they do when, how it ended, what it saved, and what needs the operator."""

from typing import ClassVar

from msgspec.structs import replace
from textual.app import ComposeResult
from textual.binding import BindingType

from cockpit.core.shelf import Schedule, ScriptRun, Sheet, ShelfRow
from cockpit.ui import rhythm, scripts, stages, text
from cockpit.ui.commands import Where, bindings
from cockpit.ui.screens.live import LiveScreen, Moves
from cockpit.ui.settings import ScreenSettings
from cockpit.ui.situation import Situation
from cockpit.ui.widgets.header import Header
from cockpit.ui.widgets.listed import table_height
from cockpit.ui.widgets.paper import Paper
from cockpit.ui.widgets.script_detail import Look, script_lines
from cockpit.ui.widgets.script_table import ScriptTable

AGAIN_MS = 5_000
LOOKING = ("reading the shelf…",)
NOTHING = (
    "the shelf is empty",
    "A script comes here from a task that repeats: tab goes to the tasks, b builds a script from a candidate.",
    "It acts only after you have read it and said yes, and after it has agreed with the agent three times.",
)


class ShelfScreen(LiveScreen):
    """Header, table, the script under the cursor, and the keys."""

    where: ClassVar[Where] = "shelf"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("shelf")]
    CSS = """
    ShelfScreen { layout: vertical; }
    ShelfScreen Paper { height: 1fr; }
    """

    def __init__(self, settings: ScreenSettings) -> None:
        super().__init__(settings)
        self.totals = Header(settings.tz)
        self.table = ScriptTable(settings.tz, id="shelf")
        self.detail = Paper(id="script")
        self._rows: list[ShelfRow] | None = None
        self._sheets: dict[str, Sheet] = {}
        self._at_work: set[str] = set()
        self._is_open = False
        self._is_asking = self._is_stale = False
        self._asked_at = 0
        self._trouble = ""

    def compose(self) -> ComposeResult:
        yield from (self.totals, self.table, self.detail, self.last_line)

    def on_mount(self) -> None:
        self._lay_out()
        self.table.focus()
        self.show(self.cockpit.told())

    def on_resize(self) -> None:
        self._lay_out()

    def on_screen_resume(self) -> None:
        """What was decided in a review shows here at once."""
        if self._rows is not None:
            self._ask()

    def _lay_out(self) -> None:
        """The table as high as its rows want, the script under the cursor below it; or the script alone."""
        self.table.display = not self._is_open
        self.detail.display = True
        self.table.styles.height = table_height(len(self.table.rows), self.size.height)

    @property
    def moving(self) -> Moves:
        return self.detail if self._is_open else self.table

    # --- what is shown

    def draw(self) -> None:
        """What is known; the shelf is read again now and then."""
        self.totals.show(self.told.fleet, self.told.now, self.told.trouble)
        if self.told.now - self._asked_at >= AGAIN_MS:
            self._ask()
        self._show()

    def situation(self, now: int) -> Situation:
        return Situation(now, script=self.table.under_cursor)

    def _show(self) -> None:
        self.table.entitle("shelf of scripts", self._note())
        self.table.show(self._rows or [], self.told.now, self._says())
        self._lay_out()
        self._show_detail()

    def _says(self) -> list[str]:
        if self._rows is None:
            return [self._trouble] if self._trouble else list(LOOKING)
        return list(NOTHING)

    def _note(self) -> str:
        if self._trouble and self._rows is not None:
            return f"the engine did not say: {text.safe(self._trouble, 80)}"
        count = len(self._rows or ())
        return f"{count} script{'s' if count != 1 else ''}" if count else ""

    def _show_detail(self) -> None:
        row = self.table.under_cursor
        if row is None:
            self.detail.entitle("")
            self.detail.tell(None, lambda _width, _palette: [])
            return
        sheet = self._sheets.get(row.name)
        minute = self.told.now // text.MINUTE
        look = Look(row, minute, self.settings.tz, sheet, row.name in self._at_work)
        self.detail.entitle(text.safe(row.name, 100), text.safe(row.content)[:12])
        self.detail.tell(look, lambda width, palette: script_lines(look, width, palette))

    # --- asking the engine

    def _ask(self) -> None:
        """Ask, or once more when the answer to the question under way has come."""
        self._asked_at = self.told.now
        self._is_stale = self._is_asking
        if not self._is_asking:
            self._is_asking = True
            self.run_worker(self._fetch(), group="shelf")

    async def _fetch(self) -> None:
        try:
            self._rows = await scripts.scripts(self.cockpit.remote)
            self._trouble = ""
        except Exception as error:  # the engine's refusal is for the operator to read
            self._trouble = text.safe(str(error))
        self._is_asking = False
        self._shown_again()
        if not self.is_gone:
            self._ask_sheet()
            if self._is_stale:
                self._ask()

    def _ask_sheet(self) -> None:
        """Of the script under the cursor, when the cursor has come to rest on it."""
        self.run_worker(self._fetch_sheet, exclusive=True, group="sheet")  # type: ignore[arg-type]

    async def _fetch_sheet(self) -> None:
        row = self.table.under_cursor
        if row is None:
            return
        try:
            self._sheets[row.name] = await scripts.sheet(self.cockpit.remote, row.name)
        except Exception as error:  # the engine's refusal is for the operator to read
            self._trouble = text.safe(str(error))
        self._shown_again()

    def _shown_again(self) -> None:
        if not self.is_gone:
            self._show()
            self.show_last_line(self.cockpit.banner)

    # --- what the operator does

    def action_back(self) -> None:
        """Out of the sheet, then back to the tasks."""
        if self._is_open:
            self._open(is_open=False)
        else:
            self.dismiss()

    def action_open(self) -> None:
        row = self.table.under_cursor
        if row is not None:
            self.cockpit.open_script(row.name)

    def action_sheet(self) -> None:
        """All about the script, in place of the table, or back."""
        if self.table.under_cursor is not None:
            self._open(is_open=not self._is_open)

    def _open(self, *, is_open: bool) -> None:
        self._is_open = is_open
        self.detail.top = 0
        self._lay_out()
        (self.detail if is_open else self.table).focus()

    def action_run(self, dry: bool) -> None:
        """Run the script under the cursor: at once without effect, else after a yes."""
        from cockpit.ui.screens.ask import AskScreen

        row = self.table.under_cursor
        if row is None:
            return
        if dry and row.sandbox:
            self._start(row, dry=True, yes=False)
            return
        name = text.safe(row.name, 40)
        held = (
            ""
            if row.sandbox
            else "\nNo sandbox holds it on this machine: it can touch what you can."
        )
        question = f"run {name} {'without effect' if dry else 'now, as its schedule would'}?{held}"
        self.app.push_screen(
            AskScreen(question), lambda yes: self._start(row, dry=dry, yes=True) if yes else None
        )

    def _start(self, row: ShelfRow, *, dry: bool, yes: bool) -> None:
        self._at_work.add(row.name)
        self._shown_again()
        self.run_worker(self._run(row.name, dry=dry, yes=yes), group="run")

    async def _run(self, name: str, *, dry: bool, yes: bool) -> None:
        said = text.safe(name, 40)
        try:
            run = await scripts.run(self.cockpit.remote, name, dry=dry, yes=yes)
        except Exception as error:  # the engine's refusal is for the operator to read
            self.cockpit.say(f"{said} did not run: {error}", "error")
        else:
            self._ran(said, run, dry=dry)
        finally:
            self._at_work.discard(name)
        if not self.is_gone:
            self._ask()

    def _ran(self, name: str, run: ScriptRun, *, dry: bool) -> None:
        how = "without effect" if dry else "for real"
        wrote = ", ".join(text.safe(output.path, 60) for output in run.outputs[:3])
        would = f": {'would write' if dry else 'wrote'} {wrote}" if wrote else ""
        why = f": {text.safe(run.reason)}" if run.reason and not stages.is_well(run) else ""
        level = "information" if stages.is_well(run) else "warning"
        self.cockpit.say(f"{name} ran {how}, {stages.ended(run)}{why or would}", level)  # type: ignore[arg-type]

    def action_schedule(self) -> None:
        """When it runs by itself, as a cron line; what it means is said while one types."""
        from cockpit.ui.screens.line import LineScreen

        row = self.table.under_cursor
        if row is None:
            return
        about = (
            f"when does {text.safe(row.name, 40)} run by itself?\n"
            "Nobody looks on then: it must have agreed with the agent five times."
        )
        cron = row.schedule.cron if row.schedule is not None else row.proposed
        screen = LineScreen("schedule", about, text.safe(cron, 60), cron_told, "30 6 * * 1-5")
        self.app.push_screen(screen, lambda given: self._scheduled(row, given))

    def _scheduled(self, row: ShelfRow, given: list[str] | None) -> None:
        if not given:
            return
        cron = "" if given[0] == "none" else given[0]
        wanted = replace(row.schedule or Schedule(cron=cron), cron=cron) if cron else None
        self._request(scripts.schedule(self.cockpit.remote, row.name, wanted), "not scheduled")

    def action_retire(self) -> None:
        """Give the task back to the agent, after a yes."""
        from cockpit.ui.screens.ask import AskScreen

        row = self.table.under_cursor
        if row is None:
            return
        name = text.safe(row.name, 40)
        self.app.push_screen(
            AskScreen(f"retire {name}? The agent does its task again, from now on."),
            lambda yes: self._retire(row) if yes else None,
        )

    def _retire(self, row: ShelfRow) -> None:
        said = "retired by the operator"
        self._request(scripts.decide(self.cockpit.remote, row.name, "retire", said), "not retired")

    def _request(self, call, refused: str) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        self.cockpit.request(call, lambda _: self._ask(), refused)

    def on_chosen(self) -> None:
        self.detail.top = 0
        self._show_detail()
        self.show_last_line(self.cockpit.banner)
        if self._rows is not None:
            self._ask_sheet()

    def on_opened(self) -> None:
        self.action_open()

    def on_script_table_turned(self) -> None:
        self.action_back()


def cron_told(typed: str) -> str:
    """What a cron line means, while it is typed."""
    line = text.safe(typed, 60)
    if not line or line == "none":
        return "none: it has no schedule · enter keeps it · esc leaves"
    words = rhythm.in_words(line)
    if len(line.split()) != 5:
        return "minute hour day month weekday, as in 30 6 * * 1-5 · none takes it away"
    return (
        f"{words} · enter keeps it · esc leaves" if words != line else "enter keeps it · esc leaves"
    )
