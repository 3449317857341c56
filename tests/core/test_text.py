import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.core.text import clean, one_line

HOSTILE = {
    "OSC 52 writes the clipboard": "a\x1b]52;c;aGk=\x07b",
    "OSC 52 ended by ST": "a\x1b]52;c;aGk=\x1b\\b",
    "CSI": "a\x1b[2J\x1b[31mb",
    "raw C1 CSI": "a\x9b31mb",
    "raw C1 OSC": "a\x9d52;c;aGk=\x9cb",
    "DCS": "a\x1bPq#0\x1b\\b",
    "bidi override": "a\u202eb",
    "zero width": "a\u200bb",
    "tag characters": "a\U000e0041b",
    "lone surrogate": "a\ud800b",
    "bell and backspace": "a\x07\x08b",
    "half an escape": "ab\x1b",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_nothing_a_terminal_could_act_on_is_left(text):
    safe = clean(text)
    assert "\x1b" not in safe
    assert not any(unicodedata.category(character) in ("Cc", "Cf", "Cs") for character in safe)
    assert safe.startswith("a")


@given(st.text(max_size=300))
def test_clean_twice_is_clean_once(text):
    assert clean(clean(text)) == clean(text)


@given(st.text(max_size=300))
def test_no_control_survives(text):
    kept = {"\n", "\t"}
    assert all(unicodedata.category(c) not in ("Cc", "Cs") or c in kept for c in clean(text))


def test_lines_stay_and_length_is_bounded():
    assert clean("a\r\nb\tc") == "a\nb\tc"
    assert len(clean("x" * 10**6, 100)) == 101
    assert one_line("  a\n\n b  ") == "a b"
    assert len(one_line("word " * 1000)) <= 200
