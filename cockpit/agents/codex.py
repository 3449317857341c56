"""Codex: rollouts under `~/.codex/sessions` (`CODEX_HOME` stands for `~/.codex`)."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from cockpit.agents.adapter import Books, InterruptRule, Live, ProcessMark, Source
from cockpit.agents.codex_books import books
from cockpit.agents.codex_story import AGENT, story
from cockpit.core.events import Event

SUFFIX = ".jsonl"
_THREAD = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z")


class Codex:
    """Run ids are `codex/<thread>`; sub-agents are threads of their own and name their parent.

    A fork is a thread of its own, no child: it goes on where another stood.
    """

    name = AGENT
    short = "codex"
    process = ProcessMark(
        names=("codex",),
        scripts=("/bin/codex", "/codex/bin/codex.js"),
        leave=("daemon", "mcp-server", "login"),
    )
    interrupt = InterruptRule(group=True, first="SIGINT", grace_ms=3_000)
    """SIGTERM leaves running tools behind, SIGINT does not (measured)."""

    def roots(self, home: Path, environment: Mapping[str, str]) -> list[Path]:
        chosen = environment.get("CODEX_HOME")
        directory = Path(chosen).expanduser() if chosen else home / ".codex"
        return [directory / "sessions", directory / "archived_sessions"]

    def sources(self, root: Path) -> Iterable[Source]:
        for directory, _, names in os.walk(root):
            for name in names:
                source = self.source(Path(directory, name), root)
                if source is not None:
                    yield source

    def source(self, path: Path, root: Path) -> Source | None:
        if path.suffix != SUFFIX or not path.is_relative_to(root):
            return None
        told = _THREAD.search(path.stem)
        thread = told[0] if told else path.stem
        return Source(AGENT, str(path), "lines", f"{AGENT}/{thread}", thread)

    def calls(self, block: bytes, source: Source, memory: bytes) -> Books:
        return books(block, source, memory)

    def story(self, block: bytes, source: Source, memory: bytes) -> list[Event]:
        return story(block, source, memory)

    def registry(self, home: Path, environment: Mapping[str, str]) -> list[Live]:
        """Codex keeps no list of live processes."""
        return []
