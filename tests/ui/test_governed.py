"""Governed runs: every key that steers them, and every sentence that says why one does not apply."""

import asyncio

import governed as g
import pytest
from fleets import NOW, SECOND, fleet_of, story
from msgspec.structs import replace
from runs import Teller
from stand_in import StandIn, Time, screen_on, settled, written
from textual.widgets import Input

from cockpit.core import events as e
from cockpit.core.budget import Budget
from cockpit.core.events import RunEnded, RunResumed, RunSteered
from cockpit.core.fleet import Notice
from cockpit.core.fold import fold_all
from cockpit.core.money import NANO
from cockpit.engine.client import EngineError, Page
from cockpit.ui.screens.answer import READ_MS, AnswerScreen
from cockpit.ui.screens.ask import AskScreen
from cockpit.ui.screens.budget import BudgetScreen
from cockpit.ui.screens.run import RunScreen
from cockpit.ui.screens.say import SayScreen
from cockpit.ui.settings import ScreenSettings
from cockpit.ui.widgets.feed import latest

SIZE = (120, 40)


def page(app) -> str:
    return "\n".join(written(app))


async def at(pilot, run: str) -> None:
    await settled(pilot)
    pilot.app.screen.table.go_to(run)
    await pilot.pause()
    await settled(pilot)


async def pressed(pilot, *keys: str) -> None:
    await pilot.press(*keys)
    await settled(pilot)


# --- pause and resume


async def test_p_holds_a_run_and_p_again_lets_it_go_on():
    running = fleet_of(g.governed(11, "port the parser"))
    remote = StandIn(running)
    app = screen_on(remote)
    async with app.run_test(size=SIZE) as pilot:
        await at(pilot, g.HELD)
        await pressed(pilot, "p")
        assert remote.heard == [("pause", [g.HELD])]
        assert "port the parser: the next call is held" in page(app)
        remote.send(fleet_of(g.held()))
        await settled(pilot)
        await pressed(pilot, "p")
        assert remote.heard[1:] == [("resume", [g.HELD])]
        assert "port the parser: goes on" in page(app)


async def test_p_on_marked_runs_holds_what_is_not_held_and_leaves_the_rest():
    remote = StandIn(fleet_of(g.held(), g.governed(12, "second"), g.watched()))
    app = screen_on(remote)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pressed(pilot, "space", "space", "space", "p")
        assert remote.heard == [("pause", [g.GONE_COLD])]
        assert "1 of the marked do not apply" in page(app)


@pytest.mark.parametrize("key", ["p", "s", "r"])
async def test_a_run_that_is_only_watched_says_how_to_start_one_that_is_not(key):
    remote = StandIn(fleet_of(g.watched()))
    app = screen_on(remote)
    async with app.run_test(size=SIZE) as pilot:
        await at(pilot, g.WATCHED)
        await pressed(pilot, key)
        assert remote.heard == []
        assert "cockpit only watches it; start it with cockpit run -- COMMAND" in page(app)


async def test_a_deferred_run_is_not_paused_and_r_names_the_keys_that_raise_its_cap():
    remote = StandIn(fleet_of(g.deferred()))
    app = screen_on(remote)
    async with app.run_test(size=SIZE) as pilot:
        await at(pilot, g.DEFERRED)
        await pressed(pilot, "p")
        assert "it is deferred: nothing of it is sent anyway" in page(app)
        await pressed(pilot, "r")
        assert "its cap is still reached; b or e raises it" in page(app)
        assert remote.heard == []


async def test_r_lets_a_deferred_run_go_on_once_its_cap_is_raised():
    raised = e.BudgetSet(run=g.DEFERRED, at=NOW, budget=Budget(money=9 * NANO, at_zero="defer"))
    remote = StandIn(fold_all(fleet_of(g.deferred()), [raised]))
    app = screen_on(remote)
    async with app.run_test(size=SIZE) as pilot:
        await at(pilot, g.DEFERRED)
        await pressed(pilot, "r")
        assert remote.heard == [("resume", [g.DEFERRED])]


