"""The evidence for a script: every run it was tried on, by the gates it had to pass."""

from cockpit.core.script import GATES, Trial
from cockpit.core.shelf import MatrixRow
from cockpit.ui import naming, text
from cockpit.ui.palette import Palette
from cockpit.ui.widgets.framed import Line
from cockpit.ui.widgets.lines import Part
from cockpit.ui.widgets.listed import Listed
from cockpit.ui.widgets.prose import paragraph

WIDE = 92
NAMES = {
    "V0": "static",
    "V1": "replay",
    "V2": "held out",
    "V3": "repeat",
    "V4": "inputs",
    "V5": "mutants",
    "V6": "reach",
}
MEANS = {
    "V0": "nothing in it is forbidden: no clock, no chance, no secret, no host or file that was not seen",
    "V1": "in the world of each run it makes exactly what the agent made, and nothing else",
    "V2": "made without a run, it still does that run right, or says that it can't",
    "V3": "twice in fresh sandboxes it makes the same bytes; once more in place it changes nothing",
    "V4": "where what it reads is broken, stale or empty, it refuses",
    "V5": "where the script itself is broken, the evidence notices",
    "V6": "it touches what it declares, and nothing else",
}
ITSELF = "the script itself"
ROLE = 9


class Matrix(Listed[MatrixRow]):
    """Runs by gates; below them what the gates said of the row under the cursor."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__("evidence", id=id)
        self._says = ""
        self._room = 1

    def show(self, rows: tuple[MatrixRow, ...], says: str) -> None:
        """Draw this evidence, what speaks against the script first; `says` stands there while there is none."""
        self._says = says
        if not self.rows:
            failed = (
                row.run
                for row in rows
                if not all(each.passed or each.unproven for each in row.trials.values())
            )
            self.cursor = next(failed, None)
        self.fill(rows)

    def key_of(self, row: MatrixRow) -> str:
        return row.run

    def nothing(self, width: int, palette: Palette) -> list[Line]:
        return [Line([(text.fit(self._says, width).rstrip(), palette["dim"])])]

    def head(self, width: int, palette: Palette) -> list[Line]:
        cell = _cell(width)
        titles = [text.fit(_title(gate, width), cell - 1) + " " for gate in GATES]
        name = text.fit("run", width - len(GATES) * cell - ROLE)
        return [Line([(name + text.fit("", ROLE) + "".join(titles), palette["dim"])])]

    def line(self, row: MatrixRow, width: int, palette: Palette) -> Line:
        cell = _cell(width)
        named = naming.short(row.run) if row.run else ITSELF
        parts: list[Part] = [
            (text.fit(named, width - len(GATES) * cell - ROLE - 1) + " ", palette.text),
            (text.fit(row.role, ROLE), palette["dim"]),
        ]
        return Line([*parts, *(_mark(row.trials.get(gate), cell, palette) for gate in GATES)])

    def content(self, width: int, height: int) -> list[Line]:
        told = self._told(width, palette=self.palette) if self.rows else []
        wanted = len(self.rows) + 1
        self._room = max(height - len(told), min(wanted, (height + 1) // 2))
        lines = super().content(width, self._room)
        lines += [Line(())] * (min(wanted, self._room) - len(lines))
        return [*lines, *told][:height]

    def thumb(self, height: int) -> range:
        return super().thumb(min(height, self._room))

    @property
    def _visible(self) -> int:
        return max(1, self._room - self._heads)

    def _told(self, width: int, palette: Palette) -> list[Line]:
        """What the gates said of the row under the cursor: what speaks against it first."""
        row = self.under_cursor
        trials = sorted(row.trials.values(), key=lambda trial: trial.passed) if row else []
        lines: list[Line] = [Line(())]
        for trial in trials:
            sign, part = _sign(trial)
            gate = text.safe(trial.gate, 4)
            said = trial.detail or MEANS.get(trial.gate, "")
            rows = paragraph(said, max(8, width - 14), palette["dim"], most=2)
            head: list[Part] = [
                (f"{sign} {gate} ", palette[part]),
                (text.fit(NAMES.get(trial.gate, ""), 9), palette.text),
            ]
            lines.append(Line([*head, *rows[0]]))
            lines += [Line([(" " * 14, palette["dim"]), *each]) for each in rows[1:]]
        return lines


def _cell(width: int) -> int:
    return 12 if width >= WIDE else 4


def _title(gate: str, width: int) -> str:
    return f"{gate} {NAMES[gate]}" if width >= WIDE else gate


def _mark(trial: Trial | None, cell: int, palette: Palette) -> Part:
    if trial is None:
        return text.fit("·", cell), palette["track"]
    sign, part = _sign(trial)
    return text.fit(sign, cell), palette[part]


def _sign(trial: Trial) -> tuple[str, str]:
    """Passed, nothing to try it on, failed."""
    if trial.unproven:
        return "○", "dim"
    return ("✔", "warm") if trial.passed else ("✖", "stuck")
