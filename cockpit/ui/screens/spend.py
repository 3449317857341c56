"""What was spent, by whom, on what and when; drilled down as far as a run."""

import asyncio
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from cockpit.core.fleet import Fleet, Run
from cockpit.core.spending import SpentReport
from cockpit.ui import text
from cockpit.ui.commands import Where, bindings
from cockpit.ui.periods import Part, begin, today, zone_name
from cockpit.ui.screens.live import LiveScreen
from cockpit.ui.settings import ScreenSettings
from cockpit.ui.situation import Situation
from cockpit.ui.widgets.days import MANY, DayPlot, Days, days_of
from cockpit.ui.widgets.header import Header
from cockpit.ui.widgets.spend_table import SpendTable

AGAIN_MS = 5_000
"""The books are read again at most so often while money is being spent."""
LATEST_MS = 60_000
LOW, TALL = 20, 34
INTO = "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"


class SpendScreen(LiveScreen):
    """Header, day plot, table and footer."""

    where: ClassVar[Where] = "spend"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("spend")]
    CSS = """
    SpendScreen { layout: vertical; }
    SpendScreen SpendTable { height: 1fr; }
    """

    def __init__(self, settings: ScreenSettings) -> None:
        super().__init__(settings)
        self.totals = Header(settings.tz)
        self.plot = DayPlot(id="days")
        self.table = SpendTable(id="spend")
        self._parts = [Part()]
        self._cursors: list[str | None] = []
        self._report: SpentReport | None = None
        self._days: Days | None = None
        self._asked_at = 0
        self._spent: dict[int, int] = {}
        self._trouble = ""

    def compose(self) -> ComposeResult:
        yield from (self.totals, self.plot, self.table, self.last_line)

    def on_mount(self) -> None:
        self._lay_out()
        self.table.focus()
        self.cockpit.draw_soon()

    def on_resize(self) -> None:
        self._lay_out()

    def _lay_out(self) -> None:
        height = self.size.height
        self.plot.display = height >= LOW
        self.plot.styles.height = 9 if height >= TALL else 7

    @property
    def moving(self) -> SpendTable:
        return self.table

    @property
    def part(self) -> Part:
        """What is shown now."""
        return self._parts[-1]

    # --- what is shown

    def draw(self) -> None:
        """What is known; the books are read again when the fleet has spent more."""
        self.totals.show(self.told.fleet, self.told.now, self.told.trouble)
        self._read_again()
        self._show_books()

    @property
    def _fleet(self) -> Fleet:
        return self.told.fleet or Fleet()

    def situation(self, now: int) -> Situation:
        """A run that is still on the screen, when the cursor is on one."""
        return self.meant(now, self._run())

    def _run(self) -> Run | None:
        row = self.table.under_cursor
        return self._fleet.runs.get(row.key) if row and self.part.by == "run" else None

    def _show_books(self) -> None:
        self.plot.show(self._days)
        self.table.entitle(f" {INTO} ".join(["spend", *_names(self.part)]), self._note())
        self.table.show(self.part, self._report, self._fleet, self.told.now)

    def _note(self) -> str:
        if self._trouble:
            return f"the engine did not say: {text.safe(self._trouble, 80)}"
        count = len(self._report.rows) if self._report is not None else 0
        return f"{count:,} {self.part.by}{'s' if count != 1 else ''}" if count else ""

    # --- asking the engine

    def _read_again(self) -> None:
        age = self.told.now - self._asked_at
        is_news = self._fleet.spent != self._spent
        if age >= LATEST_MS or (is_news and age >= AGAIN_MS):
            self._ask()

    def _ask(self) -> None:
        self._asked_at, self._spent = self.told.now, self._fleet.spent
        self.run_worker(self._fetch(self.part, self.told.now), exclusive=True)

    async def _fetch(self, part: Part, now: int) -> None:
        remote, tz = self.cockpit.remote, self.cockpit.settings.tz
        name, (since, until) = zone_name(tz), part.bounds(now, tz)
        try:
            report, days = await asyncio.gather(
                remote.spend(part.by, since, until, name, part.only),
                remote.spend("day", begin(MANY, now, tz), None, name, part.only),
            )
        except Exception as error:  # the engine's refusal is for the operator to read
            self._trouble = str(error)
        else:
            self._trouble, self._report = "", report
            self._days = days_of(days, today(now, tz), part)
        if not self.is_gone:
            self._show_books()
            self.show_last_line(self.cockpit.banner)

    def _turn_to(self, part: Part) -> None:
        """Show another part in place of this one."""
        if part != self.part:
            self._parts[-1] = part
            self._begin()

    def _begin(self) -> None:
        self._report = None
        self._show_books()
        self._ask()

    # --- what the operator does

    def action_back(self) -> None:
        """Out of what was drilled into, then out of the screen."""
        if len(self._parts) == 1:
            self.dismiss()
            return
        self._parts.pop()
        self.table.cursor = self._cursors.pop()
        self._begin()

    def action_group(self, steps: int) -> None:
        self._turn_to(self.part.grouped(steps))

    def action_period(self, steps: int) -> None:
        self._turn_to(self.part.over(steps))

    def action_drill(self) -> None:
        """Into the group under the cursor; a run opens."""
        row = self.table.under_cursor
        if row is None:
            return
        if self.part.by == "run":
            self._open(row.key)
            return
        within = self.part.within(row.key)
        if within is None:
            self.cockpit.say("a call's cost is shared by its tools: there is nothing below")
            return
        self._parts.append(within)
        self._cursors.append(row.key)
        self._begin()

    def _open(self, run: str) -> None:
        if run in self._fleet.runs:
            self.cockpit.open_run(run)
        else:
            self.cockpit.say("this run has left the screen; its books are all that is kept here")

    def on_chosen(self) -> None:
        self.show_last_line(self.cockpit.banner)

    def on_opened(self) -> None:
        self.action_drill()

    def on_spend_table_asked(self, message: SpendTable.Asked) -> None:
        self._turn_to(message.part)


def _names(part: Part) -> list[str]:
    """What was drilled into, in order."""
    return [text.safe(only.key, 40) for only in part.only] + ([part.day] if part.day else [])
