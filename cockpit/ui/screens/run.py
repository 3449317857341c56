"""One run: its transcript as it grows, and every figure that is known of it."""

import asyncio
from asyncio.subprocess import DEVNULL
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widgets import Input

from cockpit.core.events import Event
from cockpit.core.fleet import Fleet, Run, claim
from cockpit.engine.client import Page
from cockpit.ui.commands import Where, bindings
from cockpit.ui.reading import Reading
from cockpit.ui.rows import Row
from cockpit.ui.screens.live import LiveScreen
from cockpit.ui.settings import ScreenSettings
from cockpit.ui.situation import Situation
from cockpit.ui.widgets.columns import stop_message
from cockpit.ui.widgets.crumbs import Crumbs
from cockpit.ui.widgets.figures import Figures, Known
from cockpit.ui.widgets.summary import Summary
from cockpit.ui.widgets.transcript import Transcript
from cockpit.ui.widgets.view import View

WIDE = 100
"""Width from which the figures have their column."""
COSTS_SHOWN = 60
CHARACTERS = 32_000_000
ENTRIES = 50_000
"""A transcript held in memory is at most this large: beyond, what is furthest from the view is let go."""


class RunScreen(LiveScreen):
    """Crumbs, transcript, figures and footer of one run."""

    where: ClassVar[Where] = "run"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("run")]
    CSS = """
    RunScreen { layout: vertical; }
    RunScreen #body { height: 1fr; }
    RunScreen Transcript { width: 1fr; height: 100%; }
    RunScreen Figures { width: 40; height: 100%; }
    RunScreen #search { height: 1; border: none; padding: 0 1; background: $panel; }
    """

    def __init__(self, settings: ScreenSettings, run: str) -> None:
        super().__init__(settings)
        self.run_id = run
        self.crumbs = Crumbs()
        self.summary = Summary()
        self.transcript = Transcript(settings.tz)
        self.figures = Figures()
        self._run: Run | None = None
        self._reading: Reading | None = None
        self._trouble = ""
        self._is_cut = False
        self._has_figures: bool | None = None

    def compose(self) -> ComposeResult:
        yield self.crumbs
        yield self.summary
        yield Horizontal(self.transcript, self.figures, id="body")
        yield self.last_line

    def on_mount(self) -> None:
        self._lay_out()
        self.transcript.focus()
        self._reading = Reading(
            self.cockpit.remote, self.run_id, self._opened, self._happened, self._troubled
        )
        self.run_worker(self._reading.run())
        self.cockpit.draw_soon()

    def on_resize(self) -> None:
        self._lay_out()

    def _lay_out(self) -> None:
        is_wide = self.size.width >= WIDE
        has_figures = is_wide if self._has_figures is None else self._has_figures
        self.figures.display = has_figures
        self.figures.styles.width = 40 if is_wide else "1fr"
        self.transcript.display = is_wide or not has_figures
        self.summary.display = not has_figures

    # --- what is shown

    def draw(self) -> None:
        """The run as the fleet knows it; one that left the fleet stays as it was."""
        told = self.told
        if told.fleet is not None:
            self._run = told.fleet.runs.get(self.run_id, self._run)
        row = self._row()
        stop = stop_message(row, asked=self.run_id in told.asked) if row is not None else ""
        self.crumbs.show(row, told.now, stop or told.trouble)
        self._show_figures()

    def _row(self) -> Row | None:
        return Row(self._run, claim(self._run, self.told.now)) if self._run is not None else None

    def _show_figures(self) -> None:
        row = self._row()
        if row is None:
            return
        app = self.cockpit
        palette, tz = self.summary.palette, self.settings.tz
        view = View(row, self.told.now, 0, palette, app.face, app.animated, tz)
        if self.figures.display:
            costs = self.transcript.story.costs(COSTS_SHOWN)
            self.figures.show(Known(view, self.told.fleet or Fleet(), costs))
        else:
            self.summary.show(view)

    def situation(self, now: int) -> Situation:
        return self.meant(now, self._run)

    # --- the story

    def _opened(self, page: Page) -> None:
        if self.is_gone:
            return
        self._is_cut = False
        self.transcript.missed = 0
        self.transcript.begin(page.events, complete=page.before is None)
        self._show_figures()

    def _happened(self, events: list[Event]) -> None:
        if self.is_gone:
            return
        transcript = self.transcript
        if self._is_cut:
            transcript.missed += len(events)
            transcript.redraw()
        else:
            transcript.add(events)
            self._bound()
        self._show_figures()

    def _bound(self) -> None:
        """Too much is held: begin anew at the end, or let go of the newest while the operator looks back."""
        story = self.transcript.story
        if not _is_too_much(story.size, len(story.entries)):
            return
        if self.transcript.follow:
            self.run_worker(self._reopen())
            return
        size, key = story.size, story.end
        while key > self.transcript.bottom + 1 and _is_too_much(
            size * 4 // 3, (key - story.first) * 4 // 3
        ):
            key -= 1
            size -= story[key].size
        self._is_cut = True
        self.transcript.missed += story.end - key
        self.transcript.drop_after(key)

    async def _reopen(self) -> None:
        if self._reading is not None:
            try:
                await self._reading.open()
            except Exception as error:  # the engine's refusal is for the operator to read
                self._troubled(str(error))

    def _troubled(self, why: str) -> None:
        if self.is_gone:
            return
        if why and why != self._trouble:
            self.cockpit.say(f"transcript: {why}", "warning")
        self._trouble = why
        self.transcript.is_live = not why
        self.transcript.redraw()

    def on_transcript_earlier_wanted(self) -> None:
        self.run_worker(self._load_earlier())

    async def _load_earlier(self) -> None:
        if self._reading is None:
            return
        try:
            page = await self._reading.earlier()
        except Exception as error:  # the engine's refusal is for the operator to read
            self._troubled(str(error))
            return
        if page is not None and not self.is_gone:
            self.transcript.add_before(page.events, complete=page.before is None)
            self._bound()

    # --- what the operator does

    async def action_back(self) -> None:
        """Out of the search, then out of the run."""
        found = self.query("#search")
        if found or self.transcript.words:
            await found.remove()
            self.transcript.search("")
            self.transcript.focus()
        else:
            self.dismiss()

    def action_move(self, steps: int) -> None:
        if self.figures.has_focus:
            self.figures.scroll(steps)
        else:
            self.transcript.move(steps)

    def action_page(self, pages: int) -> None:
        self.transcript.page(pages)

    def action_go(self, place: int) -> None:
        """To the first entry that is loaded, or to the end."""
        if place >= 0:
            self.transcript.go_to(self.transcript.story.first)
        elif not self.transcript.follow:
            self.action_follow()

    def action_follow(self) -> None:
        """Follow the end, or stay; what was let go is read again."""
        if self._is_cut:
            self.run_worker(self._reopen())
        elif self.transcript.follow:
            self.transcript.scroll(0)
        else:
            self.transcript.go_end()

    def action_fold(self) -> None:
        self.transcript.fold()

    def action_fold_all(self) -> None:
        self.transcript.fold_all()

    def action_step(self, steps: int) -> None:
        """To the next match while a search is on, else to the next prompt."""
        transcript = self.transcript
        if transcript.words:
            if not transcript.go_to_match(steps):
                self._nothing_there("match", steps)
        elif not transcript.go_to_kind("prompt", steps):
            self._nothing_there("prompt", steps)

    def _nothing_there(self, what: str, steps: int) -> None:
        if steps > 0:
            self.cockpit.say(f"no later {what}")
        elif self.transcript.story.complete:
            self.cockpit.say(f"no earlier {what}")
        else:
            self.action_go(0)
            self.cockpit.say(
                f"no {what} above in what is loaded: reading further back, press again"
            )

    def action_figures(self) -> None:
        """The figures beside the transcript, or in its place; their keys follow what is shown."""
        self._has_figures = not self.figures.display
        self._lay_out()
        (self.transcript if self.transcript.display else self.figures).focus()
        self._show_figures()

    async def action_search(self) -> None:
        if self.query("#search"):
            return
        line = Input(
            self.transcript.words,
            placeholder="words in the loaded pages",
            id="search",
            compact=True,
        )
        line.cursor_blink = False
        await self.mount(line, before=self.last_line)
        line.focus()

    async def on_input_submitted(self, event: Input.Submitted) -> None:
        await event.input.remove()
        self.transcript.focus()
        if not self.transcript.search(event.value):
            self.cockpit.say("not in the loaded pages", "warning")

    def action_copy(self) -> None:
        copied = self.transcript.entry_text
        if copied:
            self.app.copy_to_clipboard(copied)
            self.cockpit.say(f"copied {len(copied):,} characters")

    async def action_folder(self) -> None:
        """Open the project's folder; the opener gets no terminal to write to."""
        folder = self._run.project if self._run is not None else ""
        if not Path(folder).is_absolute() or not Path(folder).is_dir():
            self.cockpit.say("no folder of this run is known here", "warning")
            return
        try:
            await asyncio.create_subprocess_exec(
                "xdg-open",
                folder,
                stdin=DEVNULL,
                stdout=DEVNULL,
                stderr=DEVNULL,
                start_new_session=True,
            )
        except OSError:
            self.cockpit.say("xdg-open is not there to open it", "warning")


def _is_too_much(size: int, entries: int) -> bool:
    return size > CHARACTERS or entries > ENTRIES
