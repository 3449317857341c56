"""The shelf: what it shows of every script, and what it asks the engine to do with one."""

import pytest
from fleets import seeded
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from shelves import ACTIVE, BROKEN, CENT, RETIRED, ROWS, SHADOW, SHEET, VERIFIED, Shelf, ran, row
from stand_in import screen_on, settled, written
from test_hostile import BAD, EVIL
from test_tasks_screen import answered, shown, words

from cockpit.core.shelf import Output, Savings, Schedule
from cockpit.ui import stages
from cockpit.ui.screens.ask import AskScreen
from cockpit.ui.screens.review import ReviewScreen
from cockpit.ui.screens.shelf import cron_told
from cockpit.ui.screens.tasks import TasksScreen
from cockpit.ui.settings import ScreenSettings
from cockpit.ui.widgets.script_detail import schedule_words
from cockpit.ui.widgets.script_table import layout

SIZES = [(80, 24), (120, 40), (200, 60)]
FIRST = ("currency-rates", "morning-report", "backup-list", "link-check", "old-digest")


async def opened(pilot, *keys):
    await settled(pilot)
    for key in ("t", "tab", *keys):
        await pilot.press(key)
        await answered(pilot)


async def on(pilot, name):
    await opened(pilot)
    pilot.app.screen.table.go_to(name)
    await answered(pilot)


@pytest.fixture
def snapped(snap_compare):
    def compare(size, *press, theme="cockpit", remote=None):
        app = screen_on(remote or Shelf(seeded(30)), settings=ScreenSettings(theme=theme))

        async def before(pilot):
            await opened(pilot, *press)

        return snap_compare(app, terminal_size=size, run_before=before)

    return compare


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_quarantined_script(snapped, size):
    assert snapped(size)


def test_a_sheet_on_a_small_screen(snapped):
    assert snapped((80, 24), "space")


@pytest.mark.parametrize("theme", ["in-time", "paper", "high-contrast", "terminal"])
def test_themes(snapped, theme):
    assert snapped((120, 40), theme=theme)


def test_scheduling(snapped):
    assert snapped((120, 40), "j", "j", "c")


async def test_what_needs_a_person_comes_first_and_savings_are_right_to_the_cent():
    app = screen_on(Shelf(seeded(3)))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        lines = written(app)
        at = [next(y for y, line in enumerate(lines) if name in line) for name in FIRST]
        assert at == sorted(at)
        expected = {"currency-rates": "$6.08", "link-check": "$21.97", "old-digest": "$0.12"}
        for name, net in expected.items():
            assert net in next(line for line in lines if name in line)
        assert "1 needs you · saved $28.17" in shown(app)
        page = words(app)
        for entry in (
            "$7.14 34 runs",
            "-$0.31 repairs",
            "-$0.63 the agent beside it",
            "-$0.12 making it",
        ):
            assert entry in page
        assert "$6.08 net so far · about $4.80 a month from now on" in page
        assert "the median of what the agent's own runs" in page


async def test_a_quarantine_says_why_and_what_it_waits_for():
    app = screen_on(Shelf(seeded(3)))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        page = words(app)
        assert "the world has changed (3)" in page
        assert "waits for the agent's next run: the source rates.local" in page
        assert "weekdays at 07:30 (30 7 * * 1-5) Europe/Berlin" in page
        assert "metrics.local: connection refused" in page
        assert "a source was not there (4)" in page


async def test_a_dry_run_goes_at_once_and_says_what_it_would_have_written():
    app = screen_on(Shelf(seeded(3)))
    async with app.run_test(size=(120, 40)) as pilot:
        await on(pilot, "link-check")
        await pilot.press("d")
        await answered(pilot)
        wanted = {"action": "run", "name": "link-check", "dry": True, "yes": False}
        assert app.remote.done("run") == [wanted]
        assert "ran without effect, done (0): would write reports/2026-09-20.md" in written(app)[-1]


async def test_a_run_asks_first_and_no_is_the_default():
    app = screen_on(Shelf(seeded(3)))
    async with app.run_test(size=(120, 40)) as pilot:
        await on(pilot, "link-check")
        await pilot.press("r")
        assert isinstance(app.screen, AskScreen)
        await pilot.press("enter")
        await answered(pilot)
        assert not app.remote.done("run")
        await pilot.press("r", "y")
        await answered(pilot)
        wanted = {"action": "run", "name": "link-check", "dry": False, "yes": True}
        assert app.remote.done("run") == [wanted]


