"""Diffs as lines to be colored: what was added, removed and kept, with line numbers and changed words."""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher, unified_diff
from typing import Literal

from msgspec import Struct

Kind = Literal["file", "place", "same", "added", "removed"]

WORDS_LIMIT = 400
"""Lines longer than this are not searched for the words that changed."""
LINES_LIMIT = 2_000
"""Texts longer than this are compared as removed and added: difflib is quadratic in the worst case."""

_PLACE = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")
_FILE = (
    "--- ",
    "+++ ",
    "diff ",
    "index ",
    "*** ",
    "Index: ",
    "rename ",
    "new file",
    "deleted file",
)


class DiffLine(Struct, frozen=True):
    """One line without its sign. `number` is its line in the new text (the old one when removed), 0 unknown.

    `changed` are the parts that differ from the line it replaces, as pairs of offsets.
    """

    kind: Kind
    text: str
    number: int = 0
    changed: tuple[tuple[int, int], ...] = ()


def between(old: str, new: str) -> str:
    """The unified diff of two texts, without file names."""
    before, after = old.splitlines(), new.splitlines()
    if len(before) + len(after) > LINES_LIMIT:
        return "\n".join([*("-" + line for line in before), *("+" + line for line in after)])
    return "\n".join(list(unified_diff(before, after, lineterm="", n=3))[2:])


def lines(diff: str) -> list[DiffLine]:
    """The lines of a unified diff, or of anything that signs its lines with + and -."""
    return list(_compared(list(_read(diff))))


def _read(diff: str) -> Iterator[DiffLine]:
    old = new = 0
    in_hunk = False
    for line in diff.splitlines():
        place = _PLACE.match(line)
        if place:
            old, new, in_hunk = int(place[1]), int(place[2]), True
            yield DiffLine("place", line)
        elif line.startswith("@@"):
            old = new = 0
            yield DiffLine("place", line)
        elif line.startswith(_FILE) and not (in_hunk and old and line[:4] in ("--- ", "+++ ")):
            old, new, in_hunk = 0, 0, False
            yield DiffLine("file", line)
        elif line.startswith("+"):
            yield DiffLine("added", line[1:], new)
            new += bool(new)
        elif line.startswith("-"):
            yield DiffLine("removed", line[1:], old)
            old += bool(old)
        else:
            yield DiffLine("same", line.removeprefix(" "), new)
            old, new = old + bool(old), new + bool(new)


def _compared(found: list[DiffLine]) -> Iterator[DiffLine]:
    """The same lines; where a block of removed lines is followed by as many added ones, with changed parts."""
    place = 0
    while place < len(found):
        removed = _stretch(found, place, "removed")
        added = _stretch(found, place + removed, "added")
        if removed and removed == added:
            middle = place + removed
            pairs = [
                _changed(*pair)
                for pair in zip(found[place:middle], found[middle : middle + added], strict=True)
            ]
            yield from (before for before, _ in pairs)
            yield from (after for _, after in pairs)
        else:
            yield from found[place : place + (removed + added or 1)]
        place += removed + added or 1


def _stretch(found: list[DiffLine], start: int, kind: Kind) -> int:
    end = start
    while end < len(found) and found[end].kind == kind:
        end += 1
    return end - start


def _changed(before: DiffLine, after: DiffLine) -> tuple[DiffLine, DiffLine]:
    if max(len(before.text), len(after.text)) > WORDS_LIMIT:
        return before, after
    matcher = SequenceMatcher(None, before.text, after.text, autojunk=False)
    if matcher.ratio() < 0.5:
        return before, after
    steps = [step for step in matcher.get_opcodes() if step[0] != "equal"]
    gone = tuple((first, last) for _, first, last, _, _ in steps if last > first)
    come = tuple((first, last) for _, _, _, first, last in steps if last > first)
    return (
        DiffLine(before.kind, before.text, before.number, gone),
        DiffLine(after.kind, after.text, after.number, come),
    )
