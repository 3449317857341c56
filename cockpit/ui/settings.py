"""What the operator chose about the screen."""

from collections.abc import Callable
from datetime import tzinfo
from pathlib import Path

from msgspec import Struct

from cockpit.ui.rows import Sort


class ScreenSettings(Struct, frozen=True):
    """`keys` maps command ids to keys, `themes` is the operator's own theme directory.

    `keep_theme` writes a theme's name down for the next start and raises with words for people.
    `tz` None is the machine's zone. After `answer_within_ms` without a word from the engine the
    screen names the shell command that stops without it.
    """

    theme: str = "cockpit"
    keys: dict[str, str] = {}
    themes: Path | None = None
    sort: Sort = "attention"
    tz: tzinfo | None = None
    keep_theme: Callable[[str], None] | None = None
    answer_within_ms: int = 1_000
