"""Append-only files of JSON lines."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec


class Lines:
    """A file that grows by whole lines, each one written at once."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = path
        self._file = path.open("ab", buffering=0)

    def write(self, line: dict[str, Any]) -> None:
        self._file.write(msgspec.json.encode(line) + b"\n")

    def close(self) -> None:
        self._file.close()


def timestamp(at: int) -> str:
    """Milliseconds since the epoch as `2026-11-22T03:25:54.884Z`."""
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def dashed(path: str) -> str:
    """A directory as Claude Code and Qwen Code name it."""
    return re.sub(r"[^a-zA-Z0-9]", "-", path)
