"""Writes a choice made on the screen into the operator's settings, whose words and order stay."""

import re
from pathlib import Path

from cockpit.journal.paths import private
from cockpit.journal.settings import SettingsError

_THEME = re.compile(r"""^theme[ \t]*=[ \t]*("[^"\n]*"|'[^'\n]*')""", re.MULTILINE)
_TABLE = re.compile(r"^[ \t]*\[", re.MULTILINE)


def keep_theme(path: Path, name: str) -> None:
    """Make `name` the theme of the settings in `path`, which is made when missing.

    Raises:
        SettingsError: when the file cannot be read, understood or written; it is as it was then.
    """
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        after = _with_theme(before, name)
        if after != before:
            _check(path, before, after, name)
            _replace(path, after)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from error


def _with_theme(text: str, name: str) -> str:
    """The text with the value of the topmost `theme` replaced, or with a line for it before all tables."""
    table = _TABLE.search(text)
    end = table.start() if table else len(text)
    head, tail = text[:end], text[end:]
    said = f'theme = "{name}"'
    written, count = _THEME.subn(lambda _: said, head, count=1)
    if count:
        return written + tail
    joint = "" if not head or head.endswith("\n") else "\n"
    return f"{head}{joint}{said}\n{tail}"


def _check(path: Path, before: str, after: str, name: str) -> None:
    """Nothing but the theme may differ: a file written in an unusual way is left alone."""
    import tomllib

    try:
        is_kept = tomllib.loads(after) == tomllib.loads(before) | {"theme": name}
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: {error}") from error
    if not is_kept:
        raise SettingsError(f'{path}: write theme = "{name}" there by hand')


def _replace(path: Path, text: str) -> None:
    """At once or not at all; a link goes on to point at its file."""
    target = path.resolve()
    private(target.parent)
    new = target.with_name(f".{target.name}.new")
    new.touch(mode=0o600)
    new.write_text(text, encoding="utf-8")
    new.replace(target)