async def test_r_on_a_run_that_nothing_holds_says_so():
    app = screen_on(StandIn(fleet_of(g.governed(11, "port the parser"))))
    async with app.run_test(size=SIZE) as pilot:
        await at(pilot, g.HELD)
        await pressed(pilot, "r")
        assert "nothing holds it" in page(app)


@pytest.mark.parametrize("key", ["p", "s"])
async def test_a_run_that_is_over_is_out_of_reach(key):
    over = RunEnded(run=g.HELD, at=NOW, outcome="done")
    app = screen_on(StandIn(fold_all(fleet_of(g.governed(11, "port")), [over])))
    async with app.run_test(size=SIZE) as pilot:
        await at(pilot, g.HELD)
        await pressed(pilot, key)
        assert "it is ended" in page(app)


async def test_the_engine_refuses_and_its_words_are_said():
    app = screen_on(StandIn(fleet_of(g.governed(11, "port")), refusal="run-0011 has ended"))
    async with app.run_test(size=SIZE) as pilot:
        await at(pilot, g.HELD)
        await pressed(pilot, "p")
        assert "not paused: run-0011 has ended" in page(app)


async def test_an_engine_that_does_not_answer_is_said():
    remote = StandIn(fleet_of(g.governed(11, "port")), deaf=True)
    app = screen_on(remote, settings=ScreenSettings(answer_within_ms=1))
    async with app.run_test(size=SIZE) as pilot:
        await at(pilot, g.HELD)
        await pilot.press("p")
        async with asyncio.timeout(5):
            while "not paused yet: the engine has not answered" not in page(app):
                await settled(pilot)


# --- say


async def test_s_says_a_line_names_the_channel_and_then_the_time():
    running = fleet_of(g.governed(11, "port the parser"))
    remote = StandIn(running)
    app = screen_on(remote)
    async with app.run_test(size=SIZE) as pilot:
        await at(pilot, g.HELD)
        await pressed(pilot, "s")
        assert isinstance(app.screen, SayScreen)
        await pressed(pilot, *"use lark", "enter")
        assert remote.heard == [("say", g.HELD, "use lark")]
        assert "port the parser: told by gateway" in page(app)
        waits = RunSteered(run=g.HELD, at=NOW, text="use lark", channel="gateway")
        remote.send(fold_all(running, [waits]))
        await settled(pilot)
        assert "delivered" not in page(app)
        told = replace(waits, at=NOW + 9 * SECOND, delivered=NOW + 9 * SECOND)
        remote.send(fold_all(running, [waits, told]))
        await settled(pilot)
        assert "port the parser: delivered 14:21:16 by gateway" in page(app)
        assert app.awaited_notes == {}


async def test_what_is_said_goes_to_the_run_that_was_chosen_whatever_the_cursor_does():
    fleet = fleet_of(g.governed(11, "first"), g.governed(12, "second"))
    remote = StandIn(fleet)
    app = screen_on(remote)
    async with app.run_test(size=SIZE) as pilot:
        await at(pilot, g.GONE_COLD)
        await pressed(pilot, "s", *"go")
        app.go_to(g.HELD)
        await pressed(pilot, "enter")
        assert remote.heard == [("say", g.GONE_COLD, "go")]


async def test_nothing_said_is_nothing_sent_and_ctrl_x_still_stops():
    remote = StandIn(fleet_of(g.governed(11, "port")))
    app = screen_on(remote)
    async with app.run_test(size=SIZE) as pilot:
        await at(pilot, g.HELD)
        await pressed(pilot, "s", "enter")
        await pressed(pilot, "s", *"px", "escape")
        assert remote.heard == []
        await pressed(pilot, "s", *"hm", "ctrl+x")
        assert remote.heard == [("stop", [g.HELD], "stop")]
        assert app.screen.query_one(Input).value == "hm"


# --- answer


class Asked(Teller):
    """Tells the whole of every tool call that waits."""

    def __init__(self, *stories) -> None:
        happened = [event for one in stories for event in one]
        super().__init__(happened, fleet_of(iter(happened)))

    async def transcript(self, run: str, before: int | None = None, limit: int = 300) -> Page:
        await super().transcript(run, before, limit)
        return Page([event for event in self.happened if event.run == run])


