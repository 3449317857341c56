"""One entry of a transcript as lines: folded to what matters, or unfolded to everything."""

import json
import re
from collections.abc import Iterator
from datetime import tzinfo
from typing import NamedTuple

from rich.style import Style

from cockpit.core import text as core_text
from cockpit.ui import diff, text, wrap
from cockpit.ui.entries import Cost, Entry
from cockpit.ui.palette import Palette
from cockpit.ui.widgets.lines import Part

Line = list[Part]

TIME_WIDTH = 6
INDENT = TIME_WIDTH + 2
SHOWN = {"prompt": 6, "reply": 40, "question": 12, "failure": 12, "warning": 4, "mark": 2}
"""Lines of an entry that stay when it is folded."""
SECTION_LIMIT = 1_000
"""Lines of one unfolded section: nobody scrolls through more, and `copy` gives the whole."""
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
_HEADING = re.compile(r"#{1,6} ")


class Look(NamedTuple):
    """How an entry is drawn."""

    width: int
    open: bool
    palette: Palette
    tz: tzinfo | None


def clean(body: str) -> str:
    """Text from outside as lines; cleaned here again, whatever the engine did."""
    return core_text.clean(body).strip("\n")


def lines_of(entry: Entry, look: Look) -> list[Line]:
    """All lines of an entry, none longer than the width; at least one."""
    if entry.kind == "tool":
        return list(_tool(entry, look))
    if entry.kind == "thought":
        return list(_thought(entry, look))
    if entry.kind == "call":
        return [_first(entry, look, [(_call_text(entry), look.palette["dim"])])]
    return list(_said(entry, look))


def copy_text(entry: Entry) -> str:
    """The whole entry, for the clipboard."""
    head = f"{entry.name} {entry.text}".strip()
    return clean(
        "\n\n".join(part for part in (head, entry.arguments, entry.output, entry.diff) if part)
    )


def has_more(entry: Entry) -> bool:
    """Whether folding makes a difference at most widths."""
    if entry.kind == "tool":
        return bool(entry.arguments or entry.output or entry.diff)
    return "\n" in entry.text or len(entry.text) > 60


# --- the first line


def _first(entry: Entry, look: Look, said: Line, glyph: tuple[str, str] | None = None) -> Line:
    """Time, glyph, what was said, and at the right edge what it cost."""
    sign, part = glyph or GLYPHS[entry.kind]
    right = _right(entry, look)
    room = look.width - INDENT - sum(len(words) for words, _ in right)
    return [
        (text.time_of_day(entry.at, look.tz) + " ", look.palette["dim"]),
        (sign + " ", look.palette[part]),
        *_exactly(said, max(0, room), look.palette.text),
        *right,
    ]


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


def _call_text(entry: Entry) -> str:
    model = text.safe(entry.cost.model) if entry.cost else ""
    return f"call without words  {model}"


# --- what people and models say


def _said(entry: Entry, look: Look) -> Iterator[Line]:
    style = _voice(entry, look.palette)
    body = clean(entry.text)
    if entry.name:
        body = f"({text.safe(entry.name)}) {body}"
    room = max(8, look.width - INDENT)
    first = max(8, room - sum(len(words) for words, _ in _right(entry, look)))
    rows = wrap.words(body, room, first)
    shown = len(rows) if look.open else min(len(rows), SHOWN[entry.kind])
    if len(rows) - shown == 1:
        shown += 1
    styles = _markdown(rows, style, look.palette) if entry.kind == "reply" else [style] * len(rows)
    if entry.kind == "prompt":
        yield []
    yield _first(entry, look, [(rows[0], styles[0])])
    for row, row_style in zip(rows[1:shown], styles[1:shown], strict=True):
        yield [_margin(look), (row, row_style)]
    yield from _more(len(rows) - shown, look)


def _voice(entry: Entry, palette: Palette) -> Style:
    match entry.kind:
        case "prompt":
            return palette.bold
        case "failure":
            return palette["stuck"]
        case "question" | "warning":
            return palette["asks"]
        case "mark":
            return palette["dim"]
        case _:
            return palette.text


def _markdown(rows: list[str], style: Style, palette: Palette) -> list[Style]:
    """Styles of the rows of a reply: code in another color, headings bold; nothing is taken away."""
    styles: list[Style] = []
    in_code = False
    for row in rows:
        fence = row.lstrip().startswith("```")
        if fence:
            styles.append(palette["track"])
            in_code = not in_code
        elif in_code:
            styles.append(palette["waiting"])
        else:
            styles.append(palette.bold if _HEADING.match(row) else style)
    return styles


def _margin(look: Look) -> Part:
    return (" " * INDENT, look.palette["dim"])


def _more(count: int, look: Look) -> Iterator[Line]:
    if count > 0:
        yield [_margin(look), (f"… {count:,} more lines", look.palette["track"])]


def _thought(entry: Entry, look: Look) -> Iterator[Line]:
    style = look.palette["dim"] + Style(italic=True)
    body = clean(entry.text)
    if not body:
        yield _first(entry, look, [("thought, in words the vendor keeps", style)])
        return
    if not look.open:
        yield _first(entry, look, [(text.safe(body), style)])
        return
    room = max(8, look.width - INDENT)
    first = max(8, room - sum(len(words) for words, _ in _right(entry, look)))
    rows = wrap.words(body, room, first)
    yield _first(entry, look, [(rows[0], style)])
    for row in rows[1:]:
        yield [_margin(look), (row, style)]


