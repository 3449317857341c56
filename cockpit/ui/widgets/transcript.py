"""The transcript of a run, on Textual's Line API: only entries in view are wrapped and drawn."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import tzinfo

from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.theme import Theme

from cockpit.core import events as core_events
from cockpit.ui.entries import Entry, Kind, Story
from cockpit.ui.palette import Palette
from cockpit.ui.widgets.entry_lines import copy_text, highlighted, lines_of
from cockpit.ui.widgets.first_line import Look
from cockpit.ui.widgets.framed import Framed, Line
from cockpit.ui.widgets.lines import Part
from cockpit.ui.widgets.viewport import Place, Viewport

DRAWN_LIMIT = 256
"""Entries whose lines are kept: more than fit on any screen."""
STAY_FOLDED = ("mark", "warning", "call")
WHEEL_LINES = 3
EARLY = 40
"""So many entries above the view, or fewer, and the page before is asked for."""


class Transcript(Framed, can_focus=True):
    """Entries, one of them under the cursor; follows the end until the operator looks back."""

    padding = 0

    class EarlierWanted(Message):
        """The view comes near the first entry that is loaded."""

    def __init__(self, tz: tzinfo | None, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.story = Story()
        self.follow = True
        self.all_open = False
        self.cursor = 0
        self.words = ""
        self.matches = 0
        self.missed = 0
        self.is_live = True
        self._tz = tz
        self._turned: set[int] = set()
        self._wrapped: OrderedDict[int, list[list[Part]]] = OrderedDict()
        self._width = 0
        self._view = Viewport(lambda key: len(self._rows(key)))
        self._places: list[Place] = []
        self._is_earlier_asked = False

    # --- the story

    def begin(self, happened: Iterable[core_events.Event], *, complete: bool) -> None:
        """Show the newest page, and follow its end."""
        self.story = Story(complete=complete)
        self.story.extend(happened)
        self._turned.clear()
        self._wrapped.clear()
        self._is_earlier_asked = False
        self.go_end()

    def add(self, happened: Iterable[core_events.Event]) -> None:
        """Add what just happened; the view moves only while it follows."""
        for key in self.story.extend(happened):
            self._wrapped.pop(key, None)
        if self.follow:
            self.cursor = self._last
        self.redraw()

    def add_before(self, happened: Iterable[core_events.Event], *, complete: bool) -> None:
        """Add the page before; what is in view stays where it is."""
        added = self.story.extend_before(happened, complete=complete)
        self._is_earlier_asked = not added and not complete
        self.redraw()

    def drop_after(self, key: int) -> None:
        """Forget the entries from `key` on, and follow no longer."""
        self.follow = False
        self.story.drop_after(key)
        self._wrapped.clear()
        self.cursor = min(self.cursor, self._last)
        self.redraw()

    @property
    def _last(self) -> int:
        return max(self.story.first, self.story.end - 1)

    @property
    def entry(self) -> Entry | None:
        """The entry under the cursor."""
        return self.story[self.cursor] if self.story.entries else None

    @property
    def entry_text(self) -> str:
        """The whole entry under the cursor."""
        return copy_text(self.entry) if self.entry else ""

    @property
    def bottom(self) -> int:
        """The key of the last entry in view."""
        return self._places[-1].key if self._places else self._last

    # --- folds

    def is_open(self, key: int) -> bool:
        opened = self.all_open and self.story[key].kind not in STAY_FOLDED
        return opened != (key in self._turned)

    def fold(self) -> None:
        """Unfold the entry under the cursor, or fold it again."""
        if not self.story.entries:
            return
        self._turn(self.cursor)
        self.follow = self.follow and self.cursor == self._last and not self.is_open(self.cursor)
        self._view.reveal(self.cursor)
        self.redraw()

    def fold_all(self) -> None:
        """Unfold everything, or fold it again; what the cursor is on stays in view."""
        self.all_open = not self.all_open
        self._turned.clear()
        self._wrapped.clear()
        if self.story.entries and not self.follow:
            self._view.top = Place(self.cursor, 0)
        self.redraw()

    def _turn(self, key: int) -> None:
        self._turned ^= {key}
        self._wrapped.pop(key, None)

    # --- moving

    def move(self, steps: int) -> None:
        """The cursor goes to another entry; through one taller than the view the view goes first."""
        if not self.story.entries or self._read_on(steps):
            return
        self.go_to(self.cursor + steps)

    def _read_on(self, steps: int) -> bool:
        """Scroll inside an entry of which more is to be read in that direction."""
        shown = [place.line for place in self._places if place.key == self.cursor]
        tall = len(self._rows(self.cursor))
        if tall <= self._view.height or not shown:
            return False
        unread = tall - 1 - shown[-1] if steps > 0 else shown[0]
        if unread <= 0:
            return False
        self._view.scroll(min(unread, WHEEL_LINES) * (1 if steps > 0 else -1))
        self.follow = False
        self.redraw()
        return True

    def go_to(self, key: int) -> None:
        """The cursor goes to an entry; following goes on only at the last one."""
        if not self.story.entries:
            return
        self.cursor = min(max(key, self.story.first), self._last)
        self.follow = key >= self._last
        self._view.reveal(self.cursor)
        self.redraw()

    def go_end(self) -> None:
        """To the last entry; from now on the view follows."""
        self.cursor, self.follow = self._last, True
        self.redraw()

    def scroll(self, lines: int) -> None:
        """The view goes down by so many lines, up when negative; the cursor stays inside."""
        if not self.story.entries:
            return
        reached_end = self._view.scroll(lines)
        self.follow = lines > 0 and reached_end
        keys = [place.key for place in self._view.places()]
        self.cursor = self._last if self.follow else min(max(self.cursor, keys[0]), keys[-1])
        self.redraw()

    def page(self, pages: int) -> None:
        self.scroll(pages * max(1, self._view.height - 2))

    def go_to_kind(self, kind: Kind, steps: int) -> bool:
        """To the next entry of a kind, the one before when `steps` is negative; False if there is none."""
        return self._go_to_next(lambda entry: entry.kind == kind, steps)

    def _go_to_next(self, is_wanted: Callable[[Entry], bool], steps: int) -> bool:
        key = self.cursor + steps
        while self.story.first <= key < self.story.end:
            if is_wanted(self.story[key]):
                self.go_to(key)
                return True
            key += steps
        return False

    # --- search

    def search(self, words: str) -> bool:
        """Mark words and go to the nearest entry that has them, upwards first; no words end the search."""
        self.words = words.strip().lower()
        self._wrapped.clear()
        self.matches = sum(map(self._has_words, self.story.entries)) if self.words else 0
        here = self.entry is not None and self._has_words(self.entry)
        found = bool(self.matches) and (here or self.go_to_match(-1) or self.go_to_match(1))
        if found and here:
            self._show_match()
        self.redraw()
        return found or not self.words

    def go_to_match(self, steps: int) -> bool:
        """To the next entry with the words, the one before when `steps` is negative."""
        found = self._go_to_next(self._has_words, steps)
        if found:
            self._show_match()
        return found

    def _has_words(self, entry: Entry) -> bool:
        told = (entry.text, entry.name, entry.arguments, entry.output, entry.diff)
        return any(self.words in text.lower() for text in told)

    def _show_match(self) -> None:
        """Unfold the entry when the words are in what is folded away."""
        shown = "\n".join(map(_text_of, self._rows(self.cursor))).lower()
        if self.words not in shown and not self.is_open(self.cursor):
            self._turn(self.cursor)
        self.go_to(self.cursor)

    # --- mouse

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.scroll(WHEEL_LINES)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.scroll(-WHEEL_LINES)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or not self.story.entries:
            return
        y = offset.y - 1
        if offset.x == self.size.width - 1:
            share = min(max(0.0, y / max(1, self._view.height - 1)), 1.0)
            self.go_to(self.story.first + round(share * (len(self.story.entries) - 1)))
        elif 0 <= y < len(self._places):
            key, line = self._places[y]
            was_here = key == self.cursor
            self.go_to(key)
            if line == 0 or (was_here and not self.is_open(key)):
                self.fold()

    # --- drawing

    def _recolor(self, theme: Theme) -> None:
        self._wrapped.clear()
        super()._recolor(theme)

    def _rows(self, key: int) -> list[list[Part]]:
        """The lines of an entry, without the bar at its left."""
        rows = self._wrapped.get(key)
        if rows is None:
            look = Look(max(20, self._width - 2), self.is_open(key), self.palette, self._tz)
            rows = lines_of(self.story[key], look)
            if self.words:
                rows = [highlighted(row, self.words) for row in rows]
            self._wrapped[key] = rows
            if len(self._wrapped) > DRAWN_LIMIT:
                self._wrapped.popitem(last=False)
        else:
            self._wrapped.move_to_end(key)
        return rows

    def draw(self, width: int, height: int) -> list[Strip]:
        self._title, self._note = self._state(), self._count()
        return super().draw(width, height)

    def content(self, width: int, height: int) -> list[Line]:
        if width != self._width:
            self._width = width
            self._wrapped.clear()
        self._view.over(self.story.first, self.story.end, height)
        if not self.story.entries:
            self._places = []
            return []
        if self.follow:
            self._view.top = self._view.lowest()
        self._places = self._view.places()
        self._ask_for_earlier()
        palette = self.palette
        return [self._line(place, palette) for place in self._places]

    def _ask_for_earlier(self) -> None:
        is_near = self._view.top.key - self.story.first < EARLY
        if is_near and not self.story.complete and not self._is_earlier_asked:
            self._is_earlier_asked = True
            self.post_message(self.EarlierWanted())

    def _line(self, place: Place, palette: Palette) -> Line:
        row = self._rows(place.key)[place.line]
        if place.key != self.cursor:
            return Line([(" ", palette.text), *row])
        is_gap = place.line == 0 and self.story[place.key].kind == "prompt"
        is_bar_enough = palette.cursor.reverse and place.line > 0
        ground = None if is_gap or is_bar_enough else palette.cursor
        return Line([("▌", palette["key"]), *row], ground)

    def _state(self) -> str:
        if self.missed:
            return f"transcript · {self.missed:,} newer, f shows them"
        return "transcript · following" if self.follow else "transcript · f follows"

    def _count(self) -> str:
        said = [f"{len(self.story.entries):,} entries"]
        said += [] if self.story.complete else ["more above"]
        said += [f"found in {self.matches:,}"] if self.words else []
        said += [] if self.is_live else ["not live"]
        return " · ".join(said)

    def thumb(self, height: int) -> range:
        """Where the view stands, counted in entries: the heights of those out of view are unknown."""
        count = len(self.story.entries)
        shown = self.bottom - self._view.top.key + 1
        if not count or (shown >= count and len(self._places) < height):
            return range(0)
        size = min(height, max(1, round(height * shown / count)))
        room = height - size
        above = self._view.top.key - self.story.first
        start = room if self.follow else round(room * above / max(1, count - shown))
        return range(start, start + size)


def _text_of(row: list[Part]) -> str:
    return "".join(part for part, _ in row)
