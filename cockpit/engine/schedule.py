"""When a script is due: cron lines in the operator's time zone, and what happens to times that passed.

Times are milliseconds since the epoch. A time is acted on once, also when a clock goes back over it,
and when summer time ends; one that summer time leaves out is due right after the gap.
"""

from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from msgspec import Struct

from cockpit.core.shelf import Schedule

GRACE_MS = 120_000
"""A time that passed no longer ago than this was not missed: the machine was only busy."""
FAR_MS = 86_400_000
"""A last time this far ahead comes from a clock that was wrong."""


class Due(Struct, frozen=True):
    """A time of a schedule that has come. `act` is false where it was missed and is left out."""

    at: int
    act: bool


def check(schedule: Schedule) -> None:
    """Raises ValueError, saying what is wrong with the line or the zone."""
    if len(schedule.cron.split()) != 5:
        raise ValueError(f"{schedule.cron!r}: a cron line has five fields, as in 30 6 * * 1-5")
    try:
        next(CronSim(schedule.cron, datetime.now(UTC)))
    except (CronSimError, StopIteration) as error:
        why = str(error) or "it never comes"
        raise ValueError(f"{schedule.cron!r} is no cron line: {why}") from error
    zone_of(schedule.zone)


def zone_of(name: str) -> tzinfo:
    """The zone with this IANA name, the machine's own for an empty one.

    Raises:
        ValueError: when there is no such zone.
    """
    if not name:
        return _machines()
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone: write one like Europe/Berlin") from error


def _machines() -> tzinfo:
    """The machine's rules, not only its offset of today."""
    try:
        return ZoneInfo("localtime")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return _named_by_link() or datetime.now().astimezone().tzinfo or UTC


def _named_by_link() -> tzinfo | None:
    from pathlib import Path

    target = str(Path("/etc/localtime").resolve())
    _, found, name = target.partition("/zoneinfo/")
    try:
        return ZoneInfo(name) if found else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@lru_cache(maxsize=1024)
def next_due(schedule: Schedule, after: int) -> int:
    """The first time of the schedule after `after`."""
    moment = datetime.fromtimestamp(after / 1000, zone_of(schedule.zone))
    for each in CronSim(schedule.cron, moment):
        at = int(each.timestamp() * 1000)
        if at > after:
            return at
    return 1 << 62


def last_due(schedule: Schedule, until: int) -> int:
    """The last time of the schedule that is not after `until`."""
    moment = datetime.fromtimestamp(until / 1000 + 60, zone_of(schedule.zone))
    for each in CronSim(schedule.cron, moment, reverse=True):
        at = int(each.timestamp() * 1000)
        if at <= until:
            return at
    return 0


def due(schedule: Schedule, fired: int, now: int) -> Due | None:
    """What has come since `fired`, the last time that was acted on; several times count as one."""
    since = fired if fired < now + FAR_MS else now
    if next_due(schedule, since) > now:
        return None
    at = max(last_due(schedule, now), next_due(schedule, since))
    return Due(at, schedule.missed == "once" or now - at <= GRACE_MS)


def coming(schedule: Schedule, fired: int, now: int) -> int:
    """When the schedule is due next, for the screen."""
    return next_due(schedule, max(now, fired if fired < now + FAR_MS else 0))


def day_of(schedule: Schedule | None, at: int) -> str:
    """The date that a script is given for a time: the operator's."""
    zone = zone_of(schedule.zone if schedule is not None else "")
    return datetime.fromtimestamp(at / 1000, zone).strftime("%Y-%m-%d")
