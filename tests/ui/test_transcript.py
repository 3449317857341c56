import asyncio
import json
from datetime import UTC

import pytest
from rich.cells import cell_len
from runs import DIFF, FAILURE, RUN, turns
from stand_in import StandIn, screen_on
from textual.geometry import Region

from cockpit.core import events as e
from cockpit.core.price import Mark
from cockpit.core.tokens import Tokens
from cockpit.engine.client import Page
from cockpit.ui.entries import Cost, Entry
from cockpit.ui.palette import palette_of
from cockpit.ui.widgets.entry_lines import copy_text, lines_of
from cockpit.ui.widgets.first_line import Look
from cockpit.ui.widgets.transcript import Transcript


@pytest.fixture(scope="module")
def palette():
    return palette_of(screen_on(StandIn()))


@pytest.fixture
def drawn(palette):
    def draw(entry: Entry, width: int = 78, *, unfolded: bool = False) -> list[str]:
        lines = lines_of(entry, Look(width, unfolded, palette, UTC))
        assert all(cell_len("".join(part for part, _ in line)) <= width for line in lines)
        return ["".join(part for part, _ in line).rstrip() for line in lines]

    return draw


AT = 1_790_000_467_000  # 14:21:07 UTC


def tool(**more) -> Entry:
    given = {"text": "pytest -q tests/lark", "name": "Bash", "state": "ok", "ended": AT + 3_200}
    return Entry("tool", AT, **(given | more))


def test_a_folded_tool_is_one_line_with_exit_time_and_cost(drawn):
    cost = Cost("c", tokens=Tokens(2_000, cache_read=150_000, output=1_200), nano=31_200_000)
    [line, why] = drawn(tool(state="failed", exit=1, output=FAILURE, cost=cost))
    assert line == "14:21 ▸ Bash  pytest -q tests/lark              exit 1  3.2s  $0.0312  152k+1k"
    assert why == "        ╰ 1 failed, 213 passed in 3.01s"


@pytest.mark.parametrize(
    ("mark", "nano", "shown"),
    [
        ("exact", 10**9, "$1.00"),
        ("estimated", 10**9, "~$1.00"),
        ("presumed", 10**9, "≤$1.00"),
        ("exact", None, "?"),
    ],
)
def test_a_cost_carries_its_mark(drawn, mark: Mark, nano, shown):
    cost = Cost("c", tokens=Tokens(1), nano=nano, mark=mark)
    assert drawn(Entry("reply", AT, "hi", cost=cost))[0].split()[-2] == shown


def test_an_unfolded_tool_shows_arguments_output_and_diff(drawn):
    asked = json.dumps({"file_path": "src/lark.py", "script": "a\nb"})
    lines = drawn(
        tool(name="Edit", text="src/lark.py", arguments=asked, output="done", diff=DIFF),
        unfolded=True,
    )
    assert lines[1:6] == [
        "        │ file_path: src/lark.py",
        "        │ script:",
        "        │   a",
        "        │   b",
        "        ├ output",
    ]
    assert "        ├ diff +4 -2" in lines
    assert "        │   42 -         tokens = self.lex(text)" in lines


def test_an_edit_without_a_diff_shows_what_it_replaced(drawn):
    asked = json.dumps({"file_path": "a.py", "old_string": "x = 1", "new_string": "x = 2"})
    lines = drawn(tool(name="Edit", arguments=asked), unfolded=True)
    assert [line[-5:] for line in lines if " - " in line or " + " in line] == ["x = 1", "x = 2"]
    assert not any("old_string" in line for line in lines)


def test_arguments_that_are_no_json_are_shown_as_they_are(drawn):
    assert drawn(tool(arguments="*** Begin Patch"), unfolded=True)[1] == "        │ *** Begin Patch"


def test_arguments_nested_to_hurt_are_shown_as_text(drawn):
    assert drawn(tool(arguments="[" * 50_000), unfolded=True)[1].startswith("        │ [[[[")


def test_a_thought_is_one_line_until_it_is_unfolded(drawn):
    thought = Entry("thought", AT, "first this\nthen that")
    assert drawn(thought) == ["14:21 ∴ first this then that"]
    assert drawn(thought, unfolded=True) == ["14:21 ∴ first this", "        then that"]


def test_a_thought_the_vendor_hides_says_so(drawn):
    assert drawn(Entry("thought", AT)) == ["14:21 ∴ thought, in words the vendor keeps"]


def test_a_long_prompt_is_folded_and_says_how_much_is_hidden(drawn):
    prompt = Entry("prompt", AT, "\n".join(f"line {number}" for number in range(20)))
    assert drawn(prompt)[-1] == "        … 14 more lines"
    assert drawn(prompt, unfolded=True)[-1] == "        line 19"


def test_output_without_end_is_cut_where_nobody_scrolls(drawn):
    lines = drawn(tool(output="x\n" * 5_000), unfolded=True)
    assert lines[-1] == "        … 4,000 more lines"


def test_text_after_wide_letters_stays_inside(drawn):
    drawn(Entry("reply", AT, "日本語のドキュメント 👨‍👩‍👧‍👦 👍🏽 🇩🇪 " * 30), width=41)
    drawn(
        tool(text="日本語" * 40, output="語" * 300, diff="+" + "語" * 200), width=41, unfolded=True
    )


