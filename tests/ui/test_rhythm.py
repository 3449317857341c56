"""Cron lines and instants in words."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from cockpit.ui import rhythm, text

NOW = int(datetime(2026, 11, 22, 12, 30, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("10 2 * * *", "daily at 02:10"),
        ("30 6 * * 1-5", "weekdays at 06:30"),
        ("30 6 * * MON-FRI", "weekdays at 06:30"),
        ("0 9 * * 1", "Mon at 09:00"),
        ("0 9 * * sun,3", "Sun, Wed at 09:00"),
        ("0 9 * * 0,6", "weekends at 09:00"),
        ("0 7,19 * * *", "daily at 07:00, 19:00"),
        ("*/15 * * * *", "every 15 min"),
        ("5 */4 * * *", "every 4 h at :05"),
        ("0 * * * *", "every hour at :00"),
        ("* * * * *", "every minute"),
        ("0 2 1 * *", "on the 1st at 02:00"),
        ("0 2 22 * *", "on the 22nd at 02:00"),
        ("0 2 13 * *", "on the 13th at 02:00"),
        ("0 2 1 1 *", "0 2 1 1 *"),
        ("0 2 1 * 1", "0 2 1 * 1"),
        ("1-5/2 2 * * *", "1-5/2 2 * * *"),
        ("not a line", "not a line"),
        ("", ""),
    ],
)
def test_lines_in_words(cron, said):
    assert rhythm.in_words(cron) == said


minutes = st.one_of(st.integers(0, 59).map(str), st.just("*/20"), st.just("1-40/7"))
hours = st.one_of(
    st.just("*"), st.integers(0, 23).map(str), st.just("*/6"), st.just("8-18"), st.just("3,21")
)
days = st.sampled_from(["*", "*", "1", "28", "1-7"])
weekdays = st.sampled_from(["*", "1-5", "0", "6,7", "2,4"])


@given(minutes, hours, days, weekdays, st.integers(0, 10**9))
def test_the_next_time_is_the_one_that_cron_means(minute, hour, day, weekday, later):
    """Where both days are given cron takes either; such lines are left to the engine."""
    cron = f"{minute} {hour} {day} * {weekday}"
    now = NOW + later
    if day != "*" and weekday != "*":
        return
    told = rhythm.next_of(cron, now, UTC)
    meant = next(CronSim(cron, datetime.fromtimestamp(now / 1000, UTC)))
    assert told == int(meant.timestamp() * 1000)


@pytest.mark.parametrize(
    "cron", ["", "a b c d e", "0 0 * 2 *", "61 * * * *", "0 0 31-1 * *", "0 0 * * 1#2"]
)
def test_what_is_not_read_has_no_next_time(cron):
    assert rhythm.next_of(cron, NOW, UTC) is None


@pytest.mark.parametrize(
    ("ahead_h", "said"),
    [(1, "today 13:30"), (12, "tomorrow 00:30"), (-13, "yesterday 23:30"), (72, "Wed 25 Nov 12:30"),
     (24 * 365, "Mon 22 Nov 2027 12:30")],
)  # fmt: skip
def test_instants_as_one_says_them(ahead_h, said):
    assert rhythm.when(NOW + ahead_h * text.HOUR, NOW, UTC) == said


def test_an_instant_is_told_in_the_zone_of_the_screen():
    assert rhythm.when(NOW, NOW, ZoneInfo("Asia/Kathmandu")) == "today 18:15"
    assert rhythm.when(-5, NOW, UTC) == "Thu 1 Jan 1970 00:00"
    assert rhythm.when(10**30, NOW, UTC).startswith("Fri 1 Jan 9999")


def test_about_how_far_apart():
    said = [
        rhythm.apart(each) for each in (0, 1, 150_000, 2 * text.HOUR, 40 * text.HOUR, 7 * text.DAY)
    ]
    assert said == ["", "about every minute", "about every 2 min", "about every 2 h", "about every 40 h", "about every 7 d"]  # fmt: skip
