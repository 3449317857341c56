"""One entry of a transcript as lines: folded to what matters, or unfolded to everything."""

import re
from collections.abc import Iterator

from rich.style import Style

from cockpit.ui import text, wrap
from cockpit.ui.entries import Entry
from cockpit.ui.palette import Palette
from cockpit.ui.widgets.first_line import (
    INDENT,
    Line,
    Look,
    clean,
    cost_width,
    first_line,
    margin,
    more,
)
from cockpit.ui.widgets.tool_lines import tool_lines

SHOWN = {"prompt": 6, "reply": 40, "question": 12, "failure": 12, "warning": 4, "mark": 2}
"""Lines of an entry that stay when it is folded."""
_HEADING = re.compile(r"#{1,6} ")


def lines_of(entry: Entry, look: Look) -> list[Line]:
    """All lines of an entry, none longer than the width; at least one."""
    if entry.kind == "tool":
        return list(tool_lines(entry, look))
    if entry.kind == "thought":
        return list(_thought(entry, look))
    if entry.kind == "call":
        return [first_line(entry, look, [(_call_text(entry), look.palette["dim"])])]
    return list(_said(entry, look))


def copy_text(entry: Entry) -> str:
    """The whole entry, for the clipboard."""
    head = f"{entry.name} {entry.text}".strip()
    return clean(
        "\n\n".join(part for part in (head, entry.arguments, entry.output, entry.diff) if part)
    )


def _call_text(entry: Entry) -> str:
    model = text.safe(entry.cost.model) if entry.cost else ""
    return f"call without words  {model}"


def _said(entry: Entry, look: Look) -> Iterator[Line]:
    style = _voice(entry, look.palette)
    body = clean(entry.text)
    if entry.name:
        at = f", {text.time_of_day(entry.ended, look.tz, seconds=True)}" if entry.ended else ""
        body = f"({text.safe(entry.name)}{at}) {body}"
    room = max(8, look.width - INDENT)
    first = max(8, room - cost_width(entry, look))
    rows = wrap.words(body, room, first)
    shown = len(rows) if look.open else min(len(rows), SHOWN[entry.kind])
    if len(rows) - shown == 1:
        shown += 1
    styles = _markdown(rows, style, look.palette) if entry.kind == "reply" else [style] * len(rows)
    if entry.kind == "prompt":
        yield []
    yield first_line(entry, look, [(rows[0], styles[0])])
    for row, row_style in zip(rows[1:shown], styles[1:shown], strict=True):
        yield [margin(look), (row, row_style)]
    yield from more(len(rows) - shown, look)


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


def _thought(entry: Entry, look: Look) -> Iterator[Line]:
    style = look.palette["dim"] + Style(italic=True)
    body = clean(entry.text)
    if not body:
        yield first_line(entry, look, [("thought, in words the vendor keeps", style)])
        return
    if not look.open:
        yield first_line(entry, look, [(text.safe(body), style)])
        return
    room = max(8, look.width - INDENT)
    first = max(8, room - cost_width(entry, look))
    rows = wrap.words(body, room, first)
    yield first_line(entry, look, [(rows[0], style)])
    for row in rows[1:]:
        yield [margin(look), (row, style)]


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