@pytest.mark.parametrize("at", [-1, 0, 10**15, 10**30])
def test_no_time_is_too_odd_to_be_shown(drawn, at):
    assert drawn(Entry("reply", at, "hi"))[0][8:] == "hi"


def test_what_is_copied_is_whole(drawn):
    copied = copy_text(tool(arguments="{}", output="x\n" * 5_000, diff="+a"))
    assert copied.count("x\n") == 5_000
    assert copied.startswith("Bash pytest -q tests/lark")


# --- the widget


class Reader(StandIn):
    """Never answers for the transcript: the test hands it its story."""

    async def transcript(self, run: str, before: int | None = None, limit: int = 300) -> Page:
        await asyncio.Event().wait()
        return Page()


async def reading(pilot) -> Transcript:
    pilot.app.open_run(RUN)
    await pilot.pause()
    transcript = pilot.app.screen.query_one(Transcript)
    transcript.begin(turns(60), complete=True)
    await pilot.pause()
    return transcript


def rows(transcript: Transcript) -> list[str]:
    """What stands inside the frame."""
    width, height = transcript.size
    drawn = transcript.render_lines(Region(0, 0, width, height))
    return [line.text[1:].rstrip(" │┃") for line in drawn[1:-1]]


@pytest.fixture
async def pilot():
    async with screen_on(Reader()).run_test(size=(120, 40)) as pilot:
        yield pilot


async def test_it_follows_until_the_operator_looks_back(pilot):
    transcript = await reading(pilot)
    transcript.add([e.ReplyGiven(run=RUN, at=AT, text="the newest")])
    assert "the newest" in rows(transcript)[-1]
    transcript.scroll(-1)
    shown = rows(transcript)
    transcript.add([e.ReplyGiven(run=RUN, at=AT, text="newer still")])
    assert rows(transcript) == shown
    assert not transcript.follow
    transcript.go_end()
    assert "newer still" in rows(transcript)[-1]


async def test_scrolling_down_to_the_end_follows_again(pilot):
    transcript = await reading(pilot)
    transcript.scroll(-5)
    transcript.scroll(4)
    assert not transcript.follow
    transcript.scroll(1)
    assert transcript.follow


async def test_a_page_before_moves_nothing_in_view(pilot):
    transcript = await reading(pilot)
    transcript.begin(turns(20), complete=False)
    transcript.go_to(transcript.story.first)
    transcript.scroll(3)
    shown = rows(transcript)
    transcript.add_before(turns(30, first=100, until=AT - 10**6), complete=True)
    assert [line[:60] for line in rows(transcript)] == [line[:60] for line in shown]


async def test_an_answer_changes_the_tool_it_belongs_to(pilot):
    transcript = await reading(pilot)
    transcript.add([e.ToolStarted(run=RUN, at=AT, tool="z", name="Bash", summary="sleep 9")])
    assert rows(transcript)[-1].endswith("working")
    transcript.add([e.ToolEnded(run=RUN, at=AT + 9_000, tool="z")])
    assert rows(transcript)[-1].endswith("9.0s")


async def test_unfolding_shows_the_output_and_folding_hides_it(pilot):
    transcript = await reading(pilot)
    transcript.go_to(transcript.story.end - 1)
    folded = rows(transcript)
    transcript.fold()
    assert any("├ output" in row for row in rows(transcript))
    transcript.fold()
    transcript.go_end()
    assert rows(transcript) == folded


async def test_moving_through_a_tall_entry_reads_it_line_by_line(pilot):
    transcript = await reading(pilot)
    transcript.add(
        [
            e.ToolStarted(run=RUN, at=AT, tool="z", name="Bash", summary="cat"),
            e.ToolEnded(run=RUN, at=AT, tool="z", output="\n".join(map(str, range(200)))),
            e.ReplyGiven(run=RUN, at=AT, text="after it"),
        ]
    )
    transcript.move(-1)
    transcript.fold()
    cursor = transcript.cursor
    seen = "\n".join(rows(transcript))
    for _ in range(100):
        transcript.move(1)
        seen += "\n".join(rows(transcript))
        if transcript.cursor != cursor:
            break
    assert all(f"│ {number}\n" in seen for number in range(200))
    assert transcript.entry.text == "after it"


async def test_search_finds_what_is_folded_away(pilot):
    transcript = await reading(pilot)
    assert transcript.search("assert 4 == -4")
    assert transcript.entry.name == "Bash"
    assert any("assert 4 == -4" in row for row in rows(transcript))
    here = transcript.cursor
    assert transcript.go_to_match(-1)
    assert transcript.cursor < here
    assert not transcript.search("nowhere to be found")


async def test_only_what_is_in_view_was_wrapped(pilot):
    transcript = await reading(pilot)
    transcript.begin(turns(2_000), complete=True)
    await pilot.pause()
    assert len(transcript._wrapped) < 100


async def test_nothing_told_is_an_empty_pane(pilot):
    transcript = await reading(pilot)
    transcript.begin([], complete=True)
    for steps in (transcript.move, transcript.scroll, transcript.page, transcript.go_to):
        steps(-1)
    transcript.fold()
    transcript.fold_all()
    assert transcript.entry_text == ""
    assert not any(rows(transcript))
