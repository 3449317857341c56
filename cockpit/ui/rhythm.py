"""How often and when, in words: cron lines, and instants as one says them."""

from datetime import UTC, datetime, timedelta, tzinfo
from itertools import product

from cockpit.ui import text

DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = (
    "", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip
_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
LOOK_AHEAD = 40
"""Days."""
_ALL_WEEK = {"*", "0-6", "1-7", "0-7", "sun-sat", "mon-sun"}


def in_words(cron: str) -> str:
    """A cron line as people say it, `weekdays at 06:30`; a rare kind of line stands for itself."""
    fields = cron.lower().split()
    if len(fields) != 5:
        return cron
    minute, hour, day, month, weekday = fields
    if month != "*":
        return cron
    times = _times(minute, hour)
    days = _days(day, weekday)
    if not times or days is None:
        return cron
    return f"{days} {times}".strip() if days else _without_days(times)


def _without_days(times: str) -> str:
    return times if times.startswith("every") else f"daily {times}"


def _times(minute: str, hour: str) -> str:
    """`at 06:30`, `every 15 min`, `every 2 h at :05`; empty for what has no short words."""
    if minute.isdecimal() and _is_list(hour):
        hours = [int(each) for each in hour.split(",")]
        if len(hours) <= 3:
            return "at " + ", ".join(f"{each:02d}:{int(minute):02d}" for each in hours)
        return ""
    if minute.isdecimal() and hour == "*":
        return f"every hour at :{int(minute):02d}"
    if minute.isdecimal() and hour.startswith("*/") and hour[2:].isdecimal():
        return f"every {int(hour[2:])} h at :{int(minute):02d}"
    if hour == "*" and minute.startswith("*/") and minute[2:].isdecimal():
        return f"every {int(minute[2:])} min"
    return "every minute" if (minute, hour) == ("*", "*") else ""


def _is_list(field: str) -> bool:
    return all(each.isdecimal() for each in field.split(","))


def _days(day: str, weekday: str) -> str | None:
    """Words for the days, empty for all of them, None for what has no short words."""
    if day == "*":
        return "" if weekday in _ALL_WEEK else _weekdays(weekday)
    if weekday == "*" and day.isdecimal():
        return f"on the {_ordinal(int(day))}"
    return None


def _weekdays(field: str) -> str | None:
    if field in ("1-5", "mon-fri"):
        return "weekdays"
    if field in ("0,6", "6,0", "6,7", "sat,sun", "sun,sat"):
        return "weekends"
    named = [_weekday(each) for each in field.split(",")]
    return ", ".join(named) if all(named) else None


def _weekday(word: str) -> str:
    if word.isdecimal():
        return DAYS[int(word)] if int(word) < len(DAYS) else ""
    return word.capitalize() if word.capitalize() in DAYS else ""


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number in (11, 12, 13) else ending}"


def apart(every_ms: int) -> str:
    """About how far apart runs are, where there is no cron line: `about every 3 h`."""
    for unit, size in (("d", text.DAY), ("h", text.HOUR), ("min", text.MINUTE)):
        if every_ms >= 2 * size:
            return f"about every {round(every_ms / size)} {unit}"
    return "about every minute" if every_ms else ""


def next_of(cron: str, now: int, tz: tzinfo | None) -> int | None:
    """When a line is due next, within the coming weeks; None for a line that is not read here."""
    fields = cron.lower().split()
    if len(fields) != 5 or fields[3] != "*":
        return None
    read = [_numbers(field, *bounds) for field, bounds in zip(fields, _BOUNDS, strict=True)]
    if not all(read):
        return None
    minutes, hours, days, _, weekdays = read
    begin = _local(now, tz)
    for ahead in range(LOOK_AHEAD):
        day = (begin + timedelta(days=ahead)).date()
        if day.day not in days or day.isoweekday() % 7 not in {each % 7 for each in weekdays}:
            continue
        for hour, minute in product(sorted(hours), sorted(minutes)):
            at = (
                int(datetime(day.year, day.month, day.day, hour, minute, tzinfo=tz).timestamp())
                * text.SECOND
            )
            if at > now:
                return at
    return None


def _numbers(field: str, first: int, last: int) -> set[int]:
    """The numbers that a field of a line stands for; none where it is written in a way not read here."""
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        begin, _, end = span.partition("-")
        if span == "*":
            begin, end = str(first), str(last)
        if not (begin.isdecimal() and (end or begin).isdecimal() and (step or "1").isdecimal()):
            return set()
        found |= set(range(int(begin), min(int(end or begin), last) + 1, max(1, int(step or "1"))))
    return {each for each in found if first <= each <= last}


def when(at: int, now: int, tz: tzinfo | None) -> str:
    """An instant as one says it: `today 02:10`, `tomorrow 02:10`, `Wed 25 Nov 02:10`."""
    there, here = _local(at, tz), _local(now, tz)
    days = (there.date() - here.date()).days
    named = {0: "today", 1: "tomorrow", -1: "yesterday"}.get(days)
    if named is None:
        year = f" {there.year}" if abs(days) > 300 else ""
        named = f"{DAYS[there.isoweekday()]} {there.day} {MONTHS[there.month]}{year}"
    return f"{named} {there:%H:%M}"


def _local(at: int, tz: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(min(max(at, 0), text.LATEST) / text.SECOND, UTC).astimezone(tz)


def until(at: int, now: int) -> str:
    """How long it takes to an instant, in its largest unit, or how long it is ago."""
    return f"in {text.age(at - now)}" if at > now else f"{text.age(now - at)} ago"
