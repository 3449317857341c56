"""Everything about one script of the shelf: its stage, schedule, last results, and the ledger of its savings."""

from datetime import tzinfo

from msgspec import Struct

from cockpit.core.money import dollars
from cockpit.core.shelf import Schedule, ScriptRun, Sheet, ShelfRow
from cockpit.ui import inputs, rhythm, stages, text
from cockpit.ui.palette import Palette
from cockpit.ui.widgets.lines import Part
from cockpit.ui.widgets.prose import LABEL, Lined, beside_label, labelled, paragraph

RESULTS = 8
OUTPUTS = 3
MISSED = {"once": "a missed time is made up for once", "skip": "a missed time is left out"}
KEEPERS = {"engine": "by the engine's clock", "systemd": "by a systemd timer", "cron": "by cron"}
COSTS = {
    "synthesis": "making it",
    "shadow": "the agent beside it",
    "repair": "repairs",
    "audit": "audits by the agent",
}


class Look(Struct, frozen=True):
    """What a script is drawn with; `sheet` None while it is read, `minute` the time in minutes."""

    row: ShelfRow
    minute: int
    tz: tzinfo | None
    sheet: Sheet | None = None
    is_running: bool = False

    @property
    def now(self) -> int:
        return self.minute * text.MINUTE


def script_lines(look: Look, width: int, palette: Palette) -> Lined:
    """The page of a script, what it waits for first."""
    row = look.row
    return [
        *_stage(look, width, palette),
        *paragraph(row.purpose, width, palette.text, indent=2, most=2),
        [],
        *labelled("schedule", _schedule(look), width, palette, most=2),
        *(
            line
            for one in row.inputs
            for line in labelled("told", inputs.words_of(one), width, palette, most=2)
        ),
        *labelled("held by", _sandbox(row), width, palette, most=2),
        *_results(look, width, palette),
        [],
        *_savings(row, width, palette),
    ]


def _stage(look: Look, width: int, palette: Palette) -> Lined:
    row = look.row
    sign, style = stages.glyph(row.stage, palette)
    said = f"{sign} {stages.stage_words(row)}  "
    first, *more = paragraph(stages.MEANS[row.stage], width - len(said), palette["dim"])
    lines: Lined = [[(said, style), *first], *([(" " * len(said), style), *line] for line in more)]
    if look.is_running or row.running:
        lines.append([("▶ runs now", palette["running"])])
    if row.needs:
        part = "asks" if stages.needs_you(row) else "dim"
        lines += paragraph(f"waits for {row.needs}", width, palette[part], indent=2, most=3)
    if row.reason and row.reason not in row.needs:
        part = "stuck" if row.stage == "quarantined" else "dim"
        lines += paragraph(f"because {row.reason}", width, palette[part], indent=2, most=4)
    return lines


def _schedule(look: Look) -> str:
    row = look.row
    if row.schedule is None:
        return "none: it runs when you say so (c sets one)"
    due = f"next {rhythm.when(row.next, look.now, look.tz)} · " if row.next else ""
    return due + schedule_words(row.schedule)


def schedule_words(schedule: Schedule) -> str:
    """When, in whose zone, by whose clock, and what becomes of a missed time."""
    cron = text.safe(schedule.cron, 60)
    said = rhythm.in_words(cron)
    said += f"  ({cron})" if said != cron else ""
    zone = f" {text.safe(schedule.zone, 40)}" if schedule.zone else ""
    if schedule.given:
        zone += f" · {inputs.option_line(schedule.given)}"
    return f"{said}{zone} · {KEEPERS[schedule.keeper]} · {MISSED[schedule.missed]}"


def _sandbox(row: ShelfRow) -> str:
    if not row.sandbox:
        return (
            "nothing: no sandbox works on this machine, so it runs only after your yes, each time"
        )
    return f"{text.safe(row.sandbox, 60)}: no network but through the broker, no files but its own"


# --- results


def _results(look: Look, width: int, palette: Palette) -> Lined:
    runs = look.sheet.runs if look.sheet is not None else ()
    newest = sorted(runs, key=lambda run: run.began, reverse=True)[:RESULTS]
    if not newest and look.row.last is not None:
        newest = [look.row.last]
    if not newest:
        return labelled("results", "it has not run yet", width, palette)
    ends = max(len(stages.ended(run)) for run in newest)
    lines: Lined = []
    for run in newest:
        lines += _result(run, ends + 1, look, width - LABEL, palette)
    return beside_label("results", lines, palette)


def _result(run: ScriptRun, ends: int, look: Look, width: int, palette: Palette) -> Lined:
    style = palette[stages.end_part(run)]
    took = f"{max(0, run.ended - run.began) / 1000:.1f} s"
    head: list[Part] = [
        (stages.end_glyph(run) + " ", style),
        (text.fit(rhythm.when(run.began, look.now, look.tz), 17), palette["dim"]),
        (text.fit(run.kind, 8), palette["dim"]),
        (text.fit(stages.ended(run), ends), style),
        (took.rjust(6) + "  ", palette["dim"]),
    ]
    used = sum(len(words) for words, _ in head)
    lines: Lined = [[*head, (text.fit(_did(run), max(0, width - used)).rstrip(), palette.text)]]
    if run.reason and not stages.is_well(run):
        lines += paragraph(run.reason, width, palette["dim"], indent=2, most=3)
    return lines


def _did(run: ScriptRun) -> str:
    """For which values, and what came of it."""
    values = ", ".join(text.safe(value, 40) for _, value in run.given)
    return ": ".join(filter(None, (values, _wrote(run))))


def _wrote(run: ScriptRun) -> str:
    """What it wrote, or why there was nothing to do."""
    if run.skipped:
        return text.safe(run.skipped, 120)
    told = [
        text.safe(output.path, 80) + (f" ({output.rows:,} rows)" if output.rows is not None else "")
        for output in run.outputs[:OUTPUTS]
    ]
    more = len(run.outputs) - OUTPUTS
    return ", ".join(told) + (f" and {more} more" if more > 0 else "")


# --- savings


def _savings(row: ShelfRow, width: int, palette: Palette) -> Lined:
    """The ledger: what the agent would have cost, what the script did, and what is left, to the cent."""
    savings = row.savings
    if savings.baseline_nano is None and not savings.gross_nano:
        return labelled("saved", "?  no run of the agent has a known price", width, palette)
    now = savings.baseline_nano
    each = f", one costs {dollars(now)} now" if now is not None else ""
    runs = f"{savings.counted} run{'s' if savings.counted != 1 else ''} that the agent did not do{each}"
    lines: Lined = [_entry(dollars(savings.gross_nano), runs, width, palette)]
    lines += [
        _entry(dollars(-nano), COSTS.get(what, text.safe(what, 30)), width, palette)
        for what, nano in savings.costs.items()
        if nano
    ]
    month = row.month_nano
    coming = f" · about {text.money(month)} a month from now on" if month is not None else ""
    net = savings.net_nano
    total: list[Part] = [
        (dollars(net).rjust(10), palette["warm"] if net > 0 else palette.bold),
        (f"  net so far{coming}", palette.text),
    ]
    method = paragraph(savings.method, width - LABEL, palette["dim"], most=5)
    return beside_label("saved", [*lines, total, *method], palette)


def _entry(money: str, words: str, width: int, palette: Palette) -> list[Part]:
    room = max(0, width - LABEL - 12)
    return [
        (money.rjust(10), palette.text),
        ("  " + text.fit(words, room).rstrip(), palette["dim"]),
    ]
