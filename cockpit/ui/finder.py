"""The command palette: every command that exists, every run by its name."""

from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from cockpit.ui import text
from cockpit.ui.commands import COMMANDS, Command, belongs, keys_of

if TYPE_CHECKING:
    from cockpit.ui.app import CockpitApp

HIDDEN = ("screen.commands", "cursor.", "run.interrupt_anywhere")


class Finder(Provider):
    """Commands from the one table; those that do not apply say why not."""

    @property
    def cockpit(self) -> "CockpitApp":
        return cast("CockpitApp", self.app)

    async def discover(self) -> Hits:
        for command in self._offered():
            yield DiscoveryHit(command.title, self._running(command), help=self._help(command))

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for command in self._offered():
            score = matcher.match(command.title)
            if score > 0:
                yield Hit(
                    score,
                    matcher.highlight(command.title),
                    self._running(command),
                    help=self._help(command),
                )
        for run in self.cockpit.runs():
            name = text.safe(run.name)
            score = matcher.match(name)
            if name and score > 0:
                yield Hit(
                    score * 0.9,
                    Content("go to ") + Content(name),
                    lambda id_=run.id: self.cockpit.go_to(id_),
                    text=f"go to {name}",
                )

    def _running(self, command: Command):  # type: ignore[no-untyped-def]  # noqa: ANN202
        return lambda: self.cockpit.call_later(self.cockpit.action_command, command.id)

    def _help(self, command: Command) -> str:
        refusal = command.refusal(self.cockpit.situation())
        keys = " ".join(keys_of(command, self.cockpit.settings.keys))
        return f"{keys}  not now: {text.safe(refusal)}" if refusal else f"{keys}  {command.help}"

    def _offered(self) -> list[Command]:
        screen = self.cockpit.live_screen()
        return [
            command
            for command in COMMANDS
            if command.where == "app" or (screen is not None and belongs(command, screen.where))
            if not command.id.startswith(HIDDEN)
        ]
