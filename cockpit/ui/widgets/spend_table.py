"""The table of what was spent: groups, their tokens by class, and their part of the total."""

from collections.abc import Callable
from datetime import date
from typing import NamedTuple

from textual.message import Message

from cockpit.core.fleet import Fleet, claim
from cockpit.core.money import NANO, dollars
from cockpit.core.spending import CHOICES, Spent, SpentReport, SpentRow
from cockpit.ui import text
from cockpit.ui.palette import GLYPHS, Palette
from cockpit.ui.periods import PERIODS, Part
from cockpit.ui.widgets.figures import tail
from cockpit.ui.widgets.framed import Line
from cockpit.ui.widgets.lines import Part as Piece
from cockpit.ui.widgets.listed import Listed

ROOMY = 96
"""Inside width from which the columns have their full names."""
NAME_AT_LEAST = 16
PERCENT = 5
CENTS_BELOW = 10_000 * NANO
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class Column(NamedTuple):
    """A figure of a group; the two titles and widths are for roomy and for narrow screens."""

    title: str
    short: str
    width: int
    narrow: int
    draw: Callable[[Spent], str]


def written(spent: Spent) -> str:
    """What a group cost, `~` when a part of it is estimated, `?` when a part has no price."""
    if spent.calls and spent.unpriced_calls == spent.calls:
        return "?"
    mark = "~" if spent.estimated_nano else ""
    money = dollars(spent.nano) if spent.nano < CENTS_BELOW else text.money(spent.nano)
    return mark + money + ("?" if spent.unpriced_calls else "")


def counted(spent: Spent) -> str:
    """How many calls, to the last one while that fits."""
    return f"{spent.calls:,}" if spent.calls < 100_000 else text.tokens(spent.calls)


COLUMNS = (
    Column("calls", "calls", 8, 6, counted),
    Column("input", "input", 8, 6, lambda spent: text.tokens(spent.tokens.input)),
    Column(
        "cache write", "write", 11, 6,
        lambda spent: text.tokens(spent.tokens.cache_write_5m + spent.tokens.cache_write_1h),
    ),
    Column("cache read", "read", 10, 6, lambda spent: text.tokens(spent.tokens.cache_read)),
    Column("output", "output", 8, 6, lambda spent: text.tokens(spent.tokens.output)),
    Column("spent", "spent", 11, 10, written),
)  # fmt: skip
GIVING_WAY = ("input", "cache write", "output", "calls", "cache read")


class Layout(NamedTuple):
    """Widths of the name and of the share bar, and the columns between them."""

    name: int
    columns: tuple[Column, ...]
    bar: int
    is_roomy: bool

    def width(self, column: Column) -> int:
        return column.width if self.is_roomy else column.narrow


def layout(width: int) -> Layout:
    """What fits; the name keeps a minimum, first the bar and then columns give way."""
    is_roomy = width >= ROOMY
    bar = 14 if is_roomy else 6
    columns = list(COLUMNS)
    for id_ in ("", "bar", *GIVING_WAY):
        bar = 0 if id_ == "bar" else bar
        columns = [column for column in columns if column.title != id_]
        used = sum((column.width if is_roomy else column.narrow) + 1 for column in columns)
        name = width - used - (bar + 2 if bar else 0) - PERCENT
        if name >= NAME_AT_LEAST:
            break
    return Layout(max(1, name), tuple(columns), bar, is_roomy)