# --- tools


def _tool(entry: Entry, look: Look) -> Iterator[Line]:
    palette = look.palette
    part = {"running": "running", "failed": "stuck"}.get(entry.state, "key")
    said: Line = [
        (text.safe(entry.name, 40) + "  ", palette[part]),
        (text.safe(entry.text), palette.text),
    ]
    yield _first(entry, look, said, ("▾" if look.open else "▸", part))
    if not look.open:
        yield from _failure(entry, look)
        return
    changed = entry.diff
    arguments, replaced = _arguments(entry)
    changed = changed or replaced
    yield from _section("", arguments, look, palette["dim"])
    yield from _section("output", clean(entry.output), look, palette.text)
    yield from _diff(clean(changed), look)


def _failure(entry: Entry, look: Look) -> Iterator[Line]:
    """The last line of what a failed tool said: usually the one that names the error."""
    if entry.state != "failed":
        return
    told = [line for line in clean(entry.output).splitlines() if line.strip()]
    if told:
        room = look.width - INDENT - 2
        yield [
            _margin(look),
            ("╰ ", look.palette["track"]),
            (
                text.fit(text.safe(told[-1]), room).rstrip(),
                look.palette["stuck"] + Style(bold=False),
            ),
        ]


def _arguments(entry: Entry) -> tuple[str, str]:
    """The arguments one a line, and the diff of an edit that told old and new text."""
    asked = clean(entry.arguments)
    try:
        named = json.loads(asked)
    except (ValueError, RecursionError):  # no JSON, or nested to hurt
        return asked, ""
    if not isinstance(named, dict):
        return asked, ""
    replaced = ""
    old, new = named.get("old_string"), named.get("new_string")
    if isinstance(old, str) and isinstance(new, str):
        replaced = diff.between(old, new)
        named = {
            key: value for key, value in named.items() if key not in ("old_string", "new_string")
        }
    return "\n".join(_argument(str(key), value) for key, value in named.items()), replaced


def _argument(key: str, value: object) -> str:
    told = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    told = clean(told)
    if "\n" in told:
        return f"{text.safe(key)}:\n" + "\n".join("  " + line for line in told.split("\n"))
    return f"{text.safe(key)}: {told}"


def _section(title: str, body: str, look: Look, style: Style) -> Iterator[Line]:
    if not body:
        return
    rule = ("│ ", look.palette["track"])
    if title:
        yield [_margin(look), ("├ ", look.palette["track"]), (title, look.palette["dim"])]
    rows = wrap.cells(body, max(8, look.width - INDENT - 2))
    for row in rows[:SECTION_LIMIT]:
        yield [_margin(look), rule, (row, style)]
    yield from _more(len(rows) - SECTION_LIMIT, look)


# --- diffs

_SIGNS = {"added": "+", "removed": "-"}


def _diff(body: str, look: Look) -> Iterator[Line]:
    if not body:
        return
    found = diff.lines(body.expandtabs(wrap.TAB))
    added = sum(line.kind == "added" for line in found)
    removed = sum(line.kind == "removed" for line in found)
    palette = look.palette
    yield [
        _margin(look),
        ("├ ", palette["track"]),
        ("diff ", palette["dim"]),
        (f"+{added} ", palette["added"]),
        (f"-{removed}", palette["removed"]),
    ]
    for line in found[:SECTION_LIMIT]:
        yield from _diff_line(line, look)
    yield from _more(len(found) - SECTION_LIMIT, look)


def _diff_line(line: diff.DiffLine, look: Look) -> Iterator[Line]:
    palette = look.palette
    numbered = f"{line.number:>4} " if line.number else "     "
    part = {"added": "added", "removed": "removed", "same": "dim"}.get(line.kind, "key")
    lead: Line = [_margin(look), ("│ ", palette["track"])]
    room = max(8, look.width - INDENT - 2 - 7)
    if line.kind in ("file", "place"):
        yield [*lead, (text.fit(line.text, room + 7).rstrip(), palette[part])]
        return
    sign = _SIGNS.get(line.kind, " ")
    begun = 0
    for row in wrap.cells(line.text, room):
        parts = _emphasized(row, begun, line.changed, palette[part])
        yield [*lead, (numbered, palette["track"]), (sign + " ", palette[part]), *parts]
        begun += len(row)
        numbered, sign = "     ", " "


def _emphasized(row: str, begun: int, changed: tuple[tuple[int, int], ...], style: Style) -> Line:
    """The row, its changed parts reversed; offsets count from the start of the unwrapped line."""
    parts: Line = []
    place = 0
    for start, end in changed:
        first, last = max(start - begun, place), min(end - begun, len(row))
        if first >= last:
            continue
        parts += [(row[place:first], style), (row[first:last], style + Style(reverse=True))]
        place = last
    return [*parts, (row[place:], style)]


# --- search


def highlighted(line: Line, words: str) -> Line:
    """The line with every occurrence of `words` (lower case) reversed."""
    found: Line = []
    for told, style in line:
        low = told.lower()
        if words not in low or len(low) != len(told):
            found.append((told, style))
            continue
        begun = 0
        while (place := low.find(words, begun)) >= 0:
            end = place + len(words)
            found += [(told[begun:place], style), (told[place:end], style + Style(reverse=True))]
            begun = end
        found.append((told[begun:], style))
    return found
