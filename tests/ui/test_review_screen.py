"""The review: what a person sees before a script may act, and what their word does."""

import contextlib
import stat
import sys
from pathlib import Path

import pytest
from fleets import seeded
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from shelves import BEFORE, SCRIPT, SHEET, VERIFIED, Shelf, trials
from stand_in import screen_on, settled, written
from test_hostile import BAD, EVIL
from test_tasks_screen import answered, shown, words

from cockpit.core.script import Capabilities, Clause, Hole, Trial
from cockpit.core.shelf import Decided, MatrixRow, matrix_of
from cockpit.ui import code, editing
from cockpit.ui.screens.ask import AskScreen
from cockpit.ui.screens.review import question
from cockpit.ui.screens.shelf import ShelfScreen
from cockpit.ui.settings import ScreenSettings
from cockpit.ui.stages import is_approved

SIZES = [(80, 24), (120, 40), (200, 60)]
CONTENT = SCRIPT.content


def shelf(**more):
    return Shelf(seeded(3), rows=[VERIFIED], **more)


async def opened(pilot, *keys):
    await settled(pilot)
    for key in ("t", "tab", "enter", *keys):
        await pilot.press(key)
        await answered(pilot)


def facts(app):
    """What is written in the pane at the right."""
    left = app.screen.facts.region.x
    return " ".join(" ".join(line[left + 2 : -2] for line in written(app)[3:-2]).split())


@pytest.fixture
def snapped(snap_compare):
    def compare(size, *press, theme="cockpit", remote=None):
        app = screen_on(remote or shelf(), settings=ScreenSettings(theme=theme))

        async def before(pilot):
            await opened(pilot, *press)

        return snap_compare(app, terminal_size=size, run_before=before)

    return compare


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_value_and_where_it_comes_from(snapped, size):
    assert snapped(size, "n")


@pytest.mark.parametrize("theme", ["in-time", "paper", "high-contrast", "terminal"])
def test_themes(snapped, theme):
    assert snapped((120, 40), "n", theme=theme)


def test_without_color(snapped, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert snapped((120, 40), "n", "n")


@pytest.mark.parametrize("keys", [("tab",), ("tab", "tab")], ids=["evidence", "facts"])
def test_panes_of_a_small_screen(snapped, keys):
    assert snapped((80, 24), *keys)


@pytest.mark.parametrize("key", ["d", "f", "a"], ids=["difference", "whole", "approve"])
def test_other_faces(snapped, key):
    assert snapped((120, 40), key)


def test_a_failed_gate(snapped):
    failed = [
        Trial(
            "V1",
            SCRIPT.trained[1],
            False,
            "reports/2026-09-17.md differs in line 3: 998 is not 1,998",
        )
    ]
    sheet = replace(SHEET, matrix=matrix_of(SCRIPT, [*trials(), *failed]))
    assert snapped((120, 40), "tab", remote=shelf(sheet=sheet))


async def test_purpose_worth_capabilities_guards_and_promises_are_there():
    app = screen_on(shelf())
    async with app.run_test(size=(200, 60)) as pilot:
        await opened(pilot)
        page = words(app)
        for part in (
            SCRIPT.purpose, "$11.80 a month", "verified", "not approved", CONTENT[:12], "metrics.local", "GET",
            "reports/*.md", "METRICS_TOKEN", "runs no command", "reads no file",
            "both must agree today", "is never empty", "5 runs, proven on 3 that it was not shown",
            "made without a model", "Sat 12 Sep 14:21 approved", "V5 mutants 48 of 50 mutants were caught (96 %)",
        ):  # fmt: skip
            assert part in page


async def test_the_value_under_the_cursor_is_shown_in_every_run():
    app = screen_on(shelf())
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        assert "Nothing on this line differs between runs" in facts(app)
        for name, value in (
            ("date", "t-report-04 2026-09-20"),
            ("date", "2026-09-16"),
            ("visits", "t-report-00 1,204"),
        ):
            await pilot.press("n")
            await answered(pilot)
            assert app.screen.program.hole.name == name
            assert value in words(app)
        await pilot.press("N")
        await answered(pilot)
        assert app.screen.program.hole.name == "date"
        await pilot.press("G", "n")
        await settled(pilot)
        assert "no value further on" in written(app)[-1]


async def test_several_values_on_a_line_are_stepped_through():
    app = screen_on(shelf())
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "n", "n", "n", "n")
        assert app.screen.program.holes == ("date", "visits")
        assert "1 of 2 here" in words(app)
        await pilot.press("right")
        await answered(pilot)
        assert "2 of 2 here" in words(app)
        assert app.screen.program.hole.name == "visits"


