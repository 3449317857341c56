"""Which lines of which entries are in view.

The view hangs on an entry and a line of it, not on a line number: nothing has to know the height of
what is out of view, and neither a page loaded above, nor an unfolded entry, nor another width moves
what is being read.
"""

from collections.abc import Callable
from typing import NamedTuple


class Place(NamedTuple):
    """A line of an entry, both from 0; entries have keys as in `Story`."""

    key: int
    line: int


class Viewport:
    """`height` lines from `top` on, over the entries `first` to `end` (excluded), each `tall(key)` lines high."""

    def __init__(self, tall: Callable[[int], int]) -> None:
        self._tall = tall
        self.top = Place(0, 0)
        self.first = 0
        self.end = 0
        self.height = 1

    def over(self, first: int, end: int, height: int) -> None:
        """Look at these entries through so many lines; what was on top stays there if it still exists."""
        self.first, self.end, self.height = first, end, max(1, height)
        if first < end:
            key = min(max(self.top.key, first), end - 1)
            line = self.top.line if key == self.top.key else 0
            self.top = Place(key, min(line, self._tall(key) - 1))

    def step(self, place: Place, lines: int) -> Place:
        """The place so many lines further, back when negative; the first and the last line are walls."""
        key, line = place.key, place.line + lines
        while line < 0 and key > self.first:
            key -= 1
            line += self._tall(key)
        while key < self.end - 1 and line >= (tall := self._tall(key)):
            line -= tall
            key += 1
        return Place(key, min(max(line, 0), self._tall(key) - 1))

    def lowest(self) -> Place:
        """The top of the view that shows the last line at its bottom."""
        last = Place(self.end - 1, self._tall(self.end - 1) - 1)
        return self.step(last, 1 - self.height)

    def scroll(self, lines: int) -> bool:
        """Move the view; True when that brought it to the end."""
        lowest = self.lowest()
        target = self.step(self.top, lines)
        self.top = min(target, lowest)
        return target >= lowest

    def reveal(self, key: int) -> None:
        """Move the view as little as needed to show the whole entry, or its beginning where it is too tall."""
        last = Place(key, self._tall(key) - 1)
        if Place(key, 0) < self.top:
            self.top = Place(key, 0)
        elif last > self.step(self.top, self.height - 1):
            self.top = min(self.step(last, 1 - self.height), Place(key, 0))

    def places(self) -> list[Place]:
        """The lines in view, from the top."""
        found: list[Place] = []
        for key in range(self.top.key, self.end):
            start = self.top.line if key == self.top.key else 0
            for line in range(start, self._tall(key)):
                found.append(Place(key, line))
                if len(found) == self.height:
                    return found
        return found
