"""The line on top of a run: where we are, its state, and the time left."""

from textual.strip import Strip

from cockpit.core.fleet import clock_of
from cockpit.ui import text
from cockpit.ui.palette import GLYPHS, Palette
from cockpit.ui.rows import Row
from cockpit.ui.widgets.columns import SHORT_AGENTS
from cockpit.ui.widgets.lines import Lines, Part, spread

WIDE = 100
"""Width from which the agent is named too."""
INTO = "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"


class Crumbs(Lines):
    """Where we are: fleet, run, its state, turn and model, and the time left."""

    DEFAULT_CSS = "Crumbs { height: 1; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._row: Row | None = None
        self._now = 0
        self._told = ""

    def show(self, row: Row | None, now: int, told: str) -> None:
        """Draw this run; `told` is how far its stop has come, or why figures may be old."""
        self._row, self._now, self._told = row, now, told
        self.redraw()

    def draw(self, width: int, height: int) -> list[Strip]:  # noqa: ARG002
        palette = self.palette
        if self._row is None:
            left: list[Part] = [(f"fleet {INTO} ", palette["dim"]), (self._told, palette["failed"])]
            return [spread(left, [], width, palette.ground)]
        right = self._right(self._row, palette, width)
        room = width - sum(len(words) for words, _ in right) - 12
        name = text.safe(self._row.run.name) or text.safe(self._row.run.id)
        left = [
            ("fleet", palette["dim"]),
            (f" {INTO} ", palette["track"]),
            (text.fit(name, max(8, room)).rstrip(), palette["title"]),
        ]
        return [spread(left, right, width, palette.ground)]

    def _right(self, row: Row, palette: Palette, width: int) -> list[Part]:
        run, state = row.run, row.claim.state
        groups: list[list[Part]] = [[(f"{GLYPHS[state]} {state}", palette.state(state))]]
        if self._told:
            groups.append([(text.fit(text.safe(self._told), 40).rstrip(), palette["failed"])])
        groups.append([(f"turn {run.turns}", palette.text)])
        agent = text.safe(run.agent)
        if width >= WIDE:
            agent = SHORT_AGENTS.get(agent, agent)
            groups.append([(text.fit(agent, 16).rstrip(), palette["dim"])])
        if run.model:
            groups.append([(text.fit(text.safe(run.model), 24).rstrip(), palette["dim"])])
        left = clock_of(run, self._now).left_ms
        if left is not None:
            groups.append([(f"{text.clock(left)} left", palette.bold)])
        parts: list[Part] = []
        for group in groups:
            parts += [(" · ", palette["track"]), *group] if parts else group
        return parts
