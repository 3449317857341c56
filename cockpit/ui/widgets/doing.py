"""What a run does now, or what it waits for and what the wait costs."""

from cockpit.core.budget import is_own
from cockpit.core.fleet import Approval, Note, clock_of, next_turn_of
from cockpit.ui import text
from cockpit.ui.palette import GLYPHS
from cockpit.ui.rows import Row
from cockpit.ui.widgets.columns import about
from cockpit.ui.widgets.lines import Part
from cockpit.ui.widgets.view import LABEL, Lined, View, label, wrapped

QUESTIONS_SHOWN = 2


def is_wanting(row: Row) -> bool:
    """Whether the run waits for the operator, not for a model: that is said before its figures."""
    state, run = row.claim.state, row.run
    return state in ("held", "deferred", "halted") or (state == "asks" and bool(run.approvals))


def doing(view: View) -> Lined:
    """The state, the evidence for it, and what the run does or did last."""
    run, state = view.run, view.row.claim.state
    lines: Lined = [[(f"{GLYPHS[state]} {state}", view.palette.state(state)), *_since(view)]]
    match state:
        case "held":
            return [*lines, *pause_cost(view), *_key(view, "p lets it go on")]
        case "deferred":
            return [*lines, *_deferred(view)]
        case "halted":
            return [*lines, *wrapped(view, about(run, run.halted), 4, view.palette.text)]
        case "asks" if run.approvals:
            return [*lines, *_questions(view)]
    if state != "running":
        lines += wrapped(view, text.safe(view.row.claim.evidence), 3, view.palette.text)
    return lines + _action(view)


def _action(view: View) -> Lined:
    run = view.run
    action = f"turn {run.turns}" + (f" · {text.safe(run.action)}" if run.action else "")
    tools = run.open_tools
    if tools and view.row.claim.state in ("running", "stuck"):
        action += f" · {text.age(view.now - tools[-1].since)}"
    return wrapped(view, action, 3, view.palette["dim"])


def _key(view: View, words: str) -> Lined:
    return wrapped(view, words, 2, view.palette["dim"])


# --- held


def _since(view: View) -> list[Part]:
    run = view.run
    if view.row.claim.state != "held" or not run.paused:
        return []
    at = text.time_of_day(run.paused, view.tz)
    return [(f" since {at} · {text.clock(view.now - run.paused)}", view.palette.text)]


def pause_cost(view: View) -> Lined:
    """What the pause will have cost once the cache is cold, or has cost already."""
    run, palette = view.run, view.palette
    state, expires = run.cache.state(view.now), run.cache.expires()
    following = next_turn_of(run)
    more = text.money(following.cold - following.warm) if following and following.cold else ""
    if state == "warm" and expires is not None:
        low = expires - view.now < text.MINUTE
        at = text.time_of_day(expires, view.tz)
        said = f"+{more} from {at} on" if more else f"cold at {at}"
        return [[label(view, "pause"), (said, palette["gauge-high"] if low else palette.text)]]
    if state == "cold" and expires is not None:
        if expires <= run.paused:
            return [[label(view, "pause"), ("free: it was cold", palette.text)]]
        said = f"cost {more}: went cold" if more else "the cache went cold"
        return [[label(view, "pause"), (said, palette["gauge-high"])]]
    return [[label(view, "pause"), ("no cache is promised", palette["dim"])]]


# --- deferred


def _deferred(view: View) -> Lined:
    """Why, and the command that raises the cap where the cap is the run's own."""
    run, palette = view.run, view.palette
    reason = about(run, run.deferred)
    lines = wrapped(view, reason, 6, palette.text)
    clock = clock_of(run, view.now)
    is_capped = clock.share >= 1 or is_own(run.deferred_by)
    if run.budget is None or clock.ruling is None or not is_capped:
        return [*lines, *_key(view, "r lets it go on")]
    lines += _key(view, "b or e raises the cap and it goes on where it was; in a shell:")
    if "cockpit budget" in reason:
        return lines
    from cockpit.ui.caps import budget_command  # the first paint does without it

    command = budget_command(text.safe(run.id, 40), run.budget, clock.ruling)
    return [*lines, *wrapped(view, command, 3, palette["key"])]


# --- questions and notes


def _questions(view: View) -> Lined:
    asked, palette = view.run.approvals, view.palette
    lines: Lined = []
    for each in asked[:QUESTIONS_SHOWN]:
        lines += _question(view, each)
    if len(asked) > QUESTIONS_SHOWN:
        lines.append([(f"… {len(asked) - QUESTIONS_SHOWN} more", palette["track"])])
    return [*lines, *_key(view, "a shows all of it and answers")]


def _question(view: View, asked: Approval) -> Lined:
    said = f"{text.safe(asked.rule, 60)} · {text.age(view.now - asked.since)}"
    return [
        *wrapped(view, said, 1, view.palette["asks"]),
        *wrapped(view, about(view.run, asked.text), 4, view.palette.text),
    ]


def notes(view: View, count: int) -> Lined:
    """The operator's last words to the run, and whether the model was given them."""
    lines: Lined = []
    for note in view.run.notes[-count:] if count else ():
        lines.append(
            [
                label(view, "told" if note.delivered else "waits"),
                (_told(view, note), view.palette["dim"]),
            ]
        )
        said = text.fit(text.safe(note.text), max(8, view.width - LABEL)).rstrip()
        lines.append([label(view, ""), (said, view.palette.text)])
    return lines


def _told(view: View, note: Note) -> str:
    channel = text.safe(note.channel, 20)
    if not note.delivered:
        return f"for {channel} · {text.age(view.now - note.since)}"
    return f"{text.time_of_day(note.delivered, view.tz, seconds=True)} by {channel}"
