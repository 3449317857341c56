"""The main screen: keys, filter, marks, sort, panes, budgets, themes, and what it does without news."""

import asyncio

import pytest
from fleets import EMPTY, NOW, SCANNING, fleet_of, seeded, story
from msgspec.structs import replace
from stand_in import StandIn, Time, screen_on, settled, written
from textual.widgets import Input

from cockpit.core.budget import Budget
from cockpit.core.money import NANO
from cockpit.ui.commands import BY_ID, COMMANDS, bindings, keys_of
from cockpit.ui.screens.ask import AskScreen
from cockpit.ui.screens.budget import BudgetScreen
from cockpit.ui.screens.fleet import FleetScreen
from cockpit.ui.screens.help import HelpScreen
from cockpit.ui.screens.review import ReviewScreen
from cockpit.ui.screens.run import RunScreen
from cockpit.ui.screens.shelf import ShelfScreen
from cockpit.ui.screens.spend import SpendScreen
from cockpit.ui.screens.tasks import TasksScreen
from cockpit.ui.settings import ScreenSettings
from cockpit.ui.widgets.lines import changes

SIZE = (120, 40)


def small():
    return fleet_of(
        story(1, "running", 1, name="alpha", budget=Budget(money=5 * NANO)),
        story(2, "stuck", 1, name="beta"),
        story(3, "ended", 1, name="gamma"),
    )


def shown(app):
    return [row.run.name for row in app.screen.table.rows]


async def test_the_first_picture_does_not_wait_for_the_engine():
    app = screen_on(StandIn())
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert "connecting…" in written(app)[0]
        assert any("connecting to the engine" in line for line in written(app))


async def test_keys_move_the_cursor_and_it_follows_its_run():
    remote = StandIn(small())
    app = screen_on(remote)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        table = app.screen.table
        assert shown(app) == ["beta", "alpha", "gamma"]
        for keys, name in (
            ("j", "alpha"),
            ("down", "gamma"),
            ("j", "gamma"),
            ("k", "alpha"),
            ("G", "gamma"),
            ("g", "beta"),
            ("pagedown", "gamma"),
            ("pageup", "beta"),
            ("end", "gamma"),
            ("home", "beta"),
            ("j", "alpha"),
            ("up", "beta"),
        ):
            await pilot.press(keys)
            assert table.under_cursor.run.name == name, keys
        await pilot.press("S", "S", "S", "S")
        assert shown(app) == ["alpha", "beta", "gamma"]
        assert table.under_cursor.run.name == "beta"


async def test_a_run_that_left_hands_the_cursor_to_its_neighbour():
    remote = StandIn(small())
    app = screen_on(remote)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("j", "space", "k")
        fleet = small()
        remote.send(replace(fleet, runs={k: v for k, v in fleet.runs.items() if k != "run-0001"}))
        await pilot.pause()
        await settled(pilot)
        assert app.screen.table.under_cursor.run.name == "gamma"
        assert app.screen.table.marked == set()


async def test_filter_while_typing_then_escape_clears():
    app = screen_on(StandIn(small()))
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("slash", *"state:st")
        assert shown(app) == ["beta"]
        await pilot.press("enter")
        assert not app.screen.query(Input)
        assert shown(app) == ["beta"]
        assert any("/state:st shows 1" in line for line in written(app))
        await pilot.press("escape")
        assert shown(app) == ["beta", "alpha", "gamma"]


async def test_escape_in_the_filter_line_closes_it_and_shows_all():
    app = screen_on(StandIn(small()))
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("slash", *"nothing like it")
        assert shown(app) == []
        assert any("none of the 3 runs matches" in line for line in written(app))
        await pilot.press("escape")
        assert not app.screen.query(Input)
        assert len(shown(app)) == 3
        await pilot.press("j")
        assert app.screen.table.under_cursor is not None