async def test_the_matrix_begins_where_a_gate_was_not_passed_and_tells_of_it():
    failed = Trial("V3", SCRIPT.trained[0], False, "the second run wrote another order of rows")
    matrix = matrix_of(SCRIPT, [*trials(), failed])
    app = screen_on(shelf(sheet=replace(SHEET, matrix=matrix)))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "tab")
        assert "✖ V3 repeat the second run wrote another order of rows" in words(app)
        assert "✔ V1 replay in the world of each run it makes exactly" in words(app)
        row = next(line for line in written(app) if "t-report-00" in line and "trained" in line)
        assert row.count("✔") == 3
        assert row.count("✖") == 1


async def test_what_could_not_be_replayed_is_told_apart_from_what_failed():
    unseen = Trial("V1", SCRIPT.trained[0], False, "its workspace was not recorded", unproven=True)
    matrix = matrix_of(SCRIPT, [*trials(), unseen])
    app = screen_on(shelf(sheet=replace(SHEET, matrix=matrix)))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "tab")
        row = next(line for line in written(app) if "t-report-00" in line and "trained" in line)
        assert row.count("○") == 1
        assert "✖" not in words(app)
        assert "1 not recorded" in words(app)


async def test_approval_asks_says_what_it_means_and_binds_to_the_content_that_was_read():
    app = screen_on(shelf())
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "a")
        assert isinstance(app.screen, AskScreen)
        page = words(app)
        for part in (
            f"approve morning-report ({CONTENT[:12]})",
            "first 3 times beside the agent",
            "the network metrics.local",
            "takes this yes away",
        ):
            assert part in page
        await pilot.press("enter")
        await answered(pilot)
        assert not app.remote.done("approve")
        await pilot.press("a", "y")
        await answered(pilot)
        assert app.remote.done("approve") == [
            {"action": "approve", "name": "morning-report", "content": CONTENT}
        ]


async def test_what_changed_while_the_question_stood_there_is_not_approved_by_the_answer():
    """The yes carries the content that the question named: the engine refuses it for any other."""
    remote = shelf()
    app = screen_on(remote)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "a")
        remote.sheet = replace(SHEET, script=BEFORE, row=replace(VERIFIED, content=BEFORE.content))
        remote.rows = [remote.sheet.row]
        app.screen_stack[-2]._ask()
        await answered(pilot)
        await pilot.press("y")
        await answered(pilot)
        assert remote.done("approve")[0]["content"] == CONTENT


async def test_shadow_needs_no_question_and_a_refusal_needs_a_reason():
    app = screen_on(shelf())
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "s")
        assert app.remote.done("shadow")[0]["content"] == CONTENT
        await pilot.press("r", "enter")
        await answered(pilot)
        assert not app.remote.done("refuse")
        await pilot.press("r", *"too", "space", *"much", "enter")
        await answered(pilot)
        assert app.remote.done("refuse")[0]["reason"] == "too much"


async def test_what_cannot_be_done_says_why_not():
    remote = Shelf(
        seeded(3), rows=[replace(VERIFIED, stage="active")], sheet=replace(SHEET, difference="")
    )
    app = screen_on(remote)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        for key, why in (("a", "it is active"), ("s", "it is active"), ("d", "does not differ")):
            await pilot.press(key)
            await settled(pilot)
            assert why in written(app)[-1]
        assert {more.get("action") for do, more in remote.asked if do == "script"} == {"show"}


