"""The page of one run that `cockpit show` prints."""

from datetime import UTC

import governed as g
from fleets import NOW

from cockpit.cli.page import page
from cockpit.core import events as e
from cockpit.core.fleet import Fleet
from cockpit.core.fold import fold_all


def shown(fleet):
    (run,) = fleet.runs.values()
    return page(fleet, run, NOW, UTC)


def test_a_capped_run_that_asks():
    said = shown(g.only(g.asks()))
    assert said.startswith("◆ asks  ")
    (run,) = g.only(g.asks()).runs
    assert f"cockpit answer {run} yes" in said
    assert "\n\nspent       $" in said
    assert "\nbudget      " in said


def test_a_deferred_run_says_why():
    assert "\ndeferred    " in shown(g.only(g.deferred()))


def test_a_run_that_goes_on_with_another_tells_what_was_spent_there():
    (run,) = g.only(g.deferred()).runs
    went_on = e.RunContinued(
        run=run, at=NOW, task="run-0001", purse="run:run-0001", money=410_000_000, turns=12
    )
    said = shown(fold_all(g.only(g.deferred()), [went_on]))
    assert "\nbefore      $0.41 · 12 turns in run-0001: one budget for both" in said


def test_a_slow_timer_comes_with_its_cures():
    said = shown(g.only(g.timer()))
    assert "\ntimer       every " in said
    assert said.count("\n            ") >= 2


def seen(**more):
    return e.RunSeen(run="r", at=NOW, agent="codex", session="s", **more)


def test_unknown_things_are_left_out():
    said = shown(fold_all(Fleet(), [seen()]))
    assert "codex · turn 0" in said
    assert not any(word in said for word in ("cache", "project", "context", "None"))


def test_text_from_outside_stays_on_its_line():
    hostile = "\x1b]52;c;eA==\x07[red]x\ny"
    told = [
        seen(source=hostile),
        e.RunDescribed(run="r", at=NOW, name=hostile, project=hostile, branch=hostile),
        e.RunCaveat(run="r", at=NOW, reason=hostile),
    ]
    said = shown(fold_all(Fleet(), told))
    assert "\x1b" not in said
    assert "\x07" not in said
    assert "\ny" not in said
