"""The day of a run, in the zone its dates were meant in."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cockpit.core.trace import Trace


def run_day(trace: Trace) -> date:
    """The date on which the run began, as its clock on the wall showed it."""
    try:
        zone = ZoneInfo(trace.zone)
    except (ZoneInfoNotFoundError, ValueError):
        return datetime.fromtimestamp(trace.began / 1000, UTC).date()
    return datetime.fromtimestamp(trace.began / 1000, zone).date()
