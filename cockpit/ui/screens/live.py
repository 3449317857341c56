"""What the app needs of a screen that shows the fleet as it changes."""

from collections.abc import Collection
from typing import TYPE_CHECKING, ClassVar, cast

from textual.screen import Screen

from cockpit.core.budget import Budget
from cockpit.core.fleet import Fleet, Run, clock_of
from cockpit.ui import text
from cockpit.ui.commands import Situation, Where
from cockpit.ui.widgets.footer import Banner

if TYPE_CHECKING:
    from cockpit.ui.app import CockpitApp


class LiveScreen(Screen[None]):
    """A screen that is handed every snapshot, says what commands would act on, and has a last line."""

    BLANK: ClassVar[bool] = True
    """Textual need not style an empty screen line by line under everything that repaints."""
    where: ClassVar[Where] = "fleet"

    @property
    def cockpit(self) -> "CockpitApp":
        return cast("CockpitApp", self.app)

    def show(
        self,
        fleet: Fleet | None,
        now: int,
        *,
        asked: Collection[str] = (),
        banner: Banner | None = None,
        trouble: str = "",
    ) -> None:
        """Draw this fleet, None while there is none yet; `asked` are runs whose stop was sent and not yet heard of."""
        raise NotImplementedError

    def show_footer(self, banner: Banner | None) -> None:
        """Only the last line."""
        raise NotImplementedError

    def situation(self, now: int) -> Situation:
        """What a command would act on."""
        raise NotImplementedError

    # --- the caps of the run that is meant

    def action_budget(self) -> None:
        from cockpit.ui.screens.budget import BudgetScreen

        run = self.cockpit.situation().run
        if run is not None:
            self.app.push_screen(BudgetScreen(run), lambda given: self._budgeted(run, given))

    def _budgeted(self, run: Run, given: "list[Budget | None] | None") -> None:
        if given:
            self.cockpit.set_budget(run, given[0])

    def action_extend(self) -> None:
        from cockpit.ui.caps import extended
        from cockpit.ui.screens.ask import AskScreen

        situation = self.cockpit.situation()
        run = situation.run
        if run is None or run.budget is None:
            return
        cap = clock_of(run, situation.now).ruling or "money"
        longer = extended(run.budget, cap)
        self.app.push_screen(
            AskScreen(f"raise the {cap} cap of {text.safe(run.name, 40)} by half?"),
            lambda yes: self.cockpit.set_budget(run, longer) if yes else None,
        )
