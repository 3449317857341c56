"""The main screen: every run, the one in focus, what happened last."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Grid
from textual.widgets import Input

from cockpit.core.fleet import Run
from cockpit.ui import text
from cockpit.ui.commands import bindings
from cockpit.ui.screens.live import LiveScreen
from cockpit.ui.settings import ScreenSettings
from cockpit.ui.situation import Situation
from cockpit.ui.widgets.feed import Feed
from cockpit.ui.widgets.fleet_table import FleetTable
from cockpit.ui.widgets.focus import Focus
from cockpit.ui.widgets.header import Header

Pane = Literal["fleet", "focus", "events"]
PANES: tuple[Pane, ...] = ("fleet", "focus", "events")
NORMAL, WIDE = 100, 160
"""Widths from which the focus pane is shown, and from which the feed stands beside the table."""


class FleetScreen(LiveScreen):
    """Header, table, focus, feed and footer."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("fleet")]
    DEFAULT_CSS = """
    FleetScreen { layout: vertical; }
    FleetScreen #body { height: 1fr; grid-gutter: 0; }
    FleetScreen #body > * { height: 100%; }
    FleetScreen #filter { height: 1; border: none; padding: 0 1; background: $panel; }
    """

    def __init__(self, settings: ScreenSettings) -> None:
        super().__init__(settings)
        self.totals = Header(settings.tz)
        self.table = FleetTable(settings.sort, id="fleet")
        self.portrait = Focus(settings.tz, id="focus")
        self.feed = Feed(settings.tz, id="events")
        self.body = Grid(self.table, self.portrait, self.feed, id="body")
        self._panes: dict[Pane, bool] = {}
        self._laid_out: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        self._lay_out()  # before anything is measured: each layout in vain costs the start 5 ms
        yield from (self.totals, self.body, self.last_line)

    def on_mount(self) -> None:
        self.table.focus()

    def on_resize(self) -> None:
        self._lay_out()

    @property
    def moving(self) -> FleetTable:
        return self.table

    # --- what is shown

    def draw(self) -> None:
        fleet, now = self.told.fleet, self.told.now
        self.totals.show(fleet, now, self.told.trouble)
        if fleet is not None:
            self.table.show(fleet, now, self.told.asked)
            self.feed.show(fleet)
        self._show_focus()

    def _show_focus(self) -> None:
        app = self.cockpit
        self.portrait.show(self.table.under_cursor, self.told.now, app.face, animated=app.animated)
        self.table.entitle("fleet", self._summary())

    def _summary(self) -> str:
        if self.told.fleet is None:
            return ""
        runs = self.told.fleet.runs.values()
        total, table = len(runs), self.table
        parts = [f"{total} runs" if total != 1 else "1 run"]
        for authority in ("wire", "process", "signal", "view"):
            count = sum(run.authority == authority for run in runs)
            parts += [f"{count} {authority}"] if count else []
        parts += [f"by {table.sort}"] if table.sort != "attention" else []
        parts += [f"{len(table.marked)} marked"] if table.marked else []
        parts += [f"/{text.safe(table.filter, 40)} shows {len(table.rows)}"] if table.filter else []
        return " · ".join(parts)

    def situation(self, now: int) -> Situation:
        """What a command would act on: the marked runs, or the one under the cursor."""
        row = self.table.under_cursor
        run = row.run if row else None
        marked: tuple[Run, ...] = ()
        if self.told.fleet is not None:
            runs = self.told.fleet.runs
            marked = tuple(runs[id_] for id_ in sorted(self.table.marked) if id_ in runs)
        return self.meant(now, run, marked)

    # --- panes

    def _is_shown(self, pane: Pane) -> bool:
        return self._panes.get(pane, pane != "focus" or self.app.size.width >= NORMAL)

    def _lay_out(self) -> None:
        """Put the panes where the width allows: beside the table, or below it."""
        width, height = self.app.size
        laid_out = (width, height, *self._panes.items())
        if laid_out == self._laid_out:
            return
        self._laid_out = laid_out
        shown = [pane for pane in PANES if self._is_shown(pane)]
        beside = [
            pane
            for pane in shown
            if "fleet" in shown and (width >= WIDE or (pane == "focus" and width >= NORMAL))
            if pane != "fleet"
        ]
        below = [pane for pane in shown if pane not in beside and pane != "fleet"]
        body = self.body
        body.styles.grid_size_columns = 2 if beside else 1
        body.styles.grid_columns = f"1fr {64 if width >= WIDE else 36}" if beside else "1fr"
        rows = _heights(beside, height) if beside else ["1fr"] if "fleet" in shown else []
        rows += [_height(pane, height, alone="fleet" not in shown) for pane in below]
        body.styles.grid_rows = " ".join(rows) or "1fr"
        for pane, widget in zip(PANES, (self.table, self.portrait, self.feed), strict=True):
            widget.display = pane in shown
            widget.styles.row_span = len(beside) if pane == "fleet" and beside else 1
            widget.styles.column_span = 2 if beside and pane in below else 1
        self.table.narrow = width < NORMAL

    def action_pane(self, pane: Pane) -> None:
        shown = {other for other in PANES if self._is_shown(other)}
        if shown == {pane}:
            self.cockpit.say("the last pane stays")
            return
        self._panes[pane] = pane not in shown
        self._lay_out()

    # --- marks, sort

    def action_mark(self) -> None:
        self.table.mark()
        self._changed()

    def action_sort(self) -> None:
        self.table.sort_next()
        self._changed()

    async def action_clear(self) -> None:
        for line in self.query(Input):
            await self._close_filter(line)
        self.table.filter_by("")
        self.table.unmark()
        self._changed()

    def on_chosen(self) -> None:
        self._changed()

    def _changed(self) -> None:
        """The cursor, the marks or the order changed: what depends on them is drawn again."""
        self._show_focus()
        self.show_last_line(self.cockpit.banner)

    async def on_opened(self) -> None:
        await self.run_action("app.command('run.open')")

    def action_open(self) -> None:
        row = self.table.under_cursor
        if row is not None:
            self.cockpit.open_run(row.run.id)

    # --- filter

    async def action_filter(self) -> None:
        line = Input(
            self.table.filter,
            placeholder="filter: words, state:stuck, agent:claude, -done",
            id="filter",
            compact=True,
        )
        line.cursor_blink = False
        await self.mount(line, before=self.last_line)
        line.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        self.table.filter_by(event.value)
        self._changed()

    async def on_input_submitted(self, event: Input.Submitted) -> None:
        await self._close_filter(event.input)

    async def _close_filter(self, line: Input) -> None:
        await line.remove()
        self.table.focus()


def _heights(beside: Sequence[Pane], height: int) -> list[str]:
    """Row heights of the panes beside the table: the focus takes what it needs."""
    if len(beside) < 2:
        return ["1fr"]
    return ["32", "1fr"] if height >= 50 else ["2fr", "1fr"]


def _height(pane: Pane, height: int, *, alone: bool) -> str:
    if pane == "focus":
        return "1fr" if alone else "2fr"
    return "8" if height >= 36 else "5"
