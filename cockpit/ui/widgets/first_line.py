"""What all entries of a transcript share: the look, the first line, its cost at the right edge."""

from collections.abc import Iterator
from datetime import tzinfo
from typing import NamedTuple

from rich.style import Style

from cockpit.core import text as core_text
from cockpit.ui import text, wrap
from cockpit.ui.entries import Cost, Entry
from cockpit.ui.palette import Palette
from cockpit.ui.widgets.lines import Part

Line = list[Part]

TIME_WIDTH = 6
INDENT = TIME_WIDTH + 2
ROOMY = 64
"""Width from which the tokens of a call stand beside its cost."""
MONEY_WIDTH, TOKENS_WIDTH, TOOK_WIDTH = 9, 9, 6

GLYPHS = {
    "prompt": ("»", "key"),
    "reply": ("•", "running"),
    "thought": ("∴", "dim"),
    "call": ("·", "dim"),
    "question": ("◆", "asks"),
    "failure": ("✖", "stuck"),
    "warning": ("◆", "asks"),
    "mark": ("─", "track"),
}


class Look(NamedTuple):
    """How an entry is drawn."""

    width: int
    open: bool
    palette: Palette
    tz: tzinfo | None


def clean(body: str) -> str:
    """Text from outside as lines; cleaned here again, whatever the engine did."""
    return core_text.clean(body).strip("\n")


def first_line(entry: Entry, look: Look, said: Line, glyph: tuple[str, str] | None = None) -> Line:
    """Time, glyph, what was said, and at the right edge what it cost."""
    sign, part = glyph or GLYPHS[entry.kind]
    right = _right(entry, look)
    room = look.width - INDENT - cost_width(entry, look)
    return [
        (text.time_of_day(entry.at, look.tz) + " ", look.palette["dim"]),
        (sign + " ", look.palette[part]),
        *_exactly(said, max(0, room), look.palette.text),
        *right,
    ]


def cost_width(entry: Entry, look: Look) -> int:
    """Cells at the right edge of the first line that are taken."""
    return sum(len(words) for words, _ in _right(entry, look))


def _exactly(parts: Line, width: int, fill: Style) -> Line:
    """The parts in exactly `width` cells; the last that fits is cut."""
    fitted: Line = []
    left = width
    for words, style in parts:
        shown = text.fit(words, left).rstrip() if wrap.width_of(words) > left else words
        fitted.append((shown, style))
        left -= wrap.width_of(shown)
        if left <= 0:
            break
    return [*fitted, (" " * left, fill)] if left > 0 else fitted


def _right(entry: Entry, look: Look) -> Line:
    palette, cost = look.palette, entry.cost
    parts = _outcome(entry, palette) if entry.kind == "tool" else []
    if look.width < ROOMY:
        return [*parts, (money(cost).rjust(MONEY_WIDTH), palette["dim"])] if cost else parts
    if cost is None:
        return [*parts, (" " * (MONEY_WIDTH + TOKENS_WIDTH), palette["dim"])] if parts else parts
    tokens = f"{text.tokens(cost.tokens.prompt)}+{text.tokens(cost.tokens.output)}"
    return [
        *parts,
        (money(cost).rjust(MONEY_WIDTH), palette.text),
        (tokens.rjust(TOKENS_WIDTH), palette["dim"]),
    ]


def money(cost: Cost) -> str:
    """What a call cost, with its mark."""
    return "?" if cost.nano is None else text.MARKS[cost.mark] + text.money(cost.nano)


def _outcome(entry: Entry, palette: Palette) -> Line:
    """How a tool ended where that was badly, and how long it took."""
    if entry.state == "running":
        return [("  working", palette["running"])]
    word = f"  exit {entry.exit}" if entry.exit is not None else "  failed"
    said = word if entry.state == "failed" or entry.exit else ""
    return [
        (said, palette["stuck"]),
        (took(entry.ended - entry.at).rjust(TOOK_WIDTH), palette["dim"]),
    ]


def took(ms: int) -> str:
    """A short duration: `3.2s`, `41s`, `12m`; nothing below a tenth of a second."""
    if ms < 100:
        return ""
    return f"{ms / 1000:.1f}s" if ms < 10_000 else text.age(ms) if ms < 60_000 else text.clock(ms)


def margin(look: Look) -> Part:
    return (" " * INDENT, look.palette["dim"])


def more(count: int, look: Look) -> Iterator[Line]:
    if count > 0:
        yield [margin(look), (f"… {count:,} more lines", look.palette["track"])]
