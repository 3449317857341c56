"""What the tasks and the shelf have in common: a table above a page about one of its rows, asked for now and then."""

from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from textual.app import ComposeResult

from cockpit.ui import text
from cockpit.ui.screens.live import LiveScreen, Moves
from cockpit.ui.settings import ScreenSettings
from cockpit.ui.widgets.header import Header
from cockpit.ui.widgets.listed import table_height
from cockpit.ui.widgets.paper import Paper
from cockpit.ui.widgets.tabs import Tabbed

_Row = TypeVar("_Row")


class CatalogueScreen(LiveScreen, Generic[_Row]):
    """Header, table, page and keys; the page stands below the table, or alone when it is opened.

    Subclasses implement `fetch`, `count`, `describe`, `situation` and `action_open`.
    """

    CSS = "Paper { height: 1fr; }"
    heading: ClassVar[str]
    again_ms: ClassVar[int]
    """The rows are asked for again so often."""
    looking: ClassVar[Sequence[str]]
    """What stands there before the first answer."""
    nothing: ClassVar[Sequence[str]]
    """What stands there when the answer was: none."""

    def __init__(self, settings: ScreenSettings, table: Tabbed[_Row], page: Paper) -> None:
        super().__init__(settings)
        self.totals = Header(settings.tz)
        self.table = table
        self.page = page
        self.rows: list[_Row] | None = None
        self._is_open = False
        self._is_asking = self._is_stale = False
        self._asked_at = 0
        self._trouble = ""

    async def fetch(self) -> list[_Row]:
        """All rows, in the order in which they stand; what is raised is told to the operator."""
        raise NotImplementedError

    def count(self, rows: Sequence[_Row]) -> str:
        """How many there are, in words."""
        raise NotImplementedError

    def describe(self, row: _Row) -> None:
        """Tell of the row under the cursor on the page."""
        raise NotImplementedError

    def look_closer(self) -> None:
        """The cursor came to another row, or the rows came anew."""

    def compose(self) -> ComposeResult:
        yield from (self.totals, self.table, self.page, self.last_line)

    def on_mount(self) -> None:
        self._lay_out()
        self.table.focus()
        self.show(self.cockpit.told())

    def on_resize(self) -> None:
        self._lay_out()

    def on_screen_resume(self) -> None:
        """What was decided on another screen shows here at once."""
        if self.rows is not None:
            self._ask()

    def _lay_out(self) -> None:
        """The table as high as its rows want."""
        self.table.display = not self._is_open
        self.table.styles.height = table_height(len(self.table.rows), self.size.height)

    @property
    def moving(self) -> Moves:
        return self.page if self._is_open else self.table

    # --- what is shown

    def draw(self) -> None:
        """What is known; the engine is asked again now and then."""
        self.totals.show(self.told.fleet, self.told.now, self.told.trouble)
        if self.told.now - self._asked_at >= self.again_ms:
            self._ask()
        self._show()

    def _show(self) -> None:
        self.table.entitle(self.heading, self._note())
        self.table.show(self.rows or [], self.told.now, self._says())
        self._lay_out()
        self._show_page()

    def _says(self) -> Sequence[str]:
        if self.rows is None:
            return [self._trouble] if self._trouble else self.looking
        return self.nothing

    def _note(self) -> str:
        if self._trouble and self.rows is not None:
            return f"the engine did not say: {text.safe(self._trouble, 80)}"
        return self.count(self.rows) if self.rows else ""

    def _show_page(self) -> None:
        row = self.table.under_cursor
        if row is not None:
            self.describe(row)
            return
        self.page.entitle("")
        self.page.tell(None, lambda _width, _palette: [])

    def shown_again(self) -> None:
        """Something that is not in the snapshots has changed."""
        if not self.is_gone:
            self._show()
            self.show_last_line(self.cockpit.banner)

    # --- asking the engine

    def _ask(self) -> None:
        """Ask, or once more when the answer to the question under way has come."""
        self._asked_at = self.told.now
        self._is_stale = self._is_asking
        if not self._is_asking:
            self._is_asking = True
            self.run_worker(self._fetch(), group="rows")

    async def _fetch(self) -> None:
        try:
            self.rows = await self.fetch()
            self._trouble = ""
        except Exception as error:  # the engine's refusal is for the operator to read
            self._trouble = text.safe(str(error))
        self._is_asking = False
        self.shown_again()
        if self.is_gone:
            return
        self.look_closer()
        if self._is_stale:
            self._ask()

    # --- what the operator does

    def action_open(self) -> None:
        """Into the row under the cursor."""
        raise NotImplementedError

    def action_back(self) -> None:
        """Out of the page, then out of the screen."""
        if self._is_open:
            self.open_page(is_open=False)
        else:
            self.dismiss()

    def open_page(self, *, is_open: bool) -> None:
        """The page in place of the table, or below it."""
        self._is_open = is_open
        self.page.top = 0
        self._lay_out()
        (self.page if is_open else self.table).focus()

    def on_chosen(self) -> None:
        self.page.top = 0
        self._show_page()
        self.show_last_line(self.cockpit.banner)
        self.look_closer()

    def on_opened(self) -> None:
        self.action_open()
