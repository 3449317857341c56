from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from cockpit.ui import diff, wrap

texts = st.text(alphabet="ab  \n\t日本👍é-", max_size=120)


@given(texts, st.integers(2, 30))
def test_cells_fit_and_keep_every_character(text, width):
    lines = wrap.cells(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join(lines) == text.expandtabs(wrap.TAB).replace("\n", "")


@given(texts, st.integers(8, 30), st.integers(8, 30))
def test_words_fit_and_keep_every_letter(text, width, first):
    lines = wrap.words(text, width, first)
    assert cell_len(lines[0]) <= first
    assert all(cell_len(line) <= width for line in lines[1:])
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_words_break_at_spaces():
    assert wrap.words("the grammar needs a rule", 12) == ["the grammar", "needs a rule"]


def test_a_word_too_long_is_broken_at_the_edge():
    assert wrap.words("x" * 25, 10) == ["x" * 10, "x" * 10, "x" * 5]


def test_a_wide_letter_does_not_hang_over_the_edge():
    assert wrap.cells("日本語", 5) == ["日本", "語"]


def test_numbers_and_kinds():
    lines = diff.lines("--- a\n+++ b\n@@ -3,2 +3,3 @@ def\n same\n-old\n+new line\n+more\n")
    assert [(line.kind, line.number) for line in lines] == [
        ("file", 0),
        ("file", 0),
        ("place", 0),
        ("same", 3),
        ("removed", 4),
        ("added", 4),
        ("added", 5),
    ]


def test_a_removed_line_that_looks_like_a_file_name_is_removed():
    lines = diff.lines("@@ -1,1 +1,1 @@\n--- x\n+++ y\n")
    assert [line.kind for line in lines] == ["place", "removed", "added"]


def test_changed_words_are_marked_on_both_sides():
    _, before, after = diff.lines("@@ -1 +1 @@\n-    return text\n+    return text.strip()\n")
    assert before.changed == ()
    assert [after.text[start:end] for start, end in after.changed] == [".strip()"]


def test_lines_with_little_in_common_are_not_compared():
    _, before, after = diff.lines("@@ -1 +1 @@\n-alpha beta\n+0123456789\n")
    assert before.changed == after.changed == ()


def test_a_patch_in_codex_words():
    kinds = [
        line.kind
        for line in diff.lines("*** Begin Patch\n*** Update File: a.py\n@@\n-a\n+b\n*** End Patch")
    ]
    assert kinds == ["file", "file", "place", "removed", "added", "file"]


def test_between_two_texts():
    assert diff.between("a\nb\nc", "a\nB\nc").splitlines() == [
        "@@ -1,3 +1,3 @@",
        " a",
        "-b",
        "+B",
        " c",
    ]


def test_long_texts_are_not_compared_line_by_line():
    old, new = "\n".join(map(str, range(3_000))), "x"
    assert diff.between(old, new).splitlines()[-1] == "+x"


@given(st.text(alphabet="+-@ ab\n\\*", max_size=80))
def test_no_text_is_too_odd_to_be_a_diff(text):
    for line in diff.lines(text):
        assert all(0 <= start < end <= len(line.text) for start, end in line.changed)