class SpendTable(Listed[SpentRow]):
    """Groups, one a line, dearest first."""

    class Asked(Message):
        """Another grouping or period was clicked."""

        def __init__(self, part: Part) -> None:
            super().__init__()
            self.part = part

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__("spend", id=id)
        self._part = Part()
        self._report: SpentReport | None = None
        self._fleet = Fleet()
        self._now = 0
        self._fits = layout(0)
        self._places: list[tuple[int, int, Part]] = []

    # --- what is shown

    def show(self, part: Part, report: SpentReport | None, fleet: Fleet, now: int) -> None:
        """Draw this report; None while it is being read. The fleet knows names and states of runs."""
        if report is not self._report:
            self.rows = list(report.rows) if report is not None else []
            if part.by == "day":
                self.rows.reverse()
        self._part, self._report, self._fleet, self._now = part, report, fleet, now
        if self.place < 0 and report is not None:
            self._put_cursor(0)
        self.redraw()

    def key_of(self, row: SpentRow) -> str:
        return row.key

    def head_clicked(self, x: int, y: int) -> None:
        for start, end, part in self._places:
            if y == 0 and start <= x < end:
                self.post_message(self.Asked(part))

    # --- drawing

    def nothing(self, width: int, palette: Palette) -> list[Line]:
        said = "reading the books…" if self._report is None else "nothing was spent then"
        return [Line(self._choices(width, palette)), Line([(said, palette["dim"])])]

    def head(self, width: int, palette: Palette) -> list[Line]:
        self._fits = layout(width)
        titles = _heading(self._part, self._fits, palette)
        return [Line(self._choices(width, palette)), Line(titles)]

    def foot(self, width: int, palette: Palette) -> list[Line]:  # noqa: ARG002
        """The total, and what it does not say by itself."""
        total = self._report.total if self._report else Spent()
        pieces = [(text.fit("total", self._fits.name), palette.bold)]
        pieces += _figures(SpentRow("", "", total), total.nano, self._fits, palette)
        lines = [Line([(words, palette.bold) for words, _ in pieces])]
        notes = self._notes()
        return [*lines, Line([(notes, palette["asks"])])] if notes else lines

    def _choices(self, width: int, palette: Palette) -> list[Piece]:
        """Groupings at the left, periods at the right; the chosen ones stand in brackets."""
        part, self._places = self._part, []
        by = [(choice, part.by == choice, part.grouped(at)) for at, choice in self._steps()]
        periods = list(PERIODS)
        here = periods.index(part.period)
        when = [
            (period, not part.day and period == part.period, part.over(at - here))
            for at, period in enumerate(periods)
        ]
        used = sum(len(word) + 2 for word, _, _ in [*by, *when])
        pieces: list[Piece] = [("by ", palette["dim"])]
        for group, start in ((by, 3), (when, max(3, width - sum(len(w) + 2 for w, _, _ in when)))):
            if group is when:
                pieces.append((" " * max(0, width - used - 3), palette["dim"]))
            for word, chosen, leads in group:
                said = f"[{word}]" if chosen else f" {word} "
                pieces.append((said, palette["key"] if chosen else palette["dim"]))
                self._places.append((start, start + len(said), leads))
                start += len(said)
        return pieces

    def _steps(self) -> list[tuple[int, str]]:
        here = CHOICES.index(self._part.by)
        return [(at - here, choice) for at, choice in enumerate(CHOICES)]

    def line(self, row: SpentRow, width: int, palette: Palette) -> Line:  # noqa: ARG002
        total, fits = self._report.total.nano if self._report else 0, self._fits
        return Line([*self._label(row, fits.name, palette), *_figures(row, total, fits, palette)])

    def _label(self, row: SpentRow, width: int, palette: Palette) -> list[Piece]:
        match self._part.by:
            case "run":
                return self._run(row, width, palette)
            case "project":
                said = tail(text.safe(row.key, 1_000), width, 1)
                return [(text.fit(said[0] if said else "", width), palette.text)]
            case "day":
                return [(text.fit(weekday(row.key), width), palette.text)]
        return [(text.fit(text.safe(row.name), width), palette.text)]

    def _run(self, row: SpentRow, width: int, palette: Palette) -> list[Piece]:
        run = self._fleet.runs.get(row.key)
        name = text.safe(run.name if run and run.name else row.name)
        if run is None:
            return [(text.fit("  " + name, width), palette["dim"])]
        state = claim(run, self._now).state
        named = text.fit(name, max(0, width - 2))
        return [(GLYPHS[state] + " ", palette.state(state)), (named, palette.text)]

    def _notes(self) -> str:
        report = self._report or SpentReport()
        notes = []
        if report.total.unpriced_calls:
            notes.append(f"? {report.total.unpriced_calls:,} unpriced calls not in the sum")
        if report.total.estimated_nano:
            notes.append(f"~ {text.money(report.total.estimated_nano)} estimated")
        if report.bad_lines:
            notes.append(f"! {report.bad_lines:,} bad lines")
        return " · ".join(notes)


def weekday(key: str) -> str:
    """A day as one looks for it: `2026-11-22 Sun`."""
    return f"{key} {WEEKDAYS[date.fromisoformat(key).weekday()]}"


def _heading(part: Part, fits: Layout, palette: Palette) -> list[Piece]:
    indent = "  " if part.by == "run" else ""
    pieces = [(text.fit(indent + part.by, fits.name), palette["dim"])]
    for column in fits.columns:
        title = column.title if fits.is_roomy else column.short
        style = palette.bold if column.title == "spent" else palette["dim"]
        pieces.append((" " + text.fit(title, fits.width(column), right=True), style))
    if fits.bar:
        pieces.append(("  " + text.fit("share", fits.bar), palette["dim"]))
    return pieces


def _figures(row: SpentRow, total: int, fits: Layout, palette: Palette) -> list[Piece]:
    pieces: list[Piece] = []
    for column in fits.columns:
        said = column.draw(row.spent)
        style = palette.text if column.title == "spent" else palette["dim"]
        pieces.append((" " + text.fit(said, fits.width(column), right=True), style))
    share = row.spent.nano / total if total else 0.0
    if fits.bar:
        full, rest = text.gauge(share, fits.bar)
        pieces += [("  " + full, palette["gauge"]), (rest, palette["track"])]
    percent = f"{share * 100:.0f}%" if share >= 0.005 or not share else "<1%"
    return [*pieces, (percent.rjust(PERCENT), palette["dim"])]
