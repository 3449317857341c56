"""The spend screen: what it asks the engine, what it shows of the answer, how one gets through it."""

import asyncio
import re
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from books import TABLES, Books, report, row
from fleets import NOW, seeded
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from stand_in import Time, screen_on, settled, written
from test_hostile import BAD, EVIL, poisoned

from cockpit.core.fleet import Fleet
from cockpit.core.spending import CHOICES, Only, Spent
from cockpit.core.tokens import Tokens
from cockpit.ui.periods import PERIODS, Part, begin
from cockpit.ui.screens.run import RunScreen
from cockpit.ui.screens.spend import INTO, SpendScreen
from cockpit.ui.settings import ScreenSettings
from cockpit.ui.widgets.days import days_of
from cockpit.ui.widgets.spend_table import layout, weekday

DAY = 86_400_000
MIDNIGHT = NOW - NOW % DAY


@pytest.fixture
def snapped(snap_compare):
    def compare(size, *press):
        app = screen_on(Books(seeded(30)))

        async def before(pilot):
            await opened(pilot, *press)

        return snap_compare(app, terminal_size=size, run_before=before)

    return compare


async def opened(pilot, *keys):
    await settled(pilot)
    for key in ("dollar_sign", *keys):
        await pilot.press(key)
        await answered(pilot)


async def answered(pilot):
    await pilot.app.workers.wait_for_complete()
    await settled(pilot)


def shown(app):
    return "\n".join(written(app))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_by_agent(snapped, size):
    assert snapped(size)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_runs_of_an_agent(snapped, size):
    assert snapped(size, "enter", "j", "j")


async def test_it_asks_for_groups_and_days_at_once_and_again_when_they_change():
    remote = Books(seeded(3))
    async with screen_on(remote).run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        week = MIDNIGHT - 6 * DAY
        month = MIDNIGHT - 29 * DAY
        assert remote.asked == [("agent", week, None, "UTC", ()), ("day", month, None, "UTC", ())]
        remote.asked.clear()
        for key, by in (("tab", "model"), ("right", "project"), ("left", "model")):
            await pilot.press(key)
            await answered(pilot)
            assert remote.asked[-2][0] == by
        for key, since in (
            ("right_square_bracket", month),
            ("right_square_bracket", 0),
            ("right_square_bracket", MIDNIGHT),
        ):
            await pilot.press(key)
            await answered(pilot)
            assert remote.asked[-2][:2] == ("model", since)
        await pilot.press("left_square_bracket")
        await answered(pilot)
        assert remote.asked[-2][1] == 0


async def test_drilling_down_to_a_run_and_back():
    remote = Books(seeded(3))
    app = screen_on(remote)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "j", "enter")
        assert remote.asked[-2][0] == "run"
        assert remote.asked[-2][4] == (Only("agent", "codex"),)
        assert f"spend {INTO} codex" in shown(app)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, RunScreen)
        assert app.screen.run_id == "run-0000"
        await pilot.press("escape")
        await pilot.press("escape")
        await answered(pilot)
        assert app.screen.part == Part()
        assert app.screen.table.cursor == "codex"
        await pilot.press("escape")
        assert not isinstance(app.screen, SpendScreen)


async def test_a_day_is_drilled_into_as_a_day_of_the_screens_zone():
    remote = Books(seeded(3))
    app = screen_on(remote, settings=ScreenSettings(tz=ZoneInfo("Europe/Berlin")))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, *["left"] * 3, "right", "right_square_bracket", "right_square_bracket")
        while app.screen.part.by != "day":
            await pilot.press("tab")
            await answered(pilot)
        newest = app.screen.table.under_cursor.key
        assert newest == TABLES["day"].rows[-1].key
        await pilot.press("enter")
        await answered(pilot)
        by, since, until, zone, _ = remote.asked[-2]
        begun = datetime.fromtimestamp(since / 1000, ZoneInfo("Europe/Berlin"))
        assert (by, until - since, zone) == ("agent", DAY, "Europe/Berlin")
        assert (begun.date().isoformat(), begun.hour) == (newest, 0)


async def test_what_cannot_be_opened_is_said():
    app = screen_on(Books(seeded(3)))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "left", "end", "enter")
        assert "has left the screen" in shown(app)
        await pilot.press("left")
        await answered(pilot)
        assert app.screen.part.by == "tool"
        await pilot.press("enter")
        await settled(pilot)
        assert "shared by its tools" in shown(app)


async def test_marks_shares_and_what_the_total_does_not_say():
    app = screen_on(Books(seeded(3)))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        lines = written(app)
        (claude,) = [line for line in lines if "claude-code " in line]
        (local,) = [line for line in lines if "qwen-code " in line]
        assert "~$81.23" in claude
        assert "78%" in claude
        assert re.search(r"\s\?\s", local)
        assert "? 89 unpriced calls not in the sum · ~ $2.10 estimated · ! 3 bad lines" in shown(
            app
        )
        assert "~$104.75?" in shown(app)


