"""Tasks that repeat over all agents' runs: what they cost, which a script could do, and which it may not."""

import asyncio
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from cockpit.core.script import Refusal, Task
from cockpit.core.shelf import Built, ShelfRow
from cockpit.ui import naming, scripts, text
from cockpit.ui.commands import Where, bindings
from cockpit.ui.refusals import words_of
from cockpit.ui.screens.live import LiveScreen, Moves
from cockpit.ui.settings import ScreenSettings
from cockpit.ui.situation import Situation
from cockpit.ui.widgets.header import Header
from cockpit.ui.widgets.listed import table_height
from cockpit.ui.widgets.paper import Paper
from cockpit.ui.widgets.task_detail import Look, task_lines
from cockpit.ui.widgets.task_table import Known, TaskTable

AGAIN_MS = 60_000
"""Tasks change when runs end: they are asked for again so often."""
LOOKING = (
    "looking for what your agents do again and again…",
    "Every run's story is compared with every other; the first time this takes some seconds.",
)
NOTHING = (
    "no task repeats yet",
    "A task shows up here once it has run twice, by whichever agent, and a script can learn it from three runs.",
    "cockpit run -- COMMAND keeps whole outputs of its runs: they teach most.",
)


class TasksScreen(LiveScreen):
    """Header, table, the task under the cursor, and the keys."""

    where: ClassVar[Where] = "tasks"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("tasks")]
    CSS = """
    TasksScreen { layout: vertical; }
    TasksScreen Paper { height: 1fr; }
    """

    def __init__(self, settings: ScreenSettings) -> None:
        super().__init__(settings)
        self.totals = Header(settings.tz)
        self.table = TaskTable(settings.tz, id="tasks")
        self.detail = Paper(id="task")
        self.building: frozenset[str] = frozenset()
        self._tasks: list[Task] | None = None
        self._scripts: dict[str, ShelfRow] = {}
        self._refused: dict[str, Refusal] = {}
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
        """What was decided on another screen shows here at once."""
        if self._tasks is not None:
            self._ask()

    def _lay_out(self) -> None:
        """The table as high as its rows want, the task under the cursor below it; or the task alone."""
        self.table.display = not self._is_open
        self.detail.display = True
        self.table.styles.height = table_height(len(self.table.rows), self.size.height)

    @property
    def moving(self) -> Moves:
        return self.detail if self._is_open else self.table

    # --- what is shown

    def draw(self) -> None:
        """What is known; the tasks are asked for again now and then."""
        self.totals.show(self.told.fleet, self.told.now, self.told.trouble)
        if self.told.now - self._asked_at >= AGAIN_MS:
            self._ask()
        self._show()

    def situation(self, now: int) -> Situation:
        known = self.table.under_cursor
        if known is None:
            return Situation(now)
        return Situation(now, task=known.task, script=known.script)

    def _show(self) -> None:
        rows = sorted(
            (Known(task, self._scripts.get(task.id)) for task in self._tasks or ()),
            key=lambda known: known.rank,
        )
        self.table.entitle("tasks that repeat", self._note())
        self.table.show(rows, self.told.now, self.building, self._says())
        self._lay_out()
        self._show_detail()

    def _says(self) -> list[str]:
        if self._tasks is None:
            return [self._trouble] if self._trouble else list(LOOKING)
        return list(NOTHING)

    def _note(self) -> str:
        if self._trouble and self._tasks is not None:
            return f"the engine did not say: {text.safe(self._trouble, 80)}"
        count = len(self._tasks or ())
        runs = sum(len(task.runs) for task in self._tasks or ())
        return f"{count:,} task{'s' if count != 1 else ''} in {runs:,} runs" if count else ""

    def _show_detail(self) -> None:
        known = self.table.under_cursor
        if known is None:
            self.detail.entitle("")
            self.detail.tell(None, lambda _width, _palette: [])
            return
        task = known.task
        look = Look(
            known,
            self.told.now // text.MINUTE,
            self.settings.tz,
            self._name_of,
            self._refused.get(task.id),
            task.id in self.building,
        )
        self.detail.entitle(text.safe(task.name, 100))
        self.detail.tell(look, lambda width, palette: task_lines(look, width, palette))

    def _name_of(self, run: str) -> str:
        return naming.run_name(run, self.told.fleet, self.told.now, self.settings.tz)

    # --- asking the engine

    def _ask(self) -> None:
        """Ask, or once more when the answer to the question under way has come."""
        self._asked_at = self.told.now
        self._is_stale = self._is_asking
        if not self._is_asking:
            self._is_asking = True
            self.run_worker(self._fetch(), group="tasks")

    async def _fetch(self) -> None:
        remote = self.cockpit.remote
        try:
            found, shelf = await asyncio.gather(scripts.tasks(remote), scripts.scripts(remote))
        except Exception as error:  # the engine's refusal is for the operator to read
            self._trouble = text.safe(str(error))
        else:
            self._trouble, self._tasks = "", found
            self._scripts = {row.task: row for row in shelf}
        self._is_asking = False
        self._shown_again()
        if self._is_stale and not self.is_gone:
            self._ask()

    def _shown_again(self) -> None:
        if not self.is_gone:
            self._show()
            self.show_last_line(self.cockpit.banner)

    # --- what the operator does

    def action_back(self) -> None:
        """Out of the task, then out of the screen."""
        if self._is_open:
            self._open(is_open=False)
        else:
            self.dismiss()

    def action_open(self) -> None:
        """The script of the task, or all about the task."""
        known = self.table.under_cursor
        if known is None:
            return
        if known.script is not None:
            self.cockpit.open_script(known.script.name)
        else:
            self._open(is_open=not self._is_open)

    def _open(self, *, is_open: bool) -> None:
        self._is_open = is_open
        self.detail.top = 0
        self._lay_out()
        (self.detail if is_open else self.table).focus()

    def action_shelf(self) -> None:
        self.cockpit.open_shelf()

    def action_build(self) -> None:
        """Have a script made of the task under the cursor; the screen goes on meanwhile."""
        known = self.table.under_cursor
        if known is None or known.task.id in self.building:
            return
        task = known.task
        self._refused.pop(task.id, None)
        self.building |= {task.id}
        self._shown_again()
        self.run_worker(self._build(task), group="build")

    async def _build(self, task: Task) -> None:
        try:
            built = await scripts.build(self.cockpit.remote, task.id)
        except Exception as error:  # the engine's refusal is for the operator to read
            self.cockpit.say(f"not built: {error}", "error")
        else:
            self._built(task, built)
        finally:
            self.building -= {task.id}
        self._shown_again()

    def _built(self, task: Task, built: Built) -> None:
        name = text.safe(task.name, 40)
        if built.refusal is not None:
            self._refused[task.id] = built.refusal
            why = words_of(built.refusal).short
            self.cockpit.say(
                f"{name}: no script, {text.safe(built.refusal.code, 4)} {why}", "warning"
            )
            return
        self.cockpit.say(f"{name}: there is a script now; enter opens it")
        self._ask()

    def on_chosen(self) -> None:
        self.detail.top = 0
        self._show_detail()
        self.show_last_line(self.cockpit.banner)

    def on_opened(self) -> None:
        self.action_open()

    def on_task_table_turned(self) -> None:
        self.action_shelf()