async def test_marks():
    app = screen_on(StandIn(small()))
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("space", "space")
        assert app.screen.table.marked == {"run-0002", "run-0001"}
        assert [run.id for run in app.situation().targets] == ["run-0001", "run-0002"]
        assert sum("│•" in line for line in written(app)) == 2
        await pilot.press("escape")
        assert app.screen.table.marked == set()


async def test_mouse():
    app = screen_on(StandIn(seeded(60)))
    async with app.run_test(size=(150, 40)) as pilot:
        await settled(pilot)
        table = app.screen.table
        await pilot.click(table, offset=(10, 5))
        assert table.place == 3
        await pilot.click(table, offset=(1, 6))
        assert table.marked == {table.rows[4].run.id}
        title = written(app)[table.region.y + 1].index("spent")
        await pilot.click(table, offset=(title - table.region.x + 1, 1))
        assert table.sort == "spent"
        footer = written(app)[-1].index("sort")
        await pilot.click("Footer", offset=(footer, 0))
        assert table.sort == "burn"


async def test_panes_come_and_go_but_never_the_last():
    app = screen_on(StandIn(small()))
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("2", "3")
        assert not any("events" in line for line in written(app))
        await pilot.press("1")
        assert any("╭─ fleet" in line for line in written(app))
        assert "the last pane stays" in written(app)[-1]
        await pilot.press("3", "1")
        await pilot.pause()
        assert not any("╭─ fleet" in line for line in written(app))


async def test_a_budget_is_typed_and_sent():
    remote = StandIn(small())
    app = screen_on(remote)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("b", *"5eur", "enter")
        assert isinstance(app.screen, BudgetScreen)
        assert any("'5eur' is no cap" in line for line in written(app))
        await pilot.press("backspace", "backspace", "backspace", *"usd 90m", "enter")
        await pilot.pause()
        budget = Budget(money=5 * NANO, time_ms=5_400_000, at_zero="interrupt")
        assert remote.heard == [("budget", "run-0002", budget)]


@pytest.mark.parametrize(("answer", "heard"), [("y", 1), ("n", 0), ("enter", 0), ("escape", 0)])
async def test_raising_a_cap_asks_and_no_is_the_default(answer, heard):
    remote = StandIn(small())
    app = screen_on(remote)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        app.screen.table.go_to("run-0001")
        await pilot.press("e")
        assert isinstance(app.screen, AskScreen)
        await pilot.press(answer)
        await pilot.pause()
        raised = Budget(money=7_500_000_000)
        assert remote.heard == [("budget", "run-0001", raised)][:heard]


async def test_taking_a_budget_away_in_the_field_asks_too():
    remote = StandIn(small())
    app = screen_on(remote)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        app.screen.table.go_to("run-0001")
        await pilot.press("b", "ctrl+u", *"none", "enter")
        assert isinstance(app.screen, AskScreen)
        await pilot.press("enter")
        assert isinstance(app.screen, BudgetScreen)
        await pilot.press("enter", "y")
        await pilot.pause()
        assert remote.heard == [("budget", "run-0001", None)]


async def test_extending_without_a_budget_says_why_not():
    app = screen_on(StandIn(small()))
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("e")
        assert "this run has no budget" in written(app)[-1]


async def test_help_lists_every_command():
    app = screen_on(StandIn(small()))
    async with app.run_test(size=(140, 160)) as pilot:
        await settled(pilot)
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        page = "\n".join(written(app))
        assert [command.title for command in COMMANDS if command.title not in page] == []
        await pilot.press("escape")
        assert isinstance(app.screen, FleetScreen)


async def test_the_palette_finds_a_command_by_a_few_letters_and_a_run_by_its_name():
    app = screen_on(StandIn(small()))
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("colon", *"hlp")
        async with asyncio.timeout(5):
            while "Help" not in "\n".join(written(app)):
                await pilot.pause(0.02)
        await pilot.press("enter")
        async with asyncio.timeout(5):
            while not isinstance(app.screen, HelpScreen):
                await pilot.pause(0.02)
        await pilot.press("escape", "ctrl+p", *"gamma")
        async with asyncio.timeout(5):
            while "go to gamma" not in "\n".join(written(app)):
                await pilot.pause(0.02)
        await pilot.press("enter")
        async with asyncio.timeout(5):
            while app.screen_stack[-1].__class__ is not FleetScreen:
                await pilot.pause(0.02)
        await pilot.pause()
        assert app.screen.table.under_cursor.run.name == "gamma"


