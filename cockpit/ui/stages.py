"""How the stage of a script and the end of its runs are said and drawn: a glyph and a word, never color alone."""

from rich.style import Style

from cockpit.core.script import (
    EXIT_BUG,
    EXIT_DENIED,
    EXIT_DONE,
    EXIT_DRIFT,
    EXIT_UNAVAILABLE,
    Stage,
)
from cockpit.core.shelf import ScriptRun, Sheet, ShelfRow
from cockpit.ui.palette import Palette

GLYPHS: dict[Stage, tuple[str, str]] = {
    "compiled": ("◇", "waiting"),
    "verified": ("◆", "asks"),
    "approved": ("◇", "waiting"),
    "shadow": ("▷", "running"),
    "active": ("▶", "running"),
    "quarantined": ("✖", "stuck"),
    "repairing": ("■", "stopping"),
    "retired": ("○", "idle"),
}
"""A glyph a stage, and the part of the theme that it is drawn in."""
_RANKS: tuple[Stage, ...] = (
    "quarantined", "verified", "repairing", "compiled", "approved", "shadow", "active", "retired",
)  # fmt: skip
MEANS: dict[Stage, str] = {
    "compiled": "written, and not yet proven: not all gates are passed",
    "verified": "proven on every recorded run; it waits for your yes",
    "approved": "it runs beside the agent next, without effect",
    "shadow": "runs beside the agent without effect, until both have agreed often enough",
    "active": "does the task in place of the agent",
    "quarantined": "stopped itself; the agent does the task until it is mended",
    "repairing": "one bounded repair is under way; the agent does the task",
    "retired": "the task is the agent's again",
}

_ENDS = {
    EXIT_DONE: "done",
    EXIT_BUG: "broke",
    EXIT_DRIFT: "the world has changed",
    EXIT_UNAVAILABLE: "a source was not there",
    EXIT_DENIED: "wanted more than it may",
}


def glyph(stage: Stage, palette: Palette) -> tuple[str, Style]:
    sign, part = GLYPHS[stage]
    return sign, palette[part]


def rank(row: ShelfRow) -> tuple[int, str]:
    """What needs a person comes first."""
    return _RANKS.index(row.stage), row.name


def stage_words(row: ShelfRow) -> str:
    """The stage, of a shadow also how often it has agreed: `shadow 2 of 3`."""
    if row.stage == "shadow":
        return f"shadow {row.agreeing} of {row.agreements}"
    return row.stage


def needs_you(row: ShelfRow) -> bool:
    """Whether it stands still until the operator has done something."""
    ready = row.stage == "shadow" and row.agreeing >= row.agreements
    return ready or row.stage in ("compiled", "verified")


def is_approved(sheet: Sheet) -> bool:
    """Whether the yes to exactly this content holds."""
    for each in reversed(sheet.decisions):
        if each.content != sheet.row.content or each.decision == "shadow":
            continue
        is_yes = each.decision in ("approve", "repair")
        return is_yes and sheet.row.stage not in ("compiled", "verified", "retired")
    return False


def ended(run: ScriptRun) -> str:
    """How a run of a script ended, in words and with its exit code: `the world has changed (3)`."""
    words = _ENDS.get(run.exit_code)
    if words is None:
        words = f"killed by signal {-run.exit_code}" if run.exit_code < 0 else "ended otherwise"
    if run.exit_code == EXIT_DONE:
        if not run.passed:
            return "broke its contract (0)"
        if run.agreed is False:
            return "came to something else (0)"
        return "nothing to do (0)" if run.skipped else "done (0)"
    return f"{words} ({run.exit_code})"


def is_well(run: ScriptRun) -> bool:
    """Whether the run did what it was to do."""
    return run.exit_code == EXIT_DONE and run.passed and run.agreed is not False


def end_part(run: ScriptRun) -> str:
    """The part of the theme in which the end of a run is drawn."""
    if is_well(run):
        return "warm"
    return "asks" if run.exit_code == EXIT_UNAVAILABLE else "stuck"


def end_glyph(run: ScriptRun) -> str:
    return "✔" if is_well(run) else "◇" if run.exit_code == EXIT_UNAVAILABLE else "✖"
