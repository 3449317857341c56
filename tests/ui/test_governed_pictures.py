"""How governed runs look; `pytest --snapshot-update tests/ui/test_governed_pictures.py` after a wanted change."""

import governed as g
import pytest
from runs import Teller
from stand_in import screen_on, settled

from cockpit.ui.settings import ScreenSettings

NORMAL, SMALL, LARGE = (120, 40), (80, 24), (200, 60)
STORIES = {
    g.HELD: g.held,
    g.DEFERRED: g.deferred,
    g.ASKS: g.asks,
    g.CAPPED: g.capped,
    g.TIMER: g.timer,
}


def named(size):
    return f"{size[0]}x{size[1]}"


@pytest.fixture
def looks_as_before(snap_compare):
    def compare(run, size, *keys, theme="cockpit"):
        happened = sorted(STORIES[run](), key=lambda event: event.at)
        app = screen_on(Teller(happened, g.everything()), settings=ScreenSettings(theme=theme))

        async def before(pilot):
            await settled(pilot)
            app.go_to(run)
            await pilot.pause()
            await settled(pilot)
            for key in keys:
                await pilot.press(key)
                await settled(pilot)

        return snap_compare(app, terminal_size=size, run_before=before)

    return compare


@pytest.mark.parametrize("size", [SMALL, NORMAL, LARGE], ids=named)
def test_the_fleet(looks_as_before, size):
    assert looks_as_before(g.HELD, size)


def test_the_fleet_without_color(looks_as_before, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert looks_as_before(g.ASKS, NORMAL)


@pytest.mark.parametrize("size", [SMALL, NORMAL, LARGE], ids=named)
def test_a_held_run(looks_as_before, size):
    assert looks_as_before(g.HELD, size, "enter")


@pytest.mark.parametrize("size", [SMALL, NORMAL], ids=named)
def test_a_deferred_run(looks_as_before, size):
    assert looks_as_before(g.DEFERRED, size, "enter")


def test_a_slow_timer(looks_as_before):
    assert looks_as_before(g.TIMER, NORMAL, "enter")


def test_the_parts_without_color(looks_as_before, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert looks_as_before(g.HELD, (120, 60), "enter")


@pytest.mark.parametrize("size", [SMALL, NORMAL], ids=named)
def test_a_question(looks_as_before, size):
    assert looks_as_before(g.ASKS, size, "a")


@pytest.mark.parametrize("size", [SMALL, NORMAL], ids=named)
def test_a_cap_asks(looks_as_before, size):
    assert looks_as_before(g.CAPPED, size, "a")


@pytest.mark.parametrize("size", [SMALL, NORMAL], ids=named)
def test_saying(looks_as_before, size):
    assert looks_as_before(g.HELD, size, "s")


@pytest.mark.parametrize("size", [SMALL, NORMAL], ids=named)
def test_a_budget(looks_as_before, size):
    assert looks_as_before(g.HELD, size, "b")


@pytest.mark.parametrize("theme", ["in-time", "paper", "high-contrast", "terminal"])
def test_themes(looks_as_before, theme):
    assert looks_as_before(g.HELD, (120, 60), "enter", theme=theme)
