"""One line of a run's figures, for a screen without room for their column."""

from textual.strip import Strip

from cockpit.core.fleet import burn_per_hour
from cockpit.ui import text
from cockpit.ui.widgets.columns import context_share, wanting
from cockpit.ui.widgets.doing import is_wanting, pause_cost
from cockpit.ui.widgets.figures import hit_share, percent
from cockpit.ui.widgets.lines import Lines, Part, spread
from cockpit.ui.widgets.view import View


class Summary(Lines):
    """The figures that fit beside each other, for a screen without room for the column."""

    DEFAULT_CSS = "Summary { height: 1; padding: 0 1; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._view: View | None = None

    def show(self, view: View | None) -> None:
        self._view = view
        self.redraw()

    def draw(self, width: int, height: int) -> list[Strip]:  # noqa: ARG002
        if self._view is None:
            return []
        palette = self.palette
        parts = summary(self._view._replace(width=width, palette=palette))
        return [spread(parts, [], width, palette.ground)]


def summary(view: View) -> list[Part]:
    """Spend, context, cache, hits and burn, the most wanted first, as many as fit.

    What the run waits for comes before all of them.
    """
    run, palette = view.run, view.palette
    groups: list[list[Part]] = [_spent_of(view), _context_words(view), _cache_words(view)]
    if is_wanting(view.row):
        groups.insert(1, _wanted(view, view.width - 3 - _width(groups[0])))
    hits = hit_share(run.tokens)
    if hits is not None:
        groups.append([("hits ", palette["dim"]), (percent(hits), palette.text)])
    burn = burn_per_hour(run, view.now)
    if burn:
        groups.append([(text.money(burn), palette.text), ("/h", palette["dim"])])
    parts: list[Part] = []
    used = 0
    for group in groups:
        used += _width(group) + (3 if parts else 0)
        if used > view.width:
            break
        parts += [(" · ", palette["track"]), *group] if parts else group
    return parts


def _width(parts: list[Part]) -> int:
    return sum(len(words) for words, _ in parts)


def _wanted(view: View, room: int) -> list[Part]:
    state = view.row.claim.state
    if state == "held":
        return [part for line in pause_cost(view) for part in line]
    key = {"deferred": " · r or b", "asks": " · a"}.get(state, "")
    said = text.fit(wanting(view.row), max(0, room - len(key))).rstrip()
    return [(said, view.palette.state(state)), (key, view.palette["key"])]


def _spent_of(view: View) -> list[Part]:
    """What counts against the run's cap: its own spend and its sub-agents'."""
    run, palette = view.run, view.palette
    spent = text.MARKS[run.mark] + text.money(run.nano + run.child_nano)
    parts: list[Part] = [(spent, palette.bold)]
    if run.budget is not None and run.budget.money is not None:
        parts.append((f" of {text.money(run.budget.money)}", palette["dim"]))
    return parts


def _context_words(view: View) -> list[Part]:
    run, palette = view.run, view.palette
    share = context_share(run)
    said = text.tokens(run.context) + (f"/{text.tokens(run.window)}" if run.window else "")
    style = palette.text if share is None else palette.share(share)
    told = f" {percent(share)}" if share is not None else ""
    return [("context ", palette["dim"]), (said, palette.text), (told, style)]


def _cache_words(view: View) -> list[Part]:
    cache, palette = view.run.cache, view.palette
    state, expires = cache.state(view.now), cache.expires()
    if state == "warm" and expires is not None:
        return [
            ("cache ", palette["dim"]),
            (f"warm {text.warm_for(cache, expires - view.now)}", palette["warm"]),
        ]
    word = {"cold": "cold", "unknown": "no promise", "none": text.DASH, "warm": "warm"}[state]
    return [("cache ", palette["dim"]), (word, palette["cold"])]