async def asked(pilot, time: Time, *keys: str) -> None:
    """Keys, each pressed after the question was there long enough to be read."""
    for key in keys:
        time.now += READ_MS
        await pressed(pilot, key)


async def test_a_shows_the_whole_call_and_yes_goes_to_that_call_only():
    remote, time = Asked(g.asks()), Time(NOW)
    app = screen_on(remote, time)
    async with app.run_test(size=SIZE) as pilot:
        await at(pilot, g.ASKS)
        await pressed(pilot, "a")
        shown = page(app)
        for line in g.COMMAND.splitlines():
            assert line.strip() in shown
        assert "rule: git push" in shown
        assert "1 more wait" in shown
        await asked(pilot, time, "y")
        assert remote.heard == [("answer", g.ASKS, "t1", True)]
        assert "Send: to everybody" in page(app)
        await asked(pilot, time, "n")
        assert remote.heard[1:] == [("answer", g.ASKS, "t2", False)]
        assert not isinstance(app.screen, AnswerScreen)


async def test_enter_denies_and_escape_decides_nothing():
    remote, time = Asked(g.asks()), Time(NOW)
    app = screen_on(remote, time)
    async with app.run_test(size=SIZE) as pilot:
        await at(pilot, g.ASKS)
        await pressed(pilot, "r")
        assert isinstance(app.screen, AnswerScreen), "r answers a run that asks"
        await asked(pilot, time, "escape")
        assert remote.heard == []
        await pressed(pilot, "a")
        await asked(pilot, time, "enter")
        assert remote.heard == [("answer", g.ASKS, "t1", False)]


async def test_a_key_typed_ahead_does_not_hit_the_next_question():
    remote, time = Asked(g.asks()), Time(NOW)
    app = screen_on(remote, time)
    async with app.run_test(size=SIZE) as pilot:
        await at(pilot, g.ASKS)
        await pressed(pilot, "a", "y")
        assert remote.heard == []
        time.now += READ_MS
        await pressed(pilot, "y", "y")
        assert remote.heard == [("answer", g.ASKS, "t1", True)]


async def test_yes_waits_until_all_of_the_call_is_there():
    class Slow(Asked):
        async def transcript(self, run: str, before: int | None = None, limit: int = 300) -> Page:
            await asyncio.Event().wait()
            return Page()

    remote, time = Slow(g.asks()), Time(NOW)
    app = screen_on(remote, time)
    async with app.run_test(size=SIZE) as pilot:
        await at(pilot, g.ASKS)
        await pressed(pilot, "a")
        await asked(pilot, time, "y")
        assert remote.heard == []
        await asked(pilot, time, "n")
        assert remote.heard == [("answer", g.ASKS, "t1", False)], "no needs no reading"


async def test_a_call_whose_story_cannot_be_read_is_answered_by_what_is_known():
    class Refusing(Asked):
        async def transcript(self, run: str, before: int | None = None, limit: int = 300) -> Page:
            raise EngineError("gone")

    remote, time = Refusing(g.asks()), Time(NOW)
    app = screen_on(remote, time)
    async with app.run_test(size=SIZE) as pilot:
        await at(pilot, g.ASKS)
        await pressed(pilot, "a")
        assert "Bash: git push --force origin main" in page(app)
        await asked(pilot, time, "y")
        assert remote.heard == [("answer", g.ASKS, "t1", True)]


async def test_a_call_that_was_cut_says_so():
    endless = e.ApprovalAsked(
        run=g.HELD, at=NOW, tool="t", rule="git push", text="Bash: git push " + "x" * 900 + "…"
    )
    remote, time = Asked(g.governed(11, "port"), iter([endless])), Time(NOW)
    app = screen_on(remote, time)
    async with app.run_test(size=SIZE) as pilot:
        await at(pilot, g.HELD)
        await pressed(pilot, "a")
        assert "cut here: what follows is not known to cockpit" in page(app)


async def test_a_on_another_run_answers_the_one_that_waits_and_names_it():
    remote, time = Asked(g.asks(), g.watched()), Time(NOW)
    app = screen_on(remote, time)
    async with app.run_test(size=SIZE) as pilot:
        await at(pilot, g.WATCHED)
        await pressed(pilot, "a")
        assert "release notes  claude-code · run-0015" in page(app)


