"""Themes: a TOML file each, ours and the operator's; a bad one becomes a notice.

A file holds `dark`, `ansi`, `clock` (`digits` or `arm`) and the tables `[colors]` (Textual's own
names) and `[screen]` (the parts of this screen, see `PARTS`). The name is the file's stem.
"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct
from textual.color import Color, ColorParseError
from textual.theme import BUILTIN_THEMES, Theme

Face = Literal["digits", "arm"]

COLORS = (
    "primary",
    "secondary",
    "warning",
    "error",
    "success",
    "accent",
    "foreground",
    "background",
    "surface",
    "panel",
    "boost",
)
PARTS = {
    "running": "primary",
    "waiting": "foreground",
    "asks": "warning",
    "idle": "foreground",
    "stuck": "error",
    "ended": "foreground",
    "stopping": "warning",
    "stopped": "foreground",
    "failed": "error",
    "warm": "success",
    "cold": "foreground",
    "gauge": "foreground",
    "gauge-high": "warning",
    "gauge-full": "error",
    "track": "panel",
    "spark": "primary",
    "dim": "foreground",
    "border": "panel",
    "title": "foreground",
    "key": "primary",
    "cursor": "panel",
    "mark": "accent",
    "added": "success",
    "removed": "error",
    "clock": "foreground",
    "clock-low": "error",
    "clock-off": "panel",
}
"""Parts of the screen, each with the color it takes when a theme says nothing about it."""

_TOP = ("dark", "ansi", "clock", "colors", "screen")
_PACKAGE = Path(__file__).resolve().parents[1]


class Skin(Struct, frozen=True):
    """A theme ready to use, and the face of its clock."""

    theme: Theme
    face: Face = "digits"


class Loaded(Struct, frozen=True):
    """Themes by name, and what was wrong with the others, a sentence each."""

    skins: dict[str, Skin]
    notices: list[str]


class ThemeError(Exception):
    """What is wrong with a theme file, naming file and key."""


def shipped() -> Path:
    """Where our own themes lie: in the package when installed, beside it in a checkout."""
    inside = _PACKAGE / "themes"
    return inside if inside.is_dir() else _PACKAGE.parent / "themes"


def find(name: str, own: Path | None) -> Path | None:
    """The file of a theme; the operator's own wins."""
    for directory in (own, shipped()):
        if directory is not None and (path := directory / f"{name}.toml").is_file():
            return path
    return None


def load_all(own: Path | None) -> Loaded:
    """Every theme there is."""
    paths: dict[str, Path] = {}
    for directory in (shipped(), own):
        if directory is not None and directory.is_dir():
            paths |= {path.stem: path for path in sorted(directory.glob("*.toml"))}
    return load(paths.values())


def load(paths: Iterable[Path]) -> Loaded:
    """The themes of these files."""
    loaded = Loaded({}, [])
    for path in paths:
        try:
            loaded.skins[path.stem] = read(path)
        except ThemeError as error:
            loaded.notices.append(str(error))
    return loaded


def read(path: Path) -> Skin:
    """The theme of one file.

    Raises:
        ThemeError: for a file that cannot be read, a key that means nothing, a color that is none.
    """
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ThemeError(f"theme {path}: {error}") from error
    _known(path, data, _TOP, "")
    colors = _colors(path, data, "colors", COLORS)
    parts = _colors(path, data, "screen", tuple(PARTS))
    face = data.get("clock", "digits")
    if face not in ("digits", "arm"):
        raise ThemeError(f'theme {path}: clock = {face!r} is neither "digits" nor "arm"')
    if "primary" not in colors:
        raise ThemeError(f"theme {path}: [colors] has no primary")
    dark = _flag(path, data, "dark", default=True)
    ansi = _flag(path, data, "ansi", default=False)
    variables = {f"part-{part}": color for part, color in complete(parts, colors).items()}
    if ansi:
        variables |= BUILTIN_THEMES["ansi-dark" if dark else "ansi-light"].variables
    theme = Theme(path.stem, dark=dark, ansi=ansi, variables=variables, **colors)  # type: ignore[arg-type]
    try:
        theme.to_color_system().generate()
    except Exception as error:  # Textual's own derivation refuses some mixtures with many errors
        raise ThemeError(f"theme {path}: these colors do not go together: {error}") from error
    return Skin(theme, face)


def complete(parts: Mapping[str, str], colors: Mapping[str, str]) -> dict[str, str]:
    """A color for every part: the theme's, or the general color it falls back to."""
    fallback = {"foreground": "#D8DEE9", "panel": "#3B4252"} | dict(colors)
    return {
        part: parts.get(part) or fallback.get(general) or colors["primary"]
        for part, general in PARTS.items()
    }


def _flag(path: Path, data: Mapping[str, Any], key: str, *, default: bool) -> bool:
    value = data.get(key, default)
    if not isinstance(value, bool):
        raise ThemeError(f"theme {path}: {key} = {value!r} is neither true nor false")
    return value


def _colors(
    path: Path, data: Mapping[str, Any], table: str, names: tuple[str, ...]
) -> dict[str, str]:
    found = data.get(table, {})
    if not isinstance(found, dict):
        raise ThemeError(f"theme {path}: {table} is not a table")
    _known(path, found, names, f"[{table}] ")
    for key, value in found.items():
        try:
            Color.parse(value if isinstance(value, str) else "")
        except ColorParseError as error:
            raise ThemeError(f"theme {path}: [{table}] {key} = {value!r} is no color") from error
    return found


def _known(path: Path, data: Mapping[str, Any], names: tuple[str, ...], where: str) -> None:
    for key in data:
        if key not in names:
            from difflib import get_close_matches  # only needed to say what was meant

            near = get_close_matches(key, names, 1, 0)
            raise ThemeError(f"theme {path}: {where}{key} is unknown; nearest is {near[0]}")
