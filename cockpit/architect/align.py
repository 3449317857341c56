"""Texts of several runs laid beside each other: what all of them say, and the gaps between."""

import re
from collections.abc import Sequence
from functools import lru_cache

from msgspec import Struct

_TOKEN = re.compile(
    r"\d{4}[-/]\d{2}(?:[-/]\d{2})?(?!\d)|\d+(?:[.,]\d+)*|[^\W\d_]+|_+|\s+|.", re.DOTALL
)
_PIECE = re.compile(r"\d+|[^\W\d_]+|_+|\s+|.", re.DOTALL)
LONGEST = 4_000
"""Tokens of a text beyond which nothing is laid side by side."""


class Template(Struct, frozen=True):
    """Literals with a gap before each and one at the end; `gaps[g][s]` is gap g of text s."""

    literals: tuple[str, ...]
    gaps: tuple[tuple[str, ...], ...]

    def joined(self, begin: int, end: int, text: int) -> str:
        """The text from gap `begin` up to gap `end`, both included."""
        parts = [self.gaps[begin][text]]
        for place in range(begin, end):
            parts += [self.literals[place], self.gaps[place + 1][text]]
        return "".join(parts)


@lru_cache(4096)
def tokens(text: str) -> tuple[str, ...]:
    """Dates, numbers, words, blanks and single marks."""
    return tuple(_TOKEN.findall(text))


@lru_cache(4096)
def pieces(text: str) -> tuple[str, ...]:
    """As `tokens`, with versions, dates and times taken apart too."""
    return tuple(_PIECE.findall(text))


def template(texts: Sequence[str], *, fine: bool = False) -> Template:
    """What all texts have in common, token by token."""
    split = pieces if fine else tokens
    distinct = list(dict.fromkeys(texts))
    common: Sequence[str] = split(distinct[0])
    for other in distinct[1:]:
        common = _common(common, split(other))
    gaps = [_gaps(common, split(text)) for text in texts]
    return _closed(common, gaps)


def _closed(common: Sequence[str], gaps: list[list[str]]) -> Template:
    """Literals with nothing between them in any text become one."""
    literals: list[str] = []
    kept: list[tuple[str, ...]] = []
    for place in range(len(common) + 1):
        column = tuple(each[place] for each in gaps)
        if place == 0 or any(column):
            kept.append(column)
            if place < len(common):
                literals.append(common[place])
        elif place < len(common):
            if literals:
                literals[-1] += common[place]
            else:
                literals.append(common[place])
    if len(kept) == len(literals):
        kept.append(("",) * len(gaps))
    return Template(tuple(literals), tuple(kept))


def _weight(token: str) -> int:
    return 1 if token.isspace() else 2 if not token.isalnum() else 3 + min(len(token), 6)


def _common(one: Sequence[str], other: Sequence[str]) -> list[str]:
    """The heaviest common subsequence: words count for more than blanks and marks."""
    head = 0
    while head < min(len(one), len(other)) and one[head] == other[head]:
        head += 1
    tail = 0
    while tail < min(len(one), len(other)) - head and one[-1 - tail] == other[-1 - tail]:
        tail += 1
    left, right = one[head : len(one) - tail], other[head : len(other) - tail]
    if len(left) * len(right) > LONGEST * LONGEST // 16:
        middle: list[str] = []
    else:
        middle = _heaviest(left, right)
    return [*one[:head], *middle, *one[len(one) - tail :]]


def _heaviest(left: Sequence[str], right: Sequence[str]) -> list[str]:
    width = len(right) + 1
    best = [[0] * width for _ in range(len(left) + 1)]
    for row in range(len(left) - 1, -1, -1):
        weight, below, here = _weight(left[row]), best[row + 1], best[row]
        for column in range(len(right) - 1, -1, -1):
            if left[row] == right[column]:
                here[column] = below[column + 1] + weight
            else:
                here[column] = max(below[column], here[column + 1])
    found: list[str] = []
    row = column = 0
    while row < len(left) and column < len(right):
        if left[row] == right[column]:
            found.append(left[row])
            row, column = row + 1, column + 1
        elif best[row + 1][column] >= best[row][column + 1]:
            row += 1
        else:
            column += 1
    return found


def _gaps(common: Sequence[str], text: Sequence[str]) -> list[str]:
    """What stands before each common token, and behind the last, which is taken from the end."""
    gaps: list[str] = []
    at = 0
    for place, token in enumerate(common):
        end = text.index(token, at)
        if place == len(common) - 1 and text[-1] == token:
            end = len(text) - 1
        gaps.append("".join(text[at:end]))
        at = end + 1
    gaps.append("".join(text[at:]))
    return gaps


def shape(line: str, *, coarse: bool) -> str:
    """What kind of line it is: its marks without its words, or only what it begins with."""
    indent = len(line) - len(line.lstrip())
    if not line.strip():
        return "blank"
    body = line.strip()
    if coarse:
        mark = re.match(r"[-*+>|#]+|\d+[.)]|\[|\{|\"", body)
        begin = re.sub(r"\d+", "0", mark[0]) if mark else "w"
        return f"{indent}{begin}{'|' * body.count('|')}{',' * body.count(',') if not mark else ''}"
    plain = re.sub(r"\d{4}-\d{2}-\d{2}|\d+(?:[.,:]\d+)*", "0", body)
    plain = re.sub(r"[^\W\d_]+(?:[-_./']?[\w]+)*", "w", plain)
    return f"{indent}" + re.sub(r"w(?:\s+w|0)*", "w", plain)
