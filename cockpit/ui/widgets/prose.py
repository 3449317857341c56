"""Pieces of a page: paragraphs, labelled values, columns side by side; whatever comes in is cleaned here."""

from collections.abc import Sequence

from rich.style import Style

from cockpit.core import text as core_text
from cockpit.ui import text, wrap
from cockpit.ui.palette import Palette
from cockpit.ui.widgets.lines import Part

Lined = list[list[Part]]
LABEL = 11
"""Cells of a label, the space behind it included."""
BODY_LIMIT = 4_000
GAP = "  "


def clean(words: str, limit: int = BODY_LIMIT) -> str:
    """Text from outside as lines; cleaned here again, whatever the engine did."""
    return core_text.clean(words, limit).strip("\n")


def paragraph(words: str, width: int, style: Style, *, indent: int = 0, most: int = 12) -> Lined:
    """Prose broken at words, at most so many lines."""
    rows = wrap.words(clean(words), max(8, width - indent))
    cut = rows[:most]
    if len(rows) > most:
        cut[-1] = text.fit(cut[-1] + " …", max(8, width - indent)).rstrip()
    return [[(" " * indent + row, style)] for row in cut]


def labelled(label: str, words: str, width: int, palette: Palette, *, most: int = 8) -> Lined:
    """A dim label, and what it says in its own column."""
    lines = paragraph(words, width - LABEL, palette.text, most=most)
    return beside_label(label, lines, palette)


def beside_label(label: str, lines: Lined, palette: Palette) -> Lined:
    """Lines in the column of values, the first one behind its label."""
    heads = [text.fit(label, LABEL), *[" " * LABEL] * (len(lines) - 1)]
    return [[(head, palette["dim"]), *line] for head, line in zip(heads, lines, strict=True)]


def heading(words: str, palette: Palette) -> list[Part]:
    return [(text.safe(words), palette["title"])]


def side_by_side(
    columns: Sequence[tuple[str, str]], width: int, palette: Palette, most: int = 10
) -> Lined:
    """A title and a text each, beside each other; what is not the same in all of them stands out."""
    count = max(1, len(columns))
    room = max(8, (width - len(GAP) * (count - 1)) // count)
    texts = [clean(body) for _, body in columns]
    common = _common(texts)
    made = [
        [
            [(text.fit(text.safe(title), room), palette["dim"])],
            *_column(body, common, room, palette, most),
        ]
        for (title, _), body in zip(columns, texts, strict=True)
    ]
    height = max((len(column) for column in made), default=0)
    return [_row(made, y, room) for y in range(height)]


def _row(columns: list[Lined], y: int, room: int) -> list[Part]:
    parts: list[Part] = []
    for place, column in enumerate(columns):
        style = column[0][0][1]
        if place:
            parts.append((GAP, style))
        parts += column[y] if y < len(column) else [(" " * room, style)]
    return parts


def _common(texts: Sequence[str]) -> tuple[int, int]:
    """How many characters all texts begin and end with alike, whole words only."""
    if len(set(texts)) < 2:
        return (0, 0)
    first, last = min(texts), max(texts)
    start = _alike(first, last)
    while start and not first[start - 1].isspace():
        start -= 1
    backwards = [each[start:][::-1] for each in texts]
    first, last = min(backwards), max(backwards)
    end = _alike(first, last)
    while end and not first[end - 1].isspace():
        end -= 1
    return start, end


def _alike(first: str, last: str) -> int:
    for place, (one, other) in enumerate(zip(first, last, strict=False)):
        if one != other:
            return place
    return min(len(first), len(last))


def _column(body: str, common: tuple[int, int], room: int, palette: Palette, most: int) -> Lined:
    """The text in exactly `room` cells a line; what all columns share is dim."""
    start, end = common[0], len(body) - common[1]
    lines: Lined = []
    at = 0
    for line in body.split("\n"):
        for row in wrap.soft(line.expandtabs(wrap.TAB), room):
            lines.append(_shaded(row, at, start, end, room, palette))
            at += len(row)
        at += 1
    if len(lines) > most:
        lines[most - 1 :] = [
            [(text.fit(f"… {len(lines) - most + 1} more lines", room), palette["dim"])]
        ]
    return lines


def _shaded(row: str, at: int, start: int, end: int, room: int, palette: Palette) -> list[Part]:
    first = min(max(0, start - at), len(row))
    last = min(max(first, end - at), len(row))
    padding = " " * max(0, room - wrap.width_of(row))
    return [
        (row[:first], palette["dim"]),
        (row[first:last], palette.text),
        (row[last:] + padding, palette["dim"]),
    ]
