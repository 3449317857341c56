"""Tasks that repeat over all agents' runs: what they cost, which a script could do, and which it may not."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from textual.binding import BindingType

from cockpit.core.script import Refusal, Task
from cockpit.core.shelf import Built
from cockpit.ui import naming, scripts, text
from cockpit.ui.commands import Where, bindings
from cockpit.ui.refusals import words_of
from cockpit.ui.screens.catalogue import CatalogueScreen
from cockpit.ui.settings import ScreenSettings
from cockpit.ui.situation import Situation
from cockpit.ui.widgets.paper import Paper
from cockpit.ui.widgets.task_detail import Look, task_lines
from cockpit.ui.widgets.task_table import Known, TaskTable


class TasksScreen(CatalogueScreen[Known]):
    """Tasks, what can be won first, and all about the one under the cursor."""

    where: ClassVar[Where] = "tasks"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("tasks")]
    heading = "tasks that repeat"
    again_ms = 60_000
    looking = (
        "looking for what your agents do again and again…",
        "Every run's story is compared with every other; the first time this takes some seconds.",
    )
    nothing = (
        "no task repeats yet",
        "A task shows up here once it has run twice, by whichever agent, and a script can learn it from three runs.",
        "cockpit run -- COMMAND keeps whole outputs of its runs: they teach most.",
    )
    table: TaskTable

    def __init__(self, settings: ScreenSettings) -> None:
        super().__init__(settings, TaskTable(settings.tz), Paper(id="task"))
        self._refused: dict[str, Refusal] = {}

    # --- what is shown

    def situation(self, now: int) -> Situation:
        known = self.table.under_cursor
        if known is None:
            return Situation(now)
        return Situation(now, task=known.task, script=known.script)

    def count(self, rows: Sequence[Known]) -> str:
        runs = sum(len(known.task.runs) for known in rows)
        return f"{len(rows):,} task{'s' if len(rows) != 1 else ''} in {runs:,} runs"

    def describe(self, row: Known) -> None:
        task = row.task
        look = Look(
            row,
            self.told.now // text.MINUTE,
            self.settings.tz,
            self._name_of,
            self._refused.get(task.id),
            task.id in self.table.building,
        )
        self.page.entitle(text.safe(task.name, 100))
        self.page.tell(look, lambda width, palette: task_lines(look, width, palette))

    def _name_of(self, run: str) -> str:
        return naming.run_name(run, self.told.fleet, self.told.now, self.settings.tz)

    async def fetch(self) -> list[Known]:
        remote = self.cockpit.remote
        tasks, shelf = await asyncio.gather(scripts.tasks(remote), scripts.scripts(remote))
        made = {row.task: row for row in shelf}
        known = [Known(task, made.get(task.id)) for task in tasks]
        return sorted(known, key=lambda known: known.rank)

    # --- what the operator does

    def action_open(self) -> None:
        """The script of the task, or all about the task."""
        known = self.table.under_cursor
        if known is None:
            return
        if known.script is not None:
            self.cockpit.open_script(known.script.name)
        else:
            self.open_page(is_open=not self._is_open)

    def action_shelf(self) -> None:
        self.cockpit.open_shelf()

    def action_build(self) -> None:
        """Have a script made of the task under the cursor; the screen goes on meanwhile."""
        known = self.table.under_cursor
        if known is None or known.task.id in self.table.building:
            return
        task = known.task
        self._refused.pop(task.id, None)
        self.table.building.add(task.id)
        self.shown_again()
        self.run_worker(self._build(task), group="build")

    async def _build(self, task: Task) -> None:
        try:
            built = await scripts.build(self.cockpit.remote, task.id)
        except Exception as error:  # the engine's refusal is for the operator to read
            self.cockpit.say(f"not built: {error}", "error")
        else:
            self._built(task, built)
        finally:
            self.table.building.discard(task.id)
        self.shown_again()

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

    def on_tabbed_turned(self) -> None:
        self.action_shelf()
