"""A tool call of a transcript: folded to one line, or with its arguments, output and diff."""

import json
from collections.abc import Iterator

from rich.style import Style

from cockpit.ui import diff, text, wrap
from cockpit.ui.entries import Entry
from cockpit.ui.widgets.first_line import INDENT, Line, Look, clean, first_line, margin, more

SECTION_LIMIT = 1_000
"""Lines of one unfolded section: nobody scrolls through more, and `copy` gives the whole."""
_SIGNS = {"added": "+", "removed": "-"}


def tool_lines(entry: Entry, look: Look) -> Iterator[Line]:
    """What was asked and how it ended; all of it when unfolded."""
    palette = look.palette
    part = {"running": "running", "failed": "stuck"}.get(entry.state, "key")
    said: Line = [
        (text.safe(entry.name, 40) + "  ", palette[part]),
        (text.safe(entry.text), palette.text),
    ]
    yield first_line(entry, look, said, ("▾" if look.open else "▸", part))
    if not look.open:
        yield from _failure(entry, look)
        return
    arguments, replaced = _arguments(entry)
    yield from _section("", arguments, look, palette["dim"])
    yield from _section("output", clean(entry.output), look, palette.text)
    yield from _diff(clean(entry.diff or replaced), look)


def _failure(entry: Entry, look: Look) -> Iterator[Line]:
    """The last line of what a failed tool said: usually the one that names the error."""
    if entry.state != "failed":
        return
    told = [line for line in clean(entry.output).splitlines() if line.strip()]
    if told:
        room = look.width - INDENT - 2
        yield [
            margin(look),
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
        yield [margin(look), ("├ ", look.palette["track"]), (title, look.palette["dim"])]
    rows = wrap.cells(body, max(8, look.width - INDENT - 2))
    for row in rows[:SECTION_LIMIT]:
        yield [margin(look), rule, (row, style)]
    yield from more(len(rows) - SECTION_LIMIT, look)


# --- diffs


def _diff(body: str, look: Look) -> Iterator[Line]:
    if not body:
        return
    found = diff.lines(body.expandtabs(wrap.TAB))
    added = sum(line.kind == "added" for line in found)
    removed = sum(line.kind == "removed" for line in found)
    palette = look.palette
    yield [
        margin(look),
        ("├ ", palette["track"]),
        ("diff ", palette["dim"]),
        (f"+{added} ", palette["added"]),
        (f"-{removed}", palette["removed"]),
    ]
    for line in found[:SECTION_LIMIT]:
        yield from _diff_line(line, look)
    yield from more(len(found) - SECTION_LIMIT, look)


def _diff_line(line: diff.DiffLine, look: Look) -> Iterator[Line]:
    palette = look.palette
    numbered = f"{line.number:>4} " if line.number else "     "
    part = {"added": "added", "removed": "removed", "same": "dim"}.get(line.kind, "key")
    lead: Line = [margin(look), ("│ ", palette["track"])]
    room = max(8, look.width - INDENT - 2 - 7)
    if line.kind in ("file", "place"):
        yield [*lead, (text.fit(line.text, room + 7).rstrip(), palette[part])]
        return
    sign = _SIGNS.get(line.kind, " ")
    begun = 0
    for row in wrap.cells(line.text, room):
        parts = emphasized(row, begun, line.changed, palette[part])
        yield [*lead, (numbered, palette["track"]), (sign + " ", palette[part]), *parts]
        begun += len(row)
        numbered, sign = "     ", " "


def emphasized(row: str, begun: int, changed: tuple[tuple[int, int], ...], style: Style) -> Line:
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
