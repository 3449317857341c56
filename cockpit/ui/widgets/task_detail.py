"""Everything about one task: its rhythm, what it costs, and the verdict with what decided it."""

from collections.abc import Callable
from datetime import tzinfo

from msgspec import Struct

from cockpit.core.script import Refusal, Task
from cockpit.core.shelf import ShelfRow
from cockpit.ui import rhythm, stages, text
from cockpit.ui.adopting import OVERRULED
from cockpit.ui.palette import Palette
from cockpit.ui.refusals import words_of
from cockpit.ui.widgets.prose import (
    Lined,
    beside_label,
    labelled,
    paragraph,
    side_by_side,
)
from cockpit.ui.widgets.task_table import Known, agents_of, next_expected, rhythm_of

SHOWN = 3
"""Runs side by side (facts: three)."""
STEPS = 40


class Look(Struct, frozen=True):
    """What a task is drawn with. `refused` is what its building came to, `minute` the time in minutes.

    `name_of` says what a run is called and when it was.
    """

    known: Known
    minute: int
    tz: tzinfo | None
    name_of: Callable[[str], str]
    refused: Refusal | None = None
    is_building: bool = False

    @property
    def now(self) -> int:
        return self.minute * text.MINUTE


def task_lines(look: Look, width: int, palette: Palette) -> Lined:
    """The page of a task: the verdict, then what it is."""
    return [*_verdict(look, width, palette), [], *_facts(look, width, palette)]


def _facts(look: Look, width: int, palette: Palette) -> Lined:
    task = look.known.task
    where = f" in {text.safe(task.project, 80)}" if task.project else ""
    who = f"{len(task.runs)} runs by {agents_of(task) or 'nobody known'}{where}"
    since = f", {rhythm.when(task.first, look.now, look.tz)} to" if task.first else ""
    who += f"{since} {rhythm.when(task.last, look.now, look.tz)}" if task.last else ""
    return [
        *labelled("seen", who, width, palette, most=2),
        *labelled("rhythm", _rhythm(look), width, palette, most=2),
        *labelled("worth", _worth(task), width, palette, most=3),
    ]


def _rhythm(look: Look) -> str:
    task = look.known.task
    said = rhythm_of(task)
    if task.cron and said != task.cron:
        said += f"   {text.safe(task.cron, 40)}"
    at = next_expected(task, look.now, look.tz)
    return said + (f"   next expected {rhythm.when(at, look.now, look.tz)}" if at else "")


def _worth(task: Task) -> str:
    said = [
        f"a run costs {text.money(task.cost_nano)}"
        if task.cost_nano is not None
        else "no price is known"
    ]
    if task.month_nano is not None:
        said.append(_month(task, task.month_nano))
    if task.break_even is not None:
        runs = "the first run" if task.break_even <= 1 else f"{task.break_even} runs"
        said.append(f"its making is paid after {runs}")
    share = int(min(max(task.determinism, 0.0), 1.0) * 100)
    said.append(
        f"determinism {share} %: so much of what it does is constant or comes from what it read"
    )
    return " · ".join(said)


def _month(task: Task, nano: int) -> str:
    money = text.money(abs(nano))
    if nano <= 0:
        return f"a script would cost {money} a month more than it saves"
    if task.verdict == "no":
        return f"{money} a month, net, is what a script would save if there could be one"
    return f"a script saves {money} a month, net of everything"


# --- the verdict


def _verdict(look: Look, width: int, palette: Palette) -> Lined:
    task, script = look.known.task, look.known.script
    if look.is_building:
        said = "it is compiled without a model, then put through the gates on recorded worlds"
        return [[("▷ building a script", palette["running"])], *_kindly(said, width, palette)]
    if look.refused is not None:
        return _refusal(look, look.refused, width, palette)
    if script is not None and script.stage != "retired":
        return _scripted(script, width, palette)
    match task.verdict:
        case "candidate":
            return _candidate(task, width, palette)
        case "wait":
            return _waiting(look, width, palette)
    return _refusal(look, task.refusal or Refusal("", ""), width, palette)


def _scripted(script: ShelfRow, width: int, palette: Palette) -> Lined:
    sign, style = stages.glyph(script.stage, palette)
    name = text.safe(script.name, 60)
    lines: Lined = [[(f"{sign} {stages.stage_words(script)}", style), (f"  {name}", palette.bold)]]
    lines += _kindly(stages.MEANS[script.stage], width, palette)
    waits = f"waits for {script.needs}" if script.needs else ""
    for words in (script.purpose, waits):
        lines += _kindly(words, width, palette) if words else []
    return [*lines, [("  ⏎", palette["key"]), (" opens it", palette["dim"])]]


def _candidate(task: Task, width: int, palette: Palette) -> Lined:
    said = "every value that it writes has a source in what it read"
    lines: Lined = [[("✔ candidate", palette["warm"]), (f"  {said}", palette.text)]]
    if task.outline:
        lines += [[], *beside_label("a run does", _outline(task, width, palette), palette)]
    then = "builds a script and proves it on these runs; nothing of it acts before you approve it"
    first, *rest = _kindly(f"  {then}", width - 2, palette)
    return [*lines, [], [("  b", palette["key"]), (first[0][0][3:], palette["dim"])], *rest]


def _outline(task: Task, width: int, palette: Palette) -> Lined:
    steps = task.outline[:STEPS]
    room = max(8, width - 15)
    lines: Lined = [
        [
            (f"{number:>2} ", palette["dim"]),
            (text.fit(text.safe(step, 400), room).rstrip(), palette.text),
        ]
        for number, step in enumerate(steps, 1)
    ]
    more = len(task.outline) - len(steps)
    return [*lines, [(f"   … {more} more", palette["dim"])]] if more else lines


def _waiting(look: Look, width: int, palette: Palette) -> Lined:
    task = look.known.task
    at = next_expected(task, look.now, look.tz)
    is_or_was = "is" if at and at > look.now else "was"
    then = f"; the next {is_or_was} expected {rhythm.when(at, look.now, look.tz)}" if at else ""
    seen = f"{len(task.runs)} run{'s' if len(task.runs) != 1 else ''} seen{then}"
    why = task.refusal.reason if task.refusal else words_of(Refusal("N1", "")).why
    lines: Lined = [[("◇ wait", palette["waiting"]), (f"  {seen}", palette.text)]]
    return [
        *lines,
        *_kindly(why, width, palette),
        *_kindly(words_of(Refusal("N1", "")).instead, width, palette),
    ]


def _refusal(look: Look, refusal: Refusal, width: int, palette: Palette) -> Lined:
    """The code and what it means, the step that decided it, three runs beside each other, what would help."""
    words = words_of(refusal)
    code = text.safe(refusal.code, 4)
    lines: Lined = [
        [(f"○ no {code}".rstrip(), palette["asks"]), (f"  {words.short}", palette.bold)],
        *_kindly(words.why, width, palette),
    ]
    if refusal.reason:
        lines += [[], *labelled("exactly", refusal.reason, width, palette, most=6)]
    if refusal.step:
        lines += labelled("decided at", refusal.step, width, palette, most=4)
    if refusal.examples:
        shown = list(refusal.examples.items())[:SHOWN]
        columns = [(look.name_of(run), value) for run, value in shown]
        lines += [[], *side_by_side(columns, width, palette)]
    instead = words.instead if refusal.code not in OVERRULED or not look.refused else ""
    return [*lines, [], *_kindly(instead, width, palette)] if instead else lines


def _kindly(words: str, width: int, palette: Palette) -> Lined:
    return paragraph(words, width, palette["dim"], indent=2, most=4)
