import pytest

from cockpit.core.quantities import parse_count, parse_duration


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("90m", 5_400_000),
        ("1h30m", 5_400_000),
        ("45s", 45_000),
        ("2d", 172_800_000),
        ("1h 5min", 3_900_000),
    ],
)
def test_durations(text, milliseconds):
    assert parse_duration(text) == milliseconds


@pytest.mark.parametrize("text", ["", "0m", "90", "m", "-5m", "1.5h"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "number"), [("80", 80), ("500k", 500_000), ("2M", 2_000_000), ("1.5M", 1_500_000)]
)
def test_counts(text, number):
    assert parse_count(text) == number


@pytest.mark.parametrize("text", ["", "0", "2G", "-3", "many"])
def test_what_is_no_count_is_refused(text):
    with pytest.raises(ValueError, match="not a count"):
        parse_count(text)