async def test_only_an_active_script_is_run():
    app = screen_on(Shelf(seeded(3)))
    async with app.run_test(size=(120, 40)) as pilot:
        await on(pilot, "morning-report")
        await pilot.press("r")
        await settled(pilot)
        assert "only an active script acts" in written(app)[-1]
        assert not app.remote.done("run")


async def test_without_a_sandbox_even_a_dry_run_asks_and_says_why():
    app = screen_on(Shelf(seeded(3)))
    async with app.run_test(size=(120, 40)) as pilot:
        await on(pilot, "backup-list")
        await pilot.press("d")
        await pilot.pause()
        assert "No sandbox holds it on this machine" in shown(app)
        assert not app.remote.done("run")
        await pilot.press("y")
        await answered(pilot)
        assert app.remote.done("run")[0]["yes"] is True


async def test_a_run_that_lasts_leaves_the_screen_free():
    remote = Shelf(seeded(3))
    app = screen_on(remote)
    async with app.run_test(size=(120, 40)) as pilot:
        await on(pilot, "link-check")
        remote.held.clear()
        await pilot.press("d")
        await settled(pilot)
        assert "runs now" in words(app)
        await pilot.press("k")
        await settled(pilot)
        assert app.screen.table.cursor == "backup-list"
        remote.held.set()
        await answered(pilot)


async def test_a_schedule_is_a_cron_line_and_says_what_it_means():
    app = screen_on(Shelf(seeded(3)))
    async with app.run_test(size=(120, 40)) as pilot:
        await on(pilot, "link-check")
        await pilot.press("c")
        await pilot.pause()
        assert "every 4 h at :00" in shown(app)
        assert "agreed with the agent five times" in shown(app)
        await pilot.press(
            "ctrl+u", *["3", "0", "space", "6", "space", "asterisk", "space", "asterisk"]
        )
        await pilot.press("space", "1", "minus", "5")
        await pilot.pause()
        assert "weekdays at 06:30" in shown(app)
        await pilot.press("enter")
        await answered(pilot)
        (asked,) = app.remote.done("schedule")
        assert (asked["cron"], asked["missed"], asked["keeper"]) == (
            "30 6 * * 1-5",
            "once",
            "engine",
        )


@pytest.mark.parametrize("typed", ["none", ""])
async def test_a_schedule_is_taken_away(typed):
    app = screen_on(Shelf(seeded(3)))
    async with app.run_test(size=(120, 40)) as pilot:
        await on(pilot, "link-check")
        await pilot.press("c", "ctrl+u", *typed, "enter")
        await answered(pilot)
        assert app.remote.done("schedule") == [{"action": "schedule", "name": "link-check"}]


async def test_what_nobody_approved_gets_no_schedule_and_a_left_dialog_none_either():
    app = screen_on(Shelf(seeded(3)))
    async with app.run_test(size=(120, 40)) as pilot:
        await on(pilot, "morning-report")
        await pilot.press("c")
        await settled(pilot)
        assert "approve it first" in written(app)[-1]
        await pilot.press("down", "c", "escape")
        await answered(pilot)
        assert not app.remote.done("schedule")


async def test_retiring_asks_and_no_is_the_default():
    app = screen_on(Shelf(seeded(3)))
    async with app.run_test(size=(120, 40)) as pilot:
        await on(pilot, "link-check")
        await pilot.press("R", "escape")
        await answered(pilot)
        assert not app.remote.done("retire")
        await pilot.press("R", "y")
        await answered(pilot)
        assert app.remote.done("retire")[0]["name"] == "link-check"
        app.screen.table.go_to("old-digest")
        await pilot.press("R")
        await settled(pilot)
        assert "it is retired" in written(app)[-1]


async def test_a_refusal_of_the_engine_is_said():
    remote = Shelf(seeded(3))
    app = screen_on(remote)
    async with app.run_test(size=(120, 40)) as pilot:
        await on(pilot, "link-check")
        remote.trouble = "link-check is at work already"
        await pilot.press("d")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "did not run: link-check is at work already" in written(app)[-1]


