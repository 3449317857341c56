"""What Gemini CLI and Qwen Code share: a file of system settings that lies above the user's own."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from cockpit.agents.launch import layers


def above_all(
    variable: str, usual: str, ours: layers.Table, scratch: Path, outer: Mapping[str, str]
) -> tuple[Path, bytes]:
    """A file in `scratch`: the machine's own system settings with ours above, for `variable`."""
    theirs = layers.read(Path(outer.get(variable) or usual))
    return scratch / "system-settings.json", msgspec.json.encode(layers.merged(theirs, ours))
