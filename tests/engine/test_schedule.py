"""Cron lines over summer time, missed times, clocks that jump; and the same for other clocks' files."""

import shlex
import shutil
import subprocess
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.core.shelf import Schedule
from cockpit.engine import schedule as s
from cockpit.engine.timers import calendar, crontab, units

ZONE = "Europe/Berlin"
HOUR = 3_600_000
MORNING = Schedule(cron="30 6 * * *", zone=ZONE)


def at(text):
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(ZONE))
    return int(moment.timestamp() * 1000)


def test_due_at_its_time_and_once():
    fired = at("2026-11-22T06:30")
    assert s.due(MORNING, fired, at("2026-11-23T06:29")) is None
    assert s.due(MORNING, fired, at("2026-11-23T06:30")) == s.Due(at("2026-11-23T06:30"), True)
    assert s.due(MORNING, at("2026-11-23T06:30"), at("2026-11-23T06:30:01")) is None


def test_a_missed_time_is_made_up_for_once_or_left_out():
    fired, now = at("2026-11-20T06:30"), at("2026-11-23T09:00")
    assert s.due(MORNING, fired, now) == s.Due(at("2026-11-23T06:30"), True)
    skipping = Schedule(cron="30 6 * * *", zone=ZONE, missed="skip")
    assert s.due(skipping, fired, now) == s.Due(at("2026-11-23T06:30"), False)
    on_time = at("2026-11-23T06:31")
    assert s.due(skipping, fired, on_time) == s.Due(at("2026-11-23T06:30"), True)


def fired_in(schedule, start, end, step=600_000):
    fired, times = start, []
    for now in range(start, end, step):
        found = s.due(schedule, fired, now)
        if found:
            fired = found.at
            times.append(datetime.fromtimestamp(found.at / 1000, ZoneInfo(ZONE)))
    return times


def test_summer_time_ends_and_half_past_two_comes_once():
    night = Schedule(cron="30 2 * * *", zone=ZONE)
    times = fired_in(night, at("2026-10-24T00:00"), at("2026-10-27T00:00"))
    assert [f"{time:%d %H:%M}" for time in times] == ["24 02:30", "25 02:30", "26 02:30"]


def test_summer_time_begins_and_half_past_two_comes_after_the_gap():
    night = Schedule(cron="30 2 * * *", zone=ZONE)
    times = fired_in(night, at("2026-03-28T00:00"), at("2026-03-31T00:00"))
    assert [f"{time:%d %H:%M}" for time in times] == ["28 02:30", "29 03:00", "30 02:30"]


def test_a_clock_that_goes_back_does_not_run_a_morning_again():
    fired = at("2026-11-23T06:30")
    assert s.due(MORNING, fired, at("2026-11-23T06:10")) is None
    assert s.due(MORNING, fired, at("2026-11-23T06:40")) is None
    assert s.due(MORNING, fired, at("2026-11-24T06:30")).at == at("2026-11-24T06:30")


def test_a_clock_that_was_years_ahead_does_not_silence_a_script_for_years():
    fired = at("2031-01-01T06:30")
    now = at("2026-11-23T06:00")
    assert s.coming(MORNING, fired, now) == at("2026-11-23T06:30")
    assert s.due(MORNING, fired, now) is None


@settings(deadline=None)
@given(st.integers(at("2026-01-01T00:00"), at("2027-12-31T00:00")), st.integers(1, 300))
def test_no_time_is_acted_on_twice(start, minutes):
    fired = start
    for now in range(start, start + 3 * 24 * HOUR, minutes * 60_000):
        found = s.due(MORNING, fired, now)
        assert found is None or fired < found.at <= now
        fired = found.at if found else fired


@pytest.mark.parametrize(
    ("line", "zone", "says"),
    [
        ("30 6 * *", "", "five fields"),
        ("61 6 * * *", "", "no cron line"),
        ("0 0 31 2 *", "", "no cron line"),
        ("0 6 * * *", "Mars/Base", "no time zone"),
        ("* * * * * *", "", "five fields"),
    ],
)
def test_what_is_wrong_is_said(line, zone, says):
    with pytest.raises(ValueError, match=says):
        s.check(Schedule(cron=line, zone=zone))


def test_the_date_is_the_operators():
    tokyo = Schedule(cron="30 6 * * *", zone="Asia/Tokyo")
    assert s.day_of(tokyo, at("2026-11-22T21:30+00:00")) == "2026-11-23"


ARGV = ["/opt/my cockpit/bin/python", "-m", "cockpit", "script", "run", "100%$HOME; rm -rf ~ \"'"]


def test_a_crontab_line_quotes_for_the_shell_and_for_cron():
    line = crontab(MORNING, ARGV, {"COCKPIT_HOME": "/home/m/c k"})
    zone, entry = line.splitlines()
    assert zone == f"CRON_TZ={ZONE}"
    command = entry.removeprefix("30 6 * * * ")
    assert "%" not in command.replace(r"\%", "")
    assert shlex.split(command.replace(r"\%", "%")) == ["env", "COCKPIT_HOME=/home/m/c k", *ARGV]


def test_units_quote_for_systemd():
    told = units("morning", MORNING, ARGV, {})
    service = told["cockpit-morning.service"]
    assert r'"100%%$$HOME; rm -rf ~ \"' in service
    assert 'ExecStart="/opt/my cockpit/bin/python" "-m"' in service
    timer = told["cockpit-morning.timer"]
    assert "OnCalendar=*-*-* 06:30:00 Europe/Berlin" in timer
    assert "Persistent=true" in timer
    with pytest.raises(ValueError, match="line break"):
        units("morning", MORNING, ["a\nb"], {})


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("0 9 * * 1-5", ["Mon,Tue,Wed,Thu,Fri *-*-* 09:00:00"]),
        ("*/20 * * * *", ["*-*-* *:00,20,40:00"]),
        ("0 0 1 * *", ["*-*-01 00:00:00"]),
        ("0 0 1,15 jan-mar sun", ["*-01,02,03-01,15 00:00:00", "Sun *-01,02,03-* 00:00:00"]),
        ("5 4 */10 * 7", ["Sun *-*-01,11,21,31 04:05:00"]),
        ("10/25 3 * * *", ["*-*-* 03:10,35:00"]),
    ],
)
def test_times_as_systemd_writes_them(line, told):
    found = calendar(Schedule(cron=line))
    assert found == told
    if shutil.which("systemd-analyze"):
        for each in found:
            subprocess.run(["systemd-analyze", "calendar", each], check=True, capture_output=True)


def test_what_systemd_has_no_words_for():
    with pytest.raises(ValueError, match="no words"):
        calendar(Schedule(cron="0 0 L * *"))


def test_a_week_of_weekdays():
    office = Schedule(cron="0 9 * * 1-5", zone=ZONE)
    start = at("2026-11-21T00:00")
    times = fired_in(office, start, start + int(timedelta(days=7).total_seconds() * 1000))
    assert [time.isoweekday() for time in times] == [1, 2, 3, 4, 5]