async def test_what_a_script_waits_for_stands_first():
    row = replace(
        VERIFIED, stage="compiled", needs="a proof: V4 on run-3: an empty list went through"
    )
    app = screen_on(Shelf(seeded(3), rows=[row], sheet=replace(SHEET, row=row)))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "a")
        assert facts(app).startswith("It waits for a proof: V4 on run-3")
        assert "v proves it again" in written(app)[-1]


async def test_the_gates_take_their_time_and_their_word_is_shown():
    remote = shelf()
    app = screen_on(remote)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        remote.held.clear()
        await pilot.press("v", "v")
        await settled(pilot)
        assert "at the gates" in shown(app)
        await pilot.press("j")
        remote.sheet = replace(
            SHEET,
            matrix=(MatrixRow("", trials={"V0": Trial("V0", "", False, "it reads the clock")}),),
        )
        remote.held.set()
        await answered(pilot)
        assert "it reads the clock" in words(app)
        assert remote.done("verify") == [{"action": "verify", "name": "morning-report"}]


async def test_faces_keep_the_line_and_escape_leaves_them():
    app = screen_on(shelf())
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "j", "j", "f")
        assert "whole source" in shown(app)
        assert app.screen.program.cursor == 10
        await pilot.press("d")
        await answered(pilot)
        assert "+ may secrets: METRICS_TOKEN" in words(app)
        await pilot.press("escape")
        await answered(pilot)
        assert "lines 9 to 19 of 24" in shown(app)
        await pilot.press("escape")
        await answered(pilot)
        assert isinstance(app.screen, ShelfScreen)


async def test_a_click_chooses_a_line_and_another_the_next_value_on_it():
    app = screen_on(shelf())
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        y = next(y for y, line in enumerate(written(app)) if "# Daily report" in line)
        await pilot.click(offset=(20, y))
        await answered(pilot)
        assert app.screen.program.hole.name == "date"
        await pilot.click(offset=(20, y))
        await answered(pilot)
        assert app.screen.program.hole.name == "visits"


async def test_a_script_that_is_gone_says_so():
    remote = shelf()
    app = screen_on(remote)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        remote.trouble = "there is no script morning-report"
        app.screen._ask()
        await answered(pilot)
        assert "there is no script morning-report" in shown(app)


# --- hostile scripts


async def test_what_cannot_be_shown_is_said_before_it_can_be_approved():
    """A bidi override would let a reviewer read another program than the one that runs (Trojan Source)."""
    trojan = replace(
        SCRIPT, source=SCRIPT.source.replace("rows = []", "rows = []  # \u202e ]x[ \u2066")
    )
    row = replace(VERIFIED, content=trojan.content)
    app = screen_on(Shelf(seeded(3), rows=[row], sheet=replace(SHEET, row=row, script=trojan)))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        assert "! 1 line holds characters that cannot be shown" in facts(app)
        assert "14!" in shown(app)
        await pilot.press("a")
        await pilot.pause()
        assert "IT HOLDS CHARACTERS THAT YOU CANNOT SEE" in shown(app)
        assert not BAD.search("".join(written(app)))


async def test_a_line_longer_than_the_pane_is_broken_and_never_cut():
    hidden_far_right = "rows = []" + " " * 300 + "; os.system('rm -rf /')"
    long = replace(SCRIPT, source=SCRIPT.source.replace("rows = []", hidden_far_right))
    app = screen_on(shelf(sheet=replace(SHEET, script=long)))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        assert "os.system('rm -rf /')" in shown(app)


