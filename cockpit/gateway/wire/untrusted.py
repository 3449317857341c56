"""Values out of a request or an answer that somebody else wrote, taken without trust."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from cockpit.core.text import one_line

MAX_COUNT = 1_000_000_000
"""No call has more tokens; a larger figure is a mistake and counts as this."""

UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
"""What decoding somebody else's JSON may raise."""

Table = dict[str, Any]

_decode = msgspec.json.Decoder().decode


def decoded(body: bytes) -> Table:
    """The JSON object in `body`, empty when there is none."""
    try:
        value = _decode(body)
    except UNREADABLE:
        value = _lenient(body)
    return value if isinstance(value, dict) else {}


def _lenient(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """JavaScript agents send lone surrogates, which only the standard library accepts."""
    try:
        return json.loads(body)
    except UNREADABLE:
        return None


def told(value: object) -> int | None:
    """A count that was told, None when it is missing or no number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    return int(min(max(value, 0), MAX_COUNT))


def count(value: object) -> int:
    """A count, 0 when none was told."""
    return told(value) or 0


def limit(value: object) -> int | None:
    """A limit of output tokens that a client set; a negative one means none."""
    if isinstance(value, int | float) and value < 0:
        return None
    return told(value)


def answers(value: object) -> int:
    """How many answers to one prompt are asked for, at least one."""
    return max(1, count(value))


def table(value: object) -> Table:
    """The object, empty when it is something else."""
    return value if isinstance(value, dict) else {}


def rows(value: object) -> list[Any]:
    """The array, empty when it is something else."""
    return value if isinstance(value, list) else []


def word(value: object) -> str:
    """A short text such as a name or an id, safe to show; empty when it is something else."""
    return one_line(value) if isinstance(value, str) else ""


def size(value: object) -> int:
    """Bytes of a text in UTF-8, of anything else as JSON; None is nothing."""
    if isinstance(value, str) and value.isascii():
        return len(value)
    return len(encoded(value))


def encoded(value: object) -> bytes:
    """A text in UTF-8, anything else as JSON; None is nothing."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if value is None:
        return b""
    try:
        return msgspec.json.encode(value)
    except UNREADABLE:
        return json.dumps(value).encode()


def header(headers: Mapping[str, str], *names: str) -> str:
    """The first of the headers that is there, safe to show."""
    given = {name.lower(): value for name, value in headers.items()}
    return next((word(given[name]) for name in names if given.get(name)), "")
