"""How the screen looks: sizes, themes, no color, and the states one seldom sees.

`pytest --snapshot-update tests/ui/test_pictures.py` after a wanted change; look at the report first.
"""

import pytest
from fleets import EMPTY, NOW, SCANNING, fleet_of, seeded, story
from stand_in import StandIn, screen_on, settled

from cockpit.core import events as e
from cockpit.core.budget import Budget
from cockpit.core.fold import fold_all
from cockpit.core.money import NANO
from cockpit.ui.settings import ScreenSettings

NORMAL = (120, 40)


@pytest.fixture
def looks_as_before(snap_compare):
    def compare(fleet, size=NORMAL, *, theme="cockpit", press=()):
        app = screen_on(StandIn(fleet), settings=ScreenSettings(theme=theme))

        async def before(pilot):
            await settled(pilot)
            await pilot.press(*press)
            await settled(pilot)

        return snap_compare(app, terminal_size=size, run_before=before)

    return compare


@pytest.mark.parametrize(
    "size", [(80, 24), NORMAL, (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}"
)
def test_thirty_runs(looks_as_before, size):
    assert looks_as_before(seeded(30), size, press=["j"])


@pytest.mark.parametrize("theme", ["in-time", "paper", "high-contrast", "terminal"])
def test_themes(looks_as_before, theme):
    assert looks_as_before(seeded(30), theme=theme, press=["j"] * 12)


def test_without_color(looks_as_before, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert looks_as_before(seeded(30), press=["j", "space"])


def test_nothing_found(looks_as_before):
    assert looks_as_before(EMPTY)


def test_first_scan(looks_as_before):
    assert looks_as_before(SCANNING)


def test_less_than_a_minute_on_the_arm(looks_as_before):
    fleet = fleet_of(story(1, "running", 5, budget=Budget(time_ms=15 * 60_000), calls=14))
    run = fleet.runs["run-0001"]
    left = run.active_ms + NOW - run.last_event + 41_000
    fleet = fold_all(fleet, [e.BudgetSet(run=run.id, at=NOW, budget=Budget(time_ms=left))])
    assert looks_as_before(fleet, theme="in-time")


def test_stopping(looks_as_before):
    fleet = fleet_of(
        *(story(number, "running", 1, budget=Budget(money=9 * NANO)) for number in range(1, 6))
    )
    told = [
        e.StopRequested(run="run-0001", at=NOW, by="operator"),
        e.StopRequested(run="run-0002", at=NOW, by="operator"),
        e.StopClimbed(run="run-0002", at=NOW, rung="terminate"),
        e.StopRequested(run="run-0003", at=NOW, by="operator"),
        e.RunStopped(run="run-0003", at=NOW, took_ms=310),
        e.StopRequested(run="run-0004", at=NOW, by="operator"),
        e.StopFailed(run="run-0004", at=NOW, pids=(4711, 4712)),
    ]
    assert looks_as_before(fold_all(fleet, told), press=["j", "X"])


def test_help(looks_as_before):
    assert looks_as_before(seeded(30), press=["question_mark"])
