import pytest
from rich.cells import cell_len

from cockpit.ui.digits import arm, big, blocks, halves, quadrants


@pytest.mark.parametrize("draw", [blocks, halves, quadrants])
@pytest.mark.parametrize(
    "words", ["43:50", "12:10:05", "$1,234.56", "~$0.04", "≤$9", "4d 03h", "?", "--:--", "1.2kM"]
)
def test_every_line_is_as_long_as_the_others(draw, words):
    lengths = {cell_len(row) for row in draw(words)}
    assert len(lengths) == 1


def test_letters_are_as_large_as_the_room_allows():
    assert len(big("43:50", 32)) == 5
    assert len(big("12:10:05", 32)) == 3
    assert big("12:10:05", 20) == ["12:10:05"]


def test_an_hour_and_a_half_on_the_arm():
    segments = arm(90 * 60_000 + 5_000)
    assert "".join(segment.text for segment in segments) == "0000·00·0·01·30·05"
    assert [segment.text for segment in segments if segment.lit] == ["01", "·", "30", "·", "05"]


def test_the_arm_counts_years():
    days = 3 * 365 + 8
    assert "".join(s.text for s in arm(days * 86_400_000)) == "0003·01·1·00·00·00"


def test_the_arm_never_shows_more_than_it_has_digits_for():
    assert arm(10**18)[0].text == "9999"


def test_thirteen_digits_fit_beside_the_table():
    rows = [quadrants(segment.text) for segment in arm(1)]
    assert sum(cell_len(piece[0]) for piece in rows) == 31
