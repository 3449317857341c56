"""The event feed: the last things that happened, the newest at the bottom."""

from collections.abc import Sequence
from datetime import tzinfo

from cockpit.core.fleet import Fleet, Notice
from cockpit.ui import text
from cockpit.ui.palette import Palette
from cockpit.ui.widgets.framed import Framed, Line

_GLYPHS = {"information": ("·", "dim"), "warning": ("◆", "asks"), "error": ("✖", "stuck")}
NAME_WIDTH, SHORT_NAME = 18, 14


class Feed(Framed):
    """Time, run and what happened, a line each."""

    def __init__(self, tz: tzinfo | None, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__("events", id=id)
        self._tz = tz
        self._fleet = Fleet()

    def show(self, fleet: Fleet) -> None:
        if fleet is not self._fleet:
            self._fleet = fleet
            self.redraw()

    def content(self, width: int, height: int) -> list[Line]:
        palette = self.palette
        notices = latest(self._fleet.feed, height)
        if not notices:
            return [Line([("nothing happened yet", palette["dim"])])]
        return [self._line(notice, times, width, palette) for notice, times in notices]

    def _line(self, notice: Notice, times: int, width: int, palette: Palette) -> Line:
        glyph, part = _GLYPHS[notice.level]
        run = self._fleet.runs.get(notice.run)
        name = text.safe(run.name) or run.id[:8] if run else ""
        wide = NAME_WIDTH if width >= 80 else SHORT_NAME
        room = max(0, width - wide - 13)
        often = f"{times} times: " if times > 1 else ""
        said = text.fit(often + text.safe(notice.text), room)
        return Line(
            [
                (text.time_of_day(notice.at, self._tz, seconds=True) + " ", palette["dim"]),
                (glyph + " ", palette[part]),
                (text.fit(name, wide) + "  ", palette.text),
                (said, palette["dim"] if notice.level == "information" else palette.text),
            ]
        )


def latest(feed: Sequence[Notice], count: int) -> list[tuple[Notice, int]]:
    """The last notices; what a run said several times in a row stands once, with how often."""
    found: list[tuple[Notice, int]] = []
    for notice in reversed(feed):
        if found and (found[-1][0].run, found[-1][0].text) == (notice.run, notice.text):
            found[-1] = (found[-1][0], found[-1][1] + 1)
        elif len(found) < count:
            found.append((notice, 1))
        else:
            break
    return found[::-1]
