"""Everything that is known of one run in figures: the column beside its transcript, or one line of it."""

from collections.abc import Sequence
from typing import NamedTuple

from textual import events

from cockpit.core.budget import NO_USAGE
from cockpit.core.fleet import Fleet, Run, children, claim
from cockpit.core.tokens import Tokens
from cockpit.ui import text, wrap
from cockpit.ui.entries import Cost
from cockpit.ui.palette import GLYPHS, Palette
from cockpit.ui.rows import RANKS
from cockpit.ui.widgets.doing import notes
from cockpit.ui.widgets.focus import groups_of
from cockpit.ui.widgets.framed import Framed, Line
from cockpit.ui.widgets.lines import Part
from cockpit.ui.widgets.parts import context_parts
from cockpit.ui.widgets.timer import verdict
from cockpit.ui.widgets.view import LABEL, Lined, View

PLOT_HEIGHT = 3
EIGHTHS = " ▁▂▃▄▅▆▇█"
SPEED_CALLS = 5
NAMED, FIGURE = 11, 12
CHILDREN_SHOWN = 6
NOTES_SHOWN = 2
CLASSES = (
    ("input", "input"),
    ("cache_read", "cache read"),
    ("cache_write_5m", "cache write"),
    ("cache_write_1h", "long write"),
    ("output", "output"),
    ("reasoning", "· thinking"),
)


class Known(NamedTuple):
    """What the column draws from; `costs` are the last calls, the newest last."""

    view: View
    fleet: Fleet
    costs: Sequence[Cost]

    @property
    def run(self) -> Run:
        return self.view.run


class Figures(Framed, can_focus=True):
    """The column; what does not fit is reached with the wheel."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._known: Known | None = None
        self._top = 0
        self._count = 0

    def show(self, known: Known | None) -> None:
        self._known = known
        self.redraw()

    def scroll(self, lines: int) -> None:
        """Show what is further down, up when negative."""
        self._top = min(max(0, self._top + lines), max(0, self._count + 2 - self.size.height))
        self.redraw()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.scroll(2)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.scroll(-2)

    def content(self, width: int, height: int) -> list[Line]:
        if self._known is None:
            return []
        palette = self.palette
        view = self._known.view._replace(width=width, palette=palette)
        lines = column(self._known._replace(view=view))
        self._count = len(lines)
        self._top = min(self._top, max(0, self._count - height))
        shown = lines[self._top : self._top + height]
        left = self._count - self._top - height
        if left > 0:
            shown[-1] = [(f"… {left + 1} more lines: wheel, or tab and ↓", palette["track"])]
        return [Line(parts) for parts in shown]


def column(known: Known) -> Lined:
    """All groups, the most wanted first, a blank line between them."""
    said = groups_of(known.view)
    is_plain = claim(known.run, known.view.now).state == "running"
    groups = [
        [*said.face, *said.cap],
        [] if is_plain else said.doing,
        notes(known.view, NOTES_SHOWN),
        said.gauges,
        verdict(known.view),
        context_parts(known.view),
        cost_plot(known.costs, known.view),
        _books(known),
        _children(known),
        said.caveats,
        [*(line for line in said.facts if line[0][0].strip() != "spent"), *_source(known)],
    ]
    lines: Lined = []
    for group in groups:
        lines += [[], *group] if group and lines else group
    return lines


# --- cost per turn


def cost_plot(costs: Sequence[Cost], view: View) -> Lined:
    """Bars of the last calls' cost, the newest at the right, under their own maximum."""
    palette, width = view.palette, view.width
    shown = [cost.nano or 0 for cost in costs[-width:]]
    top = max(shown, default=0)
    if not top:
        return []
    title: list[Part] = [
        ("cost per turn".ljust(width - 22), palette["dim"]),
        (f"top {text.money(top)}".rjust(22), palette["dim"]),
    ]
    return [title, *([(row, palette["spark"])] for row in bars(shown, PLOT_HEIGHT, width))]