@pytest.mark.parametrize("word", [word for name, word in EVIL.items() if name != "surrogate"])
async def test_nothing_hostile_is_drawn(word):
    script = replace(
        SCRIPT,
        purpose=word,
        source=f"def main(day):\n    {word}\n    x = '{word}' # {word}\n",
        body=(1, 3),
        capabilities=Capabilities(
            hosts=(word,), write=(word, word), commands=(word,), secrets=(word,)
        ),
        holes=(Hole(word, word.split("\n")[0], {word: word, "b": word}),),
        guards=(word,),
        contract=(Clause(word, word, word),),
    )
    row = replace(VERIFIED, name=word, purpose=word, content=word, needs=word)
    trial = Trial("V1", word, False, word)
    sheet = replace(
        SHEET, row=row, script=script, difference=f"--- a\n+++ b\n@@ -1 +1 @@\n-{word}\n+{word}y",
        matrix=(MatrixRow(word, "trained", {"V1": trial}), MatrixRow("", "", {"V0": trial})),
        decisions=(Decided(word, "refuse", word, 1, word),),
    )  # fmt: skip
    app = screen_on(Shelf(seeded(3), rows=[row], sheet=sheet))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        for key in ("n", "G", "d", "f", "tab", "j", "tab", "G", "a", "y", "r", "escape"):
            await pilot.press(key)
            await answered(pilot)
            assert not BAD.search("".join(written(app)))


@pytest.mark.parametrize("size", [(20, 9), (40, 12), (59, 19), (99, 24), (100, 25)])
async def test_any_size_holds_it(size):
    app = screen_on(shelf())
    async with app.run_test(size=size) as pilot:
        await opened(pilot, "n", "G", "pageup", "tab", "G", "tab", "G", "d", "f", "escape")
        assert len(written(app)) == size[1]


async def test_a_line_that_goes_on_is_marked_only_where_the_value_stands():
    app = screen_on(shelf())
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        y = next(y for y, line in enumerate(written(app)) if '+ day("%Y' in line)
        strip = app.screen._compositor.render_strips()[y]
        marked = [segment.text for segment in strip if segment.style and segment.style.underline]
        assert "".join(marked) == 'day("%Y-%m-%d")'
        await pilot.resize_terminal(80, 24)
        await settled(pilot)
        assert "─ program ─" in shown(app)


async def test_a_huge_script_opens_at_once():
    many = "".join(f"x{number} = day('%Y') + {number}\n" for number in range(20_000))
    script = replace(SCRIPT, source=many, body=(0, 0))
    app = screen_on(shelf(sheet=replace(SHEET, script=script)))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "G", "g", "G")
        assert "x19999" in shown(app)


# --- the editor


def editor(tmp_path, body):
    """A real program in place of an editor: its last argument is the file."""
    path = tmp_path / "editor"
    path.write_text(
        f"#!{sys.executable}\nimport sys, os, pathlib\nfile = pathlib.Path(sys.argv[-1])\n{body}\n"
    )
    path.chmod(0o700)
    return str(path)


class Aside:
    """An app whose screen can step aside, as on a terminal."""

    def suspend(self):
        return contextlib.nullcontext()


def test_the_editor_gets_a_private_copy_with_every_byte_of_it(tmp_path, monkeypatch):
    said = tmp_path / "said"
    body = f"pathlib.Path({str(said)!r}).write_text(oct(file.parent.stat().st_mode) + str(file)); file.write_bytes(file.read_bytes() + b'# more')"
    monkeypatch.setenv("VISUAL", editor(tmp_path, body))
    source = "x = 1\r\n\ty = '\u202e'\n"
    assert editing.edited(Aside(), source, "script.py") == source + "# more"
    mode, _, path = said.read_text().partition("/")
    assert stat.S_IMODE(int(mode, 8)) == 0o700
    assert not Path("/" + path).exists()


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("sys.exit(3)", "ended with 3"),
        ("file.write_bytes(b'\\xff')", "cannot be read"),
        ("file.unlink()", "cannot be read"),
    ],
)
def test_an_editor_that_leaves_no_text_changes_nothing(tmp_path, monkeypatch, body, why):
    monkeypatch.setenv("VISUAL", editor(tmp_path, body))
    with pytest.raises(editing.EditError, match=why):
        editing.edited(Aside(), "x = 1\n", "script.py")


def test_without_an_editor_it_says_what_to_set(monkeypatch):
    monkeypatch.setenv("VISUAL", "/nowhere/editor --wait")
    with pytest.raises(editing.EditError, match="set \\$EDITOR"):
        editing.edited(Aside(), "x = 1\n", "script.py")


