"""A timer that is slower than its cache: what it cost, what the night would cost, what would cost less."""

from cockpit.core.forecast import cheapest, cures_of, forecast_of
from cockpit.core.quantities import span_text
from cockpit.ui import text
from cockpit.ui.widgets.view import Lined, View, label, wrapped

CURES_SHOWN = 3
PRICE = 9


def misses(view: View) -> Lined:
    """What cold caches cost; a timer that is slower than the cache is called one."""
    missed, palette = view.run.misses, view.palette
    if not missed.count:
        return []
    said = f"{missed.count}, cost {text.money(missed.nano)} more"
    slow = missed.is_slow_timer(view.now)
    style = palette["gauge-high"] if slow else palette.text
    lines: Lined = [[label(view, "misses"), (said, style)]]
    if slow:
        lives = span_text(missed.lifetime_ms)
        lines.append([label(view, ""), (f"timer slower than {lives}", palette["gauge-high"])])
    return lines + _night(view)


def _night(view: View) -> Lined:
    """One line: the forecast and the cheapest cure."""
    ahead = forecast_of(view.run, view.now)
    if ahead is None:
        return []
    cure = cheapest(cures_of(view.run, ahead.span_ms))
    said = f"{text.money(ahead.nano)} in {span_text(ahead.span_ms)}"
    if cure is not None:
        said += f", cured {text.money(cure.nano)}"
    return [[label(view, "ahead"), (said, view.palette["gauge-high"])]]


def verdict(view: View) -> Lined:
    """The whole sentence, and the cures with their prices, the cheapest first."""
    ahead, palette = forecast_of(view.run, view.now), view.palette
    if ahead is None:
        return []
    lines = wrapped(view, ahead.text, 5, palette["gauge-high"])
    cures = cures_of(view.run, ahead.span_ms)
    if cures:
        lines.append([("would cost less", palette["dim"])])
    room = view._replace(width=view.width - PRICE)
    for cure in cures[:CURES_SHOWN]:
        price = text.money(cure.nano).rjust(PRICE - 2) + "  "
        for row in wrapped(room, cure.text, 2, palette.text):
            lines.append([(price, palette.bold), *row])
            price = " " * PRICE
    return lines
