"""Says what is wrong with an overlay so that its author finds the place."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from msgspec import Struct

from cockpit.prices import overlay

_MESSAGE = re.compile(r"(?P<what>.*?) - at `\$(?P<where>.*?)`", re.DOTALL)
_UNKNOWN = re.compile(r"unknown field `(?P<key>.*)`")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")

_TABLES: dict[str, type[Struct]] = {
    "model": overlay.ModelRule,
    "cache": overlay.CacheTable,
    "tier": overlay.TierRule,
    "geo": overlay.GeoRule,
    "weekdays": overlay.WeekdayRule,
    "provider": overlay.ProviderRule,
    "suffix": overlay.SuffixRule,
}


def explain(message: str, text: str, path: Path) -> str:
    """A complaint of msgspec about an overlay, with file, line, key and the nearest right name."""
    parts = _MESSAGE.match(message)
    what, where = (parts["what"], parts["where"]) if parts else (message, "")
    steps = [name or int(index) for name, index in _STEP.findall(where)]
    unknown = _UNKNOWN.search(what)
    if unknown is None:
        key = next((step for step in reversed(steps) if isinstance(step, str)), "")
        return f"{_place(path, text, steps, key)}: {key}: {what}"
    key = unknown["key"]
    return f"{_place(path, text, steps, key)}: unknown key {key!r}{_nearest(key, steps)}"


def _place(path: Path, text: str, steps: list[str | int], key: str) -> str:
    line = _line(text, steps, key)
    return f"{path}:{line}" if line else str(path)


def _line(text: str, steps: list[str | int], key: str) -> int:
    """Line of `key` in the table that `steps` lead to, 1-based; 0 when it cannot be told."""
    section = steps[0] if steps else key
    wanted = steps[1] if len(steps) > 1 and isinstance(steps[1], int) else 0
    header = re.compile(rf"\s*\[+\s*{re.escape(str(section))}\b")
    assignment = re.compile(rf"(^|[\s{{,\[])[\"']?{re.escape(key)}[\"']?\s*(=|\])")
    table, first = -1, 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("["):
            table += bool(header.match(line))
            first = number if header.match(line) and table == wanted and not first else first
        if (table == wanted or not steps) and assignment.search(line):
            return number
    return first


def _nearest(key: str, steps: list[str | int]) -> str:
    match [step for step in steps if isinstance(step, str)]:
        case []:
            known = overlay.Overlay.__struct_fields__
        case ["model", "above"]:
            known = overlay.Above.__struct_fields__
        case [section, *_]:
            known = _TABLES[section].__struct_fields__
    return nearest(key, known) or f"; known are {', '.join(known)}"


def nearest(word: str, known: Iterable[str]) -> str:
    """A question for the most similar of the known words, or nothing when none is similar."""
    near = get_close_matches(word.lower(), known, n=1, cutoff=0.5)
    return f", did you mean {near[0]!r}?" if near else ""