async def test_themes_are_worn_while_the_cursor_moves_and_escape_takes_them_off():
    app = screen_on(StandIn(small()))
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("T", "j")
        await pilot.pause()
        assert app.theme == "high-contrast"
        await pilot.press("j")
        await pilot.pause()
        assert (app.theme, app.face) == ("in-time", "arm")
        await pilot.press("escape")
        await pilot.pause()
        assert (app.theme, app.face) == ("cockpit", "digits")
        await pilot.press("T", "j", "j", "j", "enter")
        await pilot.pause()
        assert app.theme == "paper"


async def test_only_a_chosen_theme_is_kept():
    kept = []
    app = screen_on(StandIn(small()), settings=ScreenSettings(keep_theme=kept.append))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("T", "j", "escape")
        assert kept == []
        await pilot.press("T", "j", "enter")
        await pilot.pause()
        assert kept == [app.theme] != ["cockpit"]


async def test_a_theme_that_cannot_be_kept_is_said():
    def refuse(name):
        raise OSError("read-only file system")

    app = screen_on(StandIn(small()), settings=ScreenSettings(keep_theme=refuse))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("T", "enter")
        await pilot.pause()
        assert "read-only file system" in app.banner.text


async def test_a_bad_theme_is_a_notice(tmp_path):
    (tmp_path / "mine.toml").write_text("colour = 1")
    app = screen_on(StandIn(small()), settings=ScreenSettings(theme="mine", themes=tmp_path))
    async with app.run_test(size=(160, 40)) as pilot:
        await settled(pilot)
        assert app.theme == "cockpit"
        assert "mine.toml: colour is unknown; nearest is colors" in written(app)[-1]


async def test_keys_are_remapped_by_id():
    remote = StandIn(small())
    keys = {"run.interrupt": "i", "no.such": "z"}
    app = screen_on(remote, settings=ScreenSettings(keys=keys))
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        assert "no.such is no command" in written(app)[-1]
        app.screen.table.go_to("run-0001")
        await pilot.press("x")
        assert remote.heard == []
        await pilot.press("i")
        assert remote.heard == [("stop", ["run-0001"], "stop")]
        await pilot.press("ctrl+x")
        assert len(remote.heard) == 2


def test_every_command_has_a_title_a_help_and_its_own_id():
    assert len(BY_ID) == len(COMMANDS)
    for command in COMMANDS:
        assert command.title
        assert command.help.endswith(".")
        assert keys_of(command, {})


@pytest.mark.parametrize("where", ["app", "fleet", "tasks", "shelf", "review"])
def test_no_key_means_two_things(where):
    keys = [binding.key for binding in bindings(where)]
    taken = [key for binding in keys for key in binding.split(",")]
    assert len(taken) == len(set(taken))


OF = {
    "run": RunScreen,
    "spend": SpendScreen,
    "tasks": TasksScreen,
    "shelf": ShelfScreen,
    "review": ReviewScreen,
}


async def test_every_command_has_an_action():
    app = screen_on(StandIn())
    async with app.run_test(size=SIZE):
        for command in COMMANDS:
            action = command.action.partition("(")[0]
            screen = OF.get(command.where, app.screen)
            owner = app if action.startswith("app.") else screen
            assert hasattr(owner, "action_" + action.removeprefix("app.")), command.id


async def test_q_closes_the_screen_and_asks_nothing_of_the_engine():
    remote = StandIn(small())
    app = screen_on(remote)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("q")
    assert remote.heard == []
    assert not app.is_running


