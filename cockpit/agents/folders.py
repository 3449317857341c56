"""Looks into directories by names alone; what is gone or may not be read is empty."""

import os
from pathlib import Path


def files(directory: Path | str) -> list[str]:
    """Names of the files in a directory, sorted."""
    return _names(directory, want_directories=False)


def directories(directory: Path | str) -> list[str]:
    """Names of the directories in a directory, sorted."""
    return _names(directory, want_directories=True)


def _names(directory: Path | str, *, want_directories: bool) -> list[str]:
    try:
        with os.scandir(directory) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() == want_directories)
    except OSError:
        return []


def below(path: Path, root: Path) -> tuple[str, ...]:
    """The parts of the path below the root, none when it lies elsewhere."""
    try:
        return path.relative_to(root).parts
    except ValueError:
        return ()


def line_of(path: Path, limit: int = 4096) -> str:
    """The first line of a small file beside a transcript, empty when there is none."""
    try:
        with path.open("rb") as file:
            return file.readline(limit).decode("utf-8", "replace").strip()
    except OSError:
        return ""
