"""One run, read from across the room: its clock, its cap, its cache, its context, what it does."""

from datetime import tzinfo
from typing import NamedTuple

from rich.style import Style

from cockpit.core.budget import CALIBRATION_CALLS, Clock
from cockpit.core.fleet import (
    active_until,
    burn_per_hour,
    clock_of,
    keep_warm_of,
    next_turn_of,
    spark_until,
)
from cockpit.core.quantities import span_text
from cockpit.ui import text
from cockpit.ui.digits import arm, big, quadrants
from cockpit.ui.palette import GLYPHS, Palette
from cockpit.ui.rows import Row
from cockpit.ui.themes import Face
from cockpit.ui.widgets.columns import CACHE_LOW, CLOCK_LOW, context_share
from cockpit.ui.widgets.doing import doing, is_wanting, notes
from cockpit.ui.widgets.framed import Framed, Line
from cockpit.ui.widgets.lines import Part
from cockpit.ui.widgets.timer import misses
from cockpit.ui.widgets.view import LABEL, Lined, View, label

AUTHORITIES = {
    "wire": "wire",
    "process": "process",
    "signal": "signal",
    "view": "view, watched only",
}


class Focus(Framed):
    """The run under the cursor."""

    def __init__(self, tz: tzinfo | None, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._tz = tz
        self._row: Row | None = None
        self._now = 0
        self._face: Face = "digits"
        self._animated = False

    def show(self, row: Row | None, now: int, face: Face, *, animated: bool) -> None:
        """Draw this run; nothing when there is none."""
        now -= now % 1_000
        if (row, now, face, animated) == (self._row, self._now, self._face, self._animated):
            return
        self._row, self._now, self._face, self._animated = row, now, face, animated
        self._title = text.safe(row.run.name, 60) if row else ""
        self.redraw()

    def content(self, width: int, height: int) -> list[Line]:
        if self._row is None:
            return []
        view = View(self._row, self._now, width, self.palette, self._face, self._animated, self._tz)
        return [Line(parts) for parts in portrait(view, height)]


class Groups(NamedTuple):
    """What is said of a run, by subject; a group may be empty."""

    face: Lined
    cap: Lined
    gauges: Lined
    doing: Lined
    notes: Lined
    facts: Lined
    caveats: Lined


def groups_of(view: View) -> Groups:
    """Everything that is said of a run."""
    clock = clock_of(view.run, view.now)
    return Groups(
        _face(view, clock),
        _cap(view, clock),
        [*_context(view), *_cache(view), *misses(view), *_burn(view)],
        doing(view),
        notes(view, 1),
        _facts(view),
        _caveats(view),
    )


def portrait(view: View, height: int) -> Lined:
    """All that is said of a run, the most wanted first; blank lines go when the pane is low."""
    groups = groups_of(view)
    if is_wanting(view.row):
        groups = groups._replace(gauges=groups.doing, doing=groups.gauges)
    blanks = height - sum(map(len, groups)) - len(groups)
    lines: Lined = [[]] if blanks >= 0 else []
    blanks = height - sum(map(len, groups)) - len(lines)
    for group in groups:
        if group and len(lines) > 1 and blanks > 0:
            lines.append([])
            blanks -= 1
        lines += group
    return lines


# --- the clock


def _face(view: View, clock: Clock) -> Lined:
    run, palette = view.run, view.palette
    if run.stopping is not None:
        word = {"stopped": "stopped", "failed": "STOP FAILED"}.get(
            run.stopping.done or "", "stopping"
        )
        return [[(f"{GLYPHS[view.row.claim.state]} {word}", palette.state(view.row.claim.state))]]
    if clock.calibrating:
        return _plain(view, "--:--", "clock-off")
    if clock.left_ms is None:
        return _plain(view, text.spent(run), "clock" if run.nano else "clock-off")
    if view.face == "arm":
        return _arm(view, clock.left_ms, clock)
    return _plain(view, text.clock(clock.left_ms), _clock_part(clock))


def _clock_part(clock: Clock) -> str:
    if (clock.left_ms or 0) < CLOCK_LOW or clock.share >= 0.95:
        return "clock-low"
    if clock.share >= 0.8:
        return "gauge-high"
    return "dim" if clock.frozen else "clock"


def _plain(view: View, words: str, part: str) -> Lined:
    style = view.palette[part]
    return [[(line, style)] for line in big(words, view.width)]


def _arm(view: View, left_ms: int, clock: Clock) -> Lined:
    """Thirteen digits; red below a minute, then brighter and darker every second."""
    low = left_ms < CLOCK_LOW
    lit = view.palette["clock-low" if low else "dim" if clock.frozen else "clock"]
    if low and view.animated and view.now // 1_000 % 2:
        lit += Style(dim=True)
    unlit = view.palette["clock-off"]
    segments = arm(left_ms)
    if view.width < 31:
        return [[(segment.text, lit if segment.lit else unlit) for segment in segments]]
    drawn = [(quadrants(segment.text), lit if segment.lit else unlit) for segment in segments]
    return [[(rows[y], style) for rows, style in drawn] for y in range(3)]


# --- the cap


def _cap(view: View, clock: Clock) -> Lined:
    run, palette = view.run, view.palette
    if run.budget is None or clock.ruling is None:
        return [_rate(view, [("no budget", palette["dim"])])]
    used, cap = text.amount(clock.ruling, clock.used), text.amount(clock.ruling, clock.cap)
    said: list[Part] = [(used, palette.bold), (f" of {cap}", palette["dim"])]
    if clock.ruling in ("tokens", "turns"):
        said.append((f" {clock.ruling}", palette["dim"]))
    full, rest = text.gauge(clock.share, view.width - 6)
    percent = f"{min(clock.share, 9.99) * 100:4.0f} %"
    bar = [(full, palette.share(clock.share)), (rest, palette["track"]), (percent, palette["dim"])]
    return [_rate(view, said), bar, *_state_of_clock(view, clock)]


def _rate(view: View, said: list[Part]) -> list[Part]:
    burn = burn_per_hour(view.run, view.now)
    if burn:
        said += [(" · ", view.palette["dim"]), (f"{text.money(burn)}/h", view.palette["dim"])]
    return said


def _state_of_clock(view: View, clock: Clock) -> Lined:
    words = f"{clock.ruling} is the cap reached first"
    if clock.calibrating:
        words = f"calibrating, {view.run.calls} of {CALIBRATION_CALLS} calls"
    elif clock.share >= 1:
        words = f"{clock.ruling} is used up"
    elif clock.frozen:
        words = f"frozen: {view.row.claim.state}"
    elif clock.left_ms is None:
        words = f"{clock.ruling} rules, nothing is burning"
    return [[(words, view.palette["dim"])]]


# --- context, cache, burn


def _context(view: View) -> Lined:
    run, palette = view.run, view.palette
    share = context_share(run)
    window = text.tokens(run.window) if run.window else "?"
    said = f" {text.tokens(run.context)} / {window}"
    if share is None:
        return [[label(view, "context"), (said.strip(), palette.text)]]
    grown = run.context - run.context_before
    growth = f" {grown / 1000:+.1f}k" if run.context_before and abs(grown) >= 50 else ""
    width = max(4, view.width - LABEL - len(said) - len(growth))
    full, rest = text.gauge(share, width)
    return [
        [
            label(view, "context"),
            (full, palette.share(share)),
            (rest, palette["track"]),
            (said, palette.text),
            (growth, palette["dim"]),
        ]
    ]


def _cache(view: View) -> Lined:
    cache, palette = view.run.cache, view.palette
    state, expires = cache.state(view.now), cache.expires()
    if state == "none":
        return [[label(view, "cache"), (text.DASH, palette["dim"])]]
    following = next_turn_of(view.run)
    if following and not following.cold:  # a model that costs nothing
        following = None
    warm = f"next {text.money(following.warm)}" if following else ""
    cold = f"next {text.money(following.cold)}" if following else ""
    if state == "warm" and expires is not None:
        left = expires - view.now
        style = palette["gauge-high" if left < CACHE_LOW else "warm"]
        first: list[Part] = [
            ("warm ", style),
            (text.warm_for(cache, left).ljust(5) + " ", style),
            (warm, palette.text),
        ]
        return [
            [label(view, "cache"), *first],
            *_gone_cold(cold, palette),
            *_keep_warm(view),
        ]
    if state == "unknown":
        return [
            [label(view, "cache"), ("no promise".ljust(11), palette["dim"]), (warm, palette.text)]
        ]
    return [[label(view, "cache"), ("cold".ljust(11), palette["cold"]), (cold, palette.text)]]


def _gone_cold(cold: str, palette: Palette) -> Lined:
    """What the next turn costs once the cache is cold; nothing where that is nothing."""
    dim = palette["dim"]
    return [[(" " * LABEL, dim), ("cold".ljust(11), dim), (cold, dim)]] if cold else []


def _keep_warm(view: View) -> Lined:
    """What a ping that keeps the cache warm costs, and how long a silence it pays for."""
    warm = keep_warm_of(view.run)
    if warm is None or not warm.pings:
        return []
    said = f"{text.money(warm.nano)} pays {span_text(warm.pays_ms)}"
    dim = view.palette["dim"]
    return [[(" " * LABEL, dim), ("ping ", dim), (said, dim)]]


def _burn(view: View) -> Lined:
    bars = text.spark(spark_until(view.run, view.now), min(15, view.width - LABEL))
    said = " 30 min" if bars.strip() else "nothing in 30 min"
    return [
        [
            label(view, "burn"),
            (bars.strip() and bars, view.palette["spark"]),
            (said, view.palette["dim"]),
        ]
    ]


# --- words


def _facts(view: View) -> Lined:
    run, palette = view.run, view.palette
    held = AUTHORITIES[run.authority] + (
        f", pid {run.pid}" if run.pid and not run.process_gone else ""
    )
    if run.channel:
        held += f", by {text.safe(run.channel)}"
    more = f"· {text.tokens(run.tokens.total)} tokens"
    if run.child_nano:
        more = f"+{text.money(run.child_nano)} sub-agents"
    pairs = (
        ("spent", f"{text.spent(run)} {more}"),
        (
            "age",
            f"{text.age(view.now - run.started)} · active {text.clock(active_until(run, view.now))}",
        ),
        ("model", text.safe(run.model)),
        ("project", text.safe(run.project)),
        ("branch", text.safe(run.branch)),
        ("control", held),
    )
    room = view.width - LABEL
    return [
        [label(view, word), (text.fit(value, room).rstrip(), palette.text)]
        for word, value in pairs
        if value
    ]


def _caveats(view: View) -> Lined:
    run, palette = view.run, view.palette
    reasons = [text.safe(reason) for reason in run.caveats]
    if run.unpriced_calls:
        reasons.append(f"{run.unpriced_calls} calls have no known price")
    if run.bad_lines:
        reasons.append(f"{run.bad_lines} lines could not be read")
    lines: Lined = [[("why not exact", palette["asks"])]] if reasons else []
    for reason in reasons:
        lines += [[(line, palette["dim"])] for line in text.wrap(reason, view.width, 2)]
    return lines
