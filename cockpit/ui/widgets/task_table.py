"""The table of tasks that repeat: how often, by whom, what they cost, and what the architect says."""

from collections.abc import Callable
from datetime import tzinfo
from typing import NamedTuple

from msgspec import Struct
from rich.style import Style

from cockpit.core.script import Task
from cockpit.core.shelf import ShelfRow
from cockpit.ui import rhythm, stages, text
from cockpit.ui.palette import Palette
from cockpit.ui.refusals import words_of
from cockpit.ui.widgets.columns import SHORT_AGENTS
from cockpit.ui.widgets.framed import Line
from cockpit.ui.widgets.lines import Part
from cockpit.ui.widgets.tabs import Tabbed, tabs

WIDE, ROOMY = 100, 150
NAME_AT_LEAST = 30


class Known(Struct, frozen=True):
    """A task, and the script that was made of it."""

    task: Task
    script: ShelfRow | None = None

    @property
    def rank(self) -> tuple[int, int, int]:
        """What can be won comes first, then what lives already, then what waits."""
        is_made = self.script is not None and self.script.stage != "retired"
        verdict = {"candidate": 0, "wait": 2, "no": 3}[self.task.verdict]
        return (1 if is_made else verdict, -(self.task.month_nano or 0), -len(self.task.runs))


class Column(NamedTuple):
    """A figure of a task."""

    title: str
    width: int
    draw: Callable[[Task], str]
    right: bool = True


def agents_of(task: Task) -> str:
    """The agents by their short names."""
    names = [text.safe(agent, 24) for agent in task.agents]
    return ", ".join(SHORT_AGENTS.get(name, name) for name in names)


def some_agents(task: Task) -> str:
    """The first of them, and how many more."""
    first = agents_of(task).partition(", ")[0]
    more = len(task.agents) - 1
    return f"{first} +{more}" if more > 0 else first


def rhythm_of(task: Task) -> str:
    """How often it runs: its cron line in words, or about how far apart its runs are."""
    if task.cron:
        return rhythm.in_words(text.safe(task.cron, 40))
    return rhythm.apart(task.every_ms) if task.every_ms else "irregular"


def cost_of(task: Task) -> str:
    return text.money(task.cost_nano) if task.cost_nano is not None else "?"


def month_of(task: Task) -> str:
    return text.money(task.month_nano) if task.month_nano is not None else text.DASH


def determinism_of(task: Task) -> str:
    """Never rounded up to all of it."""
    return f"{int(min(max(task.determinism, 0.0), 1.0) * 100)} %"


COLUMNS = (
    Column("runs", 5, lambda task: f"{len(task.runs):,}"),
    Column("agents", 9, some_agents, right=False),
    Column("rhythm", 17, rhythm_of, right=False),
    Column("a run", 8, cost_of),
    Column("a month", 9, month_of),
    Column("determ.", 7, determinism_of),
)
GIVING_WAY = ("determ.", "agents", "a run", "rhythm")


def layout(width: int) -> tuple[int, int, tuple[Column, ...]]:
    """Widths of name and verdict, and the columns between them that fit."""
    verdict = 44 if width >= ROOMY else 23 if width >= WIDE else 22
    columns = list(COLUMNS)
    for title in ("", *GIVING_WAY):
        columns = [column for column in columns if column.title != title]
        name = width - verdict - 2 - sum(column.width + 2 for column in columns)
        if name >= NAME_AT_LEAST:
            break
    return max(1, name), verdict, tuple(columns)


def next_expected(task: Task, now: int, tz: tzinfo | None) -> int | None:
    """When the task is likely to run again; that may have passed."""
    if task.cron and (at := rhythm.next_of(text.safe(task.cron, 40), now, tz)):
        return at
    return task.last + task.every_ms if task.every_ms and task.last else None


class TaskTable(Tabbed[Known]):
    """Tasks, one a line; `building` are those of which a script is being made."""

    tab = "tasks"

    def __init__(self, tz: tzinfo | None) -> None:
        super().__init__(tz)
        self.building: set[str] = set()

    def key_of(self, row: Known) -> str:
        return row.task.id

    def head(self, width: int, palette: Palette) -> list[Line]:
        name, verdict, columns = layout(width)
        titles: list[Part] = [("  " + text.fit("task", name - 2), palette["dim"])]
        for column in columns:
            fitted = text.fit(column.title, column.width, right=column.right)
            style = palette.bold if column.title == "a month" else palette["dim"]
            titles.append(("  " + fitted, style))
        titles.append(("  " + text.fit("verdict", verdict), palette["dim"]))
        return [tabs(self.tab, self._worth(palette), width, palette), Line(titles)]

    def _worth(self, palette: Palette) -> list[Part]:
        open_ = [row.task for row in self.rows if row.rank[0] == 0]
        worth = sum(task.month_nano or 0 for task in open_)
        said = f"{len(open_)} candidate{'s' if len(open_) != 1 else ''}"
        parts: list[Part] = [(said, palette["warm"] if open_ else palette["dim"])]
        if worth > 0:
            parts += [(" · worth ", palette["dim"]), (text.money(worth), palette.bold)]
            parts.append((" a month, net", palette["dim"]))
        return parts

    def line(self, row: Known, width: int, palette: Palette) -> Line:
        name, verdict, columns = layout(width)
        sign, style, words = self._verdict(row, palette)
        is_won = row.task.verdict != "no"
        parts: list[Part] = [
            (sign + " ", style),
            (text.fit(text.safe(row.task.name), name - 2), palette.text),
        ]
        for column in columns:
            said = text.fit(column.draw(row.task), column.width, right=column.right)
            is_loud = column.title == "a month" and is_won
            parts.append(("  " + said, palette.text if is_loud else palette["dim"]))
        return Line([*parts, ("  " + text.fit(words, verdict), style)])

    def _until(self, task: Task) -> str:
        at = next_expected(task, self.now, self.tz)
        if at is None:
            return ""
        return f" · {rhythm.when(at, self.now, self.tz)}" if at > self.now else " · overdue"

    def _verdict(self, row: Known, palette: Palette) -> tuple[str, Style, str]:
        task, script = row.task, row.script
        if task.id in self.building:
            return "▷", palette["running"], "building…"
        if script is not None and script.stage != "retired":
            return (*stages.glyph(script.stage, palette), stages.stage_words(script))
        match task.verdict:
            case "candidate":
                return "✔", palette["warm"], "candidate"
            case "wait":
                return "◇", palette["waiting"], "wait" + self._until(task)
        code = text.safe(task.refusal.code, 4) if task.refusal else ""
        return "○", palette["dim"], f"no {code} {words_of(task.refusal).short}"
