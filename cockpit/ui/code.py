"""A program as colored pieces: light, line by line, and honest about what cannot be shown.

Scripts are untrusted text: every line is cleaned, and one that held something invisible says so.
"""

import io
import keyword
import re
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from cockpit.core import text as core_text
from cockpit.core.script import Hole
from cockpit.core.shelf import holes_in, places_of
from cockpit.ui import wrap

Kind = Literal["plain", "word", "string", "number", "comment"]
Piece = tuple[Kind, str]

LINE_LIMIT = 20_000
_TOKENS = re.compile(
    r"""(?P<comment>\#.*)
    |(?P<string>[rbfuRBFU]{0,2}(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"))
    |(?P<number>\b\d[\d_]*(?:\.\d+)?\b)
    |(?P<name>[^\W\d]\w*)""",
    re.VERBOSE,
)
_TRIPLE = re.compile(r'"""|\'\'\'')


class CodeLine(Struct, frozen=True):
    """A line as it may be shown; `hides` when the file has more on it than can be seen."""

    number: int
    text: str
    holes: tuple[str, ...] = ()
    hides: bool = False
    is_quoted: bool = False


def lines_of(source: str) -> list[str]:
    """The lines as the interpreter sees them: a line ends with a new line or a carriage return, and with nothing else."""
    return io.StringIO(source, newline=None).read().split("\n")


def code_lines(source: str, holes: Sequence[Hole], numbers: range | None = None) -> list[CodeLine]:
    """The program's lines, or those with these numbers, each with the holes whose values come into it."""
    quote = ""
    made: list[CodeLine] = []
    found = lines_of(source)
    if found and not found[-1]:
        found.pop()
    for number, raw in enumerate(found, 1):
        is_quoted = bool(quote)
        for mark in _TRIPLE.findall(raw):
            quote = "" if quote == mark else quote or mark
        if numbers is not None and number not in numbers:
            continue
        shown = core_text.clean(raw, LINE_LIMIT).replace("\n", " ")
        used = holes_in(raw, holes)
        made.append(CodeLine(number, shown.expandtabs(wrap.TAB), used, shown != raw, is_quoted))
    return made


def pieces(line: CodeLine) -> list[Piece]:
    """The line in order, each piece with what it is; together they are the line."""
    if line.is_quoted:
        return [("string", line.text)]
    made: list[Piece] = []
    place = 0
    for found in _TOKENS.finditer(line.text):
        kind = _kind(found)
        if kind == "plain":
            continue
        if found.start() > place:
            made.append(("plain", line.text[place : found.start()]))
        made.append((kind, found[0]))
        place = found.end()
    return [*made, ("plain", line.text[place:])] if place < len(line.text) else made


def _kind(found: re.Match[str]) -> Kind:
    match found.lastgroup:
        case "comment":
            return "comment"
        case "string":
            return "string"
        case "number":
            return "number"
    return "word" if keyword.iskeyword(found[0]) else "plain"


def spans(text: str, source: str) -> tuple[tuple[int, int], ...]:
    """Where the code of a hole stands in a cleaned line."""
    return places_of(core_text.clean(source, LINE_LIMIT).expandtabs(wrap.TAB), text)


def shown(told: str) -> str:
    """A text of several lines, each of them cleaned, with the lines as the interpreter sees them."""
    return "\n".join(
        core_text.clean(line, LINE_LIMIT).replace("\n", " ").expandtabs(wrap.TAB)
        for line in lines_of(told)
    )
