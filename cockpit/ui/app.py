"""The screen's process: pulls snapshots, keeps the time, sends what the operator wants to the engine."""

import asyncio
import gc
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, ClassVar

from textual import constants
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.command import Provider
from textual.screen import Screen

from cockpit.core.budget import Budget
from cockpit.core.fleet import Fleet, Run, is_live
from cockpit.engine.client import Remote
from cockpit.ui import steering, themes
from cockpit.ui.commands import BY_ID, bindings, unknown_keys
from cockpit.ui.screens.fleet import FleetScreen
from cockpit.ui.screens.live import LiveDialog, LiveScreen, Told
from cockpit.ui.settings import ScreenSettings
from cockpit.ui.situation import Situation, unstoppable
from cockpit.ui.text import safe
from cockpit.ui.themes import PARTS, Face, Skin, ThemeError, complete
from cockpit.ui.widgets.footer import Banner, Level

DRAW_EVERY_MS = 250
FRESH_MS = 600
"""The tick leaves alone what a snapshot brought to the screen just now."""
PRESS_AGAIN_MS = 3_000
SAY_FOR_MS = 6_000
SAY_AT_MOST = 400
RETRY_SECONDS = 1.0
HOUSE = "cockpit"


def wall_clock() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def _finder() -> type[Provider]:
    from cockpit.ui.finder import Finder

    return Finder


