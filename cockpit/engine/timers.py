"""Schedules for other clocks than the engine's: systemd units and crontab lines, as text to be installed.

They wake the engine, which keeps the lock, the limits and the books; a word of the command is quoted
for who reads it.
"""

import re
import shlex
from collections.abc import Mapping, Sequence

from cockpit.core.shelf import Schedule

_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def crontab(schedule: Schedule, argv: Sequence[str], environment: Mapping[str, str]) -> str:
    """Lines for `crontab -e`. A percent sign ends a command there, so it is escaped."""
    words = [*(f"{name}={value}" for name, value in environment.items()), *argv]
    command = shlex.join(["env", *words] if environment else words).replace("%", r"\%")
    if "\n" in command:
        raise ValueError("a crontab line cannot hold a line break")
    zone = f"CRON_TZ={schedule.zone}\n" if schedule.zone else ""
    return f"{zone}{schedule.cron} {command}\n"


def units(
    name: str, schedule: Schedule, argv: Sequence[str], environment: Mapping[str, str]
) -> dict[str, str]:
    """The service and its timer by file name, for `~/.config/systemd/user`.

    Raises:
        ValueError: for a cron line that systemd has no words for.
    """
    set_ = "".join(
        f"Environment={_quoted(f'{key}={value}')}\n" for key, value in environment.items()
    )
    start = " ".join(_quoted(word) for word in argv)
    times = "".join(f"OnCalendar={line}\n" for line in calendar(schedule))
    unit = f"cockpit-{name}"
    return {
        f"{unit}.service": (
            f"[Unit]\nDescription=cockpit script {name}\n\n"
            f"[Service]\nType=oneshot\n{set_}ExecStart={start}\n"
        ),
        f"{unit}.timer": (
            f"[Unit]\nDescription=cockpit script {name}: {schedule.cron}\n\n"
            f"[Timer]\n{times}Persistent={'true' if schedule.missed == 'once' else 'false'}\n\n"
            "[Install]\nWantedBy=timers.target\n"
        ),
    }


def _quoted(word: str) -> str:
    """One word of a unit file: in double quotes, with systemd's own signs taken literally."""
    if "\n" in word or "\0" in word:
        raise ValueError("a unit file cannot hold a line break in a word")
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{text}"'


def calendar(schedule: Schedule) -> list[str]:
    """The cron line as systemd writes times; two where cron means either the day or the weekday."""
    minute, hour, day, month, weekday = schedule.cron.split()
    time = f"{_numbers(hour, 0, 23)}:{_numbers(minute, 0, 59)}:00"
    months = _numbers(_by_number(month, _MONTHS), 1, 12)
    days, weekdays = _numbers(day, 1, 31), _weekdays(weekday)
    zone = f" {schedule.zone}" if schedule.zone else ""
    if weekdays and not (day.startswith("*") or weekday.startswith("*")):
        return [f"*-{months}-{days} {time}{zone}", f"{weekdays} *-{months}-* {time}{zone}"]
    return [f"{weekdays} *-{months}-{days} {time}{zone}".lstrip()]


def _by_number(field: str, names: Sequence[str]) -> str:
    return re.sub(
        "|".join(names),
        lambda found: str(names.index(found[0].lower()) + 1),
        field,
        flags=re.IGNORECASE,
    )


def _numbers(field: str, first: int, last: int) -> str:
    """A field of numbers; every number written out unless it is simply any."""
    if field == "*":
        return "*"
    found = sorted({number for term in field.split(",") for number in _term(term, first, last)})
    return ",".join(f"{number:02}" for number in found)


def _term(term: str, first: int, last: int) -> range:
    parts = re.fullmatch(r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?", term)
    if parts is None or (parts[3] and not int(parts[3])):
        raise ValueError(
            f"systemd has no words for {term!r}: use --cron, or the engine's own clock"
        )
    start = int(parts[1]) if parts[1] else first
    end = int(parts[2]) if parts[2] else (last if not parts[1] or parts[3] else start)
    return range(start, end + 1, int(parts[3] or 1))


def _weekdays(field: str) -> str:
    if field == "*":
        return ""
    names = [day.lower() for day in _DAYS[:7]]
    spelled = re.sub(
        "|".join(names),
        lambda found: str(names.index(found[0].lower())),
        field,
        flags=re.IGNORECASE,
    )
    numbers = {number % 7 for term in spelled.split(",") for number in _term(term, 0, 6)}
    return ",".join(_DAYS[number] for number in sorted(numbers, key=lambda day: (day - 1) % 7))
