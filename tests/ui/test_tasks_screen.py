"""The tasks screen: what it asks the engine, what it says of the answer, and how a script is built from it."""

import asyncio

import pytest
from fleets import NOW, seeded
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from shelves import CENT, NOTES, REPORT, TASKS, Shelf, row, task
from stand_in import Time, screen_on, settled, written
from test_hostile import BAD, EVIL

from cockpit.core.script import Refusal
from cockpit.core.shelf import Built
from cockpit.ui.refusals import WORDS
from cockpit.ui.screens.review import ReviewScreen
from cockpit.ui.screens.shelf import ShelfScreen
from cockpit.ui.screens.tasks import TasksScreen
from cockpit.ui.settings import ScreenSettings
from cockpit.ui.widgets.task_table import Known, layout

SIZES = [(80, 24), (120, 40), (200, 60)]
THEMES = ["in-time", "paper", "high-contrast", "terminal"]


async def opened(pilot, *keys):
    await settled(pilot)
    for key in ("t", *keys):
        await pilot.press(key)
        await answered(pilot)


async def answered(pilot):
    await pilot.app.workers.wait_for_complete()
    await settled(pilot)


def shown(app):
    return "\n".join(written(app))


def words(app):
    """What is written, whatever lines and frames it is broken into."""
    return " ".join(shown(app).replace("│", " ").split())


@pytest.fixture
def snapped(snap_compare):
    def compare(size, *press, theme="cockpit", remote=None):
        app = screen_on(remote or Shelf(seeded(30)), settings=ScreenSettings(theme=theme))

        async def before(pilot):
            await opened(pilot, *press)

        return snap_compare(app, terminal_size=size, run_before=before)

    return compare


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_candidate(snapped, size):
    assert snapped(size)


@pytest.mark.parametrize("size", SIZES[:2], ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_refusal_with_three_runs_side_by_side(snapped, size):
    keys = ["j"] * 5 + (["enter"] if size[1] == 24 else [])
    assert snapped(size, *keys)


@pytest.mark.parametrize("theme", THEMES)
def test_themes(snapped, theme):
    assert snapped((120, 40), *["j"] * 5, theme=theme)


def test_no_task_yet(snapped):
    assert snapped((80, 24), remote=Shelf(seeded(3), tasks=()))


async def test_every_task_says_how_often_by_whom_and_what_it_costs():
    app = screen_on(Shelf(seeded(3), rows=()))
    async with app.run_test(size=(200, 40)) as pilot:
        await opened(pilot)
        (line,) = [line for line in written(app) if "morning report" in line and "daily" in line]
        for word in ("14", "claude +1", "daily at 06:10", "$0.42", "$11.80", "100 %", "candidate"):
            assert word in line
        (waits,) = [line for line in written(app) if "bump dependencies" in line]
        assert "wait · Mon 28 Sep 10:21" in waits
        (refused,) = [line for line in written(app) if "triage" in line]
        assert "no N5 a free choice" in refused


async def test_a_refusal_says_code_step_and_the_values_of_three_runs():
    app = screen_on(Shelf(seeded(3), tasks=[NOTES]))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        page = words(app)
        assert "no N4 the agent's own words" in page
        assert "decided at write docs/releases/0.4.2.md, line 5" in page
        for run in ("t-notes-06", "t-notes-07", "t-notes-08"):
            assert run in page
        for part in ("brings a parser that", "brings calm", "brings dark mode"):
            assert part in page
        assert WORDS["N4"].instead in page
        await pilot.press("b")
        await settled(pilot)
        assert "no work for a script" in written(app)[-1]
        assert not app.remote.done("build")


@pytest.mark.parametrize("code", WORDS)
async def test_every_code_has_its_words(code):
    refused = task("t", "some task", 4, verdict="no", refusal=Refusal(code, "the exact reason"))
    app = screen_on(Shelf(seeded(3), tasks=[refused]))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        page = words(app)
        for part in (f"no {code}", WORDS[code].short, WORDS[code].why, "the exact reason"):
            assert part in page
        assert WORDS[code].instead in page
        await pilot.press("b")
        await answered(pilot)
        assert bool(app.remote.done("build")) == (code in ("N3", "N12"))


async def test_a_task_with_a_script_shows_its_stage_and_opens_it():
    app = screen_on(Shelf(seeded(3), tasks=[REPORT]))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        assert "verified" in next(line for line in written(app) if "$11.80" in line)
        await pilot.press("b")
        await settled(pilot)
        assert "has a script already" in written(app)[-1]
        await pilot.press("enter")
        await answered(pilot)
        assert isinstance(app.screen, ReviewScreen)
        assert app.remote.done("show") == [{"action": "show", "name": "morning-report"}]
        await pilot.press("escape")
        await answered(pilot)
        assert isinstance(app.screen, TasksScreen)


async def test_a_retired_script_leaves_its_task_open_to_a_new_one():
    retired = row("again", "retired", task=REPORT.id)
    app = screen_on(Shelf(seeded(3), tasks=[REPORT], rows=[retired]))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "b")
        assert app.remote.done("build") == [{"action": "build", "task": "t-report"}]


async def test_building_goes_on_while_the_screen_does():
    remote = Shelf(seeded(3), tasks=[REPORT], rows=[])
    app = screen_on(remote)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        remote.held.clear()
        await pilot.press("b", "b")
        await settled(pilot)
        assert "building…" in shown(app)
        await pilot.press("question_mark", "escape")
        assert len(remote.done("build")) == 1
        remote.held.set()
        await answered(pilot)
        assert "building…" not in shown(app)
        assert "there is a script now" in written(app)[-1]