async def test_a_question_answered_elsewhere_goes_and_is_said():
    remote, time = Asked(g.asks()), Time(NOW)
    app = screen_on(remote, time)
    async with app.run_test(size=SIZE) as pilot:
        await at(pilot, g.ASKS)
        await pressed(pilot, "a")
        late = [
            e.ApprovalAnswered(run=g.ASKS, at=NOW, tool=tool, allowed=False, by="the time-out")
            for tool in ("t1", "t2")
        ]
        remote.send(fold_all(fleet_of(g.asks()), late))
        await settled(pilot)
        assert not isinstance(app.screen, AnswerScreen)
        assert "answered elsewhere, or its time ran out" in page(app)


async def test_a_cap_asks_and_says_what_yes_raises_it_to():
    remote, time = Asked(g.capped()), Time(NOW)
    app = screen_on(remote, time)
    async with app.run_test(size=SIZE) as pilot:
        await at(pilot, g.CAPPED)
        await pressed(pilot, "a")
        assert "a cap is reached" in page(app)
        assert "y raise it to 2usd    N let it wait" in page(app)
        await asked(pilot, time, "y")
        assert remote.heard == [("answer", g.CAPPED, "cap", True)]


async def test_a_without_a_question_says_so():
    own = fleet_of(story(3, "asks", 1, name="somebody's own"))
    for fleet, words in (
        (own, "it asks in its own terminal"),
        (fleet_of(g.held()), "no tool call waits for an answer"),
    ):
        app = screen_on(StandIn(fleet))
        async with app.run_test(size=SIZE) as pilot:
            await settled(pilot)
            await pressed(pilot, "a")
            assert words in page(app)


# --- budget


async def test_the_budget_of_a_governed_run_defers_unless_another_word_is_in_it():
    for typed, at_zero in (("9usd", "defer"), ("9usd ask", "ask"), ("9usd halt", "halt")):
        remote = StandIn(fleet_of(g.governed(11, "port")))
        app = screen_on(remote)
        async with app.run_test(size=SIZE) as pilot:
            await at(pilot, g.HELD)
            await pressed(pilot, "b")
            assert "at zero: defer (keep all, wait)" in page(app)
            await pressed(pilot, *typed.replace(" ", "~").replace("~", " "), "enter")
            assert remote.heard == [("budget", g.HELD, Budget(money=9 * NANO, at_zero=at_zero))]


async def test_what_only_the_gateway_can_do_is_refused_for_other_runs():
    remote = StandIn(fleet_of(g.watched()))
    app = screen_on(remote)
    async with app.run_test(size=SIZE) as pilot:
        await at(pilot, g.WATCHED)
        await pressed(pilot, "b", *"9usd defer", "enter")
        assert isinstance(app.screen, BudgetScreen)
        assert "defer needs the gateway" in page(app)
        assert remote.heard == []


async def test_raising_the_cap_of_a_deferred_run_asks_first():
    remote = StandIn(fleet_of(g.deferred()))
    app = screen_on(remote)
    async with app.run_test(size=SIZE) as pilot:
        await at(pilot, g.DEFERRED)
        await pressed(pilot, "e")
        assert isinstance(app.screen, AskScreen)
        await pressed(pilot, "y")
        ((_, run, budget),) = remote.heard
        assert (run, budget.money, budget.at_zero) == (g.DEFERRED, 375_000_000, "defer")


# --- rows and the run screen


def test_what_is_said_again_and_again_stands_once():
    refused, other = Notice(1, "a", "call refused"), Notice(2, "b", "call refused")
    feed = (other, refused, replace(refused, at=3), replace(refused, at=4), other)
    assert latest(feed, 2) == [(replace(refused, at=4), 3), (other, 1)]
    assert latest(feed, 9) == [(other, 1), (replace(refused, at=4), 3), (other, 1)]
    assert latest(feed, 0) == []