async def test_enter_reviews_and_back_again_as_far_as_the_tasks():
    app = screen_on(Shelf(seeded(3)))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "enter")
        assert isinstance(app.screen, ReviewScreen)
        assert app.screen.script_name == "currency-rates"
        await pilot.press("escape")
        await answered(pilot)
        await pilot.press("space")
        assert not app.screen.table.display
        await pilot.press("escape", "escape")
        await answered(pilot)
        assert isinstance(app.screen, TasksScreen)


async def test_the_results_are_those_of_the_script_under_the_cursor():
    app = screen_on(Shelf(seeded(3)))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "j", "j")
        assert [asked["name"] for asked in app.remote.done("show")][-1] == "backup-list"
        assert "shadow 2 of 3" in words(app)


async def test_a_result_tells_which_values_it_was_for():
    sheet = replace(SHEET, runs=(ran(0, given=(("region", "EMEA"),)),))
    app = screen_on(Shelf(seeded(3), sheet=sheet))
    async with app.run_test(size=(160, 40)) as pilot:
        await opened(pilot)
        assert "EMEA: reports/2026-09-20.md" in words(app)


async def test_an_empty_shelf_says_how_a_script_comes_there():
    app = screen_on(Shelf(seeded(3), rows=()))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "j", "enter", "d")
        assert "the shelf is empty" in shown(app)
        assert "there is no script here" in written(app)[-1]


@pytest.mark.parametrize("word", [word for name, word in EVIL.items() if name != "surrogate"])
async def test_nothing_hostile_is_drawn(word):
    evil = row(
        word, "quarantined", task=word, purpose=word, content=word, project=word, agent=word, reason=word,
        needs=word, sandbox=word, schedule=Schedule(cron=word, zone=word), next=10**17,
        last=replace(ran(0), reason=word, exit_code=-9, outputs=(Output(word),), skipped=word, given=((word, word),)),
        savings=Savings(baseline_nano=1, gross_nano=CENT, costs={word: 5}, method=word),
    )  # fmt: skip
    app = screen_on(Shelf(seeded(3), rows=[evil, *ROWS]))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        app.screen.table.go_to(word)
        for key in ("d", "c", "escape", "space", "escape", "R", "n"):
            await pilot.press(key)
            await answered(pilot)
            assert not BAD.search("".join(written(app)))


@pytest.mark.parametrize("size", [(20, 9), (40, 12), (59, 19), (200, 60)])
async def test_any_size_holds_it(size):
    app = screen_on(Shelf(seeded(5)))
    async with app.run_test(size=size) as pilot:
        await opened(pilot, "G", "k", "pageup", "space", "G", "escape")
        assert len(written(app)) == size[1]


@given(st.integers(1, 400))
def test_columns_never_ask_for_more_room_than_there_is(width):
    name, columns = layout(width)
    assert name + sum(column.width + 2 for column in columns) == width or name == 1
    assert "saved" in [column.title for column in columns]


@pytest.mark.parametrize(
    ("code", "more", "said"),
    [
        (0, {}, "done (0)"),
        (0, {"skipped": "nothing new"}, "nothing to do (0)"),
        (0, {"passed": False}, "broke its contract (0)"),
        (0, {"agreed": False}, "came to something else (0)"),
        (1, {}, "broke (1)"),
        (3, {}, "the world has changed (3)"),
        (4, {}, "a source was not there (4)"),
        (5, {}, "wanted more than it may (5)"),
        (-9, {}, "killed by signal 9 (-9)"),
        (77, {}, "ended otherwise (77)"),
    ],
)
def test_every_end_has_its_words(code, more, said):
    run = replace(ran(0, kind="shadow"), exit_code=code, **more)
    assert stages.ended(run) == said
    assert stages.is_well(run) == (said in ("done (0)", "nothing to do (0)"))


def test_who_needs_a_person():
    assert [stages.needs_you(each) for each in (ACTIVE, BROKEN, VERIFIED, SHADOW, RETIRED)] == [
        False, False, True, False, False,
    ]  # fmt: skip
    assert stages.needs_you(replace(SHADOW, agreeing=3))


def test_a_schedule_in_words():
    plain = Schedule(cron="0 2 * * *", missed="skip", keeper="systemd")
    assert schedule_words(plain) == (
        "daily at 02:00  (0 2 * * *) · by a systemd timer · a missed time is left out"
    )
    assert cron_told("0 2 * *").startswith("minute hour")
    assert cron_told("").startswith("none")
