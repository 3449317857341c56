"""What the screens that show the fleet as it changes have in common."""

from collections.abc import Collection
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar, cast

from msgspec import Struct
from textual.screen import ModalScreen, Screen

from cockpit.core.budget import Budget
from cockpit.core.fleet import Fleet, Run, clock_of
from cockpit.ui import steering, text
from cockpit.ui.commands import Where
from cockpit.ui.settings import ScreenSettings
from cockpit.ui.situation import Situation, asking_first
from cockpit.ui.widgets.footer import Banner, Footer

if TYPE_CHECKING:
    from cockpit.ui.app import CockpitApp


class Told(Struct, frozen=True):
    """All that a screen draws from. `fleet` is None while there is none yet.

    `asked` are runs whose stop was sent and not yet heard of, `trouble` says why figures may be old.
    """

    fleet: Fleet | None = None
    now: int = 0
    asked: Collection[str] = ()
    banner: Banner | None = None
    trouble: str = ""


_Answer = TypeVar("_Answer")


class LiveDialog(ModalScreen[_Answer]):
    """A question that is handed every snapshot too: what it asks about may change meanwhile."""

    def show(self, told: Told) -> None:
        """Follow what is known."""
        raise NotImplementedError


class Moves(Protocol):
    """A list with a cursor; negative steps and pages go up, a negative place counts from the end."""

    def move(self, steps: int) -> None: ...

    def page(self, pages: int) -> None: ...

    def go(self, place: int) -> None: ...


class LiveScreen(Screen[None]):
    """A screen that is handed every snapshot, says what commands would act on, and has a last line.

    Subclasses yield `last_line` in `compose` and implement `draw`, `moving` and `situation`.
    """

    BLANK: ClassVar[bool] = True
    """Textual need not style an empty screen line by line under everything that repaints."""
    where: ClassVar[Where] = "fleet"

    def __init__(self, settings: ScreenSettings) -> None:
        super().__init__()
        self.settings = settings
        self.told = Told()
        self.last_line = Footer(settings.keys, self.where)

    @property
    def cockpit(self) -> "CockpitApp":
        return cast("CockpitApp", self.app)

    @property
    def is_gone(self) -> bool:
        """Whether the screen is being taken down: what is still told has nowhere to go."""
        return not self.last_line.is_attached

    @property
    def moving(self) -> Moves:
        """What the keys that move the cursor move."""
        raise NotImplementedError

    def show(self, told: Told) -> None:
        """Draw what is known; only what changed repaints."""
        if self.is_gone:
            return
        self.told = told
        self.draw()
        self.show_last_line(told.banner)

    def draw(self) -> None:
        """Everything but the last line, from `told`."""
        raise NotImplementedError

    def show_last_line(self, banner: Banner | None) -> None:
        self.last_line.show(self.situation(self.told.now), banner)

    def situation(self, now: int) -> Situation:
        """What a command would act on."""
        raise NotImplementedError

    def meant(self, now: int, run: Run | None, targets: tuple[Run, ...] = ()) -> Situation:
        """The situation with this run, or these marked ones; who else asks is told too."""
        runs = tuple(self.told.fleet.runs.values()) if self.told.fleet is not None else ()
        return Situation(now, run, targets or ((run,) if run else ()), asking_first(runs))

    # --- the cursor

    def action_move(self, steps: int) -> None:
        self.moving.move(steps)

    def action_page(self, pages: int) -> None:
        self.moving.page(pages)

    def action_go(self, place: int) -> None:
        self.moving.go(place)

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

    # --- governed runs

    def action_pause(self) -> None:
        steering.pause(self.cockpit, self.cockpit.situation())

    def action_resume(self) -> None:
        situation = self.cockpit.situation()
        if situation.run is not None and situation.run.approvals:
            self.action_answer()
        else:
            steering.resume(self.cockpit, situation)

    def action_say(self) -> None:
        from cockpit.ui.screens.say import SayScreen

        run = self.cockpit.situation().run
        if run is not None:
            self.app.push_screen(
                SayScreen(run, self.settings.tz),
                lambda words: steering.say(self.cockpit, run, words) if words else None,
            )

    def action_answer(self) -> None:
        from cockpit.ui.screens.answer import AnswerScreen

        run = self.cockpit.situation().run
        self.app.push_screen(AnswerScreen(run.id if run is not None else ""))
