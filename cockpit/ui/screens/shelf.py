"""The shelf of scripts: what they do when, how it ended, what it saved, and what needs the operator."""

from collections.abc import Sequence
from typing import ClassVar

from msgspec.structs import replace
from textual.binding import BindingType

from cockpit.core.shelf import Given, Schedule, ScriptRun, Sheet, ShelfRow
from cockpit.ui import inputs, rhythm, scripts, stages, text
from cockpit.ui.commands import Where, bindings
from cockpit.ui.screens.catalogue import CatalogueScreen
from cockpit.ui.settings import ScreenSettings
from cockpit.ui.situation import Situation
from cockpit.ui.widgets.paper import Paper
from cockpit.ui.widgets.script_detail import Look, script_lines
from cockpit.ui.widgets.script_table import ScriptTable


class ShelfScreen(CatalogueScreen[ShelfRow]):
    """Scripts, what needs a person first, and all about the one under the cursor."""

    where: ClassVar[Where] = "shelf"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("shelf")]
    heading = "shelf of scripts"
    again_ms = 5_000
    looking = ("reading the shelf…",)
    nothing = (
        "the shelf is empty",
        "A script comes here from a task that repeats: tab goes to the tasks, b builds a script from a candidate.",
        "It acts only after you have read it and said yes, and after it has agreed with the agent three times.",
    )

    def __init__(self, settings: ScreenSettings) -> None:
        super().__init__(settings, ScriptTable(settings.tz), Paper(id="script"))
        self._sheets: dict[str, Sheet] = {}
        self._at_work: set[str] = set()

    # --- what is shown

    def situation(self, now: int) -> Situation:
        return Situation(now, script=self.table.under_cursor)

    def count(self, rows: Sequence[ShelfRow]) -> str:
        return f"{len(rows)} script{'s' if len(rows) != 1 else ''}"

    def describe(self, row: ShelfRow) -> None:
        sheet = self._sheets.get(row.name)
        minute = self.told.now // text.MINUTE
        look = Look(row, minute, self.settings.tz, sheet, row.name in self._at_work)
        self.page.entitle(text.safe(row.name, 100), text.safe(row.content)[:12])
        self.page.tell(look, lambda width, palette: script_lines(look, width, palette))

    # --- asking the engine

    async def fetch(self) -> list[ShelfRow]:
        return sorted(await scripts.scripts(self.cockpit.remote), key=stages.rank)

    def look_closer(self) -> None:
        """The sheet is asked for, when the cursor has come to rest."""
        self.run_worker(self._fetch_sheet, exclusive=True, group="sheet")  # type: ignore[arg-type]

    async def _fetch_sheet(self) -> None:
        row = self.table.under_cursor
        if row is None:
            return
        try:
            self._sheets[row.name] = await scripts.sheet(self.cockpit.remote, row.name)
        except Exception as error:  # the engine's refusal is for the operator to read
            self._trouble = text.safe(str(error))
        self.shown_again()

    # --- what the operator does

    def action_open(self) -> None:
        row = self.table.under_cursor
        if row is not None:
            self.cockpit.open_script(row.name)

    def action_sheet(self) -> None:
        """All about the script, in place of the table, or back."""
        if self.table.under_cursor is not None:
            self.open_page(is_open=not self._is_open)

    def action_run(self, dry: bool) -> None:
        """Run the script under the cursor: at once without effect, else after a yes."""
        from cockpit.ui.screens.line import LineScreen

        row = self.table.under_cursor
        if row is None:
            return
        if not row.inputs:
            self._run_for(row, (), dry=dry)
            return
        screen = LineScreen("run", inputs.about(row, "run"), inputs.wanted(row), inputs.told(row))
        self.app.push_screen(screen, lambda said: self._told(row, said, dry=dry))

    def _told(self, row: ShelfRow, said: list[str] | None, *, dry: bool) -> None:
        if not said:
            return
        try:
            _, given = inputs.parted(said[0])
        except ValueError as error:
            self.cockpit.say(f"not run: {error}", "warning")
            return
        self._run_for(row, given[0] if given else (), dry=dry)

    def _run_for(self, row: ShelfRow, given: Given, *, dry: bool) -> None:
        from cockpit.ui.screens.ask import AskScreen

        if dry and row.sandbox:
            self._start(row, given, dry=True, yes=False)
            return
        name = text.safe(row.name, 40)
        held = (
            ""
            if row.sandbox
            else "\nNo sandbox holds it on this machine: it can touch what you can."
        )
        question = f"run {name} {'without effect' if dry else 'now, as its schedule would'}?{held}"
        self.app.push_screen(
            AskScreen(question),
            lambda yes: self._start(row, given, dry=dry, yes=True) if yes else None,
        )

    def _start(self, row: ShelfRow, given: Given, *, dry: bool, yes: bool) -> None:
        self._at_work.add(row.name)
        self.shown_again()
        self.run_worker(self._run(row.name, given, dry=dry, yes=yes), group="run")

    async def _run(self, name: str, given: Given, *, dry: bool, yes: bool) -> None:
        said = text.safe(name, 40)
        try:
            run = await scripts.run(self.cockpit.remote, name, dry=dry, yes=yes, given=given)
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
        given = row.schedule.given if row.schedule is not None else ()
        line = f"{text.safe(cron, 60)} {inputs.option_line(given) or inputs.wanted(row)}".strip()
        screen = LineScreen("schedule", about, line, cron_told, "30 6 * * 1-5")
        self.app.push_screen(screen, lambda given: self._scheduled(row, given))

    def _scheduled(self, row: ShelfRow, given: list[str] | None) -> None:
        if not given:
            return
        try:
            cron, values = inputs.parted(given[0])
        except ValueError as error:
            self.cockpit.say(f"not scheduled: {error}", "warning")
            return
        kept = row.schedule or Schedule(cron=cron)
        wanted = replace(kept, cron=cron, given=values) if cron not in ("", "none") else None
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

    def on_tabbed_turned(self) -> None:
        self.action_back()


def cron_told(typed: str) -> str:
    """What a cron line means, while it is typed."""
    line = text.safe(typed.partition(" --")[0], 60)
    if not line or line == "none":
        return "none: it has no schedule · enter keeps it · esc leaves"
    words = rhythm.in_words(line)
    if len(line.split()) != 5:
        return "minute hour day month weekday, as in 30 6 * * 1-5 · none takes it away"
    return (
        f"{words} · enter keeps it · esc leaves" if words != line else "enter keeps it · esc leaves"
    )
