"""A copy of a text in the operator's own editor, while the screen steps aside."""

import os
import shlex
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from textual.app import App, SuspendNotSupported


class EditError(Exception):
    """Why there is no edited text, in words for the operator."""


def editor() -> list[str]:
    """The editor's command: `$VISUAL`, `$EDITOR`, or vi."""
    return shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi") or ["vi"]


def edited(app: App[Any], source: str, name: str) -> str:
    """The text as it was left in the editor; the copy is private and gone afterwards.

    Raises:
        EditError: when there is no editor, it failed, or left no text.
    """
    command = editor()
    with TemporaryDirectory(prefix="cockpit-edit-") as directory:
        path = Path(directory) / name
        path.write_text(source, "utf-8", newline="")
        try:
            with app.suspend():
                done = subprocess.run([*command, str(path)], check=False)
        except SuspendNotSupported as error:
            raise EditError("no editor can be opened in this terminal") from error
        except OSError as error:
            raise EditError(f"{command[0]} did not start: {error.strerror}; set $EDITOR") from error
        if done.returncode:
            raise EditError(f"{command[0]} ended with {done.returncode}: nothing was taken over")
        return _left(path)


def _left(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise EditError(f"what the editor left cannot be read: {error}") from error
