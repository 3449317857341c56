"""The interrupt key: the request leaves first, fixed to run ids; the screen says what is known."""

import asyncio

import pytest
from fleets import NOW, fleet_of, story
from stand_in import StandIn, Time, screen_on, settled, written
from textual.widgets import Input

from cockpit.core import events as e
from cockpit.core.fold import fold_all
from cockpit.ui.settings import ScreenSettings


def three():
    return fleet_of(
        story(1, "running", 1, name="alpha"),
        story(2, "running", 1, name="beta"),
        story(3, "running", 1, name="watched", authority="view"),
    )


def line_of(app, name):
    return next(line for line in written(app) if name in line and "│" in line)


async def test_x_asks_the_engine_before_anything_is_drawn():
    remote = StandIn(three())
    app = screen_on(remote)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        remote.looks_at = lambda: (app.banner, dict(app._asked), line_of(app, "alpha"))
        before = line_of(app, "alpha")
        app.screen.table.go_to("run-0001")
        await pilot.press("x")
        assert remote.heard == [("stop", ["run-0001"], "stop")]
        assert remote.seen == [(None, {}, before)]
        await settled(pilot)
        assert "stopping" in line_of(app, "alpha")
        assert "interrupting alpha" in written(app)[-1]


async def test_x_again_climbs():
    remote = StandIn(three())
    time = Time()
    app = screen_on(remote, time)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        app.screen.table.go_to("run-0001")
        await pilot.press("x")
        fleet = fold_all(three(), [e.StopRequested(run="run-0001", at=NOW, by="operator")])
        remote.send(fleet)
        await settled(pilot)
        assert "stopping" in line_of(app, "alpha")
        assert "interrupt" in line_of(app, "alpha")
        time.now += 1_000
        await pilot.press("x")
        assert remote.heard == [("stop", ["run-0001"], "stop")] * 2
        remote.send(fold_all(fleet, [e.StopClimbed(run="run-0001", at=NOW, rung="terminate")]))
        time.now += 300
        await settled(pilot)
        assert "terminate" in line_of(app, "alpha")


async def test_stopped_is_said_only_after_the_census_and_survivors_by_their_pids():
    remote = StandIn(three())
    app = screen_on(remote)
    async with app.run_test(size=(120, 40)) as pilot:
        remote.send(
            fold_all(
                three(),
                [
                    e.StopRequested(run="run-0001", at=NOW, by="operator"),
                    e.RunStopped(run="run-0001", at=NOW, took_ms=310),
                    e.StopRequested(run="run-0002", at=NOW, by="operator"),
                    e.StopFailed(run="run-0002", at=NOW, pids=(4711, 4712)),
                ],
            )
        )
        await pilot.pause()
        await settled(pilot)
        assert "stopped" in line_of(app, "alpha")
        assert "STOP FAILED 4711 4712" in line_of(app, "beta")


async def test_x_takes_the_marked_runs_wherever_the_cursor_is():
    remote = StandIn(three())
    app = screen_on(remote)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        table = app.screen.table
        for run in ("run-0001", "run-0002", "run-0003"):
            table.go_to(run)
            await pilot.press("space")
        await pilot.press("x")
        assert remote.heard == [("stop", ["run-0001", "run-0002"], "stop")]
        assert "1 without a process" in written(app)[-1]


async def test_a_run_without_a_process_says_why_not():
    remote = StandIn(three())
    app = screen_on(remote)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        app.screen.table.go_to("run-0003")
        await pilot.press("x")
        assert remote.heard == []
        assert "no process of it is known" in written(app)[-1]


async def test_a_sub_agent_points_to_its_parent():
    remote = StandIn(
        fleet_of(
            story(1, "running", 1, name="alpha"),
            story(2, "running", 1, name="child", parent="run-0001", authority="view"),
        )
    )
    app = screen_on(remote)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        app.screen.table.go_to("run-0002")
        await pilot.press("x")
        assert remote.heard == []
        assert "interrupt the parent" in written(app)[-1]


@pytest.mark.parametrize("opener", ["slash", "b", "question_mark", "T", "ctrl+p"])
async def test_ctrl_x_reaches_through_fields_dialogs_and_the_palette(opener):
    remote = StandIn(three())
    app = screen_on(remote)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        app.screen.table.go_to("run-0002")
        await pilot.press(opener)
        await pilot.press("ctrl+x")
        assert remote.heard == [("stop", ["run-0002"], "stop")]


async def test_x_in_a_text_field_is_a_letter():
    remote = StandIn(three())
    app = screen_on(remote)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("slash", "x", "X")
        assert remote.heard == []
        assert app.screen.query_one(Input).value == "xX"


async def test_stop_all_needs_the_key_twice_within_three_seconds():
    remote = StandIn(three())
    time = Time()
    app = screen_on(remote, time)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("X")
        assert remote.heard == []
        assert written(app)[-1].strip() == "stop all 2: press X again (3 s)"
        time.now += 3_001
        await pilot.press("X")
        assert remote.heard == []
        time.now += 2_000
        await pilot.press("X")
        assert remote.heard == [("panic",)]
        await settled(pilot)
        assert "stopping" in line_of(app, "alpha")
        await pilot.press("X")
        assert remote.heard == [("panic",)]


async def test_an_engine_that_does_not_answer_is_named_with_the_shell_command():
    remote = StandIn(three(), deaf=True)
    app = screen_on(remote, settings=ScreenSettings(answer_within_ms=20))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        app.screen.table.go_to("run-0001")
        await pilot.press("x")
        async with asyncio.timeout(5):
            while "cockpit stop run-0001" not in written(app)[-1]:
                await pilot.pause(0.02)


async def test_a_snapshot_that_tells_of_the_stop_is_answer_enough():
    remote = StandIn(three(), deaf=True)
    app = screen_on(remote, settings=ScreenSettings(answer_within_ms=200))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        app.screen.table.go_to("run-0001")
        told = fold_all(three(), [e.StopRequested(run="run-0001", at=NOW, by="operator")])
        remote.looks_at = lambda: remote.send(told)
        await pilot.press("x")
        await pilot.pause(0.3)
        assert "cockpit stop" not in written(app)[-1]


async def test_an_engine_that_refuses_is_quoted():
    remote = StandIn(three(), refusal="no engine is running")
    app = screen_on(remote)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        app.screen.table.go_to("run-0001")
        await pilot.press("x")
        await pilot.pause()
        assert "no engine is running — in a shell: cockpit stop run-0001" in written(app)[-1]
        await settled(pilot)
        assert "running" in line_of(app, "alpha")


async def test_rows_stand_still_while_a_stop_is_pending():
    remote = StandIn(three())
    app = screen_on(remote)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        table = app.screen.table
        before = [row.run.id for row in table.rows]
        table.go_to(before[-2])
        await pilot.press("x")
        events = [e.StopRequested(run=before[-2], at=NOW, by="operator")]
        events += story(9, "asks", 1, name="newcomer")
        remote.send(fold_all(three(), events))
        await pilot.pause()
        await settled(pilot)
        assert [row.run.id for row in table.rows] == [*before, "run-0009"]
