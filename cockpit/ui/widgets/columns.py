"""The columns of the fleet table: what each shows of a run, and which give way on a narrow screen."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from msgspec import Struct
from rich.style import Style

from cockpit.core.budget import clock as clock_at
from cockpit.core.budget import is_about_cap
from cockpit.core.fleet import SPARK_BUCKET, Run, spark_until, usage
from cockpit.ui import text
from cockpit.ui.palette import GLYPHS, Palette
from cockpit.ui.rows import Row
from cockpit.ui.widgets.lines import Part

SHORT_AGENTS = {"claude-code": "claude", "gemini-cli": "gemini", "mini-swe-agent": "mini-swe"}
GUTTER = 3
MARGIN = 1
NAME_AT_LEAST = 14
CACHE_LOW = 60_000
CLOCK_LOW = 60_000
REASON = 400


class Column(Struct, frozen=True):
    """One column; `gap` are the blank cells before it. `draw` gives its styled parts.

    A column that `ticks`, once in so many milliseconds, is drawn from the time too, as one part.
    """

    id: str
    title: str
    width: int
    draw: Callable[[Row, int, int, Palette], list[Part]]
    right: bool = False
    gap: int = 1
    sort: Literal["left", "spent", "burn", "name", "age", "attention"] | None = None
    ticks: int = 0


def layout(width: int, *, roomy: bool, name_at_least: int) -> tuple[int, list[Column]]:
    """The width of the name and the columns that fit beside it; the least needed give way first."""
    columns = [column for column in COLUMNS if roomy or column.id not in EXTRA]
    for id_ in GIVING_WAY:
        room = width - GUTTER - MARGIN - sum(column.gap + column.width for column in columns)
        if room >= name_at_least:
            break
        columns = [column for column in columns if column.id != id_]
    room = width - GUTTER - MARGIN - sum(column.gap + column.width for column in columns)
    return max(room, 1), columns


def _one(content: str, width: int, style: Style, *, right: bool = False) -> list[Part]:
    return [(text.fit(content, width, right=right), style)]


def _agent(row: Row, _: int, width: int, palette: Palette) -> list[Part]:
    agent = text.safe(row.run.agent)
    return _one(SHORT_AGENTS.get(agent, agent), width, palette["dim"])


def _state(row: Row, now: int, width: int, palette: Palette) -> list[Part]:
    """The state; a held run says since when, and is drawn again whenever its evidence changes."""
    said: str = row.claim.state
    if said == "held" and row.run.paused:
        said += " " + text.age(now - row.run.paused)
    return _one(said, width, palette.state(row.claim.state))


def _left(row: Row, now: int, width: int, palette: Palette) -> list[Part]:
    is_running = row.claim.state == "running"
    clock = clock_at(row.run.budget, usage(row.run, now), running=is_running)
    if clock.calibrating:
        return _one("calib.", width, palette["dim"], right=True)
    if clock.left_ms is None:
        return _one(text.DASH, width, palette["track"], right=True)
    style = palette.text
    if row.claim.state in ("ended", "stopped"):
        style = palette["dim"]
    elif clock.left_ms < CLOCK_LOW or clock.share >= 0.95:
        style = palette["clock-low"]
    elif clock.share >= 0.8:
        style = palette["gauge-high"]
    elif clock.frozen:
        style = palette["dim"]
    return _one(text.clock(clock.left_ms), width, style, right=True)


def _cache(row: Row, now: int, width: int, palette: Palette) -> list[Part]:
    state, expires = row.run.cache.state(now), row.run.cache.expires()
    if state == "warm" and expires is not None:
        left = expires - now
        style = palette["gauge-high"] if left < CACHE_LOW else palette["warm"]
        return _one(text.warm_for(row.run.cache, left, short=True), width, style, right=True)
    word = {"cold": "cold", "unknown": "?", "none": text.DASH}.get(state, "")
    return _one(word, width, palette["cold" if state == "cold" else "track"], right=True)


def context_share(run: Run) -> float | None:
    """How full the context window is; None when its size is unknown."""
    return run.context / run.window if run.window else None


def _context(row: Row, _: int, width: int, palette: Palette) -> list[Part]:
    share = context_share(row.run)
    if share is None:
        known = text.tokens(row.run.context) if row.run.context else text.DASH
        return _one(known, width, palette["dim" if row.run.context else "track"])
    full, rest = text.gauge(share, width)
    return [(full, palette.share(share)), (rest, palette["track"])]


def _spent(row: Row, _: int, width: int, palette: Palette) -> list[Part]:
    return _one(text.spent(row.run), width, palette.text, right=True)


def _burn(row: Row, now: int, width: int, palette: Palette) -> list[Part]:
    return _one(text.spark(spark_until(row.run, now), width), width, palette["spark"])


def _turns(row: Row, _: int, width: int, palette: Palette) -> list[Part]:
    return _one(str(row.run.turns), width, palette["dim"], right=True)


def _age(row: Row, now: int, width: int, palette: Palette) -> list[Part]:
    return _one(text.age(now - row.run.started), width, palette["dim"], right=True)


def _model(row: Row, _: int, width: int, palette: Palette) -> list[Part]:
    return _one(text.safe(row.run.model), width, palette["dim"])


def _project(row: Row, _: int, width: int, palette: Palette) -> list[Part]:
    project = text.safe(row.run.project)
    return _one(project.rstrip("/").rpartition("/")[2], width, palette["dim"])


def _branch(row: Row, _: int, width: int, palette: Palette) -> list[Part]:
    return _one(text.safe(row.run.branch), width, palette["dim"])


COLUMNS = (
    Column("agent", "agent", 8, _agent),
    Column("state", "state", 8, _state, gap=1),
    Column("left", "left", 8, _left, right=True, sort="left", ticks=text.SECOND),
    Column("cache", "cache", 5, _cache, right=True, gap=2, ticks=text.SECOND),
    Column("context", "context", 7, _context, gap=2),
    Column("spent", "spent", 8, _spent, right=True, sort="spent"),
    Column("burn", "burn", 5, _burn, gap=2, sort="burn", ticks=SPARK_BUCKET),
    Column("turns", "turns", 5, _turns, right=True),
    Column("age", "age", 4, _age, right=True, sort="age", ticks=text.SECOND),
    Column("model", "model", 18, _model, gap=2),
    Column("project", "project", 13, _project),
    Column("branch", "branch", 12, _branch),
)
EXTRA = ("turns", "age", "model", "project", "branch")
GIVING_WAY = (
    "branch",
    "project",
    "model",
    "age",
    "turns",
    "burn",
    "agent",
    "context",
    "cache",
    "left",
)

_SPANNED = ("left", "cache", "context")


def heading(name: int, columns: list[Column], sorted_by: str, palette: Palette) -> list[Part]:
    """The line of column titles; the one that sorts stands out."""
    parts = [(" " * GUTTER, palette["dim"]), _title("run", name, sorted_by == "name", palette)]
    for column in columns:
        parts.append((" " * column.gap, palette["dim"]))
        marked = column.sort is not None and column.sort == sorted_by
        parts.append(_title(column.title, column.width, marked, palette, right=column.right))
    return parts


def _title(title: str, width: int, marked: bool, palette: Palette, *, right: bool = False) -> Part:
    return text.fit(title, width, right=right), palette.bold if marked else palette["dim"]


class Cells(NamedTuple):
    """A run's line at `now` as parts, and which of them tick."""

    now: int
    parts: list[Part]
    ticking: list[tuple[int, Column]]

    def at(self, now: int, row: Row, palette: Palette) -> "Cells":
        """The line at another time; the parts are the very same list where none differs."""
        parts = self.parts
        for place, column in self.ticking:
            if now // column.ticks == self.now // column.ticks:
                continue
            part = _ticking(column, row, now, palette)
            if part != parts[place]:
                parts = self.parts.copy() if parts is self.parts else parts
                parts[place] = part
        return Cells(now, parts, self.ticking)


