"""The last line: the keys that matter, or what the operator must know right now."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct
from textual import events
from textual.strip import Strip

from cockpit.ui import text
from cockpit.ui.commands import BY_ID, COMMANDS, Command, Where, belongs, keys_of
from cockpit.ui.palette import Palette
from cockpit.ui.situation import Situation
from cockpit.ui.widgets.lines import Lines, Part, strip

Level = Literal["information", "warning", "error"]
_PARTS = {"information": "key", "warning": "asks", "error": "failed"}


class Banner(Struct, frozen=True):
    """One sentence in place of the keys."""

    text: str
    level: Level = "information"


class Footer(Lines):
    """Keys from the table of commands; those that do not apply are dim."""

    DEFAULT_CSS = "Footer { height: 1; padding: 0 1; }"

    def __init__(self, keys: Mapping[str, str], where: Where = "fleet") -> None:
        super().__init__()
        self._where = where
        self._keys = keys
        self._situation = Situation()
        self._banner: Banner | None = None
        self._places: list[tuple[int, int, str]] = []

    def show(self, situation: Situation, banner: Banner | None) -> None:
        self._situation, self._banner = situation, banner
        self.redraw()

    def draw(self, width: int, height: int) -> list[Strip]:  # noqa: ARG002
        palette = self.palette
        self._places = []
        if self._banner is not None:
            style = palette[_PARTS[self._banner.level]]
            return [
                strip(
                    [(text.fit(text.safe(self._banner.text, 400), width), style)],
                    width,
                    palette.ground,
                )
            ]
        return [strip(self._commands(width, palette), width, palette.ground)]

    def _commands(self, width: int, palette: Palette) -> list[Part]:
        parts: list[Part] = []
        used = 0
        for command in _fitting(width, self._keys, self._where, self._situation):
            key = keys_of(command, self._keys)[0]
            applies = not command.refusal(self._situation)
            self._places.append((used, used + len(key) + 1 + len(command.footer), command.id))
            used = self._places[-1][1] + 2
            parts += [
                (key, palette["key"] if applies else palette["track"]),
                (f" {command.footer}  ", palette["dim"] if applies else palette["track"]),
            ]
        return parts

    async def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        for start, end, id_ in self._places if offset is not None else ():
            if offset is not None and start <= offset.x < end:
                await self.run_action(f"app.command('{id_}')")
                return


_GIVES_WAY = (
    "read.figures",
    "screen.spend",
    "review.whole",
    "review.hole",
    "review.pane",
    "spend.longer",
    "read.copy",
    "read.fold_all",
    "read.next",
    "table.sort",
    "row.mark",
    "run.budget",
    "screen.tasks",
    "read.search",
    "screen.commands",
    "table.filter",
    "spend.drill",
    "run.open",
    "read.follow",
    "read.fold",
    "run.say",
    "run.pause",
    "fleet.panic",
    "shelf.retire",
    "shelf.run",
    "shelf.schedule",
    "review.edit",
    "review.difference",
)


def _fitting(
    width: int, keys: Mapping[str, str], where: Where, situation: Situation
) -> list[Command]:
    """The footer's commands that fit; the least needed give way, the way out never does."""
    shown = [
        command
        for command in COMMANDS
        if command.footer and keys_of(command, keys)
        if command.where == "app" or belongs(command, where)
        if not (command.fleeting and command.refusal(situation))
    ]
    if not belongs(BY_ID["run.interrupt"], where):
        shown.sort(key=lambda command: command.where in ("app", "every"))
    for id_ in _GIVES_WAY:
        needed = sum(len(keys_of(command, keys)[0]) + len(command.footer) + 3 for command in shown)
        if needed - 2 <= width:
            break
        shown = [command for command in shown if command.id != id_]
    return shown