async def test_an_engine_that_fails_leaves_the_figures_and_a_word():
    trouble = [""]
    app = screen_on(Books(seeded(3), trouble=lambda: trouble[0]))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        trouble[0] = "the disk is full"
        app.screen._ask()
        await answered(pilot)
        assert "the disk is full" in shown(app)
        assert "$81.23" in shown(app)


async def test_the_books_are_read_again_only_when_money_was_spent():
    fleet, time = seeded(3), Time()
    remote = Books(fleet)
    async with screen_on(remote, time).run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        asked = len(remote.asked)
        time.now += 6_000
        remote.send(fleet)
        await answered(pilot)
        assert len(remote.asked) == asked
        remote.send(replace(fleet, spent={**fleet.spent, NOW // 900_000: 10**12}))
        await answered(pilot)
        assert len(remote.asked) == asked + 2


async def test_an_answer_that_comes_too_late_is_not_shown_as_another():
    class Slow(Books):
        async def spend(self, by, *more):
            if by == "agent":
                await gate.wait()
            return await super().spend(by, *more)

    gate = asyncio.Event()
    app = screen_on(Slow(seeded(3)))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("dollar_sign", "tab")
        await answered(pilot)
        gate.set()
        await answered(pilot)
        assert "claude-opus-5" in shown(app)
        assert "reading the books" not in shown(app)


async def test_the_mouse_chooses_and_opens():
    app = screen_on(Books(seeded(3)))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        top = next(y for y, line in enumerate(written(app)) if "[agent]" in line)
        line = written(app)[top]
        await pilot.click(offset=(line.index("project") + 2, top))
        await answered(pilot)
        assert app.screen.part.by == "project"
        await pilot.click(offset=(written(app)[top].index("30 days") + 2, top))
        await answered(pilot)
        assert app.screen.part.period == "30 days"
        await pilot.click(offset=(10, top + 3), times=2)
        await answered(pilot)
        assert app.screen.part.only == (Only("project", "(unknown)"),)


async def test_x_interrupts_the_run_under_the_cursor():
    remote = Books(seeded(3))
    app = screen_on(remote)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "x")
        assert not remote.heard
        await pilot.press("left")
        await answered(pilot)
        await pilot.press("x")
        await pilot.pause()
        assert remote.heard == [("stop", ["run-0000"], "stop")]


@pytest.mark.parametrize("word", EVIL.values(), ids=EVIL.keys())
async def test_nothing_hostile_is_drawn(word):
    evil = report(row(word, 3, name=word), row("r1", 2, name=word))
    tables = {by: evil for by in CHOICES if by != "day"} | {"day": TABLES["day"]}
    app = screen_on(Books(poisoned(word), tables=tables, trouble=lambda: ""))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        for key in ("tab", "tab", "enter", "tab", "tab", "tab", "tab"):
            await pilot.press(key)
            await answered(pilot)
            lines = written(app)
            assert not BAD.search("".join(lines))
            assert "\n" not in "".join(lines)


@pytest.mark.parametrize("size", [(20, 9), (40, 12), (59, 19), (200, 60)])
async def test_any_size_holds_it(size):
    app = screen_on(Books(seeded(5)))
    async with app.run_test(size=size) as pilot:
        await opened(pilot, "tab", "G", "k", "pageup")
        assert len(written(app)) == size[1]
        assert "$" in shown(app)


async def test_an_empty_book_says_so():
    nothing = dict.fromkeys(CHOICES, report())
    app = screen_on(Books(Fleet(now=NOW), tables=nothing))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "enter", "j")
        assert "nothing was spent then" in shown(app)


@given(st.integers(1, 400))
def test_columns_never_ask_for_more_room_than_there_is(width):
    fits = layout(width)
    used = fits.name + sum(fits.width(column) + 1 for column in fits.columns)
    used += (fits.bar + 2 if fits.bar else 0) + 5
    assert used == width or fits.name == 1
    assert any(column.title == "spent" for column in fits.columns)


moments = st.integers(1_700_000_000_000, 1_800_000_000_000)
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"])


@given(moments, zones, st.integers(1, 60))
def test_periods_begin_at_a_local_midnight(now, name, days):
    """Also across the nights in which clocks are put forward or back."""
    zone = ZoneInfo(name)
    start = datetime.fromtimestamp(begin(days, now, zone) / 1000, zone)
    here = datetime.fromtimestamp(now / 1000, zone)
    assert (start.hour, start.minute) == (0, 0)
    assert (here.date() - start.date()).days == days - 1


@given(st.sampled_from(CHOICES), st.sampled_from(list(PERIODS)), st.integers(-9, 9))
def test_there_and_back_again(by, period, steps):
    part = Part(by, period)
    assert part.grouped(steps).grouped(-steps) == part
    assert part.over(steps).over(-steps) == part


def test_days_without_calls_are_there_and_cost_nothing():
    days = days_of(report(row("2026-09-19", 5)), date(2026, 9, 21), Part(period="today"))
    assert [days.spent.get(day, 0) for day in days.last(3)] == [50_000_000, 0, 0]
    assert weekday("2026-09-21") == "2026-09-21 Mon"


def test_a_sum_of_nothing_is_nothing():
    assert report().total == Spent(Tokens())
    assert begin(0, NOW, UTC) == 0