def _ticking(column: Column, row: Row, now: int, palette: Palette) -> Part:
    ((said, style),) = column.draw(row, now, column.width, palette)
    return " " * column.gap + said, style


def cells(
    row: Row,
    name: int,
    columns: list[Column],
    now: int,
    palette: Palette,
    *,
    marked: bool,
    asked: bool,
) -> Cells:
    """One run as the parts of its line. `asked`: a stop was sent and nothing is known of it yet."""
    style = palette["stopping"] if asked else palette.state(row.claim.state)
    over = row.claim.state in ("ended", "stopped")
    title = text.safe(row.run.name) or text.safe(row.run.session)[:8] or row.run.id[:8]
    parts = [
        ("•" if marked else " ", palette["mark"]),
        (("■" if asked else GLYPHS[row.claim.state]) + " ", style),
        (row.tree, palette["dim"]),
        (text.fit(title, max(0, name - len(row.tree))), palette["dim"] if over else palette.text),
    ]
    told = stop_message(row, asked=asked) or wanting(row)
    spanned, ticking = 0, []
    for column in columns:
        if told and column.id in _SPANNED:
            spanned += column.gap + column.width
            continue
        if spanned:
            parts.append((" " + text.fit(told, spanned - 1), style))
            told, spanned = "", 0
        if column.ticks:
            ticking.append((len(parts), column))
            parts.append(_ticking(column, row, now, palette))
            continue
        drawn = _stop_state(row, column, palette, asked=asked) or column.draw(
            row, now, column.width, palette
        )
        parts.append((" " * column.gap + drawn[0][0], drawn[0][1]))
        parts += drawn[1:]
    if spanned:
        parts.append((" " + text.fit(told, spanned - 1), style))
    parts.append((" " * MARGIN, palette.text))
    return Cells(now, parts, ticking)


def _stop_state(row: Row, column: Column, palette: Palette, *, asked: bool) -> list[Part]:
    if column.id != "state":
        return []
    if row.claim.state == "stop failed":
        return _one("STOP", column.width, palette["failed"], right=True)
    if asked and row.run.stopping is None:
        return _one("stopping", column.width, palette["stopping"])
    return []


def stop_message(row: Row, *, asked: bool) -> str:
    """What stands in place of clock, cache and context while a run is being stopped."""
    stopping = row.run.stopping
    if stopping is None:
        return "asked, no answer yet" if asked else ""
    if stopping.done == "failed":
        alive = " ".join(map(str, stopping.pids))
        return f"FAILED {alive}" if alive else f"FAILED {text.safe(stopping.reason)}"
    return "" if stopping.done == "stopped" else stopping.rung


def wanting(row: Row) -> str:
    """What a governed run wants of a person: it stands in the same place."""
    run, state = row.run, row.claim.state
    if state == "asks" and run.approvals:
        asked = run.approvals[0]
        rule = "" if is_about_cap(asked.tool) else f"{text.safe(asked.rule)}: "
        return rule + about(run, asked.text)
    if state == "deferred":
        return about(run, run.deferred)
    return about(run, run.halted) if state == "halted" else ""


def about(run: Run, reason: str) -> str:
    """A reason without what its place says already: who speaks, and of which run."""
    words = text.safe(reason, REASON).removeprefix("cockpit: ")
    return words.removeprefix(f"{text.safe(run.id, 60)} is deferred: ")