def aside(app, monkeypatch):
    """The terminal is the edge here: a headless one cannot be given away."""
    monkeypatch.setattr(app, "suspend", contextlib.nullcontext)


async def test_an_edit_goes_to_the_gates_and_says_that_no_approval_holds(tmp_path, monkeypatch):
    app = screen_on(shelf())
    aside(app, monkeypatch)
    monkeypatch.setenv(
        "VISUAL", editor(tmp_path, "file.write_bytes(file.read_bytes() + b'# mine\\n')")
    )
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "e")
        assert app.remote.done("verify")[0]["source"] == SCRIPT.source + "# mine\n"
        assert "no approval holds for it" in written(app)[-1]


async def test_what_is_approved_is_edited_only_after_a_yes(tmp_path, monkeypatch):
    said_yes = Decided(CONTENT, "approve", "operator", 1)
    row = replace(VERIFIED, stage="active")
    sheet = replace(SHEET, row=row, decisions=(said_yes,))
    app = screen_on(Shelf(seeded(3), rows=[row], sheet=sheet))
    aside(app, monkeypatch)
    seen = tmp_path / "seen"
    monkeypatch.setenv("VISUAL", editor(tmp_path, f"pathlib.Path({str(seen)!r}).touch()"))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "e")
        assert "the approval is gone" in words(app)
        await pilot.press("enter")
        await answered(pilot)
        assert not seen.exists()
        await pilot.press("e", "y")
        await answered(pilot)
        assert seen.exists()
        assert "nothing was changed" in written(app)[-1]
        assert not app.remote.done("verify")


async def test_where_no_editor_can_be_opened_it_says_so():
    app = screen_on(shelf())
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "e")
        assert "no editor can be opened in this terminal" in written(app)[-1]


# --- pieces


@pytest.mark.parametrize(
    ("decisions", "stage", "holds"),
    [
        ((), "shadow", False),
        ((("approve", CONTENT),), "active", True),
        ((("approve", "other"),), "active", False),
        ((("approve", CONTENT), ("shadow", CONTENT)), "shadow", True),
        ((("approve", CONTENT), ("refuse", CONTENT)), "shadow", False),
        ((("repair", CONTENT),), "active", True),
        ((("repair", CONTENT),), "verified", False),
    ],
)
def test_whose_yes_holds(decisions, stage, holds):
    said = tuple(Decided(content, word, "operator", 1) for word, content in decisions)
    sheet = replace(SHEET, row=replace(VERIFIED, stage=stage), decisions=said)
    assert is_approved(sheet) == holds


def test_the_question_says_when_no_sandbox_holds_it():
    sheet = replace(SHEET, row=replace(VERIFIED, sandbox="", agreeing=3))
    assert "it asks you before each run" in question(sheet, 0)
    assert "in the agent's place" in question(sheet, 0)


@given(st.text(alphabet=st.sampled_from("ab1_ '\"#\\=(){}f"), max_size=60))
def test_the_pieces_of_a_line_are_the_line(line):
    (made,) = code.code_lines(line, ()) or [code.CodeLine(1, "")]
    assert "".join(words for _, words in code.pieces(made)) == made.text


def test_lines_are_those_of_the_interpreter():
    """What only looks like a new line is shown as the one line that it is, and marked."""
    source = "a = 1 # \u2028b = 2\x0cc\r\nd\re\n"
    lines = code.code_lines(source, ())
    assert [line.number for line in lines] == [1, 2, 3]
    assert [line.hides for line in lines] == [True, False, False]
    compile(source.replace("d\re", "d = 1\re = 2"), "it", "exec")


def test_a_docstring_is_one_color_over_its_lines():
    lines = code.code_lines('"""It isn\'t\n code\'s\n"""\nx = \'y\'\n', ())
    assert [line.is_quoted for line in lines] == [False, True, True, False]
    assert ("string", "'y'") in code.pieces(lines[3])
