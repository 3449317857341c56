"""What a reviewer has to know beside the program: where a value comes from, what it may touch, what is promised."""

from collections.abc import Sequence
from datetime import tzinfo

from msgspec import Struct

from cockpit.core.fleet import Fleet
from cockpit.core.script import Capabilities, Hole
from cockpit.core.shelf import Decided, Sheet
from cockpit.ui import inputs, naming, rhythm, text
from cockpit.ui.palette import Palette
from cockpit.ui.widgets.prose import Lined, clean, heading, paragraph

MAY = (
    ("hosts", "the network", "no network at all"),
    ("methods", "by", ""),
    ("read", "reads", "reads no file"),
    ("write", "writes", "writes no file"),
    ("commands", "runs", "runs no command"),
    ("secrets", "secrets", "no secret"),
)
"""Field, its word, and what its absence means."""
WORD = 12
VALUES = 24
LONGEST = 40
"""Lines: of what it may touch nothing is cut."""
DECIDED = {
    "approve": "approved",
    "shadow": "let run beside the agent",
    "refuse": "refused",
    "repair": "repaired",
    "retire": "retired",
}


class Look(Struct, frozen=True):
    """What is told: the script, the values on the cursor's line and which of them is meant."""

    sheet: Sheet
    holes: tuple[Hole, ...]
    chosen: int
    hidden: int
    minute: int
    tz: tzinfo | None

    @property
    def now(self) -> int:
        return self.minute * text.MINUTE


def fact_lines(look: Look, fleet: Fleet | None, width: int, palette: Palette) -> Lined:
    """The page, what the cursor is on first; the fleet knows when runs began."""
    script = look.sheet.script
    promises = [f"{clause.about}: {clause.words}" for clause in script.contract]
    return [
        *_hidden(look, width, palette),
        *_waits(look, width, palette),
        *_value(look, fleet, width, palette),
        [],
        *_told(look, fleet, width, palette),
        heading("it may touch, and nothing else", palette),
        *may_lines(script.capabilities, width, palette),
        [],
        heading("it checks before it goes on", palette),
        *_list(script.guards, "nothing: every value has one explanation", width, palette),
        [],
        heading("it promises on every run", palette),
        *_list(promises, "nothing", width, palette),
        [],
        heading("it was learned from", palette),
        *paragraph(_learned(look), width, palette.text, indent=2),
        *_decisions(look, width, palette),
    ]


def _hidden(look: Look, width: int, palette: Palette) -> Lined:
    if not look.hidden:
        return []
    lines = "1 line holds" if look.hidden == 1 else f"{look.hidden} lines hold"
    said = f"! {lines} characters that cannot be shown (marked ! beside its number): do not approve what you cannot read"
    return [*paragraph(said, width, palette["stuck"]), []]


def _waits(look: Look, width: int, palette: Palette) -> Lined:
    """What stands between the script and its work, where that is more than a yes."""
    row = look.sheet.row
    if not row.needs or (row.stage not in ("compiled", "quarantined") and not row.reason):
        return []
    return [*paragraph(f"It waits for {row.needs}", width, palette["asks"]), []]


# --- where a value comes from


def _value(look: Look, fleet: Fleet | None, width: int, palette: Palette) -> Lined:
    if not look.holes:
        said = "Nothing on this line differs between runs. n goes to the next value that does."
        return [
            heading("the value here", palette),
            *paragraph(said, width, palette["dim"], indent=2),
        ]
    hole = look.holes[look.chosen % len(look.holes)]
    count = len(look.holes)
    which = f"  {look.chosen % count + 1} of {count} here" if count > 1 else ""
    lines: Lined = [
        [(text.safe(hole.name, 60), palette["key"]), (which, palette["dim"])],
        *paragraph(_from(hole), width, palette.text, indent=2, most=4),
    ]
    if not hole.values:
        return [*lines, *paragraph("no run's value is kept", width, palette["dim"], indent=2)]
    return [*lines, *_values(look, hole, fleet, width, palette)]


def _from(hole: Hole) -> str:
    return "from day: the date that it runs for" if hole.source == "day" else f"from {hole.source}"


