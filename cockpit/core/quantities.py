"""Durations and counts as people write them."""

import re

_DURATION = re.compile(
    r"(?:(\d+)d)?\s*(?:(\d+)h)?\s*(?:(\d+)m(?:in)?)?\s*(?:(\d+)s)?", re.IGNORECASE
)
_COUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([kM]?)")
_SCALE = {"": 1, "k": 1_000, "M": 1_000_000}


def parse_duration(text: str) -> int:
    """Milliseconds from `90m`, `1h30m`, `45s`, `2d`.

    Raises:
        ValueError: when the text is no such duration, or is zero.
    """
    match = _DURATION.fullmatch(text.strip())
    days, hours, minutes, seconds = (
        (int(part or 0) for part in match.groups()) if match else (0,) * 4
    )
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if not total:
        raise ValueError(f"{text!r} is not a duration: write 90m, 1h30m, 45s or 2d")
    return total * 1000


def parse_count(text: str) -> int:
    """A number from `80`, `500k`, `2M`.

    Raises:
        ValueError: when the text is no positive number.
    """
    match = _COUNT.fullmatch(text.strip())
    number = round(float(match[1]) * _SCALE[match[2]]) if match else 0
    if number <= 0:
        raise ValueError(f"{text!r} is not a count: write 80, 500k or 2M")
    return number


def span_text(ms: int) -> str:
    """A duration as `parse_duration` reads it, in whole seconds: `5m`, `1h30m`, `45s`."""
    seconds = max(1, ms // 1000)
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)
