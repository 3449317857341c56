"""Digits big enough to read from across the room, and the arm of the theme `in-time`."""

from functools import cache
from typing import NamedTuple

GLYPHS = {
    "0": ("###", "# #", "# #", "# #", "###"),
    "1": ("## ", " # ", " # ", " # ", "###"),
    "2": ("###", "  #", "###", "#  ", "###"),
    "3": ("###", "  #", "###", "  #", "###"),
    "4": ("# #", "# #", "###", "  #", "  #"),
    "5": ("###", "#  ", "###", "  #", "###"),
    "6": ("###", "#  ", "###", "# #", "###"),
    "7": ("###", "  #", "  #", "  #", "  #"),
    "8": ("###", "# #", "###", "# #", "###"),
    "9": ("###", "# #", "###", "  #", "###"),
    ":": (" ", "#", " ", "#", " "),
    ".": (" ", " ", " ", " ", "#"),
    "·": (" ", " ", "#", " ", " "),
    ",": (" ", " ", " ", "#", "#"),
    "$": ("#####", "# #  ", "#####", "  # #", "#####"),
    "~": ("   ", " ##", "## ", "   ", "   "),
    "≤": (" ##", "#  ", " ##", "   ", "###"),
    "?": ("###", "  #", " ##", "   ", " # "),
    "-": ("   ", "   ", "###", "   ", "   "),
    "d": ("  #", "  #", "###", "# #", "###"),
    "h": ("#  ", "#  ", "###", "# #", "# #"),
    "k": ("#  ", "# #", "## ", "# #", "# #"),
    "M": ("# #", "###", "###", "# #", "# #"),
    " ": (" ", " ", " ", " ", " "),
}
HEIGHT = 5
_HALVES = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
_QUADRANTS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"

ARM_UNITS = (
    ("years", 365 * 86_400, 4),
    ("weeks", 7 * 86_400, 2),
    ("days", 86_400, 1),
    ("hours", 3_600, 2),
    ("minutes", 60, 2),
    ("seconds", 1, 2),
)


class Segment(NamedTuple):
    """A piece of the arm: its digits or separator, and whether anything is left in it."""

    text: str
    lit: bool


def big(text: str, width: int) -> list[str]:
    """The text in the largest letters that fit into `width` cells; as it is when none do."""
    for draw in (blocks, halves):
        rows = draw(text)
        if len(rows[0]) <= width:
            return rows
    return [text]


def _pixels(text: str) -> list[str]:
    return [" ".join(GLYPHS[letter][row] for letter in text) for row in range(HEIGHT)]


def blocks(text: str) -> list[str]:
    """Five lines of six cells a letter: strokes two cells broad and half a line high."""
    halves = range(len(_STRETCH))
    return _halved([" ".join(_stretched(letter, half) for letter in text) for half in halves])


_STRETCH = (0, 1, 1, 1, 2, 3, 3, 3, 4)
"""The row of the pixel letter that each half line shows: strokes thin, the room between them tall."""
_STRETCH_DOTS = (0, 0, 1, 1, 2, 3, 3, 4, 4)
"""The same for letters of one column: dots stay square."""


@cache
def _stretched(letter: str, half: int) -> str:
    pixels = GLYPHS[letter]
    columns = len(pixels[0])
    row = pixels[_STRETCH_DOTS[half] if columns == 1 else _STRETCH[half]]
    return row if columns > 3 else "".join(pixel * 2 for pixel in row)


def _halved(rows: list[str]) -> list[str]:
    """Two rows of pixels in one line of half blocks."""
    if len(rows) % 2:
        rows = [*rows, " " * len(rows[0])]
    return [
        "".join(_HALVES[above == "#", below == "#"] for above, below in zip(*pair, strict=True))
        for pair in zip(rows[::2], rows[1::2], strict=True)
    ]


def halves(text: str) -> list[str]:
    """Three lines of half blocks; a pixel is a square of one cell's width."""
    return _halved(_pixels(text))


def quadrants(text: str) -> list[str]:
    """Three lines, a digit in two cells: for the thirteen digits of the arm."""
    width = sum(2 if len(GLYPHS[letter][0]) == 3 else 1 for letter in text) * 2
    cells = [
        "".join(
            GLYPHS[letter][row].ljust(4 if len(GLYPHS[letter][0]) == 3 else 2) for letter in text
        )
        for row in range(HEIGHT)
    ]
    cells.append(" " * width)
    return [
        "".join(_quadrant(top, bottom, x) for x in range(0, width, 2))
        for top, bottom in zip(cells[::2], cells[1::2], strict=True)
    ]


def _quadrant(top: str, bottom: str, x: int) -> str:
    pixels = (top[x], top[x + 1], bottom[x], bottom[x + 1])
    return _QUADRANTS[sum(1 << place for place, pixel in enumerate(pixels) if pixel == "#")]


def arm(left_ms: int) -> list[Segment]:
    """Time left as years, weeks, days, hours, minutes and seconds with the dots between them.

    Units before the first that is not zero are unlit.
    """
    seconds, lit = max(0, left_ms) // 1_000, False
    segments: list[Segment] = []
    for _, size, digits in ARM_UNITS:
        value, seconds = divmod(seconds, size)
        if segments:
            segments.append(Segment("·", lit))
        lit = lit or value > 0
        segments.append(Segment(f"{min(value, 10**digits - 1):0{digits}d}", lit))
    return segments