def _values(look: Look, hole: Hole, fleet: Fleet | None, width: int, palette: Palette) -> Lined:
    """The value in each run, beside the run."""
    names = {run: naming.run_name(run, fleet, look.now, look.tz, width // 2) for run in hole.values}
    widest = min(max(len(name) for name in names.values()), width // 2)
    lines: Lined = []
    for run, value in list(hole.values.items())[:VALUES]:
        shown = " ⏎ ".join(clean(value, 600).split("\n")) or "(empty)"
        rows = paragraph(shown, width - widest - 4, palette.text, most=3)
        lines.append([("  " + text.fit(names[run], widest) + "  ", palette["dim"]), *rows[0]])
        lines += [[(" " * (widest + 4), palette["dim"]), *row] for row in rows[1:]]
    more = len(hole.values) - VALUES
    return [*lines, [(f"  … and {more} more runs", palette["dim"])]] if more > 0 else lines


def _told(look: Look, fleet: Fleet | None, width: int, palette: Palette) -> Lined:
    """What it has to be told beside the day, and what it was in each run."""
    told = look.sheet.script.inputs
    lines: Lined = [heading("it has to be told", palette)] if told else []
    for one in told:
        lines += paragraph(inputs.words_of(one), width, palette.text, indent=2, most=3)
        lines += _values(look, Hole(one.name, one.name, one.values), fleet, width, palette)
    return [*lines, []] if told else []


# --- what it may and must


def may_lines(may: Capabilities, width: int, palette: Palette) -> Lined:
    """The table of capabilities."""
    lines: Lined = []
    for field, word, nothing in MAY:
        allowed: tuple[str, ...] = getattr(may, field)
        if not allowed:
            lines += [[("  " + nothing, palette["dim"])]] if nothing else []
            continue
        rows = [
            row
            for each in allowed
            for row in paragraph(
                each,
                width - WORD - 2,
                palette["asks" if field in ("hosts", "secrets") else "title"],
                most=LONGEST,
            )
        ]
        heads = [text.fit(word, WORD), *[" " * WORD] * (len(rows) - 1)]
        lines += [
            [("  " + head, palette["dim"]), *row] for head, row in zip(heads, rows, strict=True)
        ]
    return lines


def may_words(may: Capabilities) -> str:
    """The same in a few words, for a question."""
    said = []
    for field, word, nothing in MAY:
        allowed = getattr(may, field)
        if allowed:
            shown = ", ".join(text.safe(each, 60) for each in allowed[:4])
            more = f" and {len(allowed) - 4} more" if len(allowed) > 4 else ""
            said.append(f"{word} {shown}{more}")
        elif field == "hosts":
            said.append(nothing)
    return " · ".join(said)


def _list(said: Sequence[str], nothing: str, width: int, palette: Palette) -> Lined:
    if not said:
        return [[("  " + nothing, palette["dim"])]]
    lines: Lined = []
    for words in said:
        rows = paragraph(words, width - 4, palette.text, most=4)
        for place, row in enumerate(rows):
            lines.append([("  · " if not place else "    ", palette["dim"]), *row])
    return lines


def _learned(look: Look) -> str:
    script = look.sheet.script
    hidden = f", proven on {len(script.held_out)} that it was not shown" if script.held_out else ""
    how = (
        "without a model"
        if script.tier == 0
        else "with one call to a model, which saw no other run"
    )
    return f"{len(script.trained)} runs{hidden}; made {how}"


def _decisions(look: Look, width: int, palette: Palette) -> Lined:
    lines: Lined = [[], heading("decided so far", palette)]
    decisions = look.sheet.decisions
    if not decisions:
        return [*lines, [("  nothing: nobody has said yes or no", palette["dim"])]]
    for each in decisions[-8:]:
        lines += paragraph(_decision(each, look), width, palette.text, indent=2, most=3)
    return lines


def _decision(each: Decided, look: Look) -> str:
    when = rhythm.when(each.at, look.now, look.tz)
    said = f"{when} {DECIDED.get(each.decision, each.decision)} {text.safe(each.content)[:12]} by {text.safe(each.by, 40)}"
    return f"{said}: {text.safe(each.reason)}" if each.reason else said