async def test_what_building_comes_to_is_said_with_its_code():
    remote = Shelf(seeded(3), tasks=[REPORT], rows=[])
    remote.built = Built(refusal=Refusal("N7", "two runs skip the table", "write reports/x.md"))
    app = screen_on(remote)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "b")
        assert "no script, N7 goes two ways" in written(app)[-1]
        assert "two runs skip the table" in words(app)


async def test_looking_may_take_long_and_never_blocks_the_keys():
    remote = Shelf(seeded(3))
    remote.held.clear()
    app = screen_on(remote)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("t")
        await settled(pilot)
        assert "looking for what your agents do again and again" in shown(app)
        await pilot.press("j", "enter", "b")
        await settled(pilot)
        assert "there is no task here" in written(app)[-1]
        await pilot.press("escape")
        await settled(pilot)
        assert not isinstance(app.screen, TasksScreen)
        remote.held.set()


async def test_tasks_are_asked_for_again_after_a_minute_and_the_cursor_stays_with_its_task():
    remote, time = Shelf(seeded(3), rows=[]), Time()
    app = screen_on(remote, time)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "j", "j")
        chosen = app.screen.table.cursor
        asked = [do for do, _ in remote.asked].count("tasks")
        remote.tasks = [
            task("t-new", "a new one", 9, verdict="candidate", month_nano=9_999 * CENT),
            *TASKS,
        ]
        time.now += TasksScreen.again_ms
        await settled(pilot)
        await answered(pilot)
        assert [do for do, _ in remote.asked].count("tasks") == asked + 1
        assert "a new one" in shown(app)
        assert app.screen.table.cursor == chosen


async def test_an_engine_that_refuses_is_quoted():
    remote = Shelf(seeded(3), trouble="no run was recorded")
    app = screen_on(remote)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        assert "no run was recorded" in shown(app)
        remote.trouble = ""
        app.screen._ask()
        await answered(pilot)
        remote.trouble = "it is gone"
        app.screen._ask()
        await answered(pilot)
        assert "the engine did not say: it is gone" in shown(app)
        assert "morning report" in shown(app)


async def test_the_mouse_chooses_opens_and_turns_to_the_shelf():
    app = screen_on(Shelf(seeded(3)))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        y = next(y for y, line in enumerate(written(app)) if "triage" in line)
        await pilot.click(offset=(20, y))
        await answered(pilot)
        assert app.screen.table.cursor == "t-triage"
        await pilot.click(offset=(20, y), times=2)
        await answered(pilot)
        assert not app.screen.table.display
        await pilot.press("escape")
        top = next(y for y, line in enumerate(written(app)) if "[tasks]" in line)
        await pilot.click(offset=(written(app)[top].index("shelf") + 2, top))
        await answered(pilot)
        assert isinstance(app.screen, ShelfScreen)
        await pilot.press("tab")
        await answered(pilot)
        assert isinstance(app.screen, TasksScreen)


async def test_the_shelf_is_a_click_away_when_nothing_repeats_yet():
    app = screen_on(Shelf(seeded(3), tasks=()))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        await pilot.click("#tasks", offset=(12, 1))
        await answered(pilot)
        assert isinstance(app.screen, ShelfScreen)


async def test_on_a_small_screen_a_task_opens_in_full_and_scrolls():
    app = screen_on(Shelf(seeded(3), tasks=[NOTES]))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "enter")
        assert "t-notes-08" in shown(app)
        await pilot.press("G")
        await answered(pilot)
        assert "next expected" in shown(app)
        await pilot.press("escape")
        await answered(pilot)
        assert "[tasks]" in shown(app)
        await pilot.press("escape")
        assert not isinstance(app.screen, TasksScreen)


@pytest.mark.parametrize("word", [word for name, word in EVIL.items() if name != "surrogate"])
async def test_nothing_hostile_is_drawn(word):
    """A surrogate is left out: no JSON carries one."""
    evil = task(
        word, word, 4, agents=(word, word), project=word, cron=word[:200], verdict="no", outline=(word,),
        refusal=Refusal(word, word, word, {word: word, word + "2": word * 2}),
    )  # fmt: skip
    good = replace(evil, id="c", verdict="candidate", refusal=None)
    remote = Shelf(seeded(3), tasks=[evil, good], rows=[])
    remote.built = Built(refusal=Refusal(word, word, word, {word: word}))
    app = screen_on(remote)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        for key in ("j", "b", "enter", "escape", "k"):
            await pilot.press(key)
            await answered(pilot)
            assert not BAD.search("".join(written(app)))


@pytest.mark.parametrize("size", [(20, 9), (40, 12), (59, 19), (200, 60)])
async def test_any_size_holds_it(size):
    app = screen_on(Shelf(seeded(5)))
    async with app.run_test(size=size) as pilot:
        await opened(pilot, "G", "k", "pageup", "enter", "G", "escape")
        assert len(written(app)) == size[1]


async def test_leaving_while_the_engine_thinks_ends_nothing():
    remote = Shelf(seeded(3))
    app = screen_on(remote)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        remote.held.clear()
        app.screen._ask()
        await pilot.press("escape")
        remote.held.set()
        await asyncio.sleep(0)
        await answered(pilot)
        assert "fleet" in shown(app)


@given(st.integers(1, 400))
def test_columns_never_ask_for_more_room_than_there_is(width):
    name, verdict, columns = layout(width)
    used = name + verdict + 2 + sum(column.width + 2 for column in columns)
    assert used == width or name == 1


def test_what_can_be_won_comes_first():
    known = [Known(each, row("x", "active") if each is TASKS[2] else None) for each in TASKS]
    order = [each.task.id for each in sorted(known, key=lambda each: each.rank)]
    assert order[:3] == ["t-report", "t-ledger", "t-links"]
    assert order[-1] == "t-deploy"
    assert NOW
