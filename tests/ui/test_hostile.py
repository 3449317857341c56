"""Whatever agents write into names, paths and messages, none of it reaches the terminal as it came."""

import re

import pytest
from fleets import NOW
from msgspec.structs import replace
from stand_in import StandIn, screen_on, settled, written

from cockpit.core.budget import Budget
from cockpit.core.fleet import Approval, Fleet, Note, Notice, Run, Scan, Stopping

EVIL = {
    "osc 52": "\x1b]52;c;aGFja2Vk\x07",
    "csi": "\x1b[31;5mred\x1b[2J",
    "raw c1": "\x9b31m\x9d52;c;eA==\x9c",
    "markup": "[bold red]B[/] [@click=app.quit]x[/] [/]",
    "bidi": "\u202etxt.exe\u2066\u200b\ufeff",
    "tags": "\U000e0041\U000e0042",
    "lines": "a\nb\r\nc\td\0e",
    "long": "W" * 100_000,
    "wide": "漢" * 300 + "👩‍👩‍👧‍👦é",
    "surrogate": "\ud800x",
}
BAD = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e0fff]"
)


def poisoned(word: str) -> Fleet:
    run = Run(
        id="r1",
        agent=word,
        session=word,
        source=word,
        name=word,
        model=word,
        project=word,
        branch=word,
        action=word,
        question=word,
        failure=word,
        phase="asking",
        caveats=(word, word + "2"),
        started=NOW - 1_000,
        last_event=NOW,
    )
    over = replace(run, id="r2", outcome=word, phase="ended", parent="r1")
    failed = replace(
        run, id="r3", stopping=Stopping(since=NOW, by=word, done="failed", reason=word)
    )
    stuck = replace(run, id="r4", phase="working", failures=9, pid=3)
    governed = replace(run, id="r5", phase="working", authority="wire", agent="claude-code")
    asks = replace(
        governed,
        id="r6",
        approvals=(Approval(word, word, word, NOW), Approval("cap", word, word, NOW)),
    )
    held = replace(
        governed,
        id="r7",
        paused=NOW - 1_000,
        notes=(Note(word, word, NOW), Note(word + "2", word, NOW, NOW)),
    )
    deferred = replace(governed, id="r8", deferred=word, budget=Budget(money=1), nano=2)
    halted = replace(governed, id="r9", halted=word)
    feed = tuple(Notice(NOW, id_, word, "error") for id_ in ("r1", "gone", ""))
    runs = {each.id: each for each in (run, over, failed, stuck, asks, held, deferred, halted)}
    return Fleet(now=NOW, runs=runs, feed=feed, scan=Scan(done=True, looked_at=(word,)))


@pytest.mark.parametrize("word", EVIL.values(), ids=EVIL.keys())
async def test_nothing_of_it_is_drawn_as_it_came(word):
    remote = StandIn(poisoned(word), refusal=word)
    app = screen_on(remote)
    async with app.run_test(size=(170, 50)) as pilot:
        await settled(pilot)
        for run in ("r1", "r2", "r3", "r4", "r6", "r7", "r8", "r9"):
            app.screen.table.go_to(run)
            await settled(pilot)
            _is_harmless(app)
        await pilot.press("x")
        await pilot.pause()
        _is_harmless(app)
        await pilot.press("b", *"5usd", "enter")
        await pilot.pause()
        _is_harmless(app)


@pytest.mark.parametrize("word", EVIL.values(), ids=EVIL.keys())
@pytest.mark.parametrize("size", [(80, 24), (170, 50)], ids=["small", "large"])
async def test_nothing_of_a_question_a_note_or_a_reason_is_drawn_as_it_came(word, size):
    remote = StandIn(poisoned(word))
    remote.channel = word
    app = screen_on(remote)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        for run, keys in (
            ("r6", ["a"]),
            ("r7", ["s"]),
            ("r6", ["enter"]),
            ("r7", ["enter"]),
            ("r8", ["enter"]),
            ("r9", ["enter"]),
            ("r8", ["b"]),
        ):
            app.screen.table.go_to(run)
            await pilot.press(*keys)
            await settled(pilot)
            _is_harmless(app)
            await pilot.press("escape")
            await settled(pilot)
        app.screen.table.go_to("r7")
        await pilot.press("s", *"hello", "enter")
        await settled(pilot)
        assert remote.heard == [("say", "r7", "hello")]
        _is_harmless(app)
        for key in ("p", "r"):
            await pilot.press(key)
            await settled(pilot)
            _is_harmless(app)


def _is_harmless(app) -> None:
    lines = written(app)
    assert len(lines) == app.size.height
    for line in lines:
        assert not BAD.search(line), repr(line)
    metas = [
        segment.style.meta
        for strip in app.screen._compositor.render_strips()
        for segment in strip
        if segment.style
    ]
    assert not any("@click" in meta for meta in metas)


async def test_markup_is_written_out():
    app = screen_on(StandIn(poisoned("[red]B[/]")))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        lines = written(app)
        assert sum("[red]B[/]" in line for line in lines) >= 8
        assert any("─ [red]B[/] ─" in line for line in lines), "the title of the focus pane"


async def test_where_nothing_was_found_is_no_message_either():
    fleet = replace(poisoned(EVIL["osc 52"] + EVIL["raw c1"]), runs={})
    app = screen_on(StandIn(fleet))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        _is_harmless(app)


async def test_an_evil_theme_file_name_is_only_a_notice(tmp_path):
    from cockpit.ui.settings import ScreenSettings

    (tmp_path / "x.toml").write_text("[red]\nx = 1")
    app = screen_on(StandIn(), settings=ScreenSettings(theme="x", themes=tmp_path))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        _is_harmless(app)
