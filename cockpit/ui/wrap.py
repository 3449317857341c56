"""Text broken into lines of a given width in cells: words for prose, cells for everything else."""

from rich.cells import cell_len, get_character_cell_size

TAB = 4


def words(text: str, width: int, first: int | None = None) -> list[str]:
    """Lines of at most `width` cells, broken at spaces where there are any; `first` is the width of the first line."""
    lines: list[str] = []
    for line in text.expandtabs(TAB).split("\n"):
        room = width if lines or first is None else first
        while (end := _cut(line, room)) < len(line):
            end = _last_space(line, end)
            lines.append(line[:end].rstrip())
            line = line[end:].lstrip(" ")
            room = width
        lines.append(line)
    return lines


def cells(text: str, width: int) -> list[str]:
    """Lines of at most `width` cells, broken anywhere: for code and output, whose spaces matter."""
    lines: list[str] = []
    for line in text.expandtabs(TAB).split("\n"):
        while (end := _cut(line, width)) < len(line):
            lines.append(line[:end])
            line = line[end:]
        lines.append(line)
    return lines


def soft(text: str, width: int) -> list[str]:
    """One line in pieces of at most `width` cells, behind a space where there is one: joined, it is the line again."""
    pieces: list[str] = []
    while (end := _cut(text, width)) < len(text):
        space = text.rfind(" ", end // 2, end) + 1
        pieces.append(text[: space or end])
        text = text[space or end :]
    return [*pieces, text]


def width_of(text: str) -> int:
    """Cells the text takes."""
    return len(text) if text.isascii() else cell_len(text)


def _cut(line: str, width: int) -> int:
    """How many characters fit into `width` cells, at least one; looks no further than that."""
    if line.isascii():
        return min(len(line), max(1, width))
    used = 0
    for place, character in enumerate(line):
        used += get_character_cell_size(character)
        if used > width:
            return max(1, place)
    return len(line)


def _last_space(line: str, end: int) -> int:
    """Where to break at or before `end`: behind the last space, unless that leaves next to nothing."""
    if line[end : end + 1] == " ":
        return end
    space = line.rfind(" ", 0, end)
    return space + 1 if space > end // 3 else end
