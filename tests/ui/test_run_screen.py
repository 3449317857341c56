import asyncio

import pytest
from fleets import NOW, SECOND
from msgspec.structs import replace
from runs import RUN, Teller, children, fleet, turns
from stand_in import Time, screen_on, settled, written
from textual.events import MouseScrollUp

from cockpit.core import events as e
from cockpit.core.fleet import Fleet
from cockpit.ui import reading
from cockpit.ui.screens import run as run_screen
from cockpit.ui.screens.fleet import FleetScreen
from cockpit.ui.screens.run import RunScreen
from cockpit.ui.widgets.transcript import Transcript

REPLY = e.ReplyGiven(run=RUN, at=NOW, text="this is new")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(reading, "HOLD_SECONDS", 0)
    monkeypatch.setattr(reading, "RETRY_SECONDS", 0)


async def until(holds) -> None:
    """Let the screen work until this holds."""
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 (the screen's own tasks have no event to wait for)
            await asyncio.sleep(0)


async def opened(pilot) -> Transcript:
    await settled(pilot)
    await pilot.press("enter")
    await until(lambda: isinstance(pilot.app.screen, RunScreen) and pilot.app.screen.is_mounted)
    transcript = pilot.app.screen.query_one(Transcript)
    await until(lambda: transcript.story.entries)
    await settled(pilot)
    return transcript


async def further_back(pilot) -> None:
    """To the first entry that is loaded, until the page before it has come."""
    transcript = pilot.app.screen.query_one(Transcript)
    first = transcript.story.first
    await pilot.press("g")
    await until(lambda: transcript.story.first < first)


def on(teller: Teller, size: tuple[int, int] = (120, 40)):
    return screen_on(teller, Time(NOW + 2 * SECOND)).run_test(size=size)


async def test_opening_fetches_the_newest_page_and_little_more():
    teller = Teller(turns(10_000), fleet(turns(30)))
    async with on(teller) as pilot:
        transcript = await opened(pilot)
        assert teller.asked == [None]
        assert len(transcript.story.entries) < 300
        assert transcript.follow


async def test_looking_back_fetches_the_pages_before_and_the_beginning_is_known():
    teller = Teller(turns(200))
    async with on(teller) as pilot:
        transcript = await opened(pilot)
        while not transcript.story.complete:
            await further_back(pilot)
        await settled(pilot)
        assert len(teller.asked) == len(set(teller.asked)) > 2
        assert "entries" in written(pilot.app)[-2]
        assert "more above" not in written(pilot.app)[-2]


async def test_what_happens_appears_at_the_end():
    teller = Teller(turns(20))
    async with on(teller) as pilot:
        await opened(pilot)
        teller.tell(REPLY)
        await until(lambda: "this is new" in "\n".join(written(pilot.app)))


async def test_what_the_page_told_is_not_told_twice():
    teller = Teller(turns(20))
    async with on(teller) as pilot:
        transcript = await opened(pilot)
        count, cost = len(transcript.story.entries), transcript.story.costs(99)
        teller.tell_again(*teller.happened[-8:])
        teller.tell(REPLY)
        await until(lambda: transcript.story.entries[-1].text == "this is new")
        assert len(transcript.story.entries) == count + 1
        assert transcript.story.costs(99) == cost


async def test_a_broken_line_is_tried_again_and_nothing_is_missed():
    teller = Teller(turns(20))
    async with on(teller) as pilot:
        transcript = await opened(pilot)
        teller.happened.append(REPLY)
        teller.hang_up()
        await until(lambda: transcript.story.entries[-1].text == "this is new")


async def test_a_refusal_is_said():
    teller = Teller(turns(20), refusal="the transcript is gone")
    async with on(teller) as pilot:
        await settled(pilot)
        await pilot.press("enter")
        await until(lambda: "transcript: the transcript is gone" in "\n".join(written(pilot.app)))
        assert "not live" in "\n".join(written(pilot.app))


async def test_too_much_while_looking_back_lets_go_of_the_newest(monkeypatch):
    monkeypatch.setattr(run_screen, "ENTRIES", 400)
    teller = Teller(turns(600))
    async with on(teller) as pilot:
        transcript = await opened(pilot)
        end = transcript.story.end
        while transcript.story.end == end:
            await further_back(pilot)
        assert len(transcript.story.entries) <= 400
        teller.tell(REPLY)
        await settled(pilot)
        assert "newer" in "\n".join(written(pilot.app))
        await pilot.press("f")
        await until(lambda: "this is new" in "\n".join(written(pilot.app)))


async def test_too_much_while_following_begins_anew(monkeypatch):
    monkeypatch.setattr(run_screen, "ENTRIES", 400)
    teller = Teller(turns(20))
    async with on(teller) as pilot:
        transcript = await opened(pilot)
        teller.tell(*turns(200, first=1_000, until=NOW + 2_000_000))
        await until(lambda: len(teller.asked) > 1 and len(transcript.story.entries) <= 400)
        assert transcript.follow


async def test_x_stops_this_run_and_no_other():
    teller = Teller(turns(20))
    async with on(teller) as pilot:
        await opened(pilot)
        await pilot.press("x")
        assert teller.heard == [("stop", [RUN], "stop")]
        await pilot.press("slash", "ctrl+x")
        assert teller.heard == [("stop", [RUN], "stop")] * 2


async def test_a_failed_stop_is_written_on_top():
    teller = Teller(turns(20))
    async with on(teller) as pilot:
        await opened(pilot)
        told = [
            e.StopRequested(run=RUN, at=NOW, by="operator"),
            e.StopFailed(run=RUN, at=NOW, pids=(48_123,)),
        ]
        teller.send(fleet([*turns(20), *told]))
        await until(lambda: "FAILED 48123" in written(pilot.app)[0] or pilot.app._draw())


async def test_esc_leaves_the_search_then_the_run_and_stops_nothing():
    teller = Teller(turns(20))
    async with on(teller) as pilot:
        transcript = await opened(pilot)
        await pilot.press("slash", *"unary", "enter")
        assert transcript.words == "unary"
        await pilot.press("escape")
        assert transcript.words == ""
        assert isinstance(pilot.app.screen, RunScreen)
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(pilot.app.screen, FleetScreen)
        assert teller.heard == []


async def test_esc_closes_the_search_line_first():
    teller = Teller(turns(20))
    async with on(teller) as pilot:
        transcript = await opened(pilot)
        await pilot.press("slash", "a", "escape")
        assert not pilot.app.screen.query("#search")
        assert transcript.has_focus
        assert isinstance(pilot.app.screen, RunScreen)


async def test_a_folder_that_is_not_there_is_not_opened():
    teller = Teller(turns(20))
    async with on(teller) as pilot:
        await opened(pilot)
        await pilot.press("o")
        assert "no folder of this run" in written(pilot.app)[-1]


async def test_wheel_and_scroll_bar_move_the_view():
    teller = Teller(turns(40))
    async with on(teller) as pilot:
        transcript = await opened(pilot)
        top = transcript._view.top
        await pilot._post_mouse_events([MouseScrollUp], transcript, offset=(5, 5))
        assert transcript._view.top < top
        assert not transcript.follow
        await pilot.click(transcript, offset=(transcript.size.width - 1, 1))
        assert transcript.cursor == transcript.story.first


async def test_another_theme_recolors_what_was_drawn():
    teller = Teller(turns(20))
    async with on(teller) as pilot:
        transcript = await opened(pilot)
        before = transcript.render_line(3)
        await pilot.press("T", "j", "enter")
        await pilot.pause()
        after = transcript.render_line(3)
        assert after.text == before.text
        assert after != before


async def test_n_steps_through_prompts_and_through_matches():
    teller = Teller(turns(40))
    async with on(teller) as pilot:
        transcript = await opened(pilot)
        await pilot.press("N")
        first = transcript.cursor
        assert transcript.entry.kind == "prompt"
        await pilot.press("N", "n")
        assert transcript.cursor == first
        await pilot.press("slash", *"src/errors.py", "enter")
        assert transcript.entry.name == "Read"
        here = transcript.cursor
        await pilot.press("N")
        assert transcript.cursor < here
        assert transcript.entry.name == "Read"


async def test_keys_fold_follow_and_copy():
    teller = Teller(turns(20))
    async with on(teller) as pilot:
        transcript = await opened(pilot)
        await pilot.press("k", "space")
        assert transcript.is_open(transcript.cursor)
        await pilot.press("t")
        assert transcript.all_open
        assert not transcript.follow
        await pilot.press("f")
        assert transcript.follow
        await pilot.press("y")
        assert pilot.app.clipboard == transcript.entry_text != ""


async def test_a_click_on_a_tool_unfolds_it():
    teller = Teller(turns(20))
    async with on(teller) as pilot:
        transcript = await opened(pilot)
        row = next(y for y, line in enumerate(written(pilot.app)) if "▸ Read" in line)
        await pilot.click(offset=(20, row))
        assert transcript.entry.name == "Read"
        assert transcript.is_open(transcript.cursor)


async def test_the_column_says_what_is_known():
    known = fleet(turns(30), children())
    async with on(Teller(turns(30), known)) as pilot:
        await opened(pilot)
        shown = "\n".join(written(pilot.app))
        for words in (
            "cost per turn",
            "cache hits",
            "tok/s",
            "sub-agents 2",
            "reviewer",
            "why not exact",
        ):
            assert words in shown
        run = known.runs[RUN]
        assert f"{run.tokens.cache_read:,}" in shown


async def test_a_run_that_left_the_fleet_stays_readable():
    teller = Teller(turns(20))
    async with on(teller) as pilot:
        await opened(pilot)
        teller.send(replace(Fleet(), now=NOW))
        await settled(pilot)
        assert "parser-port" in written(pilot.app)[0]


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (200, 60), (40, 12)])
async def test_borders_stand_straight(size):
    wide = e.PromptGiven(
        run=RUN, at=NOW, text="日本語のドキュメント 👨‍👩‍👧‍👦 👍🏽 🇩🇪 é\u0301 क्षि " * 9
    )
    async with on(Teller([*turns(20), wide]), size) as pilot:
        await opened(pilot)
        strips = pilot.app.screen._compositor.render_strips()
        assert {strip.cell_length for strip in strips} == {size[0]}
        assert {line[0] for line in written(pilot.app)[3:-2]} == {"│"}


# --- pictures


def picture(size, snap_compare, *keys: str) -> bool:
    app = screen_on(Teller(turns(40), fleet(turns(40), children())), Time(NOW + 2 * SECOND))

    async def look(pilot) -> None:
        await opened(pilot)
        await pilot.press(*keys)
        await settled(pilot)

    return snap_compare(app, terminal_size=size, run_before=look)


def test_picture_120(snap_compare):
    assert picture((120, 40), snap_compare)


def test_picture_80(snap_compare):
    assert picture((80, 24), snap_compare)


def test_picture_unfolded(snap_compare):
    assert picture(
        (120, 40), snap_compare, "k", "k", "k", "k", "space", "k", "slash", *"lex", "enter"
    )
