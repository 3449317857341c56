"""When a task comes back: the cron line that its runs would have followed, in the zone they were meant in.

A line is proposed only where the runs kept to it: most of its times had a run, and most runs were near
one of its times. Two runs of one occasion (a retry, a second try) count as one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import pairwise
from statistics import median, median_low
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim
from msgspec import Struct

LEAST_RUNS = 3
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
MONTH_MS = 30 * DAY_MS
SPAN_MS = 14 * DAY_MS
"""Runs of a shorter time tell nothing about a month: they count as all that this fortnight had."""
DAY_MINUTES = 1_440
ROUND_MINUTES = 5
KEPT_SHARE = 0.6
"""Of a line's times so many must have had a run."""
NEAR_SHARE = 0.75
"""Of the runs so many must be near one of its times."""
JITTER_DAY_MINUTES = 240
"""How far from its time a daily run may begin, in the mean of those furthest out."""
HOURS = (1, 2, 3, 4, 6, 8, 12)
MONTH_SLACK_DAYS = 2


class Rhythm(Struct, frozen=True, omit_defaults=True):
    """`every_ms` is the median time between runs, `a_month` how many to expect; `cron` may be empty."""

    every_ms: int | None = None
    a_month: float = 0.0
    cron: str = ""


def rhythm(moments: Iterable[int], zone: str) -> Rhythm:
    """The rhythm of runs that began at these moments (ms), as far as there is one."""
    every = sorted(set(moments))
    if len(every) < 2:
        return Rhythm()
    occasions = _occasions(every)
    gaps = [later - earlier for earlier, later in pairwise(occasions)]
    gap = int(median(gaps)) if gaps else every[-1] - every[0]
    spread = len(occasions) * MONTH_MS / max(every[-1] - every[0], SPAN_MS)
    if len(occasions) < LEAST_RUNS:
        return Rhythm(gap, spread)
    place = _zone(zone)
    local = [datetime.fromtimestamp(at / 1000, UTC).astimezone(place) for at in occasions]
    cron = next((line for line in _lines(local, gap) if _kept(line, local, gap)), "")
    return Rhythm(gap, _a_month(cron, local[-1]) if cron else spread, cron)


def next_after(cron: str, after: int, zone: str) -> int:
    """The first time (ms) of a cron line after a moment."""
    moment = datetime.fromtimestamp(after / 1000, UTC).astimezone(_zone(zone))
    return int(next(CronSim(cron, moment)).timestamp() * 1000)


def expected(known: Rhythm, last: int, zone: str) -> int | None:
    """When the next run is to be expected (ms), None where nobody can tell."""
    if known.cron:
        return next_after(known.cron, last, zone)
    return last + known.every_ms if known.every_ms else None


def _occasions(moments: Sequence[int]) -> list[int]:
    """The moments without those that follow another within a tenth of the usual time between them."""
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    usual = median(sorted(gaps)[len(gaps) // 4 :])
    kept = [moments[0]]
    for at in moments[1:]:
        if at - kept[-1] > usual / 10:
            kept.append(at)
    return kept


def _lines(local: Sequence[datetime], gap: int) -> Iterator[str]:
    """Cron lines worth a try, the simplest first."""
    if gap < 0.75 * 24 * HOUR_MS:
        yield from _hourly(local, gap)
        return
    minute = _usual_minute(local)
    clock = f"{minute % 60} {minute // 60}"
    weekdays = Counter(moment.isoweekday() for moment in local)
    if gap < 2 * DAY_MS:
        if set(weekdays) <= {1, 2, 3, 4, 5} and _over_a_weekend(local):
            yield f"{clock} * * 1-5"
        yield f"{clock} * * *"
    if gap < 20 * DAY_MS:
        often = [day for day, count in weekdays.items() if count >= max(2, len(local) / 8)]
        if often and len(often) < 6:
            yield f"{clock} * * {','.join(map(str, sorted(day % 7 for day in often)))}"
    if gap > 20 * DAY_MS:
        yield f"{clock} {median_low(moment.day for moment in local)} * *"


def _hourly(local: Sequence[datetime], gap: int) -> Iterator[str]:
    minute = _rounded(_circular([moment.minute for moment in local], 60)) % 60
    for hours in HOURS:
        if abs(gap - hours * HOUR_MS) < 0.2 * hours * HOUR_MS:
            phase = Counter(moment.hour % hours for moment in local).most_common(1)[0][0]
            if hours == 1:
                yield f"{minute} * * * *"
            else:
                yield f"{minute} {phase}-23/{hours} * * *" if phase else f"{minute} */{hours} * * *"


def _kept(line: str, local: Sequence[datetime], gap: int) -> bool:
    """Whether the runs kept to the line: near its times, and at most of them."""
    fields = line.split()
    hourly = not fields[1].isdecimal()
    if fields[2] != "*":
        return _kept_monthly(int(fields[2]), local)
    slack = timedelta(milliseconds=gap / 4) if hourly else timedelta(minutes=JITTER_DAY_MINUTES)
    times = _times(line, local[0] - slack, local[-1] + slack)
    if not times:
        return False
    near = [min(times, key=lambda at: abs(at - moment)) for moment in local]
    close = [at for at, moment in zip(near, local, strict=True) if abs(at - moment) <= slack]
    return len(close) >= NEAR_SHARE * len(local) and len(set(close)) >= KEPT_SHARE * len(times)


def _times(line: str, since: datetime, until: datetime) -> list[datetime]:
    found: list[datetime] = []
    for at in CronSim(line, since):
        if at > until or len(found) > 10_000:
            break
        found.append(at)
    return found


def _kept_monthly(day: int, local: Sequence[datetime]) -> bool:
    """Whether nearly every month had a run near its day; weekends push it by a day or two."""
    near = [moment for moment in local if abs(moment.day - day) <= MONTH_SLACK_DAYS]
    first, last = local[0], local[-1]
    months = (last.year - first.year) * 12 + last.month - first.month + 1
    had = {(moment.year, moment.month) for moment in near}
    return len(near) >= NEAR_SHARE * len(local) and len(had) >= KEPT_SHARE * months


def _usual_minute(local: Sequence[datetime]) -> int:
    """The usual minute of the day, on a round clock."""
    minutes = [60 * moment.hour + moment.minute for moment in local]
    return _rounded(_circular(minutes, DAY_MINUTES)) % DAY_MINUTES


def _circular(values: Sequence[int], whole: int) -> int:
    """The median on a circle: of the values as seen from the one that is nearest to all others."""

    def away(one: int, other: int) -> int:
        return (one - other + whole // 2) % whole - whole // 2

    middle = min(values, key=lambda value: sum(abs(away(other, value)) for other in values))
    return (middle + int(median_low([away(value, middle) for value in values]))) % whole


def _rounded(minute: int) -> int:
    return ROUND_MINUTES * round(minute / ROUND_MINUTES)


def _over_a_weekend(local: Sequence[datetime]) -> bool:
    """Whether a Saturday and a Sunday passed between the first run and the last."""
    first, last = local[0].date(), local[-1].date()
    days: set[date] = {first + timedelta(days=n) for n in range(min(14, (last - first).days + 1))}
    return {6, 7} <= {day.isoweekday() for day in days}


def _a_month(cron: str, since: datetime) -> float:
    """How many times in 30 days, in the mean of a quarter."""
    quarter = 91
    return len(_times(cron, since, since + timedelta(days=quarter))) * 30 / quarter


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