async def test_nothing_found_says_what_was_looked_at_and_what_to_do():
    app = screen_on(StandIn(EMPTY))
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        page = "\n".join(written(app))
        for said in (
            "no run found",
            "~/.claude/projects",
            "~/.codex/sessions",
            "cockpit demo",
            "cockpit run -- claude",
            "only watched",
        ):
            assert said in page


async def test_a_first_scan_shows_how_far_it_is():
    app = screen_on(StandIn(SCANNING))
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        assert "reading 412 of 1,678 files" in written(app)[0]


async def test_a_lost_engine_is_said_and_asked_again():
    remote = StandIn(small())
    app = screen_on(remote)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        remote.send(ConnectionError("socket closed"))
        await pilot.pause()
        await settled(pilot)
        assert "no word from the engine: socket closed" in written(app)[0]
        assert len(shown(app)) == 3


async def test_snapshots_that_piled_up_are_drawn_once():
    remote = StandIn()
    app = screen_on(remote)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        drawn = []
        show = app.screen.show
        app.screen.show = lambda *words, **more: (drawn.append(1), show(*words, **more))
        fleet = seeded(10)
        remote.send(*(replace(fleet, version=number) for number in range(40)))
        await pilot.pause(0.4)
        assert 1 <= len(drawn) <= 2
        assert app._fleet.version == 39


async def test_what_stands_still_is_not_painted_again():
    time = Time()
    app = screen_on(StandIn(fleet_of(story(3, "ended", 1), story(8, "ended", 1))), time)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        time.now += 20 * 60_000
        await settled(pilot)
        table = app.screen.table
        before = list(table._drawn)
        time.now += 1_000
        await settled(pilot)
        assert changes(before, table._drawn, 80) == []


async def test_only_lines_that_differ_repaint():
    time = Time()
    fleet = fleet_of(story(1, "running", 1, name="moving"), story(3, "ended", 1, name="still"))
    app = screen_on(StandIn(fleet), time)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        table = app.screen.table
        before = list(table._drawn)
        time.now += 1_000
        await settled(pilot)
        assert [region.y for region in changes(before, table._drawn, 80)] == [2]


async def test_the_day_is_counted_from_local_midnight():
    fleet = small()
    spent = sum(fleet.spent.values())
    yesterday = {NOW // 900_000 - 96: 9 * NANO, **fleet.spent}
    app = screen_on(StandIn(replace(fleet, spent=yesterday)))
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        assert f"${spent / NANO:.2f} of $150 today" in written(app)[0]


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60), (40, 10), (20, 5)])
@pytest.mark.parametrize("theme", ["cockpit", "in-time"])
async def test_no_size_breaks_it(size, theme):
    app = screen_on(StandIn(seeded(30)), settings=ScreenSettings(theme=theme))
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        await pilot.press("j", "1", "1", "2", "3")
        assert len(written(app)) == size[1]


async def test_the_wheel_moves_the_view_and_the_thumb_but_not_the_cursor():
    app = screen_on(StandIn(seeded(90)))
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        table = app.screen.table
        cursor = table.cursor
        first = [y for y, line in enumerate(written(app)) if "┃" in line]
        for _ in range(4):
            table.wheel(3)
        await pilot.pause()
        assert table.cursor == cursor
        assert table.rows[12].run.name[:12] in written(app)[3]
        assert min(y for y, line in enumerate(written(app)) if "┃" in line) > first[0]
        for _ in range(100):
            table.wheel(3)
        assert table._top == 90 - table._visible
        await pilot.press("j")
        await pilot.pause()
        assert table.place - table._top in range(table._visible)


async def test_a_row_shows_at_once_what_changed_of_it():
    remote = StandIn(small())
    time = Time()
    app = screen_on(remote, time)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        told = small()
        run = replace(told.runs["run-0002"], name="renamed", nano=77 * NANO)
        remote.send(replace(told, runs={**told.runs, run.id: run}))
        await pilot.pause()
        await settled(pilot)
        line = next(line for line in written(app) if "renamed" in line and "╭" not in line)
        assert "$77.00" in line
