"""What the operator's settings mean to the engine: the calendar, and which tool calls must wait."""

from datetime import tzinfo
from zoneinfo import ZoneInfo

from cockpit.core.rules import matched
from cockpit.engine.approvals import Matched
from cockpit.journal.settings import Settings


def zone_of(settings: Settings) -> tzinfo | None:
    """The time zone of the operator's days, None for the machine's."""
    return ZoneInfo(settings.timezone) if settings.timezone else None


def rules_of(settings: Settings) -> Matched:
    """The rules in force as one question."""
    rules = settings.approve.in_force()

    def ask(name: str, arguments: object, directory: str, workspace: str) -> tuple[str, str] | None:
        rule = matched(rules, name, arguments, directory, workspace)
        return None if rule is None else (rule.name, told(name, arguments))

    return ask


def told(name: str, arguments: object) -> str:
    """A tool call in one line: the command itself where there is one."""
    if isinstance(arguments, dict):
        for field in ("command", "cmd", "url", "file_path", "path"):
            value = arguments.get(field)
            if isinstance(value, str):
                return f"{name}: {value}"
            if isinstance(value, list):
                return f"{name}: {' '.join(map(str, value))}"
    return f"{name}: {arguments}"
