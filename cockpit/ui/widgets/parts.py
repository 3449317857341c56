"""What fills a run's context, by where it comes from: a bar, its legend, and the price to send it again."""

from cockpit.core.composition import Composition
from cockpit.core.fleet import next_turn_of
from cockpit.ui import text
from cockpit.ui.widgets.lines import Part
from cockpit.ui.widgets.view import Lined, View, label

SHOWN = (
    ("system", "system", "dim"),
    ("tools", "tools", "spark"),
    ("user", "user", "title"),
    ("assistant", "assistant", "running"),
    ("thinking", "thinking", "waiting"),
    ("tool_results", "results", "gauge-high"),
    ("files", "files", "warm"),
    ("media", "media", "mark"),
)
"""Field, its word, and the part of the theme whose color it takes; in the order of a request."""
STROKES = "━═"
"""Neighbours differ without color too."""
NOISE = 200
"""A part that moved by less than one in so many of all tokens did not move: parts are estimates."""
NAME, COUNT, SHARE, GROWN = 11, 7, 6, 9


def context_parts(view: View) -> Lined:
    """Nothing for a run whose calls do not pass the gateway."""
    now, before = view.run.composition, view.run.composition_before
    if not now.total:
        return []
    lines: Lined = [_title(view, now, before), _bar(view, now)]
    for place, (field, word, style) in enumerate(_filled(now)):
        count, grown = getattr(now, field), getattr(now, field) - getattr(before, field)
        lines.append(
            [
                (STROKES[place % 2] * 2 + " ", view.palette[style]),
                (word.ljust(NAME), view.palette["dim"]),
                (text.tokens(count).rjust(COUNT), view.palette.text),
                (f"{count * 100 / now.total:.0f} %".rjust(SHARE), view.palette["dim"]),
                (_growth(grown, before, now.total // NOISE).rjust(GROWN), view.palette["dim"]),
            ]
        )
    return [*lines, _hit(view, now), *_again(view)]


def _filled(composition: Composition) -> list[tuple[str, str, str]]:
    return [each for each in SHOWN if getattr(composition, each[0])]


def _growth(grown: int, before: Composition, noise: int = 0) -> str:
    """Since the call before; nothing where there was none, or no more than the estimate wavers."""
    if not before.total or abs(grown) <= noise:
        return ""
    return ("+" if grown > 0 else "-") + text.tokens(abs(grown))


def _title(view: View, now: Composition, before: Composition) -> list[Part]:
    right = text.tokens(now.total)
    grown = _growth(now.total - before.total, before)
    right += f" · {grown} last call" if grown else ""
    word = "context is"
    return [
        (word, view.palette["dim"]),
        (right.rjust(max(0, view.width - len(word))), view.palette["dim"]),
    ]


def _bar(view: View, now: Composition) -> list[Part]:
    """Every part as wide as its share, none invisible; the largest gives way to the rounding."""
    filled = _filled(now)
    cells = [max(1, getattr(now, field) * view.width // now.total) for field, _, _ in filled]
    cells[cells.index(max(cells))] += view.width - sum(cells)
    return [
        (STROKES[place % 2] * count, view.palette[style])
        for place, (count, (_, _, style)) in enumerate(zip(cells, filled, strict=True))
    ]


def _hit(view: View, now: Composition) -> list[Part]:
    share = min(1.0, now.cached / now.total)
    said = f"{share * 100:.0f} %" if not 0.99 < share < 1 else "99 %"
    return [
        ("cache hit".ljust(NAME + 3), view.palette["dim"]),
        (text.tokens(now.cached).rjust(COUNT), view.palette.text),
        (said.rjust(SHARE), view.palette["warm" if share >= 0.5 else "gauge-high"]),
    ]


def _again(view: View) -> Lined:
    """What sending all of it again costs, warm and cold."""
    following = next_turn_of(view.run)
    if following is None or not following.cold:
        return []
    return [
        [
            label(view, "again"),
            (text.money(following.warm), view.palette.text),
            (" warm · ", view.palette["dim"]),
            (text.money(following.cold), view.palette.text),
            (" cold", view.palette["dim"]),
        ]
    ]
