"""What the table says when it has no rows: what was looked at, and what to do next."""

from cockpit.core.fleet import Fleet
from cockpit.ui import text
from cockpit.ui.palette import Palette
from cockpit.ui.widgets.lines import Part

NEXT = (
    ("cockpit run -- claude", "metered to the token, capped, can be paused"),
    ("claude, codex, …", "in another terminal: appears here, only watched"),
    ("cockpit demo", "a small fleet at work: no key, no network, no cost"),
)


def nothing(fleet: Fleet | None, filtered: str, palette: Palette) -> list[list[Part]]:
    """Lines for an empty table, one list of parts a line."""
    dim, bold = palette["dim"], palette.bold
    if fleet is None:
        return [[], [("   connecting to the engine…", dim)]]
    if fleet.runs:
        said = f"   none of the {len(fleet.runs)} runs matches  "
        return [
            [],
            [(said, dim), (text.safe(filtered, 60), bold)],
            [("   esc clears the filter", dim)],
        ]
    if not fleet.scan.done:
        return [[], [("   reading what agents left on this machine, the newest first…", dim)]]
    lines: list[list[Part]] = [[], [("   no run found", bold)], [], [("   looked at", dim)]]
    lines += [[("     " + text.safe(place), palette.text)] for place in fleet.scan.looked_at]
    lines += [[], [("   what to do next", dim)]]
    lines += [[(f"     {do:<23}", palette["key"]), (why, dim)] for do, why in NEXT]
    return lines
