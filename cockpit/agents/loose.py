"""Reads JSON that others wrote: what is absent or of the wrong type is nothing, never an exception."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from cockpit.core.text import BODY_LIMIT, clean, one_line

Table = dict[str, Any]
Memory = TypeVar("Memory")

FIGURE_LIMIT = 1 << 50
"""A larger count of tokens is damage, not usage; it would overflow the books."""
INSTANT_LIMIT = 1 << 43
"""Milliseconds; later than the year 2248."""
SECONDS_LIMIT = 100_000_000_000
"""A smaller instant counts seconds, not milliseconds."""

ARGUMENTS = (
    "command", "commands", "cmd", "file_path", "filePath", "filepath", "path", "absolute_path",
    "files", "pattern", "query", "url", "description", "prompt", "dir_path", "task", "text",
)  # fmt: skip
"""The argument that matters of a tool call, in order of preference."""

_decoder = msgspec.json.Decoder()


def decode(data: bytes | str) -> object:
    """The JSON value, None when it is none. Lone surrogates and NaN, which agents do write, pass."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _decode_slowly(data)


def _decode_slowly(data: bytes | str) -> object:
    try:
        return json.loads(data if isinstance(data, str) else data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


class _Object(Struct):
    """An object whose keys do not matter."""


_skip = msgspec.json.Decoder(_Object).decode


def is_object(data: bytes) -> bool:
    """Whether it is a JSON object, in a tenth of the time that decoding it takes."""
    try:
        _skip(data)
    except (msgspec.MsgspecError, RecursionError):
        return isinstance(_decode_slowly(data), dict)
    return True


def objects(block: bytes, *, having: bytes = b"") -> Iterator[Table | None]:
    """The objects of a block of lines, None for each bad line.

    Lines without `having` are left out undecoded, if they are objects.
    """
    for raw in block.split(b"\n"):
        line = raw.strip()
        if not line:
            continue
        if having in line:
            value = decode(line)
            yield value if isinstance(value, dict) else None
        elif not is_object(line):
            yield None


def text(value: object) -> str:
    """The string, empty for anything else."""
    return value if isinstance(value, str) else ""


def name(value: object) -> str:
    """A short string as one clean line: a model, a branch, the name of a tool."""
    return one_line(value) if isinstance(value, str) else ""


def body(value: object) -> str:
    """A long string, cleaned; whatever else there is, as JSON."""
    if isinstance(value, str):
        return clean(value)
    return "" if value is None else clean(dump(value))


def table(value: object) -> Table:
    """The object, empty for anything else."""
    return value if isinstance(value, dict) else {}


def tables(value: object) -> list[Table]:
    """The objects in an array."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def count(value: object) -> int:
    """A count of something: 0 for what cannot be one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(value) if 0 <= value < FIGURE_LIMIT else 0


def figure(value: object) -> int:
    """A count that goes into the books: 0 when it is absent.

    Raises:
        ValueError: when it is none, because a line with such a figure is damaged.
    """
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r:.40} is no count")
    if not 0 <= value < FIGURE_LIMIT or value != int(value):
        raise ValueError(f"{value!r:.40} is no count")
    return int(value)


def instant(value: object) -> int:
    """Milliseconds since the epoch, from ISO 8601, seconds or milliseconds; 0 when it is no time."""
    if isinstance(value, str):
        return _instant_of(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    if not 0 <= value < INSTANT_LIMIT:
        return 0
    return int(value if value >= SECONDS_LIMIT else value * 1000)


def _instant_of(value: str) -> int:
    try:
        moment = datetime.fromisoformat(value[:40])
        return max(
            0, round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
        )
    except (ValueError, OverflowError):
        return 0


def dump(value: object) -> str:
    """The value as JSON, for reading."""
    try:
        return json.dumps(value, ensure_ascii=False)[: BODY_LIMIT + 1]
    except (ValueError, TypeError, RecursionError):
        return ""


def summary(arguments: object) -> str:
    """The one argument of a tool call that matters, as one line."""
    given = table(arguments)
    if not given:
        return name(arguments)
    chosen = next((given[key] for key in ARGUMENTS if given.get(key)), None)
    if chosen is None:
        chosen = next((value for value in given.values() if isinstance(value, str)), given)
    if isinstance(chosen, list) and chosen and all(isinstance(part, str) for part in chosen):
        chosen = " ".join(chosen[:20])
    return one_line(chosen if isinstance(chosen, str) else dump(chosen))


def pack(memory: object) -> bytes:
    """What an adapter wants to remember, as bytes."""
    return msgspec.msgpack.encode(memory)


def unpack(memory: bytes, kind: type[Memory]) -> Memory:
    """What `pack` kept; a fresh one when there is nothing or it is of another version."""
    try:
        return msgspec.msgpack.decode(memory, type=kind) if memory else kind()
    except (msgspec.MsgspecError, ValueError):
        return kind()
