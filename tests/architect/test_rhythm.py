import random
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cockpit.architect.rhythm import expected, next_after, rhythm

BERLIN = ZoneInfo("Europe/Berlin")
DAY = 86_400_000


def at(text, zone=BERLIN):
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


def runs(first, count, step, jitter=0, seed=1, left_out=(), only="1234567"):
    """Local times from the first, with some minutes of jitter, some left out."""
    chance = random.Random(seed)
    start = datetime.fromisoformat(first)
    days = (start + step * number for number in range(10 * count))
    wanted = [day for day in days if str(day.isoweekday()) in only][:count]
    return [
        at((day + timedelta(minutes=chance.randint(-jitter, jitter))).isoformat())
        for number, day in enumerate(wanted)
        if number not in left_out
    ]


ONE_DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("moments", "cron"),
    [
        (runs("2026-03-02T08:10", 10, ONE_DAY), "10 8 * * *"),
        (runs("2026-03-02T08:10", 15, ONE_DAY, jitter=30), "* * * * *"),
        (runs("2026-03-02T08:10", 15, ONE_DAY, only="12345"), "10 8 * * 1-5"),
        (runs("2026-03-02T08:10", 15, ONE_DAY, only="12345", left_out=(3, 9)), "10 8 * * 1-5"),
        (runs("2026-03-02T08:10", 4, ONE_DAY, only="12345"), "10 8 * * *"),
        (runs("2026-03-02T17:00", 6, timedelta(days=7)), "0 17 * * 1"),
        (runs("2026-03-01T17:00", 6, timedelta(days=7)), "0 17 * * 0"),
        (runs("2026-03-02T09:30", 8, ONE_DAY, only="14"), "30 9 * * 1,4"),
        (runs("2026-03-02T09:05", 12, timedelta(hours=1)), "5 * * * *"),
        (runs("2026-03-02T01:20", 12, timedelta(hours=6)), "20 1-23/6 * * *"),
        (runs("2026-03-02T00:00", 12, timedelta(hours=4)), "0 */4 * * *"),
        ([at(f"2026-{month:02d}-05T07:00") for month in range(1, 7)], "0 7 5 * *"),
        (
            [at(f"2026-{m:02d}-{d:02d}T07:00") for m, d in ((1, 5), (2, 5), (3, 6), (4, 7))],
            "0 7 5 * *",
        ),
    ],
)
def test_the_line_that_was_kept_to(moments, cron):
    found = rhythm(moments, "Europe/Berlin").cron
    if cron == "* * * * *":  # with jitter: near the time, on all days
        minute, hour, *rest = found.split()
        assert rest == ["*", "*", "*"]
        assert abs(int(hour) * 60 + int(minute) - 490) <= 15
    else:
        assert found == cron


@pytest.mark.parametrize(
    "moments",
    [
        [at("2026-03-02T08:00"), at("2026-03-03T08:00")],
        [at(f"2026-03-{day:02d}T{hour:02d}:00") for day, hour in ((1, 3), (2, 19), (9, 8), (10, 1), (28, 22))],
        [at("2026-03-02T08:00") + minutes * 60_000 for minutes in (0, 3, 7, 9, 14)],
    ],
)  # fmt: skip
def test_where_there_is_none_none_is_told(moments):
    assert rhythm(moments, "Europe/Berlin").cron == ""


def test_retries_are_no_occasions():
    moments = runs("2026-03-02T08:10", 10, ONE_DAY)
    twice = sorted([*moments, *(moment + 240_000 for moment in moments[::3])])
    assert rhythm(twice, "Europe/Berlin").cron == "10 8 * * *"


def test_summer_time_moves_the_instants_and_not_the_line():
    moments = runs("2026-03-20T08:10", 20, ONE_DAY)
    assert len({moment % DAY for moment in moments}) == 2
    assert rhythm(moments, "Europe/Berlin").cron == "10 8 * * *"
    assert next_after("10 8 * * *", at("2026-03-28T12:00"), "Europe/Berlin") == at(
        "2026-03-29T08:10"
    )
    assert next_after("10 8 * * *", at("2026-10-24T12:00"), "Europe/Berlin") == at(
        "2026-10-25T08:10"
    )


def test_the_zone_decides_what_a_weekday_is():
    tokyo = ZoneInfo("Asia/Tokyo")
    moments = [at(f"2026-03-{day:02d}T01:00", tokyo) for day in (2, 3, 4, 5, 6, 9, 10, 11, 12, 13)]
    assert rhythm(moments, "Asia/Tokyo").cron == "0 1 * * 1-5"
    assert rhythm(moments, "No/Where").cron != "0 1 * * 1-5"


def test_times_around_midnight_are_one_time():
    moments = [at(text) for text in ("2026-03-02T23:55", "2026-03-04T00:05", "2026-03-05T00:00",
                                     "2026-03-05T23:55", "2026-03-07T00:05")]  # fmt: skip
    minute, hour, *_ = rhythm(moments, "Europe/Berlin").cron.split()
    assert (int(hour) * 60 + int(minute)) % 1440 in (0, 5, 1435)


def test_how_often_a_month():
    weekdays = rhythm(runs("2026-03-02T08:10", 15, ONE_DAY, only="12345"), "UTC")
    assert weekdays.a_month == pytest.approx(21.4, abs=0.4)
    weekly = rhythm(runs("2026-03-02T17:00", 6, timedelta(days=7)), "UTC")
    assert weekly.a_month == pytest.approx(4.29, abs=0.1)
    irregular = rhythm([at("2026-03-02T08:00"), at("2026-03-02T08:05")], "UTC")
    assert irregular.a_month == pytest.approx(2 * 30 / 14)
    assert rhythm([5], "UTC").every_ms is None


def test_what_comes_next():
    daily = rhythm(runs("2026-03-02T08:10", 10, ONE_DAY), "Europe/Berlin")
    assert expected(daily, at("2026-03-11T08:10"), "Europe/Berlin") == at("2026-03-12T08:10")
    two = rhythm([0, 3 * DAY], "UTC")
    assert expected(two, 3 * DAY, "UTC") == 6 * DAY
    assert expected(rhythm([1], "UTC"), 1, "UTC") is None