class CockpitApp(App[None]):
    """Shows what a `Remote` knows and carries out commands through it; owns no facts."""

    TITLE = "cockpit"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("app")]
    COMMANDS: ClassVar[set[Any]] = {_finder}
    COMMAND_PALETTE_BINDING = "ctrl+p"
    CSS = """
    Screen { background: $background; color: $foreground; }
    ModalScreen { background: $background 60%; }
    VerticalScroll, OptionList { scrollbar-size-vertical: 1; scrollbar-color: $part-track;
        scrollbar-color-hover: $part-dim; scrollbar-color-active: $part-key;
        scrollbar-background: $surface; scrollbar-background-hover: $surface;
        scrollbar-background-active: $surface; }
    """

    def __init__(
        self,
        remote: Remote,
        *,
        now: Callable[[], int] = wall_clock,
        settings: ScreenSettings | None = None,
    ) -> None:
        self.face: Face = "digits"
        self._skins: dict[str, Skin] = {}
        super().__init__()
        self.remote = remote
        self.settings = settings or ScreenSettings()
        self.banner: Banner | None = None
        self._now = now
        self._fleet: Fleet | None = None
        self._trouble = ""
        self._banner_until = 0
        self._armed_until = 0
        self._arrivals = 0
        self._drawn_at = 0
        self._is_drawing_soon = False
        self._asked: dict[str, int] = {}
        self.awaited_notes: dict[str, str] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._first_theme()
        self.set_keymap({id_: key for id_, key in self.settings.keys.items() if id_ in BY_ID})

    # --- life

    def get_default_screen(self) -> FleetScreen:
        """The main screen is the bottom of the stack: Textual's blank one would be styled for nothing."""
        return FleetScreen(self.settings)

    def on_mount(self) -> None:
        self.set_interval(1.0, self._tick)
        self.call_after_refresh(self._begin)

    def on_unmount(self) -> None:
        """Nothing that a closed screen asked for may go on: it would start the engine again."""
        for task in self._tasks:
            task.cancel()

    def _begin(self) -> None:
        self._draw()
        gc.freeze()  # all of this stays: collecting through it would cost some keystroke 50 ms
        gc.enable()  # see `cockpit.cli.main`
        self._start(self._pull())
        for complaint in unknown_keys(self.settings.keys):
            self.say(complaint, "warning")

    def _start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _pull(self) -> None:
        while True:
            try:
                async for fleet in self.remote.fleets():
                    self._arrived(fleet)
                self._trouble = "the engine closed the line"
            except Exception as error:  # whatever the engine does, the screen lives on and says so
                self._trouble = f"no word from the engine: {error}"
            self.draw_soon()
            await asyncio.sleep(RETRY_SECONDS)

    def _arrived(self, fleet: Fleet) -> None:
        self._fleet, self._trouble = fleet, ""
        self._arrivals += 1
        for id_ in [id_ for id_ in self._asked if _is_heard(fleet, id_)]:
            del self._asked[id_]
        if self.awaited_notes:
            steering.heard(self, fleet)
        self.draw_soon()

    # --- drawing

    def draw_soon(self) -> None:
        """Draw at most four times a second; snapshots in between only replace each other."""
        if self._is_drawing_soon:
            return
        wait = min(max(0, self._drawn_at + DRAW_EVERY_MS - self._now()), DRAW_EVERY_MS)
        self._is_drawing_soon = True
        self.set_timer(wait / 1_000, self._draw) if wait else self.call_later(self._draw)

    def _tick(self) -> None:
        now = self._now()
        is_over = self.banner is not None and now >= self._banner_until
        if is_over:
            self.banner = None
        for id_ in [id_ for id_, at in self._asked.items() if now - at > 2 * PRESS_AGAIN_MS]:
            del self._asked[id_]
        is_fresh = 0 <= now - self._drawn_at < FRESH_MS
        if is_over or not (is_fresh or self._is_drawing_soon):
            self._draw()

    def _draw(self) -> None:
        now = self._now()
        self._is_drawing_soon, self._drawn_at = False, now
        if not self.is_running:  # the widgets are being taken down
            return
        told = self.told()
        for screen in self.screen_stack:
            if isinstance(screen, LiveScreen | LiveDialog) and screen.is_mounted:
                screen.show(told)

    def say(self, words: str, level: Level = "information", *, for_ms: int = SAY_FOR_MS) -> None:
        """One sentence in the last line, for a while."""
        words = safe(words, SAY_AT_MOST)
        self.banner, self._banner_until = Banner(words, level), self._now() + for_ms
        if isinstance(self.screen_stack[-1], LiveScreen):
            self.screen_stack[-1].show_last_line(self.banner)
        else:
            severity = {"information": "information", "warning": "warning", "error": "error"}[level]
            self.notify(words, severity=severity, markup=False, timeout=for_ms / 1_000)  # type: ignore[arg-type]

    def _fleet_screen(self) -> FleetScreen | None:
        found = (screen for screen in self.screen_stack if isinstance(screen, FleetScreen))
        return next(found, None)

    @property
    def animated(self) -> bool:
        """Whether anything may pulse."""
        return not self.no_color and constants.TEXTUAL_ANIMATIONS != "none"

    # --- what is known

    def time(self) -> int:
        """Milliseconds since the epoch, by the clock that the screen goes by."""
        return self._now()

    def told(self) -> Told:
        """All that screens draw from, at this moment."""
        return Told(self._fleet, self._now(), self._asked.keys(), self.banner, self._trouble)

    def runs(self) -> Iterable[Run]:
        return self._fleet.runs.values() if self._fleet else ()

    def situation(self) -> Situation:
        """What a command would act on, seen from the topmost screen that shows runs."""
        now = self._now()
        screen = self.live_screen()
        return screen.situation(now) if screen is not None else Situation(now)

    def live_screen(self) -> LiveScreen | None:
        """The topmost screen that shows runs, whatever asks something above it."""
        found = (screen for screen in reversed(self.screen_stack) if isinstance(screen, LiveScreen))
        return next(found, None)

    def go_to(self, run: str) -> None:
        """Put the main screen's cursor on a run."""
        screen = self._fleet_screen()
        if screen is not None:
            screen.table.go_to(run)

    def open_run(self, run: str) -> None:
        """Show everything about a run."""
        from cockpit.ui.screens.run import RunScreen

        self.push_screen(RunScreen(self.settings, run))

    def action_spend(self) -> None:
        """Show what was spent; it is not shown twice."""
        from cockpit.ui.screens.spend import SpendScreen

        if not any(isinstance(screen, SpendScreen) for screen in self.screen_stack):
            self.push_screen(SpendScreen(self.settings))

    def action_caps(self) -> None:
        """Show what runs share."""
        from cockpit.ui.screens.caps import CapsScreen

        self.push_screen(CapsScreen())

    def action_tasks(self) -> None:
        """Show the tasks that repeat."""
        from cockpit.ui.screens.tasks import TasksScreen

        if not any(isinstance(screen, TasksScreen) for screen in self.screen_stack):
            self.push_screen(TasksScreen(self.settings))

    def open_shelf(self) -> None:
        """Show the scripts."""
        from cockpit.ui.screens.shelf import ShelfScreen

        self.push_screen(ShelfScreen(self.settings))

    def open_script(self, name: str) -> None:
        """Show a script for review."""
        from cockpit.ui.screens.review import ReviewScreen

        self.push_screen(ReviewScreen(self.settings, name))

    # --- commands

    async def action_command(self, id_: str) -> None:
        """Carry out a command of the table, or say why it does not apply."""
        command = BY_ID[id_]
        refusal = command.refusal(self.situation())
        if refusal:
            self.say(f"{command.title.lower()}: {refusal}", "warning")
            return
        await self.screen.run_action(command.action)

    async def action_interrupt(self) -> None:
        """Interrupt the runs meant, fixed to their ids; the request leaves before anything else."""
        situation = self.situation()
        runs = [run for run in situation.targets if not unstoppable(run, situation.now)]
        ids = [run.id for run in runs]
        since = self._arrivals
        call = self._start(self._stop(ids))
        await asyncio.sleep(0)  # the request is on its way before anything is drawn
        self._ask(ids, situation.now)
        self._start(self._watch(call, ids, [f"cockpit stop {id_}" for id_ in ids], since))
        left = len(situation.targets) - len(ids)
        also = f"; {left} without a process of their own" if left else ""
        again = (
            "x again climbs a rung" if any(run.stopping for run in runs) else "x again to terminate"
        )
        self.say(f"interrupting {steering.named(runs)}{also}: {again}", for_ms=PRESS_AGAIN_MS)

    async def _stop(self, ids: Sequence[str]) -> None:
        await self.remote.stop(ids)

    async def action_panic(self) -> None:
        """Arm, and on the second press within three seconds stop everything at once."""
        now = self._now()
        live = [run for run in self.runs() if is_live(run, now) and not unstoppable(run, now)]
        if now >= self._armed_until:
            self._armed_until = now + PRESS_AGAIN_MS
            self.say(f"stop all {len(live)}: press X again (3 s)", "error", for_ms=PRESS_AGAIN_MS)
            return
        self._armed_until = 0
        since = self._arrivals
        call = self._start(self.remote.panic())
        await asyncio.sleep(0)
        ids = [run.id for run in live]
        self._ask(ids, now)
        self._start(self._watch(call, ids, ["cockpit panic"], since))
        self.say(f"killing all {len(live)}", "error")

    def _ask(self, ids: Sequence[str], now: int) -> None:
        self._asked |= {id_: now for id_ in ids if not self._is_stopping(id_)}
        self.draw_soon()

    def _is_stopping(self, id_: str) -> bool:
        run = self._fleet.runs.get(id_) if self._fleet else None
        return run is not None and run.stopping is not None

    async def _watch(
        self, call: asyncio.Task[None], ids: Sequence[str], shell: Sequence[str], since: int
    ) -> None:
        """Say so when the engine does not answer, with the commands that work without it.

        A snapshot that tells of the stop is an answer too; `since` counts those that came before.
        """
        instead = f"in a shell: {' ; '.join(shell[:3])}"
        done, _ = await asyncio.wait({call}, timeout=self.settings.answer_within_ms / 1_000)
        heard = self._arrivals > since and not any(id_ in self._asked for id_ in ids)
        if not done and heard:
            await asyncio.wait({call})
        elif not done:
            self.say(f"the engine has not answered for 1 s — {instead}", "error", for_ms=60_000)
            await asyncio.wait({call})
        error = call.exception() if not call.cancelled() else None
        if error is not None:
            self._asked.clear()
            self.say(f"{error} — {instead}", "error", for_ms=60_000)
        elif not done and not heard:
            self.say("the engine answers again")

    def set_budget(self, run: Run, budget: Budget | None) -> None:
        """Cap a run; a refusal is said."""
        self.request(self.remote.set_budget(run.id, budget), lambda _: None, "budget not set")

    def request(
        self, call: Coroutine[Any, Any, Any], done: Callable[[Any], None], refused: str
    ) -> None:
        """Ask the engine for something: `done` gets its answer, a refusal is said."""
        self._start(self._request(call, done, refused))

    async def _request(
        self, call: Coroutine[Any, Any, Any], done: Callable[[Any], None], refused: str
    ) -> None:
        asked = self._start(call)
        heard, _ = await asyncio.wait({asked}, timeout=self.settings.answer_within_ms / 1_000)
        if not heard:
            self.say(f"{refused} yet: the engine has not answered for 1 s", "warning")
        try:
            answer = await asked
        except Exception as error:  # the engine's refusal is for the operator to read
            self.say(f"{refused}: {error}", "error")
        else:
            done(answer)

    def action_help(self) -> None:
        from cockpit.ui.screens.help import HelpScreen

        self.push_screen(HelpScreen(self.settings.keys))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:  # noqa: ARG002
        return ()

    # --- themes

    def get_theme_variable_defaults(self) -> dict[str, str]:
        general = {"primary": "#56B4E9", "warning": "#F0E442", "error": "#D55E00"}
        parts = complete({}, general | {"success": "#009E73", "accent": "#CC79A7"})
        return {f"part-{part}": parts[part] for part in PARTS}

    def _first_theme(self) -> None:
        """Register the chosen theme only: reading all of them can wait for the picker."""
        for name in dict.fromkeys((self.settings.theme, HOUSE)):
            path = themes.find(name, self.settings.themes)
            try:
                if path is None:
                    raise ThemeError(f"theme {name}: there is no such theme")
                self._adopt(name, themes.read(path))
            except ThemeError as error:
                self.call_later(self.say, str(error), "warning")
                continue
            self._wear_first(name)
            return

    def _wear_first(self, name: str) -> None:
        """Put on a theme while nothing is styled yet: telling everybody would parse all styles twice."""
        if self._skins[name].theme.ansi:
            self.wear(name)
            return
        self.face = self._skins[name].face
        self.set_reactive(App.theme, name)
        self.stylesheet.set_variables(self.get_css_variables())

    def _adopt(self, name: str, skin: Skin) -> None:
        self._skins[name] = skin
        self.register_theme(skin.theme)

    def wear(self, name: str) -> None:
        """Put on a theme that was registered."""
        self.face = self._skins[name].face
        self.theme = name

    def action_themes(self) -> None:
        from cockpit.ui.screens.themes import ThemeScreen

        loaded = themes.load_all(self.settings.themes)
        for name, skin in loaded.skins.items():
            self._adopt(name, skin)
        for notice in loaded.notices:
            self.say(notice, "warning")
        self.push_screen(ThemeScreen(sorted(loaded.skins), self.theme), self._keep_theme)

    def _keep_theme(self, name: str | None) -> None:
        """What was chosen is worn at the next start too."""
        if name is None or self.settings.keep_theme is None:
            return
        try:
            self.settings.keep_theme(name)
        except Exception as error:  # an unusual settings file is the operator's to change
            self.say(f"theme {name} is worn until you quit: {error}", "warning")
        else:
            self.say(f"theme {name}, also from now on")


def _is_heard(fleet: Fleet, id_: str) -> bool:
    """Whether the engine's snapshot tells of the stop that was asked for."""
    run = fleet.runs.get(id_)
    return run is None or run.stopping is not None
