"""The line on top: how many runs in which state, what the day has cost, when the day's cap is reached."""

from collections import Counter
from datetime import tzinfo

from msgspec import Struct
from textual.strip import Strip

from cockpit.core.fleet import Fleet, State, burn_per_hour, claim, spent_since
from cockpit.ui import text
from cockpit.ui.palette import Palette
from cockpit.ui.widgets.lines import Lines, Part, spread

_COUNTED: tuple[tuple[State, str], ...] = (
    ("running", "running"),
    ("waiting", "waiting"),
    ("asks", "asks"),
    ("stuck", "stuck"),
    ("held", "held"),
    ("deferred", "deferred"),
    ("halted", "halted"),
    ("stopping", "stopping"),
    ("stop failed", "STOP FAILED"),
)
SHORT = 96
"""Inside width below which the name of the program and empty counts are left out."""
COUNT_EVERY_MS = 5_000
"""Between snapshots the totals change too little to count them every second."""
_ALWAYS = ("running", "waiting", "stuck")


class Totals(Struct, frozen=True):
    """The fleet in a handful of figures. `empty_at` is when the day's cap is reached at this burn."""

    states: dict[str, int]
    today: int
    cap: int | None
    burn: int
    empty_at: int | None


def totals(fleet: Fleet, now: int, tz: tzinfo | None) -> Totals:
    """Count the fleet; the day begins at local midnight."""
    runs = fleet.runs.values()
    today = spent_since(fleet, text.midnight(now, tz))
    burn = sum(burn_per_hour(run, now) for run in runs)
    empty_at = None
    if fleet.day_cap is not None and burn > 0:
        empty_at = now + max(0, fleet.day_cap - today) * text.HOUR // burn
    states: Counter[str] = Counter(claim(run, now).state for run in runs)
    return Totals(dict(states), today, fleet.day_cap, burn, empty_at)


class Header(Lines):
    """The totals, the progress of a first scan, and the time."""

    DEFAULT_CSS = "Header { height: 1; padding: 0 1; }"

    def __init__(self, tz: tzinfo | None) -> None:
        super().__init__()
        self._tz = tz
        self._fleet: Fleet | None = None
        self._now = 0
        self._trouble = ""

    def show(self, fleet: Fleet | None, now: int, trouble: str = "") -> None:
        """Draw these totals; `trouble` says why they may be old."""
        is_soon = now // COUNT_EVERY_MS == self._now // COUNT_EVERY_MS
        if is_soon and fleet is self._fleet and trouble == self._trouble:
            return
        self._fleet, self._now, self._trouble = fleet, now, trouble
        self.redraw()

    def draw(self, width: int, height: int) -> list[Strip]:  # noqa: ARG002
        palette = self.palette
        time = (text.time_of_day(self._now, self._tz), palette["dim"]) if self._now else None
        right: list[Part] = [time] if time else []
        left: list[Part] = []
        if width >= SHORT or self._fleet is None:
            left += [("cockpit", palette["title"]), ("  ", palette.text)]
        if self._fleet is None:
            left.append((self._trouble or "connecting…", palette["dim"]))
            return [spread(left, right, width, palette.ground)]
        figures = totals(self._fleet, self._now, self._tz)
        left += self._scan(palette) or counts(figures, palette, short=width < SHORT)
        if self._trouble:
            left += [("  ", palette.text), (self._trouble, palette["failed"])]
        room = width - sum(len(part) for part, _ in left) - 2
        return [
            spread(
                left, fitting(books(figures, palette, self._tz), right, room), width, palette.ground
            )
        ]

    def _scan(self, palette: Palette) -> list[Part]:
        scan = self._fleet.scan if self._fleet else None
        if scan is None or scan.done:
            return []
        full, rest = text.gauge(scan.bytes_done / scan.bytes if scan.bytes else 0.0, 12)
        said = f" reading {scan.files_done:,} of {scan.files:,} files"
        return [(full, palette["running"]), (rest, palette["track"]), (said, palette["dim"])]


def counts(figures: Totals, palette: Palette, *, short: bool) -> list[Part]:
    """`27 running · 6 waiting · 5 stuck`; states nobody is in are dim or left out."""
    parts: list[Part] = []
    for state, word in _COUNTED:
        count = figures.states.get(state, 0)
        if not count and (state not in _ALWAYS or short):
            continue
        if parts:
            parts.append((" · ", palette["dim"]))
        parts.append((f"{count} {word}", palette.state(state) if count else palette["dim"]))
    return parts or [("no run is live", palette["dim"])]


def books(figures: Totals, palette: Palette, tz: tzinfo | None) -> list[list[Part]]:
    """The money, as groups of parts, the most wanted first."""
    today: list[Part] = [(text.money(figures.today), palette.bold)]
    if figures.cap is not None:
        share = figures.today / figures.cap if figures.cap else 1.0
        today = [
            (text.money(figures.today), palette.share(share) if share >= 0.8 else palette.bold)
        ]
        today.append((f" of {text.round_money(figures.cap)}", palette["dim"]))
    today.append((" today", palette["dim"]))
    groups = [today]
    if figures.burn:
        groups.append([(text.money(figures.burn), palette.text), ("/h", palette["dim"])])
    if figures.empty_at is not None:
        groups.append(
            [("empty at ", palette["dim"]), (text.time_of_day(figures.empty_at, tz), palette.text)]
        )
    return groups


def fitting(groups: list[list[Part]], last: list[Part], room: int) -> list[Part]:
    """As many of the groups as fit before `last`, three cells between them."""
    parts: list[Part] = []
    used = sum(len(part) for part, _ in last)
    for group in groups:
        used += 3 + sum(len(part) for part, _ in group)
        if used > room:
            break
        parts += [*group, ("   ", group[-1][1])]
    return parts + last