async def test_a_reason_does_not_repeat_which_run_it_is_about():
    reason = "cockpit: run-0013 is deferred: $0.83 of its $1 is spent"
    deferred = e.RunDeferred(run=g.DEFERRED, at=NOW, reason=reason, scope=f"run:{g.DEFERRED}")
    raised = e.BudgetSet(run=g.DEFERRED, at=NOW, budget=Budget(money=NANO, at_zero="defer"))
    app = screen_on(StandIn(fold_all(fleet_of(g.deferred()), [raised, deferred])))
    async with app.run_test(size=(200, 60)) as pilot:
        await at(pilot, g.DEFERRED)
        assert "deferred $0.83 of its" in page(app)
        assert "cockpit budget run-0013 --money 2" in page(app)


async def test_what_needs_a_person_stands_first_and_says_what():
    app = screen_on(StandIn(g.everything()))
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        states = [row.claim.state for row in app.screen.table.rows]
        assert states[:4] == ["asks", "asks", "deferred", "halted"]
        shown = page(app)
        for words in ("git push: Bash", "its money cap is reached", "held 1m", "held 12m"):
            assert words in shown


async def test_a_held_row_counts_the_pause():
    time = Time(NOW)
    app = screen_on(StandIn(fleet_of(g.held())), time)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        assert "held 1m" in page(app)
        time.now += 60 * SECOND
        await settled(pilot)
        assert "held 2m" in page(app)


async def test_the_price_of_a_pause_before_and_after_the_cache_went_cold():
    app = screen_on(StandIn(fleet_of(g.held(), g.gone_cold())))
    async with app.run_test(size=SIZE) as pilot:
        await at(pilot, g.HELD)
        assert "held since 14:19 · 01:30" in page(app)
        assert "pause    +$0.43 from 14:25 on" in page(app)
        await at(pilot, g.GONE_COLD)
        assert "went cold" in page(app)


async def test_a_deferred_run_names_the_command_that_raises_its_cap_and_keeps_the_others():
    app = screen_on(StandIn(fleet_of(g.deferred())))
    async with app.run_test(size=(200, 60)) as pilot:
        await at(pilot, g.DEFERRED)
        assert "cockpit budget run-0013 --money 0.5 --time 120m" in page(app)


async def on_the_run(pilot, run: str) -> None:
    await at(pilot, run)
    await pilot.press("enter")
    await settled(pilot)
    assert isinstance(pilot.app.screen, RunScreen)


async def test_the_parts_of_the_context_and_the_timer_are_on_the_run():
    app = screen_on(StandIn(g.everything()))
    async with app.run_test(size=(120, 70)) as pilot:
        await on_the_run(pilot, g.HELD)
        shown = page(app)
        for words in (
            "124k · +6k last call",
            "files" + " " * 10 + "41k",
            "cache hit        119k  96 %",
        ):
            assert words in shown
        await pressed(pilot, "escape")
        await on_the_run(pilot, g.TIMER)
        shown = page(app)
        for words in (
            "slower than the 5m",
            "in the next 8h",
            "ask for the long cache",
            "a script look",
        ):
            assert words in shown


async def test_keys_work_on_the_run_too():
    remote = StandIn(fleet_of(g.held()))
    app = screen_on(remote)
    async with app.run_test(size=SIZE) as pilot:
        await on_the_run(pilot, g.HELD)
        await pressed(pilot, "p")
        assert remote.heard == [("resume", [g.HELD])]
        remote.send(fold_all(fleet_of(g.held()), [RunResumed(run=g.HELD, at=NOW)]))
        await settled(pilot)
        assert "▶ running" in page(app)


async def test_the_figures_take_the_place_of_the_transcript_where_there_is_no_room_for_both():
    app = screen_on(StandIn(fleet_of(g.held())))
    async with app.run_test(size=(80, 24)) as pilot:
        await on_the_run(pilot, g.HELD)
        assert "transcript" in page(app)
        assert "$0.84 of $5.00 · pause    +$0.43" in page(app)
        await pressed(pilot, "2")
        assert "held since 14:19" in page(app)
        assert "transcript" not in page(app)
        await pressed(pilot, "j", "2")
        assert "transcript" in page(app)