def bars(values: Sequence[int], height: int, width: int) -> list[str]:
    """Rows of block characters, from the top; anything above zero shows."""
    top = max(values, default=0) or 1
    steps = [max(1, value * 8 * height // top) if value > 0 else 0 for value in values]
    rows = []
    for row in range(height - 1, -1, -1):
        cells = (min(8, max(0, step - 8 * row)) for step in steps)
        rows.append("".join(EIGHTHS[cell] for cell in cells).rjust(width))
    return rows


# --- tokens, cache hits, speed


def _books(known: Known) -> Lined:
    """What was spent, and the tokens of every class as their share of the total."""
    run, palette, width = known.run, known.view.palette, known.view.width
    if not run.tokens.total:
        return []
    lines: Lined = [
        _spent(run, palette),
        *_before(run, palette),
        _figure("tokens", f"{run.tokens.total:,}", f"{run.calls:,} calls", palette),
    ]
    for field, name in CLASSES:
        count = getattr(run.tokens, field)
        if not count:
            continue
        full, rest = text.gauge(count / run.tokens.total, max(4, width - NAMED - FIGURE - 2))
        lines.append(
            [
                *_figure(name, f"{count:,}", "", palette),
                ("  ", palette.text),
                (full, palette["gauge"]),
                (rest, palette["track"]),
            ]
        )
    return [*lines, _hits(known), *_speed(known)]


def _figure(name: str, said: str, more: str, palette: Palette) -> list[Part]:
    """A name, a figure, and what explains it."""
    parts = [(name.ljust(NAMED), palette["dim"]), (said.rjust(FIGURE), palette.text)]
    return [*parts, (f"  {more}", palette["dim"])] if more else parts


def _spent(run: Run, palette: Palette) -> list[Part]:
    more = "exact" if run.governed and run.mark == "exact" else ""
    more = f"+{text.money(run.child_nano)} subs" if run.child_nano else more
    return _figure("spent", text.spent(run), more, palette)


def _before(run: Run, palette: Palette) -> Lined:
    """What the run that it goes on with had spent: the budget is one for both."""
    if run.before == NO_USAGE:
        return []
    return [_figure("before", text.money(run.before.money), f"{run.before.turns} turns", palette)]


def hit_share(tokens: Tokens) -> float | None:
    """The part of the prompts that the provider had in its cache; None without a prompt."""
    return tokens.cache_read / tokens.prompt if tokens.prompt else None


def _hits(known: Known) -> list[Part]:
    run = known.run
    share, last = hit_share(run.tokens), hit_share(run.last_call)
    more = "" if last is None else f"last {percent(last)}"
    return _figure("cache hits", percent(share), more, known.view.palette)


def percent(share: float | None) -> str:
    """A share as people say it; all only when it is all."""
    if share is None:
        return text.DASH
    return f"{share * 100:.0f} %" if not 0.99 < share < 1 else "99 %"


def _speed(known: Known) -> Lined:
    """Output tokens a second over the last calls whose beginning is known, the wait for the first included."""
    timed = [cost for cost in known.costs if cost.took_ms > 0 and cost.tokens.output][-SPEED_CALLS:]
    if not timed:
        return []
    seconds = sum(cost.took_ms for cost in timed) / 1_000
    speed = sum(cost.tokens.output for cost in timed) / seconds
    return [_figure("speed", f"~{speed:.0f} tok/s", f"{len(timed)} calls", known.view.palette)]


# --- sub-agents, where it comes from


def _children(known: Known) -> Lined:
    palette, width, now = known.view.palette, known.view.width, known.view.now
    found = [(claim(run, now).state, run) for run in children(known.fleet, known.run.id)]
    found.sort(key=lambda pair: (RANKS[pair[0]], -pair[1].started, pair[1].id))
    if not found:
        return []
    spent = sum(run.nano for _, run in found)
    lines: Lined = [
        [
            (f"sub-agents {len(found)}".ljust(14), palette["dim"]),
            (text.money(spent).rjust(NAMED + FIGURE - 14), palette.text),
        ]
    ]
    for state, run in found[:CHILDREN_SHOWN]:
        name = text.safe(run.name) or run.id[:8]
        right = text.spent(run).rjust(9)
        style = palette.state(state)
        lines.append(
            [
                (GLYPHS[state] + " ", style),
                (text.fit(name, max(4, width - 20)) + " ", palette.text),
                (text.fit(state, 8), style),
                (right, palette.text),
            ]
        )
    if len(found) > CHILDREN_SHOWN:
        lines.append([(f"… {len(found) - CHILDREN_SHOWN} more", palette["track"])])
    return lines


def _source(known: Known) -> Lined:
    """The file that tells of the run, and the name its agent gave it."""
    palette, width, run = known.view.palette, known.view.width - LABEL, known.run
    rows = [("told by", row) for row in tail(text.safe(run.source, 1_000), width, 2) if row]
    rows += [("session", text.fit(text.safe(run.session), width).rstrip())] if run.session else []
    lines: Lined = []
    said = ""
    for word, row in rows:
        label = "" if word == said else word
        lines.append([(label.ljust(LABEL), palette["dim"]), (row, palette["dim"])])
        said = word
    return lines


def tail(path: str, width: int, rows: int) -> list[str]:
    """The end of a path on at most so many lines: the file's name matters more than the root."""
    lines = wrap.cells(path, width)
    if len(lines) <= rows:
        return lines
    keep = path
    while len(lines) > rows:
        keep = keep[max(1, len(keep) // 16) :]
        lines = wrap.cells("…" + keep, width)
    return lines
